"""Who judges translations: two small networks that have seen real faces alone, of a series that no run is trained on.

The classifier tells female faces from male ones. The regressor tells what a translation should keep: the parameters of
a built-in face whose distribution does not depend on its sex. Both are trained once a size, and kept in a file.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from suite.faces import VERSION, FaceParameters, draw
from suite.files import make_folder, write_whole
from suite.images import signed_to_uint8, uint8_to_unit, unit_to_signed

SERIES = 4711  # of the faces that judges are trained on; runs and their tests see series 0
SEED = 0
COUNT, EPOCHS = 10_000, 12
GROUPS: dict[str, Callable[[FaceParameters], tuple[float, ...]]] = {
    "pose": lambda face: (face.yaw, face.pitch, face.roll, *face.centre),
    "expression": lambda face: (face.smile, face.opening),  # the gaze moves an iris by less than a pixel of 32
    "background": lambda face: (*face.background_colours[0], *face.background_colours[1]),
    "colour": lambda face: (*face.light[:2], face.warmth, *face.skin),  # of a unit vector two numbers tell the third
}


@dataclass(frozen=True)
class Faces:
    """Built-in faces: pictures (N, 3, S, S) in [-1, 1], labels (N,) 0 female or 1 male, known (N, K) as in GROUPS."""

    pictures: Tensor
    labels: Tensor
    known: Tensor

    def of_label(self, label: int) -> "Faces":
        there = self.labels == label
        return Faces(self.pictures[there], self.labels[there], self.known[there])


def draw_faces(parameters: Iterable[FaceParameters], size: int) -> Faces:
    """Photos of faces, `size` pixels a side, and what is known of them."""
    faces = list(parameters)
    drawn = torch.from_numpy(np.stack([draw(face, "photo", size) for face in faces])).permute(0, 3, 1, 2)
    known = torch.tensor([[value for of_group in GROUPS.values() for value in of_group(face)] for face in faces])
    return Faces(unit_to_signed(uint8_to_unit(drawn)), torch.tensor([face.sex for face in faces]), known)


def columns() -> dict[str, slice]:
    """Where the parameters of each group are in `known`."""
    found, start = {}, 0
    for group, values in GROUPS.items():
        count = len(values(FaceParameters.sample(SERIES, 0)))
        found[group] = slice(start, start + count)
        start += count
    return found


@dataclass(frozen=True, eq=False)
class Judges:
    """Both networks, for pictures of `size` pixels; centre and spread (K,) of what is known of real faces."""

    size: int
    classifier: nn.Module
    regressor: nn.Module
    centre: Tensor
    spread: Tensor

    def labels(self, pictures: Tensor) -> Tensor:
        """(N, 3, S, S) in [-1, 1] to (N,): 0 female, 1 male."""
        return (_answers(self.classifier, pictures)[:, 0] > 0).long()

    def errors(self, pictures: Tensor, known: Tensor) -> Tensor:
        """(N, K): how far what is seen in pictures lies from `known`, in standard deviations of real faces."""
        return _answers(self.regressor, pictures) - self.standardised(known)

    def standardised(self, known: Tensor) -> Tensor:
        return (known - self.centre) / self.spread


def judges_of(folder: Path, size: int) -> Judges:
    """Those kept in judges_<size>.pt of a folder; where there are none, or trained otherwise, they are trained."""
    path = folder / f"judges_{size}.pt"
    settings = {"series": SERIES, "seed": SEED, "count": COUNT, "epochs": EPOCHS, "drawn": VERSION}
    settings |= {group: [own.start, own.stop] for group, own in columns().items()}
    if path.is_file():
        kept: dict[str, Any] = torch.load(path, weights_only=True)
        if kept["settings"] == settings:
            judges = Judges(size, network(size, 1), network(size, len(kept["centre"])), kept["centre"], kept["spread"])
            judges.classifier.load_state_dict(kept["classifier"])
            judges.regressor.load_state_dict(kept["regressor"])
            return judges
    judges = train_judges(size)
    make_folder(folder)
    content = {"settings": settings, "centre": judges.centre, "spread": judges.spread}
    content |= {"classifier": judges.classifier.state_dict(), "regressor": judges.regressor.state_dict()}
    written = BytesIO()
    torch.save(content, written)
    write_whole(path, written.getvalue())
    return judges


def train_judges(size: int, count: int = COUNT, epochs: int = EPOCHS) -> Judges:
    """Judges for pictures of `size` pixels a side, from 32, trained on `count` faces of SERIES.

    epochs: of the regressor; the classifier, whose task is easier, takes a third. Minutes on one core.
    """
    faces = draw_faces((FaceParameters.sample(SERIES, index) for index in range(count)), size)
    centre, spread = faces.known.mean(0), faces.known.std(0)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)
        classifier, regressor = network(size, 1), network(size, len(centre))
        sexes = faces.labels[:, None].float()
        _train(classifier, faces.pictures, sexes, binary_cross_entropy_with_logits, max(1, epochs // 3))
        _train(regressor, faces.pictures, (faces.known - centre) / spread, mse_loss, epochs)
    return Judges(size, classifier, regressor, centre, spread)


def network(size: int, outputs: int) -> nn.Module:
    """(N, 3, size, size) to (N, outputs): strided convolutions to at most 4 x 4, whose places it knows, for pose."""
    layers: list[nn.Module] = []
    channels, wider, side = 3, 32, size
    while side > 4:
        for stride in (2, 1):
            layers += [nn.Conv2d(channels, wider, 3, stride, 1, bias=False), nn.BatchNorm2d(wider), nn.ReLU()]
            channels = wider
        wider, side = min(2 * wider, 128), (side + 1) // 2
    head = [nn.Flatten(), nn.Linear(channels * side**2, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, outputs)]
    return nn.Sequential(*layers, *head).eval()


@torch.enable_grad()
def _train(judge: nn.Module, pictures: Tensor, truth: Tensor, loss: Any, epochs: int, batch: int = 32) -> None:
    steps = epochs * (len(pictures) // batch)
    optimizer = torch.optim.AdamW(judge.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    judge.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(pictures)).split(batch)[: len(pictures) // batch]:
            x = pictures[chosen]
            x = x + 0.02 * torch.randn_like(x)  # generated pictures lack the grain of real ones: not to be relied on
            optimizer.zero_grad()
            loss(judge(x), truth[chosen]).backward()
            optimizer.step()
            schedule.step()
    judge.requires_grad_(False).eval()


@torch.no_grad()
def _answers(judge: nn.Module, pictures: Tensor) -> Tensor:
    """In the 8 bits of a picture file, as real faces are."""
    seen = unit_to_signed(uint8_to_unit(signed_to_uint8(pictures)))
    return torch.cat([judge(part) for part in seen.split(256)])
