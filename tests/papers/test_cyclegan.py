import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from suite.data.batch import Batch
from suite.errors import UserError
from suite.losses.adversarial import AdversarialLoss
from suite.papers.cyclegan import CycleGAN
from suite.papers.reference import ReferenceCycleGAN

WGAN_GP = {"loss": "wgan", "penalty": "squared"}


def reference_of(model: CycleGAN) -> ReferenceCycleGAN:
    return ReferenceCycleGAN(
        **{name: copy.deepcopy(network) for name, network in model.networks().items()},
        loss=model.adversarial.loss,
        lambda_a=model.lambda_a,
        lambda_b=model.lambda_b,
        lambda_identity=model.lambda_identity,
        pool_size=model.pool_a.size,
    )


def every_loss(model: CycleGAN, batch: Batch) -> dict[str, Tensor]:
    return losses_of(model, batch, model.draw(batch))


def losses_of(model: CycleGAN, batch: Batch, drawn: dict[str, Tensor]) -> dict[str, Tensor]:
    losses, fake_a, fake_b = model.generator_losses(batch["a"], batch["b"])
    of_D, _ = model.discriminator_losses(batch["a"], batch["b"], fake_a.detach(), fake_b.detach(), drawn)
    return losses | of_D


def count_passes(model: CycleGAN) -> Counter[str]:
    passes: Counter[str] = Counter()
    for name, network in model.networks().items():
        network.register_forward_hook(lambda *_, name=name: passes.update([name]))
    return passes


class SameLuck(Callback):
    """Starts the random generator of every step from the step's number."""

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int):
        torch.manual_seed(batch_idx)


# Held to the reference ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "batch_size"),
    [
        ({}, 2),
        ({"adversarial": {"loss": "vanilla"}}, 2),
        ({"pool_size": 1}, 1),  # full after the first step
        ({"lambda_identity": 0.0}, 1),
        ({"lambda_a": 3.0, "lambda_b": 7.0, "lambda_identity": 2.0}, 1),
        ({"backbone": {"norm": "batch"}}, 2),
        ({"discriminator": {"norm": "batch"}}, 2),
        ({"backbone": {"name": "unet", "downs": 3, "width": 4, "norm": "instance", "dropout": 0.0}}, 1),
    ],
)
@pytest.mark.usefixtures("all_in_fp64")
def test_three_steps_are_the_references(
    changes: dict, batch_size: int, make_cyclegan: Callable, make_batches: Callable, fit: Callable
) -> None:
    # In fp64: a bias before InstanceNorm has no gradient but rounding noise, which Adam divides by its own size.
    changes = {"pool_size": 0} | changes
    model = make_cyclegan(**changes).double()
    reference, before = reference_of(model), copy.deepcopy(model.networks())
    batches = make_batches(3, batch_size, size=64, dtype=torch.float64)
    fit(model, batches, callbacks=SameLuck())
    for step, batch in enumerate(batches):
        torch.manual_seed(step)
        reference.step(batch["a"], batch["b"])
    for name, network in model.networks().items():
        for (weight_name, ours), theirs, first in zip(
            network.named_parameters(), getattr(reference, name).parameters(), before[name].parameters(), strict=True
        ):
            # Of three steps of 2e-4. Rounding moves a bias without gradient by 1e-10: 1e-17 over Adam's 1e-8, a step.
            assert (ours - theirs).abs().max() < 1e-8, f"{name}.{weight_name}"
            assert weight_name.endswith("bias") or (ours - first).abs().max() > 1e-4, f"{name}.{weight_name}"


@pytest.mark.parametrize("loss", ["vanilla", "lsgan"])
def test_three_steps_in_fp32_make_networks_that_do_the_same(
    loss: str, make_cyclegan: Callable, make_batches: Callable, fit: Callable
) -> None:
    model = make_cyclegan(adversarial={"loss": loss}, pool_size=0)
    reference = reference_of(model)
    *batches, unseen = make_batches(4, 2, size=64)
    untrained = {name: network(unseen["a"]) for name, network in model.networks().items()}
    fit(model, batches)
    for batch in batches:
        reference.step(batch["a"], batch["b"])
    for name, network in model.networks().items():
        ours, theirs = network(unseen["a"]), getattr(reference, name)(unseen["a"])
        moved = (theirs - untrained[name]).abs().mean()
        assert (ours - theirs).abs().mean() < 0.01 * moved, name


@pytest.mark.parametrize(("loss", "identity"), [("vanilla", 0.5), ("lsgan", 0.5), ("lsgan", 0.0)])
def test_each_loss_is_the_references(loss: str, identity: float, make_cyclegan: Callable, make_batches: Callable):
    # In fp64, as passes are joined here and not there; the losses themselves are fp32, of at most 2048 values.
    changes = {"adversarial": {"loss": loss}, "lambda_identity": identity, "lambda_a": 3.0, "lambda_b": 7.0}
    model = make_cyclegan(**changes, pool_size=0).double()
    reference = reference_of(model)
    (batch,) = make_batches(1, 2, dtype=torch.float64)
    ours, theirs = every_loss(model, batch), reference.step(batch["a"], batch["b"])
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value.float(), atol=1e-6, rtol=1e-5, msg=name)


def test_each_loss_moves_its_own_player_alone(make_cyclegan: Callable, make_batches: Callable, fit: Callable) -> None:
    model = make_cyclegan()
    gradients: Counter[str] = Counter()
    for name, network in model.networks().items():
        last = list(network.parameters())[-1]
        last.register_post_accumulate_grad_hook(lambda _, name=name: gradients.update([name]))
    fit(model, make_batches(2))
    assert gradients == {
        "G": 2,
        "F": 2,
        "D_A": 2,
        "D_B": 2,
    }  # a critic's in a generator's step would be work for nothing


# Fused passes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, {"G": 2, "F": 2, "D_A": 2, "D_B": 2}),
        ({"lambda_identity": 0.0}, {"G": 2, "F": 2, "D_A": 2, "D_B": 2}),
        ({"backbone": {"norm": "batch"}}, {"G": 3, "F": 3, "D_A": 2, "D_B": 2}),
        ({"discriminator": {"norm": "batch"}}, {"G": 2, "F": 2, "D_A": 3, "D_B": 3}),
    ],
)
def test_passes_are_joined_where_pictures_do_not_see_each_other(
    changes: dict, passes: dict, make_cyclegan: Callable, make_batches: Callable
) -> None:
    model = make_cyclegan(**changes)
    counted = count_passes(model)
    every_loss(model, *make_batches(1, 2))
    assert counted == passes


@pytest.mark.parametrize("norm", ["instance", "none"])
@pytest.mark.parametrize("identity", [0.5, 0.0])
def test_fused_losses_are_the_separate_ones(
    norm: str, identity: float, make_cyclegan: Callable, make_batches: Callable
):
    # In fp64: a convolution of more pictures at once may be rounded otherwise.
    model = make_cyclegan(backbone={"norm": norm}, lambda_identity=identity, pool_size=0).double()
    (batch,) = make_batches(1, 2, dtype=torch.float64)
    fused = every_loss(model, batch)
    model.fused = False
    separate = every_loss(model, batch)
    assert fused.keys() == separate.keys()
    for name, value in separate.items():
        torch.testing.assert_close(fused[name], value, atol=1e-6, rtol=1e-5, msg=name)


# The penalty ----------------------------------------------------------------------------------------------------------


def test_penalty_is_on_this_steps_fakes_and_not_on_the_pools(
    make_cyclegan: Callable, make_batches: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_cyclegan(adversarial=WGAN_GP, pool_size=1)
    first, second = make_batches(2)
    every_loss(model, first)
    asked: list[Any] = []
    monkeypatch.setattr(AdversarialLoss, "gradient_penalty", lambda self, *what: asked.append(what) or torch.zeros(()))
    swap = torch.tensor([[0], [0]])  # the pool gives its old picture, and keeps the new one in its place
    drawn = model.draw(second) | {"pool_a": swap, "pool_b": swap}
    losses_of(model, second, drawn)
    (D_A, a, fake_a, epsilon_a), (D_B, b, fake_b, epsilon_b) = asked
    assert (D_A, D_B) == (model.D_A, model.D_B)
    assert epsilon_a is drawn["epsilon_a"]
    assert epsilon_b is drawn["epsilon_b"]
    assert torch.equal(a, second["a"])
    assert torch.equal(b, second["b"])
    # Of a pass joined with another, hence not to the bit; the old ones are 0.01 away.
    torch.testing.assert_close(fake_a, model.F(second["b"]).detach(), atol=1e-4, rtol=0)
    torch.testing.assert_close(fake_b, model.G(second["a"]).detach(), atol=1e-4, rtol=0)
    assert torch.equal(model.pool_a.stored[:1], fake_a)  # it did give the old one


# Domains --------------------------------------------------------------------------------------------------------------


def test_identity_needs_equal_channels(make_cyclegan: Callable, make_batches: Callable) -> None:
    with pytest.raises(UserError, match=r"not 3 and 1: set model.lambda_identity=0"):
        make_cyclegan(channels_b=1)
    model = make_cyclegan(channels_b=1, lambda_identity=0.0)
    (batch,) = make_batches(1)
    losses = every_loss(model, batch | {"b": batch["b"][:, :1]})
    assert set(losses) == {"G_adv_a", "G_adv_b", "cycle_a", "cycle_b", "D_a", "D_b"}


def test_both_directions_are_translated(make_cyclegan: Callable, make_batches: Callable) -> None:
    model = make_cyclegan(channels_b=1, lambda_identity=0.0)
    a, b = torch.rand(2, 3, 16, 16), torch.rand(2, 1, 16, 16)
    a2b, b2a = model.predict({"a": a, "b": b, "paired": False})
    assert (a2b.name, b2a.name) == ("a2b", "b2a")
    assert torch.equal(a2b.output, model.G(a))
    assert torch.equal(b2a.output, model.F(b))
    assert torch.equal(model.translate(a), a2b.output)
    assert not a2b.output.requires_grad


def test_a_step_reports_all_its_losses(make_cyclegan: Callable, make_batches: Callable, fit: Callable) -> None:
    model = make_cyclegan(adversarial=WGAN_GP | {"critic_steps": 2})
    reported: list[dict[str, Tensor]] = []
    model.report = reported.append
    fit(model, make_batches(2))
    of_critics = {"D_a", "D_b", "penalty_a", "penalty_b"}
    of_generators = {"G_adv_a", "G_adv_b", "cycle_a", "cycle_b", "identity_a", "identity_b"}
    seen = {f"scores/{what}_{side}" for what in ("real", "fake", "real_right", "fake_right") for side in "ab"}
    seen |= of_critics | {"norms/D"}
    assert [set(losses) for losses in reported] == [seen, seen | of_generators | {"norms/G"}]


def test_the_module_builds_itself_from_its_checkpoint(
    make_cyclegan: Callable, make_batches: Callable, fit: Callable, tmp_path
):
    model = make_cyclegan(lambda_a=3.0, pool_size=4)
    fit(model, make_batches(2)).save_checkpoint(tmp_path / "last.ckpt")
    again = CycleGAN.load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True)
    assert again.lambda_a == 3.0
    assert (again.steps, again.batches) == (2, 2)
    assert torch.equal(again.pool_a.stored[:2], model.pool_a.stored[:2])
    pictures = torch.rand(1, 3, 16, 16)
    assert torch.equal(again.translate(pictures), model.translate(pictures))
