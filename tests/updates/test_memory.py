"""Memory that training takes, against counts by hand and of the layout at full width."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from suite.papers.sketch_to_image import SketchToImage
from suite.run.config import compose, defaults_of, instantiate
from suite.run.needs import needs
from suite.updates.alternating import AlternatingUpdates
from suite.updates.memory import lasting_memory, memory_of

GiB = 2**30
IN, WIDTH, COUNT = 64, 1000, 500
WEIGHTS = IN * WIDTH + WIDTH


class Chain(AlternatingUpdates):
    """Two layers with a ReLU between them, G, and one like them, kept as features."""

    def __init__(self, ema_decay: float = 0.0, optimizer: str = "adam") -> None:
        shared: dict[str, Any] = {"optimizer": optimizer, "lr": 0.1, "betas": (0.5, 0.9), "epochs": 1}
        shared |= {"decay_epochs": 0, "steps": None, "decay_steps": 0, "clip_norm": 0.0, "freeze": []}
        super().__init__(**shared, ema_decay=ema_decay)
        self.G = nn.Sequential(nn.Linear(IN, WIDTH, bias=False), nn.ReLU(), nn.Linear(WIDTH, 1, bias=False))
        self.held["features"] = nn.Linear(IN, WIDTH, bias=False)
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        return {"G": {"G": self.G}}

    def generators(self) -> dict[str, nn.Module]:
        return {"G": self.G}

    def step(self, batch: dict[str, Any], drawn: dict[str, Tensor]) -> dict[str, Tensor]:
        with self.learning("G"):
            losses = {"G": self.G(batch["a"]).mean()}
            self.update("G", losses)
        return losses


def batch() -> dict[str, Tensor]:
    return {"a": torch.empty(COUNT, IN)}


def test_the_parts_are_those_that_a_hand_counts() -> None:
    found = memory_of(Chain(ema_decay=0.9), batch, half=False)
    assert found.weights == 4 * (WEIGHTS + IN * WIDTH)
    assert found.average == found.gradients == 4 * WEIGHTS
    assert found.optimizers == 2 * 4 * WEIGHTS + 2 * 4  # and two counters of steps
    # On the way back what the ReLU let through, its gradient, and that of what came in.
    assert found.step == pytest.approx(4 * (3 * COUNT * WIDTH + COUNT * IN), rel=0.01)
    assert found.total == sum(found)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_what_lasts_is_known_without_a_step(optimizer: str) -> None:
    model = Chain(ema_decay=0.9, optimizer=optimizer)
    assert lasting_memory(model) == memory_of(model, batch, half=False)._replace(step=0)
    model.G[2].requires_grad_(False)
    fewer = lasting_memory(model)
    assert fewer.gradients == 4 * IN * WIDTH
    assert fewer.optimizers == (2 * 4 * IN * WIDTH + 4 if optimizer == "adam" else 0)


def test_it_is_the_same_where_the_model_is_on_another_device() -> None:
    elsewhere = Chain(ema_decay=0.9).to("meta")
    assert memory_of(elsewhere, batch, half=False) == memory_of(Chain(ema_decay=0.9), batch, half=False)
    assert elsewhere.device.type == "meta"


def test_autocast_halves_what_it_makes() -> None:
    found = memory_of(Chain(), batch, half=True)
    # And both layers' weights and what comes in once more, in bfloat16.
    maps = 2 * (3 * COUNT * WIDTH + COUNT * IN + WEIGHTS) + 4 * COUNT * IN
    assert found.step == pytest.approx(maps, rel=0.05)


def test_the_model_is_left_as_it_was() -> None:
    model, before = Chain(), torch.random.get_rng_state()
    weights = [w.clone() for w in model.parameters()]
    memory_of(model, batch, half=False)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(w, old) and w.grad is None for w, old in zip(model.parameters(), weights, strict=True))
    assert (model.steps, model._own_optimizers) == (0, [])


@pytest.fixture
def refiner() -> Any:
    def make(**changes: Any) -> SketchToImage:
        settings = {"stage": "refine", "channels_a": 1, "channels_b": 3, "features": "random_vgg", "classes": None}
        return SketchToImage(**defaults_of("sketch_to_image") | settings | {"ema_decay": 0.999} | changes)

    return make


def test_1024_pixels_in_batches_of_12_fit_24_gib(refiner: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.nn.utils.parametrizations._SpectralNorm._power_method", lambda *_: None)  # seconds
    model = refiner(size=512, output_size=1024, tom_size=256)
    model.hold_features()
    whole = memory_of(model, lambda: model.example(12, 1024), half=False)
    assert 14 * GiB < whole.total < 24 * GiB
    model.G2.checkpointing = True
    assert memory_of(model, lambda: model.example(12, 1024), half=False).total < 0.85 * whole.total


@pytest.mark.parametrize("stage", ["tom", "refine"])
def test_every_stage_says_it_where_pictures_are_large(stage: str) -> None:
    words = ["experiment=sketch_to_image_faces", "scale=smoke", f"stage={stage}", "trainer=cpu", "start_from=x"]

    def said(size: int) -> str:
        config = compose("train", [*words, f"data.size={size}", f"data.load_size={size}"])
        model: Any
        model, _ = instantiate(config)
        model.hold_features()
        return needs(config, model.to("meta"), Path("run"))["memory"]  # as on another device

    assert said(64).startswith("at least ")
    assert "MiB by calculation: weights " in (line := said(256))
    assert "a step of 2 " in line
