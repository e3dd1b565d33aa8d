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
import re
import unicodedata
from pathlib import Path
from typing import get_args

from suite.data.catalog import Catalog, PictureFile, Record, Split
from suite.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".webp"})
_SPLITS: tuple[Split, ...] = get_args(Split)

Pictures = dict[str, Path]  # key -> file, in natural order


def unpaired_folders(*, root: str, a: str | None = None, b: str | None = None, recursive: bool = True) -> Catalog:
    """Two sets of pictures without correspondence.

    `a` and `b` are folders, relative to the root or absolute; without them the root holds `trainA`, `trainB`, ...
    `testA` or `testB` may be absent: that side then gives some of its training pictures.
    """
    folder = existing_folder(root, "data.root")
    records: list[Record] = []
    for split, side_a, side_b in _sides(folder, a, b):
        if split in (None, "train") or side_a.is_dir():
            photos = list_pictures(existing_folder(side_a, "side a"), recursive)
            records += [Record(key, photo=PictureFile(path), split=split) for key, path in photos.items()]
        if split in (None, "train") or side_b.is_dir():
            drawings = list_pictures(existing_folder(side_b, "side b"), recursive)
            records += [Record(key, drawings=(PictureFile(path),), split=split) for key, path in drawings.items()]
    return Catalog("unpaired_folders", folder, records)


def paired_folders(
    *, root: str, a: str | None = None, b: str | None = None, strips: bool = False, recursive: bool = True
) -> Catalog:
    """Pairs of equal stems in two folders, or with `strips` both halves of one picture, `a` on the left.

    The stems are compared with their path below the side's folder. What has no partner is counted, not used.
    """
    folder = existing_folder(root, "data.root")
    catalog = Catalog("paired_folders", folder, [])
    if strips:
        if a is not None or b is not None:
            raise UserError("data.strips=true reads both sides from one picture: leave data.a and data.b out")
        catalog.records = _strip_records(folder, recursive)
        return catalog
    for split, side_a, side_b in _sides(folder, a, b):
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
    found: Pictures = {}
    for path in sorted(_walk(folder, recursive), key=lambda path: natural_order(path.relative_to(folder).as_posix())):
        relative = path.relative_to(folder)
        # Unicode in one form: a name typed on macOS and the same name typed elsewhere are one key.
        key, whole = (unicodedata.normalize("NFC", name.as_posix()) for name in (relative.with_suffix(""), relative))
        found[key if key not in found else whole] = path
    if not found:
        where = "in it or below" if recursive else "in it (sub-folders are read with data.recursive=true)"
        raise UserError(f"{folder}: no picture {where}; expected files ending in {' '.join(sorted(SUFFIXES))}")
    return found


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Sort key by which `2` comes before `10`; capitals count only between names that are otherwise equal."""
    parts = re.split("([0-9]+)", name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def existing_folder(path: str | Path, what: str) -> Path:
    """The folder. Raises UserError saying `what` was expected there where it is none."""
    folder = Path(path).expanduser()
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "there is no such folder"
        raise UserError(f"{what}: {folder}: {problem}")
    return folder


def pair_up(catalog: Catalog, photos: Pictures, drawings: Pictures, split: Split | None) -> None:
    """Add the pairs of equal key to the catalog, and what has no partner to its orphans."""
    catalog.records += [
        Record(key, PictureFile(photo), (PictureFile(drawings[key]),), split=split)
        for key, photo in photos.items()
        if key in drawings
    ]
    catalog.orphan_photos += [str(path) for key, path in photos.items() if key not in drawings]
    catalog.orphan_drawings += [str(path) for key, path in drawings.items() if key not in photos]


def _sides(root: Path, a: str | None, b: str | None) -> list[tuple[Split | None, Path, Path]]:
    """The two folders of each split that is there, not yet looked into."""
    if (a is None) != (b is None):
        raise UserError(f"data.{'b' if b is None else 'a'} is missing: give both data.a and data.b, or neither")
    if a is not None and b is not None:
        side_a, side_b = Path(a).expanduser(), Path(b).expanduser()
        if not side_a.is_absolute() and (root / "train" / side_a).is_dir():
            return [(s, root / s / side_a, root / s / side_b) for s in _SPLITS if (root / s / side_a).is_dir()]
        return [(None, root / side_a, root / side_b)]  # an absolute folder stays what it is
    splits = [split for split in _SPLITS if (root / f"{split}A").is_dir() or (root / f"{split}B").is_dir()]
    if not splits:
        raise UserError(
            f"{root}: expected folders trainA and trainB (testA, testB), or name two with data.a and data.b"
        )
    return [(split, root / f"{split}A", root / f"{split}B") for split in splits]


def _strip_records(root: Path, recursive: bool) -> list[Record]:
    splits: list[tuple[Split | None, Path]] = [(split, root / split) for split in _SPLITS if (root / split).is_dir()]
    return [
        Record(key, PictureFile(path, "left"), (PictureFile(path, "right"),), split=split)
        for split, folder in splits or [(None, root)]
        for key, path in list_pictures(folder, recursive).items()
    ]


def _walk(folder: Path, recursive: bool) -> list[Path]:
    """Picture files in any order. Links are followed; a folder that links back to one above is read once."""
    found: list[Path] = []
    seen: set[str] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real not in seen:
            found += [Path(place, file) for file in files if _is_picture(file)]
        folders[:] = [name for name in folders if recursive and real not in seen and not name.startswith(".")]
        seen.add(real)
    return found


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES
