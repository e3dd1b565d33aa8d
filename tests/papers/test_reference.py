import copy
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from suite.papers.reference import PicturePool, ReferenceCycleGAN, ReferencePix2Pix


class Scale(nn.Module):
    """A network that can be worked out by hand: x -> weight * x."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x


def four(**changes: object) -> ReferenceCycleGAN:
    settings: dict = {"loss": "lsgan", "lambda_a": 3.0, "lambda_b": 7.0, "pool_size": 0} | changes
    return ReferenceCycleGAN(Scale(2.0), Scale(0.25), Scale(-1.0), Scale(0.5), **settings)


def picture(value: float) -> Tensor:
    return torch.full((2, 1, 3, 3), value)


def approx(expected: Any) -> Any:
    """But for half a dozen roundings to fp32, of 6e-8 each."""
    return pytest.approx(expected, rel=1e-5)


def bce(logit: float, label: int) -> float:
    probability = 1 / (1 + np.exp(-logit))
    return float(-np.log(probability if label else 1 - probability))


@pytest.mark.parametrize(("loss", "distance"), [("lsgan", lambda logit, label: (logit - label) ** 2), ("vanilla", bce)])
def test_losses_by_hand(loss: str, distance) -> None:
    # a = 0.8 -> G: 1.6 -> F: 0.4;  b = 0.4 -> F: 0.1 -> G: 0.2
    losses = four(loss=loss).step(picture(0.8), picture(0.4))
    expected = {
        "G_adv_a": distance(-1.0 * 0.1, 1),
        "G_adv_b": distance(0.5 * 1.6, 1),
        "cycle_a": 3 * (0.8 - 0.4),
        "cycle_b": 7 * (0.4 - 0.2),
        "identity_a": 3 * 0.5 * (0.8 - 0.25 * 0.8),
        "identity_b": 7 * 0.5 * (2.0 * 0.4 - 0.4),
        "D_a": 0.5 * (distance(-1.0 * 0.8, 1) + distance(-1.0 * 0.1, 0)),
        "D_b": 0.5 * (distance(0.5 * 0.4, 1) + distance(0.5 * 1.6, 0)),
    }
    assert {name: value.item() for name, value in losses.items()} == approx(expected)


@pytest.mark.parametrize(("identity", "losses"), [(0.5, 8), (0.0, 6)])
def test_identity_can_be_off(identity: float, losses: int) -> None:
    assert len(four(lambda_identity=identity).step(picture(0.8), picture(0.4))) == losses


def test_each_player_steps_down_its_own_loss() -> None:
    # The first step of Adam is the learning rate times the gradient's sign.
    model = four(lr=1e-3)
    model.step(picture(0.8), picture(0.4))
    # Discriminators, d/dw of ((w x - 1)^2 + (w y)^2) / 2 = (w x - 1) x + w y^2
    assert model.D_A.weight.item() == approx(-1 + 1e-3)  # -1.44 - 0.01 < 0
    assert model.D_B.weight.item() == approx(0.5 - 1e-3)  # -0.32 + 1.28 > 0
    # Generators, by differences
    before = four()

    def total(G: float, F: float) -> float:
        other = ReferenceCycleGAN(Scale(G), Scale(F), before.D_A, before.D_B, "lsgan", 3.0, 7.0, pool_size=0)
        losses = copy.deepcopy(other).step(picture(0.8), picture(0.4))
        return sum(value.item() for name, value in losses.items() if not name.startswith("D"))

    up_G, up_F = total(2.01, 0.25) - total(1.99, 0.25), total(2.0, 0.26) - total(2.0, 0.24)
    assert model.G.weight.item() == approx(2 - 1e-3 * np.sign(up_G))
    assert model.F.weight.item() == approx(0.25 - 1e-3 * np.sign(up_F))


def test_passes_are_the_published_ones() -> None:
    model, passes = four(), Counter()
    for name in ("G", "F", "D_A", "D_B"):
        getattr(model, name).register_forward_hook(lambda *_, name=name: passes.update([name]))
    model.step(picture(0.8), picture(0.4))
    assert passes == {"G": 3, "F": 3, "D_A": 3, "D_B": 3}


def test_discriminators_can_learn_again_after_each_step() -> None:
    model = four()
    model.step(picture(0.8), picture(0.4))
    assert model.D_A.weight.requires_grad
    assert model.D_B.weight.requires_grad


def test_discriminators_see_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    model = four(pool_size=2)
    model.step(picture(0.8), picture(0.4))  # fills both pools
    slots = iter([0, 1, 0, 1])  # each side's two pictures, from slots of their own
    monkeypatch.setattr("suite.papers.reference.cyclegan.torch.rand", lambda count: torch.zeros(count))
    monkeypatch.setattr(
        "suite.papers.reference.cyclegan.torch.randint", lambda high, shape: torch.tensor([next(slots)])
    )
    with torch.no_grad():
        model.F.weight.zero_()  # a fake of now would be black
        model.D_A.weight.fill_(1.0)
    losses = model.step(picture(0.8), picture(0.4))
    assert losses["D_a"].item() == approx(0.5 * ((0.8 - 1) ** 2 + 0.1**2))


def test_pool_fills_then_swaps_one_in_two(monkeypatch: pytest.MonkeyPatch) -> None:
    luck = iter([0.1, 0.1, 0.49, 0.5, 0.0])
    slots = iter([0, 0, 1, 0, 1])
    monkeypatch.setattr("suite.papers.reference.cyclegan.torch.rand", lambda count: torch.tensor([next(luck)]))
    monkeypatch.setattr(
        "suite.papers.reference.cyclegan.torch.randint", lambda high, shape: torch.tensor([next(slots)])
    )
    pool = PicturePool(2)
    assert torch.equal(pool.query(torch.arange(2.0)), torch.tensor([0.0, 1.0]))
    assert torch.equal(pool.query(torch.tensor([10.0, 11.0, 12.0])), torch.tensor([1.0, 11.0, 10.0]))
    assert [one.item() for one in pool.pictures] == [0, 12]


# pix2pix --------------------------------------------------------------------------------------------------------------


class Heads(Scale):
    """As Scale, with two heads: x -> 3 * weight * x, and x -> weight * x, which is the picture."""

    def forward(self, x: Tensor, every_head: bool = False) -> Tensor:
        return torch.stack([3 * self.weight * x, self.weight * x]) if every_head else self.weight * x


def two(G: nn.Module | None = None, **changes: object) -> ReferencePix2Pix:
    return ReferencePix2Pix(G or Scale(0.5), Scale(2.0), **{"lr": 1e-3} | changes)


def drawings(*values: float) -> Tensor:
    return torch.stack([picture(value) for value in values], dim=1)


@pytest.mark.parametrize(("loss", "distance"), [("lsgan", lambda logit, label: (logit - label) ** 2), ("vanilla", bce)])
def test_losses_of_pix2pix_by_hand(loss: str, distance) -> None:
    # x = 0.8 -> G: 0.4; D doubles what it sees: 1.6 of the photo beside twice the drawing. D stands still.
    losses = two(loss=loss, lr=0.0, real_label=0.75 if loss == "lsgan" else 1.0).step(picture(0.8), drawings(0.9, 0.1))
    label = 0.75 if loss == "lsgan" else 1
    of_real = np.mean([distance(logit, label) for logit in (1.6, 1.8, 1.6, 0.2)])
    of_fake = np.mean([distance(logit, 0) for logit in (1.6, 0.8)])
    expected = {
        "D": 0.5 * (of_real + of_fake),
        "G_adv": np.mean([distance(logit, 1) for logit in (1.6, 0.8)]),
        "L1": 100 * (0.4 - 0.1),
    }
    assert {name: value.item() for name, value in losses.items()} == approx(expected)


def test_the_closest_drawing_is_each_pictures_own() -> None:
    fake = torch.stack([torch.zeros(1, 3, 3), torch.ones(1, 3, 3)])
    choices = torch.stack([picture(0.1), picture(0.7)], dim=1)
    assert two().closest(fake, choices).item() == approx((0.1 + 0.3) / 2)


def test_every_head_has_its_own_l1_and_d_judges_the_last() -> None:
    losses = two(Heads(0.5), loss="lsgan", lr=0.0, deep_supervision=True).step(picture(0.8), drawings(0.9, 0.1))
    assert losses["L1"].item() == approx(100 * ((1.2 - 0.9) + (0.4 - 0.1)) / 2)
    assert losses["G_adv"].item() == approx((0.6**2 + 0.2**2) / 2)


def test_d_steps_first_then_g_hears_it() -> None:
    model = two(loss="lsgan", lambda_l1=0.0)
    losses = model.step(picture(0.8), drawings(0.9))
    # d/dw of (mean((wx - 1)^2, (wy - 1)^2) + mean((wx)^2, (wG)^2)) / 2 is positive: D goes down by the learning rate.
    assert model.D.weight.item() == approx(2 - 1e-3)
    assert losses["G_adv"].item() == approx(((0.8 * 1.999 - 1) ** 2 + (0.4 * 1.999 - 1) ** 2) / 2)
    # And d/dG of (2 * 0.8 * G - 1)^2 at 0.5 is negative.
    assert model.G.weight.item() == approx(0.5 + 1e-3)


@pytest.mark.parametrize(("weight", "towards"), [(0.0, +1), (100.0, -1)])
def test_l1_pulls_g_by_its_weight(weight: float, towards: int) -> None:
    # D wants more than G's 0.4, the closest drawing less.
    model = two(loss="lsgan", lambda_l1=weight)
    model.step(picture(0.8), drawings(0.9, 0.1))
    assert model.G.weight.item() == approx(0.5 + towards * 1e-3)


def test_passes_of_pix2pix_are_the_published_ones() -> None:
    model, passes = two(), Counter()
    for name in ("G", "D"):
        getattr(model, name).register_forward_hook(lambda *_, name=name: passes.update([name]))
    model.step(picture(0.8), drawings(0.9, 0.1, 0.3))
    assert passes == {"G": 1, "D": 5}  # a fake, three drawings, and the fake once more for G


def test_g_teaches_d_nothing() -> None:
    model, learnt = two(), Counter()
    model.D.weight.register_post_accumulate_grad_hook(lambda _: learnt.update("D"))
    model.step(picture(0.8), drawings(0.9))
    model.step(picture(0.8), drawings(0.9))
    assert learnt == {"D": 2}
