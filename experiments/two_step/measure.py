"""What the figures of a two-step run on built-in faces are: its last checkpoint on test faces of both sexes.

Of a direction, as to_male, figures are `to_male/<figure>`: of the translations of all female test faces, but for `fd`
and `latent`, of the class that is translated to. Without it they are those of both directions. Beside them stand the
same figures of yardsticks, under `real/`, `untranslated/` and `guess/`, see `yardsticks` and `of_latents`.
"""

import math
from collections.abc import Iterator
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from experiments.two_step.judges import Faces, Judges, columns, draw_faces
from torch import Tensor

import suite
from suite.data.sources.faces import NUMBERS
from suite.errors import UserError
from suite.faces import FEMALE, MALE, FaceParameters
from suite.images import signed_to_uint8
from suite.metrics.distances import frechet_distance
from suite.metrics.features import RandomVGG
from suite.metrics.pairwise import psnr, ssim
from suite.run.folder import of_stage, read_config

DIRECTIONS = {"to_female": (MALE, FEMALE), "to_male": (FEMALE, MALE)}  # from which label to which
FIGURES = {
    "target_share": "judged as the target ↑",
    "own_share": "reconstructed, judged as themselves ↑",
    "pose": "pose ↓",
    "expression": "expression ↓",
    "background": "background ↓",
    "colour": "light and skin ↓",
    "psnr": "PSNR ↑",
    "ssim": "SSIM ↑",
    "fd": "FD random VGG ↓",
    "latent": "E(G(z, c)) to z ↓",
}
YARDSTICKS = {"real": "real faces", "untranslated": "not translated", "guess": "guessing the mean"}
BATCH = 64


class TwoStep(Protocol):
    """What is measured of a model."""

    labels: list[str]
    directions: dict[str, str]
    prior: str

    def translate(self, batch: Tensor, direction: str, /) -> Tensor: ...
    def encode(self, x: Tensor, /) -> Tensor: ...
    def decode(self, z: Tensor, c: Tensor, /) -> Tensor: ...


@cache
def measure(run: Path, judges: Judges, faces: int = 512) -> dict[str, float]:
    """The figures of a run by so many test faces, half of either sex, and those of yardsticks.

    Raises UserError where it was not trained on built-in faces of the judges' size, or does not translate yet.
    """
    config = read_config(of_stage(run))
    if config.data.source != "faces":
        raise UserError(f"{run}: data.source={config.data.source} has no parameters to measure; train on data=faces")
    if config.data.size != judges.size:
        raise UserError(f"{run}: data.size={config.data.size}, and the judges are of {judges.size} pixels")
    model: Any = suite.load(run)
    if not model.directions:
        raise UserError(f"{run} translates nothing yet: train its encoder, or take a run of both stages")
    return figures(model, judges, faces)


@torch.no_grad()
def figures(model: TwoStep, judges: Judges, faces: int = 512) -> dict[str, float]:
    """Those of a model that is loaded."""
    test, parts = unseen_faces(judges.size, faces), {}
    found = yardsticks(judges, faces)
    for direction, (source, target) in DIRECTIONS.items():
        unseen = test.of_label(source)
        translated = _in_batches(lambda x, to=direction: model.translate(x, to), unseen.pictures)
        again = _in_batches(lambda x, c=source: _decode(model, model.encode(x), c), unseen.pictures)
        parts[direction] = _kept(translated, unseen, judges) | {
            "target_share": _share(translated, target, judges),
            "own_share": _share(again, source, judges),
            "psnr": float(psnr(again, unseen.pictures).mean()),
            "ssim": float(ssim(again, unseen.pictures).mean()),
            "fd": _fd(test.of_label(target).pictures, translated),
        }
        of_codes = of_latents(model, target, unseen.pictures[:1], faces)
        parts[direction]["latent"], found["guess/latent"] = of_codes["latent"], of_codes["guess"]
        found[f"guess/{direction}/latent"] = of_codes["guess"]
    return found | _together(parts)


@torch.no_grad()
def of_latents(model: TwoStep, label: int, picture: Tensor, count: int) -> dict[str, float]:
    """Mean squared error of E(G(z, c)) to z, over z of the model's prior; guess: that of 0, which is their variance.

    picture: any (1, 3, S, S), whose code tells how long z is.
    """
    generator, shape = torch.Generator().manual_seed(label), (count, model.encode(picture).shape[1])
    uniform = model.prior == "uniform"
    z = torch.rand(shape, generator=generator) * 2 - 1 if uniform else torch.randn(shape, generator=generator)
    found = _in_batches(lambda part: model.encode(_decode(model, part, label)), z)
    return {"latent": float((found - z).square().mean()), "guess": float(z.square().mean())}


@cache
def yardsticks(judges: Judges, faces: int) -> dict[str, float]:
    """What figures are to be read against.

    real: what judges say of real test faces, of the class that is translated to for `target_share` (their accuracy),
    and of the class that is translated for what should stay (their own error); FD of as many real training faces.
    untranslated: of inputs that are left as they are. guess: of the mean of what should stay (of real faces 1), and of
    the mean training face of the class in place of a reconstruction. A face that has nothing to do with the input is
    about 1.4 off what should stay, further than a guess.
    """
    test = unseen_faces(judges.size, faces)
    train = _drawn(judges.size, faces, NUMBERS["train"].start)
    rows: dict[str, dict[str, dict[str, float]]] = {name: {} for name in YARDSTICKS}
    for direction, (source, target) in DIRECTIONS.items():
        of_source, of_target = test.of_label(source), test.of_label(target)
        mean_face = train.of_label(source).pictures.mean(0, keepdim=True).expand_as(of_source.pictures)
        guess = _by_group(judges.standardised(of_source.known))
        rows["real"][direction] = _kept(of_source.pictures, of_source, judges) | {
            "target_share": _share(of_target.pictures, target, judges),
            "own_share": _share(of_source.pictures, source, judges),
            "fd": _fd(of_target.pictures, train.of_label(target).pictures),
        }
        rows["untranslated"][direction] = {
            "target_share": _share(of_source.pictures, target, judges),
            "fd": _fd(of_target.pictures, of_source.pictures),
        }
        rows["guess"][direction] = guess | {
            "psnr": float(psnr(mean_face, of_source.pictures).mean()),
            "ssim": float(ssim(mean_face, of_source.pictures).mean()),
        }
    return {f"{row}/{key}": value for row, parts in rows.items() for key, value in _together(parts).items()}


def unseen_faces(size: int, count: int) -> Faces:
    """The first test faces of the series that runs see, half of either sex."""
    return _drawn(size, count, NUMBERS["test"].start)


@cache
def _drawn(size: int, faces: int, first: int) -> Faces:
    def of(sex: int) -> Iterator[FaceParameters]:
        numbered = (FaceParameters.sample(0, index) for index in count(first))
        return islice((face for face in numbered if face.sex == sex), faces // 2)

    return draw_faces([*of(FEMALE), *of(MALE)], size)


def _kept(made: Tensor, inputs: Faces, judges: Judges) -> dict[str, float]:
    return _by_group(judges.errors(made, inputs.known))


def _by_group(errors: Tensor) -> dict[str, float]:
    """(N, K) to the root of the mean square of each group's errors."""
    return {group: math.sqrt(errors[:, own].square().mean()) for group, own in columns().items()}


def _share(pictures: Tensor, label: int, judges: Judges) -> float:
    return float((judges.labels(pictures) == label).float().mean())


def _fd(real: Tensor, made: Tensor) -> float:
    of_real, of_made = (_in_batches(extractor(), signed_to_uint8(pictures)) for pictures in (real, made))
    return frechet_distance(of_real, of_made)


def _together(parts: dict[str, dict[str, float]]) -> dict[str, float]:
    """Figures of each direction under its name, and of both, which have as many faces: means, of errors of squares."""
    found = {f"{direction}/{name}": value for direction, of_one in parts.items() for name, value in of_one.items()}
    for name in next(iter(parts.values())):
        values = [of_one[name] for of_one in parts.values()]
        squares = name in columns()
        mean = sum(value**2 if squares else value for value in values) / len(values)
        found[name] = math.sqrt(mean) if squares else mean
    return found


def _decode(model: TwoStep, z: Tensor, label: int) -> Tensor:
    return model.decode(z, torch.full((len(z),), label))


@torch.no_grad()
def _in_batches(network: Any, x: Tensor) -> Tensor:
    return torch.cat([cast(Tensor, network(part)) for part in x.split(BATCH)])


@cache
def extractor() -> RandomVGG:
    return RandomVGG()
