"""Photo-Sketch: outdoor photos, each traced by several people (Li et al., WACV 2019).

image/<stem>.jpg
list/{train,val,test}.txt                    one stem a line
sketch-rendered/<width>/<stem>_01.png ...    any number of drawings of a photo, aligned with it
"""

import re
from pathlib import Path
from typing import get_args

from suite.data.catalog import Catalog, PictureFile, Record, Split
from suite.data.sources.folders import list_below
from suite.data.sources.helpers.reading import first_file, rows
from suite.data.sources.helpers.roots import root_folder, undoubled, wrong_root
from suite.data.sources.helpers.walking import inner_folders
from suite.errors import UserError

_EXPECTED = "image/ and sketch-rendered/ in it"


def photo_sketch(*, root: str, width: str = "width-5") -> Catalog:
    """Photos with all their drawings. `width` is a folder of `sketch-rendered`.

    The split is that of the lists; without lists there is none. A split is one of photos: all drawings of a photo are
    on its side. Raises UserError where the folders are not found, and where no drawing belongs to a photo.
    """
    folder = root_folder(root, _EXPECTED, _looks_right)
    if not _looks_right(folder):
        raise wrong_root(folder, _EXPECTED, _looks_right)
    rendered = undoubled(folder / "sketch-rendered")
    if not (rendered / width).is_dir():
        there = ", ".join(place.name for place in inner_folders(rendered))
        raise UserError(f"data.width={width}: {rendered} has no such folder; there is {there or 'none'}")

    photos = list_below(undoubled(folder / "image"), recursive=False)
    if not photos:
        raise UserError(f"{folder / 'image'}: no picture in it; expected the photos, <stem>.jpg")
    pictures = list_below(undoubled(rendered / width), recursive=False)
    if not pictures:
        raise UserError(
            f"{rendered / width}: no picture in it; expected the drawings rendered as <stem>_01.png, the published "
            "set's sketch-rendered (.svg is not read)"
        )
    catalog = Catalog("photo_sketch", folder, [])
    drawings: dict[str, list[PictureFile]] = {}
    for stem, path in pictures.items():
        number = re.fullmatch(r"(.+)_\d+", stem)  # the last number only: a photo's own name may end in one
        if number is None or number[1] not in photos:
            catalog.orphan_drawings.append(str(path))
        else:
            drawings.setdefault(number[1], []).append(PictureFile(path))
    if not drawings:
        raise UserError(
            f"{rendered / width}: no drawing is named after a photo, <stem>_01.png; "
            f"for example {catalog.orphan_drawings[0]}"
        )

    splits = _read_lists(folder / "list", catalog)
    catalog.missing = [f"{stem} in {folder / 'image'}" for stem in splits if stem not in photos]
    for stem, path in photos.items():
        if stem in drawings:
            record = Record(stem, PictureFile(path), tuple(drawings[stem]), split=splits.get(stem))
            catalog.records.append(record)
        else:
            catalog.orphan_photos.append(str(path))
    if splits and (unlisted := sum(record.split is None for record in catalog.records)):
        catalog.warnings.append(f"photo_sketch: {unlisted} photos are in no list; they train")
    return catalog


def _read_lists(folder: Path, catalog: Catalog) -> dict[str, Split]:
    """Stem -> split. Raises UserError for a stem in two lists."""
    splits: dict[str, Split] = {}
    for split in get_args(Split):
        if (path := first_file([folder], f"{split}.txt")) is None:
            continue
        for row in rows(path):
            stem = re.sub(r"\.(jpe?g|png)$", "", row, flags=re.IGNORECASE)
            if splits.setdefault(stem, split) != split:
                raise UserError(f"{path}: {stem} is also in {splits[stem]}.txt; a photo has one split")
    if not splits:
        catalog.warnings.append(f"photo_sketch: no lists in {folder}, so no official split")
    return splits


def _looks_right(place: Path) -> bool:
    return (place / "image").is_dir() and (place / "sketch-rendered").is_dir()
