from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from PIL import Image

from suite.bench import check, loader, measure
from suite.bench.plain_loading import PlainPictures, plain_loader
from suite.errors import UserError
from suite.run.config import CONF, plain, register_resolvers

SMALL = ["trainer=cpu", "data.size=32", "data.load_size=36", "bench.steps=2", "bench.warmup=1", "bench.repeats=1"]


def compose(*words: str) -> tuple[DictConfig, dict[str, Any]]:
    register_resolvers()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("bench", [*SMALL, "name=bench", "bench.loader=true", *words])
    return OmegaConf.masked_copy(config, [key for key in config if key != "bench"]), plain(config.bench)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WORKERS": (0, 1), "BATCH_SIZES": (3,), "PICTURES": 4, "SECONDS": 0.0}.items():
        monkeypatch.setattr(loader, name, value)


def test_each_number_of_workers_and_batch_size_has_its_row(small: None, capfd: pytest.CaptureFixture[str]) -> None:
    config, options = compose("experiment=cyclegan_lsgan")
    check(config, options)
    figures = measure(config, **options)
    rows = figures["images_per_s"]
    assert [(row["workers"], row["batch"]) for row in rows] == [(0, 3), (1, 3)]
    assert all(row[way] > 0 for row in rows for way in ("cached", "without_cache", "reference"))
    assert (figures["task"], figures["size"], figures["load_size"]) == ("unpaired", 32, 36)
    head, *lines = capfd.readouterr().err.splitlines()[-3:]
    assert head.split("  ")[-1] == "without cache / ref"
    assert [line.split()[:2] for line in lines] == [["0", "3"], ["1", "3"]]


def test_pairs_and_no_reference(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "WORKERS", (0,))
    config, options = compose("experiment=pix2pix_final", "bench.reference=false", "data.size=64", "data.load_size=64")
    figures = measure(config, **options)
    assert figures["task"] == "paired"
    assert all(set(row) == {"workers", "batch", "cached", "without_cache"} for row in figures["images_per_s"])


def test_ratios_are_the_medians_of_those_within_a_turn() -> None:
    figures = loader._figures({"cached": [8.0, 2.0, 30.0], "without_cache": [1.0, 1.0, 1.0], "reference": [2, 1, 10]})
    assert figures["cached_over_reference"] == 3  # of 4, 2, 3
    assert figures["reference"] == 2


def test_a_task_without_a_plain_loader_is_named() -> None:
    said = r"data\.task=labelled: bench\.loader=true measures the tasks unpaired and paired"
    with pytest.raises(UserError, match=said):
        check(*compose("experiment=cyclegan_lsgan", "data.task=labelled"))


@pytest.mark.parametrize("paired", [True, False])
def test_the_plain_loader_reads_pictures_as_published(paired: bool, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.png")  # as large as load_size: nothing is resized
    pictures = PlainPictures([tmp_path / "x.png"], [tmp_path / "x.png"], paired, 8, 12, 0.5, 40)
    windows = {
        window[..., ::step].tobytes()
        for top in range(5)
        for left in range(5)
        for step in (1, -1)
        for window in [np.ascontiguousarray(noise.transpose(2, 0, 1)[:, top : top + 8, left : left + 8])]
    }
    alike = []
    for batch in plain_loader(pictures, 4, 0):
        assert batch["A"].shape == (4, 3, 8, 8)
        for side in ("A", "B"):
            shown = ((batch[side] + 1) * 127.5).round().to(torch.uint8)
            assert all(picture.numpy().tobytes() in windows for picture in shown)
        alike += [torch.equal(a, b) for a, b in zip(batch["A"], batch["B"], strict=True)]
    assert all(alike) is paired
