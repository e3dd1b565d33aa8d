"""Photo-Sketch: outdoor photos, each traced by several people (Li et al., WACV 2019).

image/<stem>.jpg
list/{train,val,test}.txt                    one stem a line
sketch-rendered/<width>/<stem>_01.png ...    any number of drawings of a photo, aligned with it

A copy may have its splits as folders, train/image/ or image/train/, instead of the lists.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from suite.data.catalog import Catalog, PictureFile, Record, Split
from suite.data.sources.folders import Pictures, by_split, list_below
from suite.data.sources.helpers.reading import first_file, only_cell, rows
from suite.data.sources.helpers.roots import root_folder, undoubled, wrong_root
from suite.data.sources.helpers.split_folders import parts
from suite.data.sources.helpers.walking import inner_folders
from suite.errors import UserError

_EXPECTED = "image/ and sketch-rendered/ in it"


def photo_sketch(*, root: str, width: str = "width-5") -> Catalog:
    """Photos with all their drawings. `width` is a folder of `sketch-rendered`.

    The split is that of the lists; without lists there is none. A split is one of photos: all drawings of a photo are
    on its side. Raises UserError where the folders are not found, and where no drawing belongs to a photo.
    """
    folder = root_folder(root, _EXPECTED, _places)
    if not (places := _places(folder)):
        raise wrong_root(folder, _EXPECTED, _places)
    catalog = Catalog("photo_sketch", folder, [])
    listed = _read_lists(folder / "list")
    there: set[str] = set()
    for split, photos, pictures in _groups(places, width):
        drawings: dict[str, list[PictureFile]] = {}
        for stem, path in pictures.items():
            number = re.fullmatch(r"(.+)_\d+", stem)  # the last number only: a photo's own name may end in one
            if number is None or number[1] not in photos:
                catalog.orphan_drawings.append(str(path))
            else:
                drawings.setdefault(number[1], []).append(PictureFile(path))
        for stem, path in photos.items():
            if stem in drawings:
                key = stem if stem not in there else f"{split}/{stem}"
                of = listed.get(stem, split)
                catalog.records.append(Record(key, PictureFile(path), tuple(drawings[stem]), split=of))
            else:
                catalog.orphan_photos.append(str(path))
        there |= photos.keys()
    if not catalog.records:
        raise UserError(
            f"{places[0][1] / 'sketch-rendered' / width}: no drawing is named after a photo, <stem>_01.png; "
            f"for example {catalog.orphan_drawings[0]}"
        )
    catalog.missing = [f"{stem} in {folder / 'image'}" for stem in listed if stem not in there]
    if not listed and all(record.split is None for record in catalog.records):
        catalog.split_warnings.append(f"photo_sketch: no lists in {folder / 'list'}, so no official split")
    elif unlisted := sum(record.split is None for record in catalog.records):
        catalog.split_warnings.append(f"photo_sketch: {unlisted} photos are in no list; they train")
    return catalog


def _groups(places: list[tuple[Split | None, Path]], width: str) -> Iterator[tuple[Split | None, Pictures, Pictures]]:
    """Photos and drawings that may belong together, with the split that their folder says."""
    for of, place in places:
        if not list_below(place / "image"):
            raise UserError(f"{place / 'image'}: no picture in it; expected the photos, <stem>.jpg")
        photos = by_split(place / "image", recursive=False)
        drawings = by_split(_rendered(place, width), recursive=False)
        if set(photos) == {None} != set(drawings):  # a photo is where its drawings are, in the last split of several
            of_stem = {key.rpartition("_")[0]: split for split, found in drawings.items() for key in found}
            photos, whole = {}, photos[None]
            for stem, path in whole.items():
                photos.setdefault(of_stem.get(stem), {})[stem] = path
            drawings = {None: {key: path for found in drawings.values() for key, path in found.items()}}
        held_out = of if of in ("val", "test") else None  # which counts before what lies in it
        if set(drawings) == {None} != set(photos):
            rest = drawings[None]
            for split, stems in photos.items():
                theirs = {key: path for key, path in rest.items() if key.rpartition("_")[0] in stems}
                yield held_out or split or of, stems, theirs
                rest = {key: path for key, path in rest.items() if key not in theirs}
            yield None, {}, rest
        else:
            for split in {**photos, **drawings}:
                yield held_out or split or of, photos.get(split, {}), drawings.get(split, {})


def _rendered(place: Path, width: str) -> Path:
    """The folder of the drawings. Raises UserError where there is none of that width, or it holds no picture."""
    rendered = undoubled(place / "sketch-rendered")
    if not (rendered / width).is_dir():
        there = ", ".join(folder.name for folder in inner_folders(rendered))
        raise UserError(f"data.width={width}: {rendered} has no such folder; there is {there or 'none'}")
    if not list_below(rendered / width):
        raise UserError(
            f"{rendered / width}: no picture in it; expected the drawings rendered as <stem>_01.png, the published "
            "set's sketch-rendered (.svg is not read)"
        )
    return rendered / width


def _read_lists(folder: Path) -> dict[str, Split]:
    """Stem -> split. Raises UserError for a stem in two lists."""
    splits: dict[str, Split] = {}
    for split in get_args(Split):
        if (path := first_file([folder], f"{split}.txt")) is None:
            continue
        for row in rows(path):
            stem = re.sub(r"\.(jpe?g|png)$", "", only_cell(row), flags=re.IGNORECASE)
            if splits.setdefault(stem, split) != split:
                raise UserError(f"{path}: {stem} is also in {splits[stem]}.txt; a photo has one split")
    return splits


def _places(root: Path) -> list[tuple[Split | None, Path]]:
    return parts(root, _looks_right) if root.is_dir() else []


def _looks_right(place: Path) -> bool:
    return (place / "image").is_dir() and (place / "sketch-rendered").is_dir()
