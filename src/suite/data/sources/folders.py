"""Plain folders of pictures: an unpaired set, pairs of equal stems, and side-by-side strips.

| layout                                        | source           | split              |
|-----------------------------------------------|------------------|--------------------|
| `trainA/ trainB/ testA/ testB/ [valA/ valB/]` | unpaired, paired | by folder          |
| `<a>/ <b>/`                                   | unpaired, paired | drawn with a seed  |
| `train/<a>/ train/<b>/ test/<a>/ ...`         | unpaired, paired | by folder          |
| `<a>/train/ <a>/test/ <b>/train/ ...`         | unpaired, paired | by folder          |
| `train/ test/ [val/]` of A|B strips           | paired, strips   | by folder          |
| strips in the root                            | paired, strips   | drawn with a seed  |

Side `a` (the left half of a strip) is the photo of a record, side `b` its drawing. Splits may be called as
`src/suite/data/sources/helpers/split_folders.py` says.
"""

import os
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from suite.data.catalog import Catalog, Kind, PictureFile, Record, Split
from suite.data.sources.helpers.roots import (
    archives,
    beside_a_split,
    content,
    holds,
    is_picture,
    root_folder,
    undoubled,
    wrong_root,
)
from suite.data.sources.helpers.split_folders import (
    dividing_folders,
    held_out_in,
    parts,
    side_folders,
    split_folders,
    split_named,
)
from suite.data.sources.helpers.walking import inner_folders, walk
from suite.data.suffixes import PICTURES
from suite.data.unread import count_unread
from suite.errors import UserError

Pictures = dict[str, Path]  # key -> file, in natural order
BySplit = dict[Split | None, Pictures]
_SIDES: dict[Kind, str] = {"photo": "side a", "drawing": "side b"}


def unpaired_folders(*, root: str, a: str | None = None, b: str | None = None, recursive: bool = True) -> Catalog:
    """Two sets of pictures without correspondence.

    `a` and `b` are folders, relative to the root or absolute; without them the root holds `trainA`, `trainB`, ...
    `testA` or `testB` may be absent: that side then gives some of its training pictures.
    """
    folder, sides = _sides(root, a, b)
    records: list[Record] = []
    for split, side_a, side_b in sides:
        of_kinds: tuple[tuple[Kind, Path], ...] = ("photo", side_a), ("drawing", side_b)
        for what, side in of_kinds:
            if split in ("val", "test") and not side.is_dir():
                continue
            for of, pictures in by_split(existing_folder(side, _SIDES[what]), recursive, of=split).items():
                records += [_alone(key, path, what, of) for key, path in pictures.items()]
    return Catalog("unpaired_folders", folder, records, warnings=beside_a_split(folder))


def paired_folders(
    *,
    root: str,
    a: str | None = None,
    b: str | None = None,
    strips: bool = False,
    pairs: Literal["names", "sorted"] = "names",
    recursive: bool = True,
) -> Catalog:
    """Pairs of equal stems in two folders, or with `strips` both halves of one picture, `a` on the left.

    The stems are compared with their path below the side's folder. What has no partner is counted, not used. With
    `pairs` sorted no names are compared: the first of a side belongs to the first of the other, in natural order.
    """
    if strips:
        if a is not None or b is not None or pairs == "sorted":
            raise UserError("data.strips=true reads both sides from one picture: leave data.a, data.b and .pairs out")
        return _strips(root, recursive)
    folder, sides = _sides(root, a, b)
    catalog = Catalog("paired_folders", folder, [], warnings=beside_a_split(folder))
    counts: list[tuple[int, int]] = []
    for split, side_a, side_b in sides:
        if split in ("val", "test") and not (side_a.is_dir() and side_b.is_dir()):
            _without_truth(catalog, split, side_a, side_b, recursive)
            continue
        photos = by_split(existing_folder(side_a, _SIDES["photo"]), recursive, of=split)
        drawings = by_split(existing_folder(side_b, _SIDES["drawing"]), recursive, of=split)
        if pairs == "names":
            photos, drawings = _split_alike(photos, drawings)
        elif set(photos) != set(drawings):
            raise UserError(
                f"data.pairs=sorted: the split folders differ: {side_a} has {_counts(photos)}, and {side_b} "
                f"{_counts(drawings)}; divide both sides alike, or neither"
            )
        for of in {**photos, **drawings}:
            of_photos, of_drawings = photos.get(of, {}), drawings.get(of, {})
            counts.append((len(of_photos), len(of_drawings)))
            if pairs == "sorted":
                of_drawings = _in_order_of(of_photos, of_drawings, side_a, side_b, of)
            pair_up(catalog, of_photos, of_drawings, of)
    if not catalog.records:
        offer = ""
        if all(of_a == of_b for of_a, of_b in counts):
            offer = ", or say data.pairs=sorted if the first belongs to the first, the second to the second ..."
        raise UserError(
            f"{folder}: no two pictures share a stem, for example {catalog.orphan_photos[0]} and "
            f"{catalog.orphan_drawings[0]}; name partners alike{offer}, or train with data=unpaired_folders"
        )
    return catalog


def list_pictures(folder: Path, recursive: bool) -> Pictures:
    """The pictures of a folder, by key, in natural order; opens none. Raises UserError where there is none.

    A key is the path below the folder without its suffix. Of two files that differ in the suffix only, the
    second keeps it in its key.
    """
    found = list_below(undoubled(folder), recursive)
    if not found:
        where = "in it or below" if recursive else "in it (sub-folders are read with data.recursive=true)"
        if packed := archives(folder):
            where += f", but {packed[0]}: unpack it"
        there = "".join(f"; {line}" for line in count_unread(folder, []).lines())
        raise UserError(f"{folder}: no picture {where}; expected files ending in {' '.join(sorted(PICTURES))}{there}")
    return found


def list_below(folder: Path, recursive: bool = True) -> Pictures:
    """The same, where no picture at all is no error yet."""
    found: Pictures = {}
    for name in walk(folder, is_picture, recursive):
        # Unicode in one form: a name typed on macOS and the same name typed elsewhere are one key.
        whole = unicodedata.normalize("NFC", name)
        key = os.path.splitext(whole)[0]
        found[key if key not in found else whole] = folder / name
    return found


def existing_folder(path: str | Path, what: str) -> Path:
    """The folder. Raises UserError saying `what` was expected there where it is none."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else f"there is no such folder; {content(folder)}"
        raise UserError(f"{what}: {folder}: {problem}")
    return folder


def pair_up(catalog: Catalog, photos: Pictures, drawings: Pictures, split: Split | None) -> None:
    """Add the pairs of equal key to the catalog, and what has no partner to its orphans."""
    catalog.records += [
        Record(key, PictureFile(photo), (PictureFile(drawings[key]),), split=split)
        for key, photo in photos.items()
        if key in drawings
    ]
    alone_a = {key: path for key, path in photos.items() if key not in drawings}
    alone_b = {key: path for key, path in drawings.items() if key not in photos}
    catalog.orphan_photos += map(str, alone_a.values())
    catalog.orphan_drawings += map(str, alone_b.values())
    catalog.orphans += [_alone(key, path, "photo", split) for key, path in alone_a.items()]
    catalog.orphans += [_alone(key, path, "drawing", split) for key, path in alone_b.items()]


def by_split(
    folder: Path,
    recursive: bool,
    divide: Callable[[Path], dict[Split, Path]] = dividing_folders,
    of: Split | None = None,
) -> BySplit:
    """The pictures of a folder, divided by the split folders in it; undivided where there are none, or it is `of` one.

    What lies beside them is read where no train is among them. Further below, what lies in a val or test is of that
    split: it is never trained on. Raises UserError as `list_pictures`.
    """
    folder = undoubled(folder)
    if of is not None or not (splits := divide(folder)):
        return _held_out_below({of: list_pictures(folder, recursive)})
    found: BySplit = {split: list_pictures(place, recursive) for split, place in splits.items()}
    if "train" not in splits:
        inside = {place.name for place in splits.values()}
        rest = {key: path for key, path in list_below(folder, recursive).items() if _first(folder, path) not in inside}
        found |= {None: rest} if rest else {}
    return _held_out_below(found)


def _held_out_below(found: BySplit) -> BySplit:
    divided: BySplit = {}
    for of, pictures in found.items():
        for key, path in pictures.items():
            below = None if of in ("val", "test") else held_out_in(os.path.dirname(key).split(os.sep))
            there = divided.setdefault(below or of, {})
            there[key if key not in there else f"{of}/{key}"] = path
    return divided


def _first(folder: Path, path: Path) -> str:
    return path.relative_to(folder).parts[0]


def _split_alike(photos: BySplit, drawings: BySplit) -> tuple[BySplit, BySplit]:
    """Both sides divided, where only one of them is: pictures of the other go where their partner is."""
    if set(photos) == {None} and set(drawings) != {None}:
        return _divided_as(drawings, photos[None]), drawings
    if set(drawings) == {None} and set(photos) != {None}:
        return photos, _divided_as(photos, drawings[None])
    return photos, drawings


def _divided_as(partners: BySplit, pictures: Pictures) -> BySplit:
    of = {key: split for split, found in partners.items() for key in found}
    divided: BySplit = {}
    for key, path in pictures.items():
        divided.setdefault(of.get(key), {})[key] = path
    return divided


def _counts(found: BySplit) -> str:
    return ", ".join(f"{len(found[of])} in {of or 'no split'}" for of in found)


def _in_order_of(photos: Pictures, drawings: Pictures, side_a: Path, side_b: Path, split: Split | None) -> Pictures:
    """The drawings under the keys of the photos, by their place in natural order."""
    if len(photos) != len(drawings):
        where = "" if split is None else f" of the split {split}"
        raise UserError(
            f"data.pairs=sorted: {len(photos)} pictures in {side_a} and {len(drawings)} in {side_b}{where}; sorted "
            "order pairs equal numbers alone: add or remove what has no partner, or name partners alike"
        )
    return dict(zip(photos, drawings.values(), strict=True))


def _without_truth(catalog: Catalog, split: Split, side_a: Path, side_b: Path, recursive: bool) -> None:
    """A held-out split of one side: nothing there can be measured, and nothing of it may be trained on."""
    there, lacking = (side_a, side_b) if side_a.is_dir() else (side_b, side_a)
    pictures = list_pictures(there, recursive)
    pair_up(catalog, *((pictures, {}) if there == side_a else ({}, pictures)), split)
    catalog.warnings.append(
        f"{there}: its {len(pictures)} pictures have no counterpart, as there is no {lacking.name}/ beside it: the "
        f"split {split} has no truth, and they are neither trained on nor measured; suite.translate translates them"
    )


def _alone(key: str, path: Path, kind: Kind, split: Split | None) -> Record:
    picture = PictureFile(path)
    return Record(key, photo=picture, split=split) if kind == "photo" else Record(key, drawings=(picture,), split=split)


def _sides(root: str, a: str | None, b: str | None) -> tuple[Path, list[tuple[Split | None, Path, Path]]]:
    """The root, and the two folders of each split that is there, not yet looked into."""
    if a is not None and b is not None:
        side_a, side_b = Path(a).expanduser(), Path(b).expanduser()
        if side_a.is_absolute():  # stays what it is
            folder = existing_folder(root, "data.root")
            return folder, [(None, side_a, folder / side_b)]

        def fits(place: Path) -> bool:
            held_out = split_named(place.name) in ("val", "test")  # which may have one side alone
            return (place / side_a).is_dir() or (held_out and (place / side_b).is_dir())

        expected = f"the folders data.a={a} and data.b={b} in it, or in train/ and test/"
        folder = root_folder(root, expected, lambda place: parts(place, fits))
        if not (found := parts(folder, fits)):
            raise wrong_root(folder, expected, lambda place: parts(place, fits))
        return folder, [(split, place / side_a, place / side_b) for split, place in found]
    if a is not None or b is not None:
        raise UserError(f"data.{'b' if b is None else 'a'} is missing: give both data.a and data.b, or neither")
    expected = "folders trainA and trainB (testA, testB), or name two with data.a and data.b"
    folder = root_folder(root, expected, side_folders)
    if not (named := side_folders(folder)):
        raise wrong_root(folder, expected, side_folders)
    return folder, [(split, *both) for split, both in named.items()]


def _strips(root: str, recursive: bool) -> Catalog:
    expected = "train/ and test/ (val/) of strips, or strips, in it"
    folder = root_folder(root, expected, split_folders)
    if named := side_folders(folder):
        first = next(iter(named.values()))[0].name
        raise UserError(f"{folder}: {first}/ is one side of pairs in two folders: leave data.strips out")
    # Read from above, a data set would have no split and, beside others, the pictures of all of them.
    above = not holds(folder, is_picture) and any(split_named(place.name) == "train" for place in _two_levels(folder))
    if not split_folders(folder) and (above or not list_below(folder, recursive)):
        raise wrong_root(folder, expected, split_folders)
    records = [
        Record(key, PictureFile(path, "left"), (PictureFile(path, "right"),), split=split)
        for split, pictures in by_split(folder, recursive, split_folders).items()
        for key, path in pictures.items()
    ]
    return Catalog("paired_folders", folder, records, warnings=beside_a_split(folder))


def _two_levels(folder: Path) -> Iterator[Path]:
    """The folders below those in a folder, and below them."""
    for inner in inner_folders(folder):
        for place in inner_folders(inner):
            yield place
            yield from inner_folders(place)
