"""Runs with small random networks, written without a trainer, of the built-in faces."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from saved import save_run

from suite.run import folder
from suite.run.config import compose, instantiate

MakeRun = Callable[..., Path]
FACES = (
    "scale=smoke",
    "data.size=32",
    "data.load_size=32",
    "data.count={train: 4, val: 3, test: 2}",
    "metrics=none",
    "data.cache=false",
)
BOTH_WAYS = ("cyclegan_lsgan", "data.style=contour", "data.channels_b=1", "model.lambda_identity=0")
TO_PHOTOS = ("pix2pix_unet", "data.direction=b2a", "data.drawings=one", "data.channels_a=1")


@pytest.fixture(scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> MakeRun:
    """Builds the run folder of an experiment, with weights so large that its pictures have contrast."""

    def make(experiment: str, *words: str) -> Path:
        place = tmp_path_factory.mktemp("runs") / "run"
        config = compose("train", [f"experiment={experiment}", f"name={experiment}", *FACES, *words])
        torch.manual_seed(0)
        model, data = instantiate(config)
        for weight in model.parameters():
            torch.nn.init.normal_(weight, 0, 0.2)
        save_run(place, model.eval())
        folder.write_config(config, place)
        data.setup()
        data.write_splits(place / folder.SPLITS_FILE)
        return place

    return make


@pytest.fixture(scope="session")
def both_ways(make_run: MakeRun) -> Path:
    """A CycleGAN between photos and grey contours."""
    return make_run(*BOTH_WAYS)


@pytest.fixture(scope="session")
def to_photos(make_run: MakeRun) -> Path:
    """Pix2pix from contours to photos."""
    return make_run(*TO_PHOTOS, "data.channels_b=3")
