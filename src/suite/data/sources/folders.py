"""Plain folders of pictures: an unpaired set, pairs of equal stems, and side-by-side strips.

| layout                                        | source           | split              |
|-----------------------------------------------|------------------|--------------------|
| `trainA/ trainB/ testA/ testB/ [valA/ valB/]` | unpaired, paired | by folder          |
| `<a>/ <b>/`                                   | unpaired, paired | drawn with a seed  |
| `train/<a>/ train/<b>/ test/<a>/ ...`         | unpaired, paired | by folder          |
| `train/ test/ [val/]` of A|B strips           | paired, strips   | by folder          |
| strips in the root                            | paired, strips   | drawn with a seed  |

Side `a` (the left half of a strip) is the photo of a record, side `b` its drawing.
"""

import os
import unicodedata
from pathlib import Path
from typing import get_args

from suite.data.catalog import Catalog, PictureFile, Record, Split
from suite.data.sources.helpers.roots import (
    SUFFIXES,
    beside_a_split,
    content,
    holds,
    is_picture,
    root_folder,
    undoubled,
    wrong_root,
)
from suite.data.sources.helpers.walking import walk
from suite.errors import UserError

_SPLITS: tuple[Split, ...] = get_args(Split)

Pictures = dict[str, Path]  # key -> file, in natural order


def unpaired_folders(*, root: str, a: str | None = None, b: str | None = None, recursive: bool = True) -> Catalog:
    """Two sets of pictures without correspondence.

    `a` and `b` are folders, relative to the root or absolute; without them the root holds `trainA`, `trainB`, ...
    `testA` or `testB` may be absent: that side then gives some of its training pictures.
    """
    folder, sides = _sides(root, a, b)
    records: list[Record] = []
    for split, side_a, side_b in sides:
        if split in (None, "train") or side_a.is_dir():
            photos = list_pictures(existing_folder(side_a, "side a"), recursive)
            records += [Record(key, photo=PictureFile(path), split=split) for key, path in photos.items()]
        if split in (None, "train") or side_b.is_dir():
            drawings = list_pictures(existing_folder(side_b, "side b"), recursive)
            records += [Record(key, drawings=(PictureFile(path),), split=split) for key, path in drawings.items()]
    return Catalog("unpaired_folders", folder, records, warnings=beside_a_split(folder))


def paired_folders(
    *, root: str, a: str | None = None, b: str | None = None, strips: bool = False, recursive: bool = True
) -> Catalog:
    """Pairs of equal stems in two folders, or with `strips` both halves of one picture, `a` on the left.

    The stems are compared with their path below the side's folder. What has no partner is counted, not used.
    """
    if strips:
        if a is not None or b is not None:
            raise UserError("data.strips=true reads both sides from one picture: leave data.a and data.b out")
        return _strips(root, recursive)
    folder, sides = _sides(root, a, b)
    catalog = Catalog("paired_folders", folder, [], warnings=beside_a_split(folder))
    for split, side_a, side_b in sides:
        photos = list_pictures(existing_folder(side_a, "side a"), recursive)
        drawings = list_pictures(existing_folder(side_b, "side b"), recursive)
        pair_up(catalog, photos, drawings, split)
    if not catalog.records:
        raise UserError(
            f"{folder}: no two pictures share a stem, for example {catalog.orphan_photos[0]} and "
            f"{catalog.orphan_drawings[0]}; name partners alike, or train with data=unpaired_folders"
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
        raise UserError(f"{folder}: no picture {where}; expected files ending in {' '.join(sorted(SUFFIXES))}")
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
    catalog.orphans += [Record(key, photo=PictureFile(path), split=split) for key, path in alone_a.items()]
    catalog.orphans += [Record(key, drawings=(PictureFile(path),), split=split) for key, path in alone_b.items()]


def _sides(root: str, a: str | None, b: str | None) -> tuple[Path, list[tuple[Split | None, Path, Path]]]:
    """The root, and the two folders of each split that is there, not yet looked into."""
    if a is not None and b is not None:
        side_a, side_b = Path(a).expanduser(), Path(b).expanduser()
        if side_a.is_absolute():  # stays what it is
            folder = existing_folder(root, "data.root")
            return folder, [(None, side_a, folder / side_b)]
        expected = f"the folders data.a={a} and data.b={b} in it, or in train/ and test/"
        folder = root_folder(root, expected, lambda place: _splits_with(place, side_a))
        if not (splits := _splits_with(folder, side_a)):
            raise wrong_root(folder, expected, lambda place: _splits_with(place, side_a))
        return folder, [(split, folder / (split or "") / side_a, folder / (split or "") / side_b) for split in splits]
    if a is not None or b is not None:
        raise UserError(f"data.{'b' if b is None else 'a'} is missing: give both data.a and data.b, or neither")
    expected = "folders trainA and trainB (testA, testB), or name two with data.a and data.b"
    folder = root_folder(root, expected, _named_splits)
    if not (named := _named_splits(folder)):
        raise wrong_root(folder, expected, _named_splits)
    return folder, [(split, folder / f"{split}A", folder / f"{split}B") for split in named]


def _named_splits(root: Path) -> list[Split]:
    return [split for split in _SPLITS if (root / f"{split}A").is_dir() or (root / f"{split}B").is_dir()]


def _splits_with(root: Path, side: Path) -> list[Split | None]:
    """The splits that have a folder of that name; no split (None) where the root itself has it; empty: neither."""
    if (root / "train" / side).is_dir():
        return [split for split in _SPLITS if (root / split / side).is_dir()]
    return [None] if (root / side).is_dir() else []


def _strips(root: str, recursive: bool) -> Catalog:
    expected = "train/ and test/ (val/) of strips, or strips, in it"
    folder = root_folder(root, expected, _split_folders)
    splits = _split_folders(folder)
    # Read from above, a data set would have no split and, beside others, the pictures of all of them.
    above = not holds(folder, is_picture) and any(any(folder.glob(place)) for place in ("*/train", "*/*/train"))
    if not splits and (above or not list_below(folder, recursive)):
        raise wrong_root(folder, expected, _split_folders)
    records = [
        Record(key, PictureFile(path, "left"), (PictureFile(path, "right"),), split=split)
        for split, place in splits or [(None, folder)]
        for key, path in list_pictures(place, recursive).items()
    ]
    return Catalog("paired_folders", folder, records, warnings=beside_a_split(folder))


def _split_folders(root: Path) -> list[tuple[Split | None, Path]]:
    return [(split, root / split) for split in _SPLITS if (root / split).is_dir()]
