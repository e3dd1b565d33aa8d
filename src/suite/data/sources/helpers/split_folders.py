"""Which split the name of a folder means, for every reader: `train`, `Training`, `valid`, `TEST`, `test_set (1)` ..."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar, get_args

from suite.data.catalog import Catalog, Split
from suite.data.sources.helpers.walking import inner_folders
from suite.errors import UserError

_Kind = TypeVar("_Kind")
_MEANT: dict[str, Split] = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "validate": "val", "dev": "val", "eval": "val",
    "evaluation": "val",
    "test": "test", "testing": "test", "holdout": "test", "heldout": "test",
}  # fmt: skip
_NAMED = re.compile(rf"(?P<word>{'|'.join(_MEANT)})s?((set|split)s?|data|images?)?(\d+|\(\d+\))?")
_BEGINS: dict[str, Split] = {"train": "train", "valid": "val", "test": "test"}


def split_named(name: str) -> Split | None:
    """The split of a folder that is called nothing else, in any capitals.

    What may be added: an s; set, split, data or images; a number (`val2017`), also of a second copy (`Test (1)`).
    """
    match = _NAMED.fullmatch(re.sub("[ _-]", "", name.casefold()))
    return None if match is None else _MEANT[match["word"]]


def split_within(name: str) -> Split | None:
    """The split that a word of a longer name means: `CUHK_student_train`, `testing_100`; None for words of several."""
    meant = {_MEANT.get(word) or _begun(word) for word in re.split("[^a-z]+", name.casefold())} - {None}
    return meant.pop() if len(meant) == 1 else None


def held_out_in(folders: Iterable[str]) -> Split | None:
    """The held-out split that the innermost of nested folders says that says one."""
    return next((split for name in reversed(list(folders)) if (split := split_named(name)) in ("val", "test")), None)


def split_of_root(name: str) -> Split | None:
    """The split that the name of a root means: one alone, at its end (`cufs_train`), or `Training ...`, `Testing ...`.

    Not every word counts here: people call folders `test_3` in which they try something.
    """
    words = [word for word in re.split("[^a-z0-9]+", name.casefold()) if word]
    plain = _MEANT.get(re.sub(r"[ _-]?(set|data|images?)$", "", name.casefold()))
    if plain is not None or not words:
        return plain
    return _MEANT.get(words[-1]) or (_MEANT[words[0]] if words[0] in ("training", "testing") else None)


def split_folders(place: Path, fits: Callable[[Path], object] = bool) -> dict[Split, Path]:
    """The folders in a folder that are called as a split, and that `fits`, train first.

    Raises UserError where two mean one split.
    """
    found: dict[Split, Path] = {}
    for folder in inner_folders(place):
        if (split := split_named(folder.name)) is None or not fits(folder):
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


def doubtful_folders(catalog: Catalog) -> list[str]:
    """A warning for each folder beside a train that seems to be a split by its name, and is not held out."""
    if catalog.root is None:
        return []
    counts: Counter[str] = Counter()
    for record in (*catalog.records, *catalog.orphans):
        if record.split not in ("val", "test"):
            pictures = (record.photo, *record.drawings)
            counts.update(os.path.dirname(picture.name) for picture in pictures if picture is not None)
    below: Counter[Path] = Counter()
    for place, count in counts.items():
        if Path(place).is_relative_to(catalog.root):
            folders = [Path(place), *Path(place).parents]
            below.update(dict.fromkeys(folders[: len(Path(place).relative_to(catalog.root).parts)], count))
    warnings = []
    for folder, count in below.items():
        if split_named(folder.name) is not None or split_within(folder.name) not in ("val", "test"):
            continue
        names = [one.name for one in inner_folders(folder.parent)]
        trains = [name for name in names if "train" in (split_named(name), split_within(name))]
        if trains and folder.name not in catalog.label_names:
            warnings.append(
                f"{folder}: its {count} pictures are not held out, though it lies beside {trains[0]}/ and has a word "
                "of a split in its name; call it test or val to hold them out"
            )
    return warnings


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
