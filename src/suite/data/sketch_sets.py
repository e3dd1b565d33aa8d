"""Sketch sets: drawings that a model made of the photos of a data set, a folder a set (Liu et al. 2021, on TOM).

    <folder>/manifest.json        what is there, written last: a folder without it is not finished
    <folder>/<set>/<key>.png      the sketch of the photo whose record has that key, which may hold `/`

A run of a later stage has in place of both elsewhere.txt, which says where the sets of the first one are.

The key, not a running number, names the file: numbers would depend on who sorts the photos, and how.
"""

import json
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from suite.arguments import Positive, Share, Size, check_types
from suite.data.catalog import Record
from suite.errors import UserError
from suite.files import make_folder, write_whole

MANIFEST = "manifest.json"
_ELSEWHERE = "elsewhere.txt"


@dataclass(frozen=True)
class Manifest:
    """What a folder of sketch sets holds."""

    sets: tuple[str, ...]  # their names, in order: the first is the drawing that evaluation takes
    size: Size  # pixels, side of a sketch
    pictures: Positive  # photos that were sketched, in each set
    made_by: str  # in words: which model, of which run
    threshold: Share | None  # of the brightness 0..1 above which a pixel is paper; None: grey as the model drew


def sketch_name(key: str) -> str:
    """What the sketch of the photo with a record key is called below the folder of a set."""
    return one_form(f"{key}.png")


def one_form(name: str) -> str:
    """A file's name in one form of Unicode: some systems write an umlaut as two characters."""
    return unicodedata.normalize("NFC", name)


def point_to(folder: Path, sets: Path) -> None:
    """Have a folder stand for another one, which holds the sets; beside each other both may be moved together."""
    make_folder(folder)
    near = sets.resolve().is_relative_to(folder.resolve().parents[1])
    place = os.path.relpath(sets.resolve(), folder.resolve()) if near else str(sets.resolve())
    write_whole(folder / _ELSEWHERE, place + "\n")


def followed(folder: Path) -> Path:
    """Where the sets of a folder are: there, or where it points to."""
    signpost = folder / _ELSEWHERE
    if not signpost.is_file():
        return folder
    return Path(os.path.normpath(folder / signpost.read_text(encoding="utf-8").strip()))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it, once the sketches are there. Raises UserError where it can't be."""
    write_whole(folder / MANIFEST, json.dumps(asdict(manifest), indent=1) + "\n")


def read_manifest(folder: Path, key: str = "data.sketch_sets") -> Manifest:
    """What a folder holds; `key` names it in messages. Raises UserError where there is no manifest, or a broken one."""
    made = "python -m suite.make_sketches, and the stage tom, make such a folder"
    if not folder.is_dir():
        raise UserError(f"{key}={folder}: there is no such folder; {made}")
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(f"{key}={folder}: no {MANIFEST} in it, so no sketch sets, or unfinished ones; {made}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        check_types("", Manifest, content)
        manifest = Manifest(**{**content, "sets": tuple(content["sets"])})
        _check_names(manifest.sets)
    except (UserError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: not as this version writes it ({why}); make the sketches anew: {made}") from error
    return manifest


def _check_names(sets: tuple[str, ...]) -> None:
    if not sets:
        raise ValueError("no sets")
    for name in sets:
        if name in ("", ".", "..") or Path(name).name != name or sets.count(name) > 1:
            raise ValueError(f"no name of a set, or of two: {name!r}")


def check_apart(records: Iterable[Record]) -> None:
    """Raises UserError where two photos have one key: a sketch could be of either."""
    seen: dict[str, Record] = {}
    for record in records:
        if record.photo is None:
            continue
        if (other := seen.setdefault(sketch_name(record.key), record)) is not record and other.photo is not None:
            raise UserError(
                f"{other.photo.name} and {record.photo.name} have one key, {record.key}, by which the sketches of "
                "photos are named: give all photos names of their own, or put them into one folder and let data.split "
                "draw the splits"
            )
