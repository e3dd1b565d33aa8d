"""Papers side by side: python -m experiments.papers.compare <folder of sweep=papers> [grid.png]

Reads <folder>/<experiment>-<seed>, those that ended; prints a table in Markdown, what each paper makes of the same
drawings of unseen built-in faces, held to their photos; and writes the grid, the first of these faces through all of
them by the first seed, by default experiments/papers.png. ± is half the distance between two seeds (of more, half a
95 % interval by Student's t).
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np
import torch
from experiments.pictures import correlation, edges
from experiments.seeds import Runs, arm_and_seed, finished, spread, took
from experiments.sheets import Column, draw
from torch import Tensor, nn

import suite
from suite.data.sources.faces import NUMBERS
from suite.errors import UserError
from suite.faces import FaceParameters, Style
from suite.faces import draw as draw_face
from suite.images import luma, signed_to_uint8, to_rgb, uint8_to_unit, unit_to_signed
from suite.metrics.distances import frechet_distance
from suite.metrics.features import RandomVGG
from suite.metrics.pairwise import psnr, ssim
from suite.run.folder import of_stage, read_config

FIGURES = {"psnr": "PSNR ↑", "ssim": "SSIM ↑", "shape": "shape ↑", "fd": "FD random VGG ↓"}
DIGITS = {"psnr": 2, "ssim": 3, "shape": 3, "fd": 2}
GRID = Path("experiments/papers.png")
BATCH = 32


class Way(NamedTuple):
    """One way from drawings to photos: a line of the table, and a column of the grid."""

    experiment: str  # of the run
    title: str
    column: str  # above pictures
    learns: str  # from what
    stages: tuple[str, ...] = (".",)  # where in the run those are that it took; the last one's networks translate
    own_style: bool = False  # of those that take a style: told that of the very photo, not of another face's


_STYLES = "photos alone"
_TO_AE = ("1_tom", "2_autoencoder")
WAYS = (
    Way("pix2pix_unet", "pix2pix", "pix2pix", "pairs"),
    Way("cyclegan_lsgan", "CycleGAN", "CycleGAN", "drawings and photos of different faces"),
    Way("csi_celeba", "CSI", "CSI", "pairs"),
    Way("dagan_celeba_cufsf", "DA-GAN", "DA-GAN", "pairs, and drawings of other faces by ten hands"),
    Way(
        "two_step_faces",
        "two-step",
        "two-step",
        "drawings and photos of different faces, as labels",
        ("1_generator", "2_encoder"),
    ),
    Way("sketch_to_image_faces", "auto-encoder, style of another face", "AE", _STYLES, _TO_AE),
    Way(
        "sketch_to_image_faces",
        "auto-encoder + refinement, style of another face",
        "AE + G2",
        _STYLES,
        (*_TO_AE, "3_refine"),
    ),
    Way("sketch_to_image_faces", "auto-encoder, told the true style", "AE, told", _STYLES, _TO_AE, True),
    Way(
        "sketch_to_image_faces",
        "auto-encoder + refinement, told the true style",
        "AE + G2, told",
        _STYLES,
        (*_TO_AE, "3_refine"),
        True,
    ),
)


class Faces(NamedTuple):
    """Drawings (N, 1, S, S), their photos (N, 3, S, S), and of each the photo of another face, all in [-1, 1]."""

    drawing: Tensor
    photo: Tensor
    style: Tensor


def main(folder: Path, grid: Path = GRID, faces: int = 128, shown: int = 6) -> None:
    torch.set_num_threads(1)
    runs = arms(folder)
    data = read_config(of_stage(next(iter(runs.values()))[0])).data
    train, test = (faces_of(split, data.size, count) for split, count in (("train", data.count.train), ("test", faces)))
    print(f"\n{table(runs, test, yardsticks(train.photo, test))}", flush=True)
    draw(columns({arm: of_arm[0] for arm, of_arm in runs.items()}, Faces(*(x[:shown] for x in test))), grid)


def arms(folder: Path) -> Runs:
    """The finished runs of each experiment, by seed, in the order of the table. Raises UserError where none is."""
    found: Runs = defaultdict(list)
    known = list(dict.fromkeys(way.experiment for way in WAYS))
    for run in sorted(finished(folder.glob("*-*"))):
        found[arm_and_seed(run)[0]].append(run)
    if not any(arm in found for arm in known):
        raise UserError(f"{folder} has no finished run of {', '.join(known)}: give the folder of a sweep=papers")
    return {arm: found[arm] for arm in known if arm in found}


@cache
def faces_of(split: str, size: int, count: int) -> Faces:
    """The first faces of a split of the series that runs see, drawn by the hand that drew for them."""
    numbers = NUMBERS[split][:count]

    def drawn(style: Style) -> Tensor:
        pictures = [draw_face(FaceParameters.sample(0, index), style, size) for index in numbers]
        return unit_to_signed(uint8_to_unit(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)))

    photo = drawn("photo")
    return Faces(luma(drawn("contour")), photo, photo.roll(1, dims=0))


# What a paper makes ---------------------------------------------------------------------------------------------------


def load(run: Path, way: Way) -> Any:
    """What translates, with its last weights."""
    return suite.load(run / way.stages[-1])


@torch.no_grad()
def made(model: Any, faces: Faces, own_style: bool = False) -> Tensor:
    """Photos (N, 3, S, S) of the drawings."""
    drawing, style = faces.drawing, faces.photo if own_style else faces.style
    if model.hparams["channels_a"] == 3:
        drawing = to_rgb(drawing)
    found = []
    for x, of_style, index in zip(*(t.split(BATCH) for t in (drawing, style, torch.arange(len(style)))), strict=True):
        if model.needs_style:
            found.append(list(model.colour(x, model.encode_style(of_style), index.tolist()).values())[-1])
        else:
            found.append(model.translate(x, model.towards("photo") if model.labels else next(iter(model.directions))))
    return torch.cat(found)


def compared(photos: Tensor, truth: Tensor) -> dict[str, float]:
    """Photos (N, 3, S, S), each with the true one; those of one set with those of the other for `fd`."""
    return {
        "psnr": float(psnr(photos, truth).mean()),
        "ssim": float(ssim(photos, truth).mean()),
        "shape": float(correlation(edges(photos), edges(truth)).mean()),
        "fd": frechet_distance(_features(truth), _features(photos)),
    }


def yardsticks(train: Tensor, test: Faces) -> dict[str, dict[str, float]]:
    """By title: the mean of training photos for every face, as many of these as they are, and drawings as they are."""
    return {
        "the mean training photo": compared(train.mean(0, keepdim=True).expand_as(test.photo), test.photo),
        "real photos, of other faces": compared(train[: len(test.photo)], test.photo),
        "the drawings": compared(to_rgb(test.drawing), test.photo),
    }


def _features(pictures: Tensor) -> Tensor:
    return torch.cat([_extractor()(part) for part in signed_to_uint8(pictures).split(BATCH)])


@cache
def _extractor() -> RandomVGG:
    return RandomVGG()


# What it costs --------------------------------------------------------------------------------------------------------


def cost(run: Path, way: Way) -> tuple[str, float, int, int]:
    """Steps of each stage, minutes of all, and how many weights translate, and are trained."""
    said = [took(run / stage) for stage in way.stages]
    steps = " + ".join(steps.removesuffix(" steps") for steps, _ in said)
    models = [suite.load(run / stage) for stage in way.stages]
    learnt = sum(_weights(_learnt(model)) for model in models)
    return steps, sum(minutes for _, minutes in said), _weights(_translating(models[-1])), learnt


def _learnt(model: Any) -> Iterator[nn.Module]:
    return (network for of_optimizer in model.trained().values() for network in of_optimizer.values())


def _translating(model: Any) -> list[nn.Module]:
    """The networks that a drawing goes through."""
    if model.needs_style:
        return [getattr(model, name) for name in ("S", "C", "G1", "G2") if hasattr(model, name)]
    if model.labels:
        return list(model.generators().values())
    return [model.generators()[next(iter(model.directions.values()))]]


def _weights(networks: Any) -> int:
    """Each once, also where it is part of two networks."""
    return sum({id(weight): weight.numel() for network in networks for weight in network.parameters()}.values())


# Table and grid -------------------------------------------------------------------------------------------------------


def table(runs: Mapping[str, Sequence[Path]], test: Faces, beside: Mapping[str, Mapping[str, float]]) -> str:
    """A line for each way, of the seeds that there are, and for each yardstick."""
    titles = ["paper", "learns from", *FIGURES.values(), "updates", "minutes", "weights", "trained"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for way in WAYS:
        if way.experiment not in runs:
            continue
        of_arm = runs[way.experiment]
        measured = [compared(made(load(run, way), test, way.own_style), test.photo) for run in of_arm]
        costs = [cost(run, way) for run in of_arm]
        steps, _, translate, learnt = costs[0]
        said = [way.title, way.learns, *_cells(measured), steps, f"{mean(row[1] for row in costs):.1f}"]
        lines.append(f"| {' | '.join([*said, _millions(translate), _millions(learnt)])} |")
    for title, figures in beside.items():
        lines.append(f"| {title} | | {' | '.join(_cells([figures]))} | | | | |")
    return "\n".join(lines)


def _cells(measured: Sequence[Mapping[str, float]]) -> list[str]:
    return [spread([figures[key] for figures in measured], DIGITS[key]) for key in FIGURES]


def _millions(count: int) -> str:
    return f"{count / 1e6:.2f} M"


def columns(runs: Mapping[str, Path], faces: Faces) -> list[Column]:
    """The same faces through one run of each experiment."""
    found: list[Column] = [("drawing", faces.drawing), ("truth", faces.photo)]
    for way in WAYS:
        if way.experiment in runs:
            model = load(runs[way.experiment], way)
            if model.needs_style and "style" not in dict(found):
                found.append(("style", faces.style))
            found.append((way.column, made(model, faces, way.own_style)))
    return found


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        main(*map(Path, sys.argv[1:]))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
