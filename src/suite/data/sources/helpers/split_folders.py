"""Which split the name of a folder means, for every reader: `train`, `Training`, `valid`, `TEST`, `test_set` ..."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, get_args

from suite.data.catalog import Split
from suite.data.sources.helpers.walking import inner_folders
from suite.errors import UserError

_Kind = TypeVar("_Kind")
_MEANT: dict[str, Split] = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_BEGINS: dict[str, Split] = {"train": "train", "valid": "val", "test": "test"}


def split_named(name: str) -> Split | None:
    """The split of a folder that is called nothing else, in any capitals; a set, data or images may be added."""
    return _MEANT.get(re.sub(r"[ _-]?(set|data|images?)$", "", name.casefold()))


def split_within(name: str) -> Split | None:
    """The split that a word of a longer name means: `CUHK_student_train`, `testing_100`; None for words of several."""
    meant = {_MEANT.get(word) or _begun(word) for word in re.split("[^a-z]+", name.casefold())} - {None}
    return meant.pop() if len(meant) == 1 else None


def split_of_root(name: str) -> Split | None:
    """The split that the name of a root means: one alone, at its end (`cufs_train`), or `Training ...`, `Testing ...`.

    Not every word counts here: people call folders `test_3` in which they try something.
    """
    words = [word for word in re.split("[^a-z0-9]+", name.casefold()) if word]
    if (split := split_named(name)) is not None or not words:
        return split
    return _MEANT.get(words[-1]) or (_MEANT[words[0]] if words[0] in ("training", "testing") else None)


def split_folders(place: Path) -> dict[Split, Path]:
    """The folders in a folder that are called as a split, train first. Raises UserError where two mean one split."""
    found: dict[Split, Path] = {}
    for folder in inner_folders(place):
        if (split := split_named(folder.name)) is None:
            continue
        if split in found and not folder.samefile(found[split]):
            raise UserError(
                f"{place}: {found[split].name}/ and {folder.name}/ both mean the split {split}; put them into one"
            )
        found.setdefault(split, folder)
    return _in_order(found)


def dividing_folders(place: Path) -> dict[Split, Path]:
    """The split folders by which pictures are divided. A lone `train` among other folders is a class: a vehicle."""
    found = split_folders(place)
    return {} if list(found) == ["train"] and len(inner_folders(place)) > 1 else found


def parts(root: Path, fits: Callable[[Path], object]) -> list[tuple[Split | None, Path]]:
    """The split folders of a root that are laid out as `fits` says; without a train among them the root as well."""
    splits = [(split, place) for split, place in split_folders(root).items() if fits(place)]
    whole = [(None, root)] if fits(root) and all(split != "train" for split, _ in splits) else []
    return [*whole, *splits]


def side_folders(root: Path, a: str = "", b: str = "") -> dict[Split, tuple[Path, Path]]:
    """The folders `trainA`, `trainB`, `validA` ... of each split that has one of the two; the other need not exist.

    `a` and `b` are what follows the letter. Raises UserError where two mean one side of a split.
    """
    sides: tuple[dict[Split, Path], dict[Split, Path]] = {}, {}
    endings = "A" + a, "B" + b
    for folder in inner_folders(root):
        for found, ending in zip(sides, endings, strict=True):
            split = split_named(folder.name[: -len(ending)].rstrip(" _-"))
            if split is None or not folder.name.casefold().endswith(ending.casefold()):
                continue
            if split in found:
                raise UserError(
                    f"{root}: {found[split].name}/ and {folder.name}/ both mean one side of the split {split}; put "
                    "them into one"
                )
            found[split] = folder

    def counterpart(folder: Path, own: str, other: str) -> Path:
        return folder.with_name(folder.name[: -len(own)] + other)

    pairs: dict[Split, tuple[Path, Path]] = {}
    for split in {**sides[0], **sides[1]}:
        side_a, side_b = sides[0].get(split), sides[1].get(split)
        if side_a is None and side_b is not None:
            side_a = counterpart(side_b, endings[1], endings[0])
        elif side_a is not None and side_b is None:
            side_b = counterpart(side_a, endings[0], endings[1])
        if side_a is not None and side_b is not None:
            pairs[split] = side_a, side_b
    return _in_order(pairs)


def _in_order(found: dict[Split, _Kind]) -> dict[Split, _Kind]:
    splits: tuple[Split, ...] = get_args(Split)
    return {split: found[split] for split in splits if split in found}


def _begun(word: str) -> Split | None:
    return next((split for start, split in _BEGINS.items() if word.startswith(start)), None)
