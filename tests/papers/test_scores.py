"""What is seen of a game beside its losses: a discriminator's scores, and the norms of the gradients."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from suite.losses.adversarial import LOSSES, AdversarialLoss
from suite.papers.base import Paper
from suite.papers.pix2pix import real_drawings


class Brightness(nn.Module):
    """A discriminator by hand: the logit of a pixel is the mean of its channels."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1, keepdim=True)


def grey(*values: float, channels: int = 3) -> Tensor:
    """A batch of pictures of one value each."""
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, channels, 32, 32).clone()


# Scores ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("game", "middle"),
    [
        ({"loss": "vanilla"}, 0.0),
        ({"loss": "vanilla", "real_label": 0.8}, 0.0),  # the sigmoid is a half
        ({"loss": "lsgan"}, 0.5),
        ({"loss": "lsgan", "real_label": 0.8}, 0.4),
        ({"loss": "hinge"}, 0.0),
        ({"loss": "wgan"}, 0.0),
    ],
)
def test_scores_are_mean_logits_and_the_shares_on_the_right_side(game: dict, middle: float) -> None:
    real = torch.tensor([-1.0, -0.1, 0.1, 0.2]) + middle
    fake = torch.tensor([0.3, -0.1, -0.2, -2.0]) + middle
    scores = AdversarialLoss(**game).scores(real.requires_grad_(), fake.half(), "_x")
    expected = {"real": -0.2 + middle, "fake": -0.5 + middle, "real_right": 0.5, "fake_right": 0.75}
    assert {name: value.item() for name, value in scores.items()} == pytest.approx(
        {f"scores/{name}_x": value for name, value in expected.items()}, abs=1e-3
    )
    assert all(value.dtype == torch.float32 and not value.requires_grad for value in scores.values())


@pytest.mark.parametrize("loss", LOSSES)
def test_each_discriminator_of_cyclegan_has_its_scores(loss: str, make_cyclegan: Callable) -> None:
    model = make_cyclegan(adversarial={"loss": loss}, pool_size=0)
    model.D_A, model.D_B = Brightness(), Brightness()
    a, b, fake_a, fake_b = grey(0.75, 0.25), grey(-0.5, 1.0), grey(0.25, -0.25), grey(0.75, 1.0)
    _, scores = model.discriminator_losses(a, b, fake_a, fake_b, model.draw({"a": a, "b": b}))
    assert {name: value.item() for name, value in scores.items()} == {
        "scores/real_a": 0.5,
        "scores/fake_a": 0.0,
        "scores/real_right_a": 0.5 if loss == "lsgan" else 1.0,
        "scores/fake_right_a": 1.0 if loss == "lsgan" else 0.5,
        "scores/real_b": 0.25,
        "scores/fake_b": 0.875,
        "scores/real_right_b": 0.5,
        "scores/fake_right_b": 0.0,
    }


def test_scores_of_pix2pix_are_over_every_drawing(make_pix2pix: Callable) -> None:
    model = make_pix2pix(adversarial={"loss": "hinge"})
    model.D = Brightness()
    x = grey(0.0, 0.0)
    drawings = torch.stack([grey(1.0, 1.0, channels=1), grey(-1.0, 1.0, channels=1)], dim=1)
    batch = {"a": x, "b": drawings[:, 0], "drawings": drawings, "drawing_count": torch.tensor([2, 2])}
    fake = grey(-1.0, 0.5, channels=1)
    _, scores = model.discriminator_losses(x, *real_drawings(batch), fake, batch["b"], {})
    assert {name: value.item() for name, value in scores.items()} == {
        "scores/real": 0.125,
        "scores/fake": -0.0625,
        "scores/real_right": 0.75,
        "scores/fake_right": 0.5,
    }


# Norms ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clip_norm", [0.0, 0.01])
@pytest.mark.parametrize("half", [False, True])
def test_norms_are_of_the_gradients_before_they_are_clipped(
    clip_norm: float,
    half: bool,
    make_cyclegan: Callable,
    make_batches: Callable,
    fit: Callable,
    halves: Callable,
    table: Any,
) -> None:
    model, by_hand = make_cyclegan(clip_norm=clip_norm, freeze=["F.layers.1"]), []

    def note(optimizer: torch.optim.Optimizer) -> None:
        gradients = [weight.grad for weight in optimizer.param_groups[0]["params"]]
        by_hand.append(math.sqrt(sum(gradient.double().square().sum().item() for gradient in gradients)))
        Paper.on_before_optimizer_step(model, optimizer)

    model.on_before_optimizer_step = note
    fit(model, make_batches(2), logger=table, log_every_n_steps=1, plugins=halves() if half else [])
    logged = [row[f"norms/{name}"] for row in table.rows.values() for name in "GD"]
    assert logged == pytest.approx(by_hand, rel=1e-5)
    assert min(logged) > 0.1


def test_norms_without_end_are_seen_and_end_no_run(
    make_cyclegan: Callable, make_batches: Callable, fit: Callable, halves: Callable, table: Any
) -> None:
    # A scaler begins too high, leaves out a step whose gradients overflow, and tries a smaller scale on the next.
    model = make_cyclegan()
    before = model.G.layers[1].weight.detach().clone()
    fit(model, make_batches(2), logger=table, log_every_n_steps=1, plugins=halves(2.0**120))
    assert model.steps == 2
    assert not math.isfinite(table.rows[1]["norms/G"])
    assert all(math.isfinite(value) for name, value in table.rows[1].items() if not name.startswith("norms/"))
    assert torch.equal(model.G.layers[1].weight, before)


# Where they are shown -------------------------------------------------------------------------------------------------


def test_loggers_get_them_and_nothing_that_is_about_losses(
    make_cyclegan: Callable, make_batches: Callable, fit: Callable, table: Any
) -> None:
    trainer = fit(make_cyclegan(), make_batches(3), logger=table, log_every_n_steps=2)
    seen = {f"scores/{what}_{side}" for what in ("real", "fake", "real_right", "fake_right") for side in "ab"}
    seen |= {"norms/G", "norms/D"}
    for row in table.rows.values():
        assert {name for name in row if name.startswith(("scores", "norms"))} == seen
        assert not any(name.startswith(("train/scores", "train/norms")) for name in row)
    assert "D_a" in trainer.progress_bar_metrics
    assert "epoch/D_a" in trainer.callback_metrics
    for shown in (trainer.progress_bar_metrics, trainer.callback_metrics):
        assert not any("scores" in name or "norms" in name for name in shown)
