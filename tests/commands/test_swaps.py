"""Groups swapped under an experiment train: networks, games, data sets, tasks, channels, normalisations."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import suite

TINY = ["experiment=cyclegan_lsgan", "scale=smoke", "model.backbone.width=4", "model.discriminator.width=4"]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """trainA testA with 16-bit grey pictures, trainB testB with colour pictures of the same names."""
    root = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for side in ("A", "B"):
            (root / f"{split}{side}").mkdir()
            for number in range(4):
                file = root / f"{split}{side}" / f"{number}.png"
                if side == "A":
                    Image.fromarray(random.integers(0, 65536, (40, 36), dtype=np.uint16)).save(file)
                else:
                    Image.fromarray(random.integers(0, 256, (36, 44, 3), dtype=np.uint8)).save(file)
    return root


@pytest.mark.parametrize(
    "words",
    [
        ["data=unpaired_folders", "data.channels_a=1", "model.lambda_identity=0"],
        ["data=unpaired_folders", "data.channels_a=1", "data.channels_b=1", "adversarial=wgan_gp"],
        ["data=unpaired_folders", "data.direction=b2a", "data.resize=cover", "data.load_size=34", "adversarial=hinge"],
        ["data=paired_folders", "metrics=pixel", "discriminator=pixel", "backbone=unet4", "adversarial=vanilla"],
        ["data=anime_faces", "backbone=resnet6", "discriminator=patch34", "adversarial=wgan"],
        ["data=faces", "data.count={train: 4, val: 2, test: 2}", "data.style=loose", "metrics=none"],
        ["data.style=contour", "data.hands=2", "data.task=paired", "data.drawings=all", "adversarial=wgan_dalva"],
        ["model.backbone.norm=batch", "model.discriminator.norm=batch", "model.ema_decay=0.9", "model.clip_norm=1"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_it_trains(words, pictures, command, tmp_path):
    root = (
        [f"data.root={pictures}"]
        if words[0] in ("data=unpaired_folders", "data=paired_folders", "data=anime_faces")
        else []
    )
    run = tmp_path / "run"
    assert command("train", *TINY, *words, *root, f"hydra.run.dir={run}") == 0
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows if row["train/lr"]][-1] == "2"
    model = suite.load(run)
    for direction, channels, others in (("a2b", "channels_a", "channels_b"), ("b2a", "channels_b", "channels_a")):
        x = torch.rand(1, model.hparams[channels], 32, 32) * 2 - 1
        y = model.translate(x, direction)
        assert y.shape == (1, model.hparams[others], 32, 32)
        assert y.isfinite().all()
        assert y.std() > 0
