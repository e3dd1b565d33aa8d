"""Every option of pix2pix moves what it should, and nothing else."""

import copy
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss

from suite.data.batch import Batch
from suite.errors import UserError
from suite.losses.adversarial import AdversarialLoss
from suite.papers.pix2pix import Pix2Pix, pair, real_drawings
from suite.updates.loss_log import is_loss

WGAN_GP = {"loss": "wgan", "penalty": "squared"}
INSTANCE = {"norm": "instance"}


def every_loss(model: Pix2Pix, batch: Batch, x: Tensor | None = None) -> dict[str, Tensor]:
    """The losses of a step whose networks see `x`; the photos as they are where not given."""
    x = batch["a"] if x is None else x
    y, weights = real_drawings(batch)
    fakes = model.fakes(x)
    of_D, _ = model.discriminator_losses(x, y, weights, fakes[-1].detach(), batch["b"], model.draw(batch))
    return of_D | model.generator_losses(x, y, fakes)


def disturbed(model: Pix2Pix, x: Tensor) -> Tensor:
    """The pictures as a step that draws anew would see them."""
    return model.disturbed(x, model.draw({"a": x}))


def steps(model: Pix2Pix, batches: list[Batch], fit: Callable, **settings: Any) -> list[dict[str, Tensor]]:
    """The losses that each step of a training reports."""
    reported: list[dict[str, Tensor]] = []
    model.report = reported.append
    fit(model, batches, **settings)
    return reported


# Label smoothing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "criterion"), [("vanilla", binary_cross_entropy_with_logits), ("lsgan", mse_loss)])
def test_smoothing_changes_the_real_label_of_d_alone(
    loss: str, criterion: Callable, make_pix2pix: Callable, make_pairs: Callable
) -> None:
    plain, smoothed = (make_pix2pix(adversarial={"loss": loss, "real_label": label}) for label in (1.0, 0.8))
    (batch,) = make_pairs(1)
    before, after = every_loss(plain, batch), every_loss(smoothed, batch)
    x, fake = batch["a"], plain.G(batch["a"])
    real_logits, fake_logits = plain.D(pair(x, batch["b"])), plain.D(pair(x, fake))
    of_real = criterion(real_logits, torch.full_like(real_logits, 0.8))
    of_fake = criterion(fake_logits, torch.zeros_like(fake_logits))
    torch.testing.assert_close(after["D"], 0.5 * (of_real + of_fake))
    assert abs(after["D"] - before["D"]) > 1e-4
    for name in ("G_adv", "L1"):
        assert torch.equal(before[name], after[name]), name


@pytest.mark.parametrize(
    ("adversarial", "message"),
    [
        ({"loss": "wgan", "real_label": 0.9}, r"real_label=0.9: wgan has no labels to smooth; set it to 1"),
        ({"loss": "hinge", "real_label": 0.9}, r"real_label=0.9: hinge has no labels"),
        ({"loss": "lsgan", "real_label": 0.0}, r"real_label=0.0: give a number above 0, and at most 1"),
        ({"loss": "lsgan", "real_label": 1.2}, r"real_label=1.2: give a number above 0, and at most 1"),
    ],
)
def test_smoothing_without_sense_is_refused(adversarial: dict, message: str, make_pix2pix: Callable) -> None:
    with pytest.raises(UserError, match=message):
        make_pix2pix(adversarial=adversarial)


# What is done to the input --------------------------------------------------------------------------------------------


def test_erasing_takes_a_grey_rectangle_out_of_the_input(make_pix2pix: Callable) -> None:
    model = make_pix2pix(erasing=1.0, erasing_area=[0.1, 0.2], erasing_ratio=[0.5, 2.0])
    x = torch.rand(64, 3, 64, 64) * 0.5 + 0.25  # without grey of its own
    torch.manual_seed(1)
    y = disturbed(model, x)
    shapes = set()
    for before, after in zip(x, y, strict=True):
        erased = (after != before).any(dim=0)
        assert (after[:, erased] == 0).all()
        rows, columns = erased.any(1).nonzero().flatten(), erased.any(0).nonzero().flatten()
        height, width = len(rows), len(columns)
        assert erased.sum() == height * width == (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
        assert 0.08 < height * width / 64**2 < 0.22  # whole pixels
        assert 0.45 < height / width < 2.2
        shapes.add((int(rows[0]), int(columns[0]), height, width))
    assert len(shapes) > 50  # each picture its own
    half = disturbed(make_pix2pix(erasing=0.5), x.repeat(8, 1, 1, 1))
    share = (half != x.repeat(8, 1, 1, 1)).flatten(1).any(1).float().mean().item()
    assert share == pytest.approx(0.5, abs=5 * 0.5 / math.sqrt(512))


def test_noise_is_gaussian_and_as_strong_as_said(make_pix2pix: Callable) -> None:
    x = torch.rand(4, 3, 64, 64)
    noise = disturbed(make_pix2pix(noise=0.25), x) - x
    assert noise.std().item() == pytest.approx(0.25, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.005)
    assert (noise.abs() > 0.5).float().mean().item() == pytest.approx(0.0455, rel=0.1)


@pytest.mark.parametrize("option", [{"erasing": 1.0}, {"noise": 0.5}])
def test_both_networks_see_the_disturbed_input_and_the_truth_stays(
    option: dict, make_pix2pix: Callable, make_pairs: Callable, fit: Callable
) -> None:
    model, (batch,) = make_pix2pix(**option), make_pairs(1, (2, 2))
    untouched = copy.deepcopy(batch)
    drawn = model.draw(batch)
    model.draw = lambda batch: drawn
    x = model.disturbed(batch["a"], drawn)
    assert not torch.equal(x, batch["a"])
    expected = every_loss(make_pix2pix(**option), batch, x)
    seen: dict[str, list[Tensor]] = {"G": [], "D": []}
    for name, network in model.networks().items():
        network.register_forward_pre_hook(lambda _, given, name=name: seen[name].append(given[0].detach().clone()))
    (losses,) = steps(model, [batch], fit)
    assert torch.equal(seen["G"][0], x)
    assert all(torch.equal(given[:, :3], x) for given in seen["D"])
    assert [torch.equal(given[:, 3:], batch["drawings"][:, k]) for k, given in enumerate(seen["D"][:2])] == [True] * 2
    for name in ("D", "L1"):
        torch.testing.assert_close(losses[name], expected[name])
    for key in ("a", "b", "drawings"):
        assert torch.equal(batch[key], untouched[key]), key


def test_translating_disturbs_nothing(make_pix2pix: Callable, make_pairs: Callable) -> None:
    plain, disturbed = make_pix2pix().eval(), make_pix2pix(erasing=1.0, noise=0.5).eval()
    (batch,) = make_pairs(1)
    assert torch.equal(plain.translate(batch), disturbed.translate(batch))


# Weights, critics, dropout --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0.0, 10.0, 200.0])
def test_l1_is_minimised_and_reported_with_its_weight(
    weight: float, make_pix2pix: Callable, make_pairs: Callable, fit: Callable
) -> None:
    model, (batch,) = make_pix2pix(lambda_l1=weight), make_pairs(1)
    expected = {"L1": weight * l1_loss(model.G(batch["a"]), batch["b"]).detach()} if weight else {}
    down: dict[str, dict[str, Tensor]] = {}
    update = model.update
    model.update = lambda name, losses: down.update({name: dict(losses)}) or update(name, losses)
    (reported,) = steps(model, [batch], fit)
    for losses in (down["G"], {name: reported[name] for name in reported if name in ("G_adv", "L1")}):
        assert losses.keys() == {"G_adv", *expected}
        torch.testing.assert_close({name: losses[name].detach() for name in expected}, expected)


def test_the_generator_moves_on_the_last_of_the_critic_steps(
    make_pix2pix: Callable, make_pairs: Callable, fit: Callable
) -> None:
    model = make_pix2pix(adversarial=WGAN_GP | {"critic_steps": 3}, discriminator=INSTANCE)
    reported = steps(model, make_pairs(7), fit)
    of_both = {"D", "penalty", "G_adv", "L1"}
    assert [set(filter(is_loss, losses)) for losses in reported] == [
        of_both if number in (3, 6) else {"D", "penalty"} for number in range(1, 8)
    ]
    assert (model.steps, model.batches) == (2, 7)


def test_the_penalty_lies_between_the_drawing_and_the_fake_of_one_photo(
    make_pix2pix: Callable, make_pairs: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_pix2pix(adversarial=WGAN_GP, discriminator=INSTANCE)
    (batch,) = make_pairs(1, (2, 1))
    asked: list[Any] = []
    monkeypatch.setattr(AdversarialLoss, "gradient_penalty", lambda self, *what: asked.append(what) or torch.zeros(()))
    drawn = model.draw(batch)
    model.draw = lambda batch: drawn
    every_loss(model, batch)
    ((critic, real, fake, epsilon),) = asked
    assert critic is model.D
    assert epsilon is drawn["epsilon"]
    assert torch.equal(real, torch.cat([batch["a"], batch["b"]], dim=1))
    torch.testing.assert_close(fake, torch.cat([batch["a"], model.G(batch["a"])], dim=1))


def test_clipped_critics_stay_within_the_limit(make_pix2pix: Callable, make_pairs: Callable, fit: Callable) -> None:
    model = make_pix2pix(adversarial={"loss": "wgan", "weight_clip": 0.01})
    fit(model, make_pairs(2))
    largest = {name: max(w.abs().max() for w in network.parameters()) for name, network in model.networks().items()}
    assert largest["D"] <= 0.01 < largest["G"]


def test_dropout_is_in_training_alone(make_pix2pix: Callable, make_pairs: Callable) -> None:
    model = make_pix2pix(backbone={"name": "resnet", "blocks": 1, "width": 4, "norm": "instance", "dropout": 0.5})
    (batch,) = make_pairs(1)
    assert not torch.equal(model.fakes(batch["a"]), model.fakes(batch["a"]))
    model.eval()
    assert torch.equal(model.translate(batch), model.translate(batch))


@pytest.mark.parametrize("loss", ["vanilla", "lsgan", "hinge", "wgan"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_it_trains_on_what_d_has_just_learnt(
    precision: str, loss: str, make_pix2pix: Callable, make_pairs: Callable, fit: Callable
) -> None:
    # In bf16, D's weights are cast once a step: a cast from before D's update must not be what G hears.
    model = make_pix2pix(adversarial={"loss": loss}, lr=0.05)
    (batch,) = make_pairs(1, (2, 1))
    with torch.autocast("cpu", torch.bfloat16, enabled=precision != "32-true"):
        stale = every_loss(copy.deepcopy(model), batch)
    (losses,) = steps(model, [batch], fit, precision=precision)
    assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())
    torch.testing.assert_close(losses["D"], stale["D"], rtol=1e-3, atol=1e-3)
    assert abs(losses["G_adv"] - stale["G_adv"]) > 0.02


# Modes ----------------------------------------------------------------------------------------------------------------


def test_mode_train_uses_the_batch_and_dropout_and_learns_nothing(make_pix2pix: Callable, make_pairs: Callable) -> None:
    model = make_pix2pix(ema_decay=0.5, backbone={"downs": 6, "dropout": 0.5}).eval()
    x = torch.rand(3, 3, 64, 64)
    by_eval, state = model.translate(x), copy.deepcopy(model.state_dict())
    torch.testing.assert_close(model.translate(x[:1]), by_eval[:1], atol=1e-4, rtol=0)  # a convolution of one, of three
    model.mode = "train"
    model.eval()
    torch.manual_seed(0)
    first = model.translate(x)
    assert not torch.allclose(first, by_eval, atol=1e-3)
    assert not torch.equal(model.translate(x), first)  # dropout goes on
    torch.manual_seed(0)
    assert torch.equal(model.translate(x), first)
    for name, value in model.state_dict().items():
        assert name.endswith("num_batches_tracked") or torch.equal(value, state[name]), name

    plain = make_pix2pix(backbone={"dropout": 0.0}).eval()
    plain.mode = "train"
    plain.eval()
    with torch.no_grad():
        assert torch.equal(plain.translate(x), plain.train().G(x))


def test_mode_train_is_eval_without_batchnorm_and_dropout(make_pix2pix: Callable) -> None:
    model = make_pix2pix(backbone={"norm": "instance"}).eval()
    x = torch.rand(2, 3, 32, 32)
    by_eval = model.translate(x)
    model.mode = "train"
    assert torch.equal(model.eval().translate(x), by_eval)


# Refused --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"erasing": 1.5}, "model.erasing=1.5: give a number from 0 to 1"),
        ({"erasing_area": [0.4, 0.2]}, "model.erasing_area=[0.4,0.2]: give the smaller number first"),
        ({"erasing_area": [0.4, 1.2]}, "model.erasing_area=[0.4,1.2]: give 2 numbers"),
        ({"erasing_ratio": [0.0, 2.0]}, "model.erasing_ratio=[0.0,2.0]: give 2 numbers"),
        ({"erasing_ratio": [3.0, 0.3]}, "model.erasing_ratio=[3.0,0.3]: give the smaller number first"),
        ({"noise": -1.0}, "model.noise=-1.0: give a number of at least 0"),
        ({"lambda_l1": -1.0}, "model.lambda_l1=-1.0: give a number of at least 0"),
    ],
)
def test_a_wrong_value_is_named(changes: dict, message: str, make_pix2pix: Callable) -> None:
    with pytest.raises(UserError) as error:
        make_pix2pix(**changes)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "unpaired"}, "data.task=unpaired: Pix2Pix trains on data.task=paired"),
        ({"size": 36}, "data.size=36 is not a multiple of 8, which the networks need: use data.size=32, "),
        ({"drawings": "all", "swap": True}, "data.drawings=all with data.direction=b2a: a drawing has one photo, "),
        ({"drawings": "all"}, None),
        ({"swap": True}, None),
    ],
)
def test_data_that_cannot_work_is_refused(changes: dict, message: str | None, make_pix2pix: Callable) -> None:
    data = SimpleNamespace(**{"task": "paired", "size": 32, "drawings": "one", "swap": False} | changes)
    if message is None:
        make_pix2pix().check_data(data)
        return
    with pytest.raises(UserError) as error:
        make_pix2pix().check_data(data)
    assert str(error.value).startswith(message)
