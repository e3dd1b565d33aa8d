"""`freeze`: what it names keeps its weights, whatever else trains."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from suite.errors import UserError
from suite.papers.base import Paper

SOME = ["D_A", "D_B.layers.0"]
WGAN = {"loss": "wgan", "penalty": "squared", "critic_steps": 2, "weight_clip": 0.01}


def weights(model: Paper) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in model.named_parameters()}


def moved(model: Paper, before: dict[str, Tensor]) -> set[str]:
    return {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}


def within(names: list[str], model: Paper) -> set[str]:
    """The weights of these networks and layers."""
    return {name for name, _ in model.named_parameters() if name.startswith(tuple(f"{one}." for one in names))}


@pytest.mark.parametrize("changes", [{}, {"optimizer": "sgd", "lr": 0.1}, {"adversarial": WGAN}, {"ema_decay": 0.5}])
def test_what_is_frozen_stays_to_the_bit_and_the_rest_moves(
    changes: dict, make_cyclegan: Callable, make_batches: Callable, fit: Callable
) -> None:
    model = make_cyclegan(freeze=SOME, **changes)
    before, frozen = weights(model), within(SOME, model)
    fit(model, make_batches(4))
    assert len(frozen) == 10
    assert moved(model, before).isdisjoint(frozen)
    # A bias before InstanceNorm does nothing: its gradient is rounding.
    assert moved(model, before) >= {name for name in before if name.endswith("weight")} - frozen
    assert {name for name, weight in model.named_parameters() if not weight.requires_grad} == {
        name for name in before if name in frozen or name.startswith("ema.")
    }
    assert model.summary()["frozen"] == "D_A, D_B.layers.0"


def test_players_take_turns_and_wake_up_nothing_that_is_frozen(make_cyclegan: Callable) -> None:
    model = make_cyclegan(freeze=SOME)
    frozen, of_G, of_D = within(SOME, model), within(["G", "F"], model), within(["D_A", "D_B"], model)

    def learning() -> set[str]:
        return {name for name, weight in model.named_parameters() if weight.requires_grad}

    for name, learns in (("G", of_G), ("D", of_D - frozen)):
        with model.learning(name):
            assert learning() == learns
        assert learning() == (of_G | of_D) - frozen
    with pytest.raises(ZeroDivisionError), model.learning("G"):
        raise ZeroDivisionError
    assert learning() == (of_G | of_D) - frozen


@pytest.mark.parametrize(
    ("paper", "frozen", "moves", "losses"),
    [
        ("cyclegan", "D", "G", {"G_adv_a", "cycle_b", "D_a", "D_b"}),
        ("cyclegan", "G", "D", {"G_adv_a", "cycle_b", "D_a", "D_b"}),
        ("pix2pix", "D", "G", {"G_adv", "L1", "D"}),
        ("pix2pix", "G", "D", {"G_adv", "L1", "D"}),
    ],
)
def test_a_player_that_is_frozen_has_no_optimizer_and_its_losses_are_seen(
    paper: str, frozen: str, moves: str, losses: set[str], request: pytest.FixtureRequest, fit: Callable
) -> None:
    make = request.getfixturevalue(f"make_{paper}")
    batches = request.getfixturevalue({"cyclegan": "make_batches", "pix2pix": "make_pairs"}[paper])(2)
    names = {name: list(group) for name, group in make().trained().items()}
    model = make(freeze=names[frozen])
    before, reported = weights(model), []
    model.report = reported.append
    trainer = fit(model, batches)
    assert len(trainer.optimizers) == 1
    assert trainer.global_step == model.steps == 2
    assert moved(model, before)
    assert moved(model, before) <= within(names[moves], model)
    for seen in reported:
        assert seen.keys() >= losses | {f"norms/{moves}"}
        assert f"norms/{frozen}" not in seen
        assert any(name.startswith("scores/") for name in seen)


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        (["G", "F", "D_A", "D_B"], "leaves nothing to train: the networks are G, F, D_A, D_B"),
        (["D_C"], "model.freeze: D_C is no network or layer with weights; there are G, F, D_A, D_B"),
        (
            ["D_A", "D_B.layers.99"],
            "model.freeze: D_B.layers.99 is no network or layer with weights; there are G, F, D_A, D_B",
        ),
        (
            ["G.layers.1.weight"],
            "model.freeze: G.layers.1.weight is no network or layer with weights; there are G, F, D_A, D_B",
        ),
        ("D_A", "model.freeze=D_A: give a list"),
    ],
)
def test_what_cannot_be_frozen_is_one_line(freeze: Any, message: str, make_cyclegan: Callable) -> None:
    with pytest.raises(UserError) as error:
        make_cyclegan(freeze=freeze)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("count", "norm", "frozen"),
    [
        (1, "instance", ["layers.0"]),
        (2, "instance", ["layers.0", "layers.2"]),
        (2, "batch", ["layers.0", "layers.2", "layers.3"]),
    ],
)
def test_the_lowest_layers_of_every_discriminator(
    count: int, norm: str, frozen: list[str], make_cyclegan: Callable, make_batches: Callable, fit: Callable
) -> None:
    discriminator = {"name": "patch", "downs": 1, "width": 4, "norm": norm}
    model = make_cyclegan(freeze_d=count, discriminator=discriminator)
    names = [f"{D}.{layer}" for D in ("D_A", "D_B") for layer in frozen]
    assert model.summary()["frozen"] == ", ".join(names)
    before = weights(model)
    fit(model, make_batches(2))
    still = {name for name in before if name.startswith("D_")} - moved(model, before)
    assert {name for name in still if name.endswith("weight")} == {
        name for name in within(names, model) if name.endswith("weight")
    }


@pytest.mark.parametrize(
    ("make", "changes", "message"),
    [
        (
            "make_cyclegan",
            {"freeze_d": 99},
            r"model.freeze_d=99: D_A has \d layers, .*; give \d at most, or .*freeze=\[D_A\]",
        ),
        ("make_cyclegan", {"freeze_d": -1}, "model.freeze_d=-1: "),
        ("make_csi", {"freeze_d": 1}, "model.freeze_d=1: CSI trains no discriminator; leave it 0"),
    ],
)
def test_layers_that_are_not_there(make: str, changes: dict, message: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        request.getfixturevalue(make)(**changes)


@pytest.mark.parametrize("freeze", [SOME, ["D_A", "D_B"]])
def test_a_resumed_run_keeps_what_is_frozen(
    freeze: list[str], make_cyclegan: Callable, make_batches: Callable, fit: Callable, tmp_path: Path
) -> None:
    settings = {"freeze": freeze, "pool_size": 0}  # a pool would draw from torch's global generator
    batches = make_batches(2)
    whole, half, again = (make_cyclegan(**settings) for _ in range(3))
    fit(whole, batches, max_epochs=2)
    fit(half, batches).save_checkpoint(tmp_path / "last.ckpt")
    before = weights(half)
    fit(again, batches, max_epochs=2, ckpt_path=tmp_path / "last.ckpt")
    assert again.steps == 4
    assert moved(again, before)
    assert moved(again, before).isdisjoint(within(freeze, again))
    assert not moved(again, weights(whole))  # to the bit, with the optimizer's moments


@pytest.mark.parametrize(
    ("before", "now"), [([], SOME), (SOME, []), ([], ["D_A", "D_B"]), (["G", "F"], ["D_A", "D_B"])]
)
def test_a_resumed_run_cannot_freeze_something_else(
    before: list[str], now: list[str], make_cyclegan: Callable, make_batches: Callable, fit: Callable, tmp_path: Path
) -> None:
    fit(make_cyclegan(freeze=before), make_batches(1)).save_checkpoint(tmp_path / "last.ckpt")
    with pytest.raises(UserError) as error:
        fit(make_cyclegan(freeze=now), make_batches(1), max_epochs=2, ckpt_path=tmp_path / "last.ckpt")
    now, before = sorted(now), sorted(before)
    assert str(error.value) == f"model.freeze={now}: the checkpoint has {before}, and a resumed run keeps it"
    if not before:
        with pytest.raises(UserError, match=r"^model\.freeze_d=1: the checkpoint has 0, and a resumed run keeps it$"):
            fit(make_cyclegan(freeze_d=1), make_batches(1), max_epochs=2, ckpt_path=tmp_path / "last.ckpt")
