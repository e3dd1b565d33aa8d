"""Networks and optimizers that no paper of the suite has yet: one network under two optimizers, a rate for each."""

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from suite.updates.alternating import AlternatingUpdates, Report

SETTINGS: dict[str, Any] = {
    "optimizer": "sgd",
    "lr": 0.1,
    "betas": (0.5, 0.999),
    "epochs": 1,
    "decay_epochs": 0,
    "steps": None,
    "decay_steps": 0,
    "clip_norm": 0.0,
    "freeze": [],
}


class SharedEncoder(AlternatingUpdates):
    """E is moved by the optimizer of the auto-encoder, and once more, alone, by that of a game with D."""

    def __init__(self, ema_decay: float = 0.0) -> None:
        super().__init__(**SETTINGS, ema_decay=ema_decay)
        self.E, self.G, self.D = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 1)
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        return {"auto": {"E": self.E, "G": self.G}, "game": {"E": self.E}, "D": {"D": self.D}}

    def generators(self) -> dict[str, nn.Module]:
        return {"E": self.E, "G": self.G}

    def rates(self, name: str) -> tuple[float, tuple[float, float]]:
        return (self.lr / 10 if name == "D" else self.lr), self.betas

    def one(self, name: str) -> Report:
        x = torch.ones(1, 2)
        with self.learning(name):
            loss = {"auto": lambda: self.G(self.E(x)), "game": lambda: self.D(self.E(x)), "D": lambda: self.D(x)}
            losses = {name: loss[name]().sum()}
            self.update(name, losses)
        return losses


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: network.weight.detach().clone() for name, network in model.named_children() if name in "EGD"}


@pytest.mark.parametrize(("name", "moved"), [("auto", {"E", "G"}), ("game", {"E"}), ("D", {"D"})])
def test_a_network_may_learn_under_two_optimizers(name: str, moved: set[str]) -> None:
    model = SharedEncoder()
    before = weights(model)
    model.one(name)
    assert {of for of, weight in weights(model).items() if not torch.equal(weight, before[of])} == moved
    assert {of for of, network in model.named_children() if network.weight.grad is not None} == moved
    assert all(weight.requires_grad for weight in model.parameters())


def test_an_average_moves_with_each_update_of_its_network_and_with_no_other() -> None:
    model = SharedEncoder(ema_decay=0.5)
    assert model.ema is not None
    for name, moved in (("auto", {"E", "G"}), ("game", {"E"}), ("D", set())):
        before = {of: network.weight.clone() for of, network in model.ema.items()}
        model.one(name)
        for of, network in model.ema.items():
            expected = before[of].lerp(weights(model)[of], 0.5) if of in moved else before[of]
            torch.testing.assert_close(network.weight, expected)


def test_an_optimizer_may_have_a_rate_of_its_own() -> None:
    model = SharedEncoder()
    rates = [float(optimizer.param_groups[0]["lr"]) for optimizer in model.configure_optimizers()]
    assert rates == pytest.approx([0.1, 0.1, 0.01])


class Rotating(AlternatingUpdates):
    """A head H that is drawn anew whenever a batch has another number; from the second on S learns at half the rate."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**SETTINGS | {"optimizer": "adam", "lr": 0.01} | settings, ema_decay=0.0)
        self.S, self.G, self.H = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)
        self.turn = -1
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        return {"auto": {"S": self.S, "G": self.G}, "head": {"H": self.H}}

    def generators(self) -> dict[str, nn.Module]:
        return {"G": self.G}

    def before_step(self, batch: Any) -> None:
        if batch["turn"] != self.turn:
            self.turn = batch["turn"]
            self.forget("H")

    def slowed(self) -> dict[str, float]:
        return {"S": 0.5 if self.turn > 0 else 1.0}

    def step(self, batch: Any, drawn: dict[str, Tensor]) -> Report:
        losses = {"all": self.H(self.G(self.S(torch.ones(1, 2)))).square().sum()}
        for name in ("auto", "head"):
            with self.learning(name):
                losses[name] = self.H(self.G(self.S(torch.ones(1, 2)))).square().sum()
                self.update(name, {name: losses[name]})
        return losses

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["turn"] = self.turn

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        self.turn = checkpoint["turn"]


def rates_of(model: Rotating) -> dict[str, float]:
    auto, head = model.optimizers()
    groups = [*auto.param_groups, *head.param_groups]
    names = ["S", "G", "H"]
    return {name: float(group["lr"]) for name, group in zip(names, groups, strict=True)}


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_slowed_network_learns_at_a_share_of_the_rate_that_keeps_its_place(optimizer: str) -> None:
    model = Rotating(optimizer=optimizer, steps=2, decay_steps=2)
    model.training_step({"turn": 0}, 0)
    assert rates_of(model) == pytest.approx({"S": 0.01, "G": 0.01, "H": 0.01})
    first = [group["lr"] for optimizer in model.optimizers() for group in optimizer.param_groups]
    model.training_step({"turn": 1}, 0)
    assert rates_of(model) == pytest.approx({"S": 0.005, "G": 0.01, "H": 0.01})
    model.training_step({"turn": 1}, 0)  # the schedule is over the shares
    assert rates_of(model) == pytest.approx({"S": 0.01 / 3, "G": 0.02 / 3, "H": 0.02 / 3})
    now = [group["lr"] for optimizer in model.optimizers() for group in optimizer.param_groups]
    assert all(one is other for one, other in zip(first, now, strict=True))


def test_what_is_forgotten_begins_anew_in_place_and_nothing_else_does() -> None:
    model = Rotating()
    for _ in range(3):
        model.training_step({"turn": 0}, 0)
    auto, head = model.optimizers()
    before = {name: value for state in head.state.values() for name, value in state.items()}
    assert all(value.abs().sum() > 0 for value in before.values())
    others = [value.clone() for state in auto.state.values() for value in state.values()]
    model.forget("H")
    for state in head.state.values():
        assert all(value.abs().sum() == 0 for value in state.values())
    assert {name: value for state in head.state.values() for name, value in state.items()} == before  # the same tensors
    for kept, value in zip(others, (v for state in auto.state.values() for v in state.values()), strict=True):
        assert torch.equal(kept, value)
    # The next step is Adam's first: as long as the rate, whatever the gradient.
    weight = model.H.weight.detach().clone()
    model.training_step({"turn": 0}, 0)
    torch.testing.assert_close((model.H.weight - weight).abs(), torch.full((2, 2), 0.01), rtol=1e-3, atol=1e-5)


def test_a_resumed_run_is_slowed_as_one_that_was_never_stopped(tmp_path: Path) -> None:
    batches = [{"turn": turn, "index": torch.tensor([0])} for turn in (0, 0, 1, 1, 1, 2)]

    def fit(model: Rotating, until: int, start: Path | None = None) -> pl.Trainer:
        rest = batches[model.batches if start is None else 3 : until]
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=1 if start is None else 2, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
        )  # fmt: skip
        trainer.fit(model, DataLoader(rest, batch_size=None), ckpt_path=start, weights_only=True)
        return trainer

    torch.manual_seed(0)
    initial = Rotating(epochs=9).state_dict()

    def fresh() -> Rotating:
        model = Rotating(epochs=9)
        model.save_hyperparameters({"freeze": []}, logger=False)
        model.load_state_dict(initial)
        return model

    whole, first, second = fresh(), fresh(), fresh()
    fit(whole, 6)
    fit(first, 3).save_checkpoint(tmp_path / "first.ckpt")
    fit(second, 6, tmp_path / "first.ckpt")
    assert second.batches == whole.batches == 6
    for name, value in whole.state_dict().items():
        assert torch.equal(second.state_dict()[name], value), name


class Features(AlternatingUpdates):
    def __init__(self) -> None:
        super().__init__(**SETTINGS, ema_decay=0.0)
        self.G = nn.Linear(2, 2)
        self.held["features"] = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        return {"G": {"G": self.G}}

    def generators(self) -> dict[str, nn.Module]:
        return {"G": self.G}


def test_a_held_network_rests_follows_the_model_and_is_in_no_checkpoint() -> None:
    model = Features().train().to(torch.float64)
    held = model.held["features"]
    assert {weight.dtype for weight in held.parameters()} == {torch.float64}
    assert not any(module.training for module in held.modules())
    assert not any(weight.requires_grad for weight in held.parameters())
    assert set(model.state_dict()) == {"G.weight", "G.bias"}
    assert {weight.device.type for weight in model.to("meta").held["features"].parameters()} == {"meta"}
