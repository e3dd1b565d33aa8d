"""Memory that training takes, against counts by hand and of the layout at full width."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from suite.papers.sketch_to_image import SketchToImage
from suite.run.config import compose, defaults_of, instantiate, plain
from suite.run.summary import memory
from suite.updates.alternating import AlternatingUpdates
from suite.updates.memory import memory_of

GiB = 2**30
IN, WIDTH, COUNT = 64, 1000, 500
WEIGHTS = IN * WIDTH + WIDTH


class Chain(AlternatingUpdates):
    """Two layers with a ReLU between them, G, and one like them, kept as features."""

    def __init__(self, ema_decay: float = 0.0) -> None:
        shared: dict[str, Any] = {"optimizer": "adam", "lr": 0.1, "betas": (0.5, 0.9), "epochs": 1, "decay_epochs": 0}
        super().__init__(**shared, steps=None, decay_steps=0, clip_norm=0.0, ema_decay=ema_decay, freeze=[])
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


@pytest.mark.parametrize("stage", ["tom", "autoencoder", "refine"])
def test_every_stage_says_it_where_pictures_are_large(stage: str) -> None:
    words = ["experiment=sketch_to_image_faces", "scale=smoke", f"stage={stage}", "trainer=cpu", "start_from=x"]

    def said(size: int) -> dict[str, str]:
        config = compose("train", [*words, f"data.size={size}", f"data.load_size={size}"])
        model: Any
        model, _ = instantiate(config)
        model.hold_features()
        return memory(config, model)

    assert said(64) == {}
    (line,) = said(256).values()
    assert line.startswith("0.")
    assert "a step of 2 0." in line


def test_a_paper_that_has_no_example_says_nothing() -> None:
    config = compose("train", ["experiment=cyclegan_lsgan", "trainer=cpu"])
    assert plain(config.data)["size"] == 256
    assert memory(config, instantiate(config)[0]) == {}
