"""What a run of sketch_to_image makes of built-in faces, held to the very face that it should have made.

Sketch and style are of two test faces whose parameters are known, so the answer is, too: the face of the sketch, with
the colours, the light and the ground of the style's face, drawn as any other. Nothing of the kind exists for photos.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from experiments.pictures import correlation, edges
from torch import Tensor
from torch.nn.functional import avg_pool2d

import suite
from suite.errors import UserError
from suite.faces import FaceParameters, draw
from suite.images import signed_to_uint8, uint8_to_unit, unit_to_signed
from suite.metrics.distances import frechet_distance
from suite.metrics.features import RandomVGG
from suite.metrics.pairwise import psnr
from suite.run.config import instantiate
from suite.run.folder import kept_splits, of_stage, read_config

COLOURS = (
    "skin", "blush", "eye_colour", "lip_colour", "hair_colour", "glasses_colour", "earring_colour", "clothes_colour",
    "background", "background_colours", "background_seed", "light", "warmth",
)  # fmt: skip
FIGURES = {
    "psnr": "PSNR to the true face ↑",
    "shape": "shape: edges as the true face's ↑",
    "colour": "colour: off the true face's ↓",
    "leak": "edges as the style picture's ↓",
    "own_psnr": "PSNR in its own style ↑",
    "fd": "FD random VGG ↓",
    "skt_rec": "Skt-Rec ↓",
    "sty_rec": "Sty-Rec ↑",
}
YARDSTICKS = {"truth": "the true face", "photo": "the sketch's own photo", "style": "the style picture itself"}
BLOCK = 8  # pixels a side of the fields whose mean colours are compared


class Pairs(NamedTuple):
    """Test faces: sketches (N, 1, S, S), and (N, 3, S, S) photos, styles, and what should come out."""

    sketch: Tensor
    photo: Tensor
    style: Tensor
    truth: Tensor


@cache
def measure(run: Path) -> dict[str, float]:
    """The figures of a run's last checkpoint over all test sketches, each in another face's style, and yardsticks'.

    Raises UserError where it was not trained on built-in faces, or makes no pictures yet.
    """
    model: Any = suite.load(run)
    if not model.needs_style:
        raise UserError(f"{run} draws sketches alone: give the run of another stage")
    pairs = test_pairs(of_stage(run))
    found = figures(model, pairs)
    for name, pictures in {"truth": pairs.truth, "photo": pairs.photo, "style": pairs.style}.items():
        found |= {f"{name}/{key}": value for key, value in compared(pictures, pairs).items()}
    return found


def figures(model: Any, pairs: Pairs) -> dict[str, float]:
    made, own, apart, kept = [], [], [], []
    with torch.no_grad():
        for part in range(0, len(pairs.sketch), 32):
            sketch, photo, style = (x[part : part + 32] for x in pairs[:3])
            f_style, index = model.encode_style(style), list(range(part, part + len(sketch)))
            made.append(list(model.colour(sketch, f_style, index).values())[-1])
            own.append(list(model.colour(sketch, model.encode_style(photo), index).values())[-1])
            apart.append(model.sketch_apart(made[-1], sketch))
            kept.append(model.style_kept(made[-1], f_style))
    return compared(torch.cat(made), pairs) | {
        "own_psnr": float(psnr(torch.cat(own), pairs.photo).mean()),
        "skt_rec": float(torch.cat(apart).mean()),
        "sty_rec": float(torch.cat(kept).mean()),
    }


def compared(pictures: Tensor, pairs: Pairs) -> dict[str, float]:
    """Pictures (N, 3, S, S) with the true ones."""
    fields, true_fields = (avg_pool2d(uint8_to_unit(signed_to_uint8(x)), BLOCK) for x in (pictures, pairs.truth))
    of_made, of_truth, of_style = (edges(x) for x in (pictures, pairs.truth, pairs.style))
    extractor = _extractor()
    of_sets = [torch.cat([extractor(part) for part in signed_to_uint8(x).split(64)]) for x in (pairs.photo, pictures)]
    return {
        "psnr": float(psnr(pictures, pairs.truth).clamp(max=99).mean()),
        "colour": float((fields - true_fields).abs().mean()),
        "shape": float(correlation(of_made, of_truth).mean()),
        "leak": float(correlation(of_made, of_style).mean()),
        "fd": frechet_distance(*of_sets),
    }


@cache
def test_pairs(run: Path) -> Pairs:
    """What a run is tested on: each test sketch once, with the style of another face."""
    config = read_config(run)
    if config.data.source != "faces":
        raise UserError(f"{run}: data.source={config.data.source} has no parameters to measure; train on data=faces")
    _, data = instantiate(config, kept_splits(run, config.data))
    data.setup()
    parts: dict[str, list[Any]] = {name: [] for name in ("sketch", "photo", "style", "truth")}
    for batch in data.eval_dataloader("test"):
        keys = batch["key"], batch["key_style"]
        batch = data.finish(batch)
        for name, key in (("sketch", "a"), ("photo", "b"), ("style", "style")):
            parts[name].append(batch[key])
        parts["truth"].append(torch.stack([truth(*both, data.size) for both in zip(*keys, strict=True)]))
    return Pairs(*(torch.cat(parts[name]) for name in ("sketch", "photo", "style", "truth")))


def truth(sketch: str, style: str, size: int) -> Tensor:
    """The face of one key in the colours of another's, (3, size, size) in [-1, 1]."""
    shape, colours = (FaceParameters.sample(0, int(key.rpartition("-")[2])) for key in (sketch, style))
    face = replace(shape, **{name: getattr(colours, name) for name in COLOURS})
    drawn = torch.from_numpy(np.ascontiguousarray(draw(face, "photo", size))).permute(2, 0, 1)
    return unit_to_signed(uint8_to_unit(drawn))


@cache
def _extractor() -> RandomVGG:
    return RandomVGG()
