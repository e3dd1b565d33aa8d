"""`bench.loader=true`: how many pictures our training loader gives in a second, beside a plain one.

Both read the same JPEGs, seeded noise that is made for it, and give float batches on the device; with a cache ours has
decoded them before. They take turns, as machines drift: a ratio is the median of those within a turn.
"""

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from PIL import Image

from suite.bench import timing
from suite.bench.plain_loading import PlainPictures, plain_loader
from suite.data.module import PictureData

WORKERS = (0, 1, 2, 4)
BATCH_SIZES = (1, 16)
PICTURES = 100  # of each side
SECONDS = 0.5  # that each is timed for in a turn, at least
_SIDES = (256, 512)  # pixels, of the JPEGs
_EPOCH = 1_000_000  # samples: none ends while it is measured
_OURS = {"cached": True, "without_cache": False}


def measure_loader(
    config: DictConfig, trainer: pl.Trainer, steps: int, warmup: int, repeats: int, reference: bool
) -> dict[str, Any]:
    """Samples a second of each number of workers and batch size, and what they were measured with."""
    warnings.filterwarnings("ignore", ".*worker processes in total.*")  # as many as are asked for are measured
    device = trainer.strategy.root_device
    turns: dict[tuple[int, int], dict[str, list[float]]] = {}
    with TemporaryDirectory(prefix="suite-bench-") as folder:
        write_pictures(Path(folder), PICTURES, config.seed)
        ours = {way: _data(config, Path(folder), cache, trainer) for way, cache in _OURS.items()}
        _say(f"turn 0 of {repeats}: the cache of {2 * PICTURES} JPEGs is built")
        for data in ours.values():
            data.setup()
        ways: dict[str, Callable[[int, int], Iterator[Any]]] = {
            way: lambda workers, batch_size, data=data: _our_batches(data, workers, batch_size, device)  # type: ignore[misc]
            for way, data in ours.items()
        }
        if reference:
            plain = _plain(config, Path(folder))
            ways["reference"] = lambda workers, size: _plain_batches(plain, workers, size, device)
        for number in range(repeats):
            _say(f"turn {number + 1} of {repeats}: {', '.join(ways)}")
            for workers in WORKERS:
                for batch_size in BATCH_SIZES:
                    of_cell = turns.setdefault((workers, batch_size), {way: [] for way in ways})
                    for way, batches in ways.items():
                        ahead = warmup + 2 * workers  # what workers have prefetched
                        rate = _batches_per_s(batches(workers, batch_size), ahead, steps)
                        of_cell[way].append(rate * batch_size)
    rows = [{"workers": workers, "batch": size, **_figures(of_cell)} for (workers, size), of_cell in turns.items()]
    _say(table(rows))
    return {
        "device": timing.name_of(device),
        "task": config.data.task,
        "size": config.data.size,
        "load_size": config.data.load_size if config.data.crop else config.data.size,
        "images_per_s": rows,
        "steps": steps,
        "repeats": repeats,
    }


def write_pictures(folder: Path, count: int, seed: int) -> None:
    """JPEGs as large and as detailed as photos: `count` in each of trainA, trainB, one in each of testA, testB."""
    for number, side in enumerate(("trainA", "trainB", "testA", "testB")):
        (folder / side).mkdir()
        for index in range(count if side.startswith("train") else 1):
            generator = np.random.default_rng((seed, number, index))
            width, height = generator.integers(_SIDES[0], _SIDES[1] + 1, 2).tolist()
            coarse = generator.integers(0, 256, (height // 32, width // 32, 3), dtype=np.uint8)
            picture = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
            grain = generator.integers(-8, 9, picture.shape, dtype=np.int16)
            grained = Image.fromarray((picture + grain).clip(0, 255).astype(np.uint8))
            grained.save(folder / side / f"{index}.jpg", quality=90)


def _data(config: DictConfig, folder: Path, cache: bool, trainer: pl.Trainer) -> PictureData:
    """Our data module on the JPEGs, with those keys of the experiment that a plain loader has, too."""
    keys = {key: config.data[key] for key in ("task", "size", "load_size", "crop", "flip", "seed")}
    paired = config.data.task == "paired"
    data = PictureData(
        source="paired_folders" if paired else "unpaired_folders",
        root=str(folder),
        epoch_length=_EPOCH,
        cache=cache,
        cache_dir=str(folder / "cache"),
        **keys,
    )
    data.trainer = trainer  # says whether batches are pinned
    return data


def _our_batches(data: PictureData, workers: int, batch_size: int, device: torch.device) -> Iterator[Any]:
    data.workers, data.batch_size = workers, batch_size
    for batch in data.train_dataloader():
        yield data.on_after_batch_transfer(data.transfer_batch_to_device(batch, device, 0), 0)


def _plain(config: DictConfig, folder: Path) -> PlainPictures:
    load_size = config.data.load_size if config.data.crop else config.data.size
    a, b = (sorted((folder / side).iterdir()) for side in ("trainA", "trainB"))
    return PlainPictures(a, b, config.data.task == "paired", config.data.size, load_size, config.data.flip, _EPOCH)


def _plain_batches(plain: PlainPictures, workers: int, batch_size: int, device: torch.device) -> Iterator[Any]:
    for batch in plain_loader(plain, batch_size, workers):
        yield batch["A"].to(device), batch["B"].to(device)


def _batches_per_s(batches: Iterator[Any], warmup: int, steps: int) -> float:
    for _ in range(warmup):
        next(batches)
    timing.wait_for_device()
    start, done = time.perf_counter(), 0
    while done < steps or time.perf_counter() - start < SECONDS:
        next(batches)
        done += 1
    timing.wait_for_device()
    return done / (time.perf_counter() - start)


def _figures(turns: dict[str, list[float]]) -> dict[str, float | None]:
    """The medians of the turns, and of what ours is over the plain one within each."""
    figures: dict[str, float | None] = {way: _rounded(median(rates)) for way, rates in turns.items()}
    for way in _OURS if "reference" in turns else ():
        ratios = [ours / plain for ours, plain in zip(turns[way], turns["reference"], strict=True)]
        figures[f"{way}_over_reference"] = _rounded(median(ratios))
    return figures


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for people: samples a second, and how often ours is the plain one."""
    names = list(rows[0])
    lines = [[name.replace("_over_reference", " / ref").replace("_", " ") for name in names]]
    lines += [[f"{row[name]:.2f}" if "_over_" in name else f"{row[name]:.0f}" for name in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
