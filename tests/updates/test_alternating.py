"""Networks and optimizers that no paper of the suite has yet: one network under two optimizers, a rate for each."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

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
