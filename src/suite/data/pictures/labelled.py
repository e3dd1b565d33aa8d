"""Task datasets of pictures with labels, in the order of the data or as many of each label."""

from typing import Any

from torch.utils.data import Dataset

from suite.data.pictures.loading import Place
from suite.data.pictures.tasks import WHOLE, EpochLength, PictureList, Sampling, View


class LabelledPictures(Dataset[dict[str, Any]]):
    """Pictures with their labels. In training, an index beyond the last picture takes a random one."""

    def __init__(self, pictures: PictureList, length: EpochLength = "max", sampling: Sampling | None = None) -> None:
        self.pictures, self.sampling = pictures, sampling
        self.length = length if isinstance(length, int) else len(pictures)
        self.population = max(self.length, len(pictures))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: Place | int) -> dict[str, Any]:
        epoch, index = place if isinstance(place, tuple) else (0, place)
        chosen, view = index, WHOLE
        if self.sampling is not None:
            generator = self.sampling.generator(epoch, index)
            chosen = index if index < len(self.pictures) else int(generator.integers(len(self.pictures)))
            view = self.sampling.view(generator)
        return _labelled(self.pictures, chosen, view, index)


class BalancedPictures(Dataset[dict[str, Any]]):
    """Pictures with their labels, as many of each: row r is r * K .. r * K + K - 1, the labels 0 .. K - 1 in order.

    For training. Row r has the r-th picture of each label; beyond the last one of a label, a random one of it. `length`
    counts samples, in whole rows; unless a number, as many as show each picture of the largest label once.
    """

    def __init__(self, pictures: PictureList, labels: int, length: EpochLength, sampling: Sampling) -> None:
        self.pictures, self.sampling = pictures, sampling
        self.of_label = [pictures.places_of(label) for label in range(labels)]
        largest = max(map(len, self.of_label))
        rows = length // labels if isinstance(length, int) else largest
        self.length, self.population = rows * labels, max(rows, largest) * labels

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: Place | int) -> dict[str, Any]:
        epoch, index = place if isinstance(place, tuple) else (0, place)
        row, label = divmod(index, len(self.of_label))
        places = self.of_label[label]
        generator = self.sampling.generator(epoch, index)
        chosen = places[row if row < len(places) else int(generator.integers(len(places)))]
        return _labelled(self.pictures, chosen, self.sampling.view(generator), index)


def _labelled(pictures: PictureList, place: int, view: View, index: int) -> dict[str, Any]:
    sample: dict[str, Any] = {"label": pictures.labels[place], "key": pictures.keys[place]}
    sample |= {"paired": False, "index": index, "fresh_a": True}
    if view.warp is None:
        return sample | {"a": pictures.picture(place, view)}
    whole = pictures.picture(place)
    return sample | {"a": whole, "view": view.numbers(whole.shape[-2], whole.shape[-1])}
