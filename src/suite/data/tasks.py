"""Task datasets: from the pictures of a split to samples.

Every random choice here (partner, drawing, window) is a function of (seed, epoch, index), so that a sample is the same
in whichever process, and after whatever history, it is made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from suite.data.cache import Store
from suite.data.loading import Place

EpochLength = Literal["max", "min", "a", "b"] | int
_SAMPLE, _TARGET = 4, 5  # keep these uses of the seed apart from the others, see splits.py and loading.py


@dataclass(frozen=True)
class Side:
    """The readable pictures of one side of one split, in order."""

    store: Store
    rows: list[int]  # where the store holds each
    scenes: list[int]  # the record that each shows: a number, the same on both sides of a split
    keys: list[str]  # that record's key
    labels: list[int | None]  # and its label

    def __len__(self) -> int:
        return len(self.rows)

    def picture(self, place: int, window: int | None = None, at: tuple[float, float] = (0, 0)) -> Tensor:
        """uint8 (C, H, W): all of it, or the square of side `window` that lies at these shares (0..1) of the rest."""
        pixels = self.store.read(self.rows[place])
        if window is not None:
            top, left = (int(share * (length - window + 1)) for share, length in zip(at, pixels.shape[1:], strict=True))
            pixels = pixels[:, top : top + window, left : left + window]
        return torch.from_numpy(pixels.copy())


@dataclass(frozen=True)
class Sampling:
    """What is random in a training sample. None of it is in evaluation, where a dataset has no Sampling."""

    seed: int
    window: int | None = None  # side in pixels of a square cut out at random; None: pictures have their size already

    def generator(self, epoch: int, index: int, use: int = _SAMPLE) -> np.random.Generator:
        return np.random.default_rng((self.seed, use, epoch, index))


class PairedPictures(Dataset[dict[str, Any]]):
    """A photo and its drawing, or its drawings.

    A photo with several drawings gives a random one in training, its first in evaluation; with `every` all of them as
    well, padded with black to the largest number of any photo. `swap` makes the drawing `a`. Windows lie at the same
    place of both. In training, an index beyond the last pair takes a random pair. `simulated`: the drawing is the photo
    itself, of which a sketch is made on the device.
    """

    def __init__(
        self,
        photos: Side,
        drawings: Side,
        swap: bool = False,
        every: bool = False,
        length: EpochLength = "max",
        sampling: Sampling | None = None,
        simulated: bool = False,
    ) -> None:
        self.photos, self.drawings = photos, drawings
        self.swap, self.every, self.sampling, self.simulated = swap, every, sampling, simulated
        of_scene: dict[int, list[int]] = {}
        for place, scene in enumerate(drawings.scenes):
            of_scene.setdefault(scene, []).append(place)
        self.pairs = [(place, of_scene[scene]) for place, scene in enumerate(photos.scenes) if scene in of_scene]
        self.most = max((len(drawn) for _, drawn in self.pairs), default=0)
        self.length = length if isinstance(length, int) else len(self.pairs)
        self.population = max(self.length, len(self.pairs))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: Place | int) -> dict[str, Any]:
        epoch, index = place if isinstance(place, tuple) else (0, place)
        pair, window, at, chosen = index, None, (0.0, 0.0), 0
        if self.sampling is not None:
            generator, window = self.sampling.generator(epoch, index), self.sampling.window
            pair = index if index < len(self.pairs) else int(generator.integers(len(self.pairs)))
            at = (generator.random(), generator.random())
            chosen = int(generator.integers(len(self.pairs[pair][1])))
        photo_place, drawn = self.pairs[pair]
        photo = self.photos.picture(photo_place, window, at)
        drawing = photo if self.simulated else self.drawings.picture(drawn[chosen], window, at)
        a, b = (drawing, photo) if self.swap else (photo, drawing)
        key = self.photos.keys[photo_place]
        sample: dict[str, Any] = {"a": a, "b": b, "paired": True, "index": index, "key": key, "key_b": key}
        sample |= {"fresh_a": True, "fresh_b": True}
        if self.every:
            padded = drawing.new_zeros(self.most, *drawing.shape)
            for number, one in enumerate(drawn):
                padded[number] = self.drawings.picture(one, window, at)
            sample |= {"drawings": padded, "drawing_count": len(drawn)}
        return sample


class UnpairedPictures(Dataset[dict[str, Any]]):
    """Two sets of pictures without correspondence.

    In training, index i is the i-th picture of `a` with a random one of `b`; an index beyond the end of `a` takes a
    random one there too. In evaluation both sides are gone through in order, the shorter one again and again.
    """

    def __init__(self, a: Side, b: Side, length: EpochLength = "max", sampling: Sampling | None = None) -> None:
        self.a, self.b, self.sampling = a, b, sampling
        lengths = {"max": max(len(a), len(b)), "min": min(len(a), len(b)), "a": len(a), "b": len(b)}
        self.length = length if isinstance(length, int) else lengths[length]
        self.population = max(self.length, len(a))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: Place | int) -> dict[str, Any]:
        epoch, index = place if isinstance(place, tuple) else (0, place)
        if self.sampling is None:
            place_a, place_b = index % len(self.a), index % len(self.b)
            a, b = self.a.picture(place_a), self.b.picture(place_b)
            fresh_a, fresh_b = index < len(self.a), index < len(self.b)
        else:
            generator, window = self.sampling.generator(epoch, index), self.sampling.window
            place_a = index if index < len(self.a) else int(generator.integers(len(self.a)))
            place_b = int(generator.integers(len(self.b)))
            a = self.a.picture(place_a, window, (generator.random(), generator.random()))
            b = self.b.picture(place_b, window, (generator.random(), generator.random()))
            fresh_a = fresh_b = True
        keys = {"key": self.a.keys[place_a], "key_b": self.b.keys[place_b]}
        return {"a": a, "b": b, "paired": False, "index": index, "fresh_a": fresh_a, "fresh_b": fresh_b, **keys}


class SemiSupervisedPictures(Dataset[dict[str, Any]]):
    """Pairs, and beside each a `target`: a picture of another set whose style is to be learnt, of no pair.

    In training a random one, in evaluation one after the other, again and again.
    """

    def __init__(self, pairs: PairedPictures, target: Side) -> None:
        self.pairs, self.target = pairs, target
        self.population = pairs.population

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, place: Place | int) -> dict[str, Any]:
        epoch, index = place if isinstance(place, tuple) else (0, place)
        if (sampling := self.pairs.sampling) is None:
            target = self.target.picture(index % len(self.target))
        else:
            generator = sampling.generator(epoch, index, _TARGET)
            chosen = int(generator.integers(len(self.target)))
            target = self.target.picture(chosen, sampling.window, (generator.random(), generator.random()))
        return self.pairs[epoch, index] | {"target": target}


class LabelledPictures(Dataset[dict[str, Any]]):
    """The pictures of one side with their labels. In training, an index beyond the last picture takes a random one."""

    def __init__(self, side: Side, length: EpochLength = "max", sampling: Sampling | None = None) -> None:
        self.side, self.sampling = side, sampling
        self.length = length if isinstance(length, int) else len(side)
        self.population = max(self.length, len(side))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: Place | int) -> dict[str, Any]:
        epoch, index = place if isinstance(place, tuple) else (0, place)
        chosen, window, at = index, None, (0.0, 0.0)
        if self.sampling is not None:
            generator, window = self.sampling.generator(epoch, index), self.sampling.window
            chosen = index if index < len(self.side) else int(generator.integers(len(self.side)))
            at = (generator.random(), generator.random())
        picture, label, key = self.side.picture(chosen, window, at), self.side.labels[chosen], self.side.keys[chosen]
        return {"a": picture, "label": label, "paired": False, "index": index, "fresh_a": True, "key": key}


class OneSide(Dataset[dict[str, Any]]):
    """The pictures of one side alone, for statistics of real pictures; `look` changes each as the batches' are."""

    def __init__(self, side: Side, look: Callable[[Tensor], Tensor] | None = None) -> None:
        self.side, self.look = side, look

    def __len__(self) -> int:
        return len(self.side)

    def __getitem__(self, place: Place | int) -> dict[str, Any]:
        index = place[1] if isinstance(place, tuple) else place
        picture = self.side.picture(index)
        return {"picture": picture if self.look is None else self.look(picture), "index": index}
