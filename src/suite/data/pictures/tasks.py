"""Task datasets: from the pictures of a split to samples.

Every random choice here (partner, drawing, window, mirror, what is erased) is a function of (seed, epoch, index), so
that a sample is the same in whichever process, and after whatever history, it is made.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from suite.data.pictures.loading import Place
from suite.data.pictures.store import Store

EpochLength = Literal["max", "min", "a", "b"] | int
# Keep these uses of the seed apart from the others, see splits.py, loading.py and self_supervised.py.
_SAMPLE, _TARGET = 4, 5


@dataclass(frozen=True)
class Warp:
    """How a picture is changed on the device, `suite.data.finish.seen`: zoomed in, then turned."""

    zooms: tuple[float, float]  # down, across: the share of its length that is seen of each axis
    degrees: float  # counterclockwise


@dataclass(frozen=True)
class View:
    """Which part of a picture is seen: the square of side `window` that lies at these shares (0..1) of the rest.

    With a `warp` all of it happens on the device, which has the whole picture.
    """

    window: int | None = None  # pixels; None: the whole picture
    at: tuple[float, float] = (0.0, 0.0)  # down, across
    mirrored: bool = False
    warp: Warp | None = None

    def corner(self, height: int, width: int) -> tuple[int, int]:
        """Top and left of the window in a picture of so many pixels."""
        window = self.window
        rest = (0, 0) if window is None else (height - window + 1, width - window + 1)
        return int(self.at[0] * rest[0]), int(self.at[1] * rest[1])

    def numbers(self, height: int, width: int) -> Tensor:
        """What the device needs of a picture of so many pixels: (6,) float32, see the batch key `view`."""
        assert self.warp is not None
        return torch.tensor([*self.corner(height, width), self.mirrored, *self.warp.zooms, self.warp.degrees])


WHOLE = View()


@dataclass(frozen=True)
class PictureList:
    """The readable pictures of one kind, photos or drawings, of one split, in order."""

    store: Store
    rows: list[int]  # where the store holds each
    scenes: list[int]  # the record that each shows: a number, the same for photos and drawings of a split
    keys: list[str]  # that record's key
    labels: list[int | None]  # and its label

    def __len__(self) -> int:
        return len(self.rows)

    def places_of(self, label: int) -> list[int]:
        """Where those of one label are, in order."""
        return [place for place, one in enumerate(self.labels) if one == label]

    def of_label(self, label: int) -> "PictureList":
        """Those of one label."""
        return self._at(self.places_of(label))

    def _at(self, places: list[int]) -> "PictureList":
        def kept(values: list[Any]) -> list[Any]:
            return [values[place] for place in places]

        return PictureList(self.store, kept(self.rows), kept(self.scenes), kept(self.keys), kept(self.labels))

    def without(self, scenes: Container[int]) -> "PictureList":
        """Those of other scenes."""
        return self._at([place for place, scene in enumerate(self.scenes) if scene not in scenes])

    def picture(self, place: int, view: View = WHOLE) -> Tensor:
        """uint8 (C, H, W), its pixels copied as they are stored."""
        pixels = self.store.read(self.rows[place])
        if (window := view.window) is not None:
            top, left = view.corner(*pixels.shape[1:])
            pixels = pixels[:, top : top + window, left : left + window]
        picture = torch.from_numpy(pixels.copy())
        return picture.flip(-1) if view.mirrored else picture  # by torch: NumPy copies backwards byte by byte


@dataclass(frozen=True)
class Sampling:
    """What is random in a training sample. None of it is in evaluation, where a dataset has no Sampling."""

    seed: int
    window: int | None = None  # side in pixels of a square cut out at random; None: pictures have their size already
    flip: float = 0.0  # probability of a mirrored picture
    augment: tuple[float, float] | None = None  # on the device: most that an axis is zoomed in by, and degrees, 0..180

    def generator(self, epoch: int, index: int, use: int = _SAMPLE) -> np.random.Generator:
        return np.random.default_rng((self.seed, use, epoch, index))

    def view(self, generator: np.random.Generator) -> View:
        """Where to look, drawn anew: as many numbers whatever is asked for, and three more to `augment`."""
        down, across, mirror = generator.random(3).tolist()
        warp = None
        if self.augment is not None:
            most, degrees = self.augment
            first, second, turn = generator.random(3).tolist()
            warp = Warp((1 - most * first, 1 - most * second), degrees * (2 * turn - 1))
        return View(self.window, (down, across), mirror < self.flip, warp)


class Choice(NamedTuple):
    """Which pair, which of its drawings, both by place, and how they are seen."""

    pair: int
    drawing: int
    view: View


class PairedPictures(Dataset[dict[str, Any]]):
    """A photo and its drawing, or its drawings.

    A photo with several drawings gives a random one in training, its first in evaluation; with `every` all of them as
    well, padded with black to the largest number of any photo. `swap` makes the drawing `a`. All are cut and mirrored
    alike. In training, an index beyond the last pair takes a random pair. `simulated`: the drawing is the photo
    itself, of which a sketch is made on the device.
    """

    def __init__(
        self,
        photos: PictureList,
        drawings: PictureList,
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
        choice = self.choose(epoch, index)
        photo_place, drawn = self.pairs[choice.pair]
        photo = self.photos.picture(photo_place, choice.view)
        drawing = photo if self.simulated else self.drawings.picture(drawn[choice.drawing], choice.view)
        a, b = (drawing, photo) if self.swap else (photo, drawing)
        key = self.photos.keys[photo_place]
        sample: dict[str, Any] = {"a": a, "b": b, "paired": True, "index": index, "key": key, "key_b": key}
        sample |= {"fresh_a": True, "fresh_b": True}
        if self.every:
            padded = drawing.new_zeros(self.most, *drawing.shape)
            for number, one in enumerate(drawn):
                padded[number] = self.drawings.picture(one, choice.view)
            sample |= {"drawings": padded, "drawing_count": len(drawn), "drawing_side": "a" if self.swap else "b"}
        return sample

    def choose(self, epoch: int, index: int) -> Choice:
        """What the sample of a place shows."""
        if self.sampling is None:
            return Choice(index, 0, WHOLE)
        generator = self.sampling.generator(epoch, index)
        pair = index if index < len(self.pairs) else int(generator.integers(len(self.pairs)))
        view = self.sampling.view(generator)
        return Choice(pair, int(generator.integers(len(self.pairs[pair][1]))), view)


class UnpairedPictures(Dataset[dict[str, Any]]):
    """Two sets of pictures without correspondence.

    In training, index i is the i-th picture of `a` with a random one of `b`; an index beyond the end of `a` takes a
    random one there too. In evaluation both sides are gone through in order, the shorter one again and again.
    """

    def __init__(
        self, a: PictureList, b: PictureList, length: EpochLength = "max", sampling: Sampling | None = None
    ) -> None:
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
            generator = self.sampling.generator(epoch, index)
            place_a = index if index < len(self.a) else int(generator.integers(len(self.a)))
            place_b = int(generator.integers(len(self.b)))
            a = self.a.picture(place_a, self.sampling.view(generator))
            b = self.b.picture(place_b, self.sampling.view(generator))
            fresh_a = fresh_b = True
        keys = {"key": self.a.keys[place_a], "key_b": self.b.keys[place_b]}
        return {"a": a, "b": b, "paired": False, "index": index, "fresh_a": fresh_a, "fresh_b": fresh_b, **keys}


class SemiSupervisedPictures(Dataset[dict[str, Any]]):
    """Pairs, and beside each a `target`: a picture of another set whose style is to be learnt, of no pair.

    In training a random one. In evaluation both are gone through in order, the shorter again and again, and where
    `truth` is given, each target has its `target_truth`: the first picture there of the same scene.
    """

    def __init__(self, pairs: PairedPictures, target: PictureList, truth: PictureList | None = None) -> None:
        self.pairs, self.target, self.truth = pairs, target, truth
        self.population = pairs.population
        self.targets = list(range(len(target)))  # the places of those that are shown
        self.truth_of: dict[int, int] = {}  # scene -> place
        if truth is not None:
            for place, scene in enumerate(truth.scenes):
                self.truth_of.setdefault(scene, place)
            # As of pairs, a broken picture takes its counterpart with it.
            self.targets = [place for place in self.targets if target.scenes[place] in self.truth_of]

    def __len__(self) -> int:
        return len(self.pairs) if self.pairs.sampling is not None else max(len(self.pairs), len(self.targets))

    def __getitem__(self, place: Place | int) -> dict[str, Any]:
        epoch, index = place if isinstance(place, tuple) else (0, place)
        if (sampling := self.pairs.sampling) is None:
            chosen = self.targets[index % len(self.targets)]
            sample = self.pairs[epoch, index % len(self.pairs)] | {"index": index}
            sample["fresh_a"] = sample["fresh_b"] = index < len(self.pairs)
            sample |= {"target": self.target.picture(chosen), "fresh_target": index < len(self.targets)}
            if self.truth is not None:
                sample["target_truth"] = self.truth.picture(self.truth_of[self.target.scenes[chosen]])
        else:
            generator = sampling.generator(epoch, index, _TARGET)
            chosen = int(generator.integers(len(self.target)))
            target = self.target.picture(chosen, sampling.view(generator))
            sample = self.pairs[epoch, index] | {"target": target, "fresh_target": True}
        return sample | {"key_target": self.target.keys[chosen]}


class RealPictures(Dataset[dict[str, Any]]):
    """Pictures alone, for statistics of real ones; `look` changes each as the batches' are."""

    def __init__(self, pictures: PictureList, look: Callable[[Tensor], Tensor] | None = None) -> None:
        self.pictures, self.look = pictures, look

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, place: Place | int) -> dict[str, Any]:
        index = place[1] if isinstance(place, tuple) else place
        picture = self.pictures.picture(index)
        return {"picture": picture if self.look is None else self.look(picture), "index": index}
