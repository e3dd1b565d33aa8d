"""What the figures of a Gao run are: its last checkpoint on faces that it never saw, and the yardsticks beside it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

import suite
from suite.data.module import PictureData
from suite.images import signed_to_uint8, to_rgb
from suite.losses.pixel import closest_l1
from suite.metrics.distances import frechet_distance
from suite.metrics.features import RandomVGG
from suite.metrics.pairwise import l1, psnr, ssim
from suite.run.folder import read_config

FIGURES = {
    "l1": "L1 ↓",
    "l1_train": "L1, training faces ↓",
    "l1_paper": "L1, mode=train ↓",
    "l1_first": "L1, first hand ↓",
    "psnr": "PSNR ↑",
    "ssim": "SSIM ↑",
    "stray": "stray ink ↓",
    "missed": "missed ink ↓",
    "fd": "FD random VGG ↓",
    "variety": "variety",
    "one_hand": "one hand",
}


@dataclass
class Faces:
    """Faces of one split: photos (N, 3, H, W) and all their drawings (N, K, 1, H, W), in [-1, 1]."""

    photos: Tensor
    drawings: Tensor


@cache
def measure(run: Path) -> dict[str, float]:
    """The figures of a run's last checkpoint, on faces that it never saw unless the name says otherwise."""
    model = suite.load(run)
    seen, unseen = faces(run, "train"), faces(run, "val")
    made = model.translate(unseen.photos)
    torch.manual_seed(0)  # of the dropout of mode=train
    as_tested = suite.load(run, mode="train")
    one_by_one = torch.cat([as_tested.translate(photo[None]) for photo in unseen.photos])
    return {
        **compare(made, unseen.drawings),
        "l1_train": float(closest_l1(model.translate(seen.photos)[None], seen.drawings)),
        "l1_paper": float(closest_l1(one_by_one[None], unseen.drawings)),
        "steps": model.steps,
        "weights": sum(weight.numel() for weight in model.generators()["G"].parameters()),
    }


def compare(made: Tensor, drawings: Tensor) -> dict[str, float]:
    """made: (N, 1, H, W), drawings: (N, K, 1, H, W), both in [-1, 1].

    l1 is to the closest drawing (Gao 2020, section 6.1), l1_first, psnr, ssim and fd to the first. Ink is darkness in
    [0, 1]: stray ink is its mean where no drawing has any within a pixel; missed ink is the share that is lacking where
    all drawings agree that there is some. Variety is the mean distance between two outputs, divided by that between two
    first drawings: 0 when every face gets the same picture. One hand is the share of the faces whose closest drawing
    is by the hand that most are closest to.
    """
    closest = (made[:, None] - drawings).abs().mean(dim=(2, 3, 4)).argmin(dim=1)
    ink, inks = (1 - made) / 2, (1 - drawings) / 2
    empty = max_pool2d(inks.amax(dim=1), 3, stride=1, padding=1) < 0.05
    agreed = inks.amin(dim=1)
    return {
        "l1": float(closest_l1(made[None], drawings)),
        "l1_first": float(l1(made, drawings[:, 0]).mean()),
        "psnr": float(psnr(made, drawings[:, 0]).mean()),
        "ssim": float(ssim(made, drawings[:, 0]).mean()),
        "stray": float(ink[empty].mean()),
        "missed": float((agreed - ink).clamp(min=0).sum() / agreed.sum()),
        "fd": frechet_distance(features(drawings[:, 0]), features(made)),
        "variety": distance_between(made) / distance_between(drawings[:, 0]),
        "one_hand": float(closest.bincount().max()) / len(closest),
    }


def features(pictures: Tensor) -> Tensor:
    return extractor()(to_rgb(signed_to_uint8(pictures)))


@cache
def extractor() -> RandomVGG:
    return RandomVGG()


def distance_between(pictures: Tensor) -> float:
    return float((pictures - pictures.roll(1, dims=0)).abs().mean())


def yardsticks(unseen: Faces) -> dict[str, dict[str, float]]:
    """What an empty sheet scores, what the mean drawing of all faces does, and one draughtsman against the others."""
    drawings = unseen.drawings
    sheets = {"a white sheet": torch.ones_like(drawings[:, 0])}
    sheets["the mean drawing"] = drawings.mean(dim=(0, 1)).expand_as(drawings[:, 0])
    figures = {name: compare(sheet, drawings) for name, sheet in sheets.items()}
    if drawings.shape[1] > 1:
        figures["the second hand, to the other four"] = compare(drawings[:, 1], drawings[:, [0, 2, 3, 4]])
    return figures


def faces(run: Path, split: str) -> Faces:
    """The first 64 faces of a split, or all, with all their drawings, also for a run not trained on pairs."""
    options: dict[str, Any] = {**read_config(run).data, "task": "paired"}
    options["eval_batch_size"] = min(64, options["count"][split])
    several = options["hands"] > 1
    options["drawings"] = "all" if several else "one"
    data = PictureData(**options)
    data.setup()
    batch = data.finish(next(iter(data.eval_dataloader(split))))
    return Faces(batch["a"], batch["drawings"] if several else batch["b"][:, None])
