"""Files with the same pixels: what was trained on under one name must not be tested under another."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from suite.data.catalog import Kind, Split


class Placed(NamedTuple):
    """A picture of a split whose pixels were looked at."""

    split: Split
    kind: Kind
    name: str
    digest: bytes  # of its pixels, see `decode.digest_of`


@dataclass(frozen=True)
class Copies:
    """Which of the pictures `looked` at equal another of their kind, by their numbers there."""

    looked: list[Placed]
    equal: dict[int, int]  # each that equals an earlier one, and the first of them
    of_train: dict[int, int]  # those of val and test that equal one of train, and the first of these

    def line(self, dataset: str, left_out: Container[int] | None = None) -> str:
        """For people; `left_out`: those that their split now lacks, None where nothing is said of that."""
        said = f"{dataset}: {len(self.equal)} pictures equal another, pixel by pixel"
        for split in ("test", "val"):
            if not (found := [number for number in self.of_train if self.looked[number].split == split]):
                continue
            said += f"; {len(found)} of {split} are pictures of train, {self._example(found[0], self.of_train)}"
            if left_out is not None and (gone := sum(number in left_out for number in found)):
                said += f", and {gone} are left out of {split}"
            elif left_out is not None:
                said += ", and stay in both: remove one of each"
        return said if self.of_train else f"{said}, {self._example(next(iter(self.equal)), self.equal)}"

    def _example(self, number: int, others: dict[int, int]) -> str:
        return f"such as {self.looked[number].name}, which is {self.looked[others[number]].name}"


def find_copies(looked: Iterable[Placed]) -> Copies | None:
    """None where all differ."""
    pictures = list(looked)
    first: dict[tuple[Kind, bytes], int] = {}
    of_train: dict[tuple[Kind, bytes], int] = {}
    equal: dict[int, int] = {}
    for number, picture in enumerate(pictures):
        pixels = picture.kind, picture.digest
        if (earlier := first.setdefault(pixels, number)) != number:
            equal[number] = earlier
        if picture.split == "train":
            of_train.setdefault(pixels, number)
    twice = {
        number: of_train[pixels]
        for number, picture in enumerate(pictures)
        if picture.split != "train" and (pixels := (picture.kind, picture.digest)) in of_train
    }
    return Copies(pictures, equal, twice) if equal else None
