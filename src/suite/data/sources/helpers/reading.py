"""What the readers of published data sets share: annotations, flat folders, splits of no list."""

import os
import re
import unicodedata
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator, Sequence
from csv import reader
from functools import partial
from pathlib import Path

from suite.data.catalog import Split
from suite.data.drawn import place
from suite.data.sources.helpers.roots import is_picture
from suite.data.sources.helpers.walking import in_natural_order
from suite.errors import UserError
from suite.files import size_of_file

_MOST_BYTES = 1 << 28  # of an annotation; those of the data sets that are read have up to 30 million
_LONGEST = 1 << 20  # characters of a line


def rows(path: Path) -> Iterator[str]:
    """The lines of an annotation that hold something, without blanks around them, whatever their line ends.

    UTF-8, or UTF-16; in one form (NFC), as in the keys of pictures. Bytes that are no UTF-8 come as they would in a
    file's name. Raises UserError for a web page (the message that a
    download service sends instead of a file), for what can't be read, and for what is far too large.
    """
    try:
        if (size := size_of_file(path)) > _MOST_BYTES:
            raise UserError(f"{path}: has {size / 1e6:,.0f} MB, as no annotation; get the file again")
        with path.open("rb") as bytes_of:
            start = bytes_of.read(4)
        # Excel and Windows' editor write UTF-16, with a mark in front, as a rule.
        wide = "utf-16" if start[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-16-le" if start[1:2] == b"\0" else None
        with path.open(encoding=wide or "utf-8-sig", errors="replace" if wide else "surrogateescape") as file:
            first = True
            for whole in iter(partial(file.readline, _LONGEST), ""):
                if len(whole) == _LONGEST:
                    raise UserError(f"{path}: has a line of {_LONGEST:,} characters, as no annotation; get it again")
                line = whole.strip(" \r\n")  # a tab in front is an empty cell
                if first and line.lstrip().lower().startswith(("<!doctype", "<html", "<head", "<?xml")):
                    raise UserError(f"{path}: a web page, not the annotation; the download failed, get the file again")
                if line.strip(",;\t "):  # the empty rows of a spreadsheet keep their separators
                    first = False
                    yield unicodedata.normalize("NFC", line)
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror or error}") from error


def cells(row: str) -> list[str]:
    """The cells of a row between commas, semicolons or tabs, else between blanks; quotes of a spreadsheet come off."""
    separator = next((one for one in ",;\t" if one in row.rstrip()), None)
    if separator is None:
        return [cell.strip('"') for cell in row.split()] if '"' in row else row.split()
    found = next(reader([row.rstrip()], delimiter=separator))
    return [cell.strip() for cell in found] if " " in row else found


def only_cell(row: str) -> str:
    """The one thing that a row holds, without what spreadsheets put around and behind it."""
    return row.strip('",; \t')


def picture_names(folder: Path) -> dict[str, str]:
    """Stem -> file name of the pictures in a folder, not below it, in natural order; no file is looked at.

    Unicode is in one form (NFC) in the stems. Of two pictures of one stem the first in natural order is taken.
    """
    found: dict[str, str] = {}
    for name in in_natural_order(name for name in os.listdir(folder) if is_picture(name)):
        found.setdefault(unicodedata.normalize("NFC", os.path.splitext(name)[0]), name)
    return found


def stem_of(name: str) -> str:
    """A listed file name without its suffix, if it has one."""
    return name.rpartition(".")[0] or name


def first_file(places: Iterable[Path], *names: str) -> Path | None:
    """The first file of one of these names in the first place that has one, also in a folder of its own name."""
    paths = (path for place in places for name in names for path in (place / name, place / name / name))
    return next((path for path in paths if path.is_file()), None)


def words(key: str, value: object) -> list[str]:
    """What a user wrote as `data.<key>=[a,b]`, or as one string 'a,b'; nothing for null. Raises UserError for else."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    if value is not None and not isinstance(value, Sequence):
        raise UserError(f"data.{key}={value}: give a list, as in data.{key}=[a,b]")
    return [str(word) for word in value or ()]


def repackaged_split(path: Path) -> Split | None:
    """The split of which a file is the list in prepared copies of CUFS and CUFSF, by its name; None: it is no list."""
    match = re.fullmatch(r"(?:list_)?(train|test)(?:_F)?\.txt", path.name, re.IGNORECASE)
    return None if match is None else "train" if match[1].lower() == "train" else "test"


def repackaged_splits(paths: Iterable[Path], key_of: Callable[[str, Path], str | None]) -> dict[str, Split]:
    """Key -> split, of those of the files that are lists of prepared copies: rows `AR/photos/1.jpg||...`, `001.png`.

    `key_of(photo, list)` is the key of a row's photo, None where there is none. Raises UserError for one in two lists.
    """
    splits: dict[str, Split] = {}
    for path in paths:
        if (split := repackaged_split(path)) is None:
            continue
        for row in rows(path):
            photo = only_cell(row).partition("||")[0].strip().replace("\\", "/")
            if (key := key_of(photo, path)) is not None and splits.setdefault(key, split) != split:
                raise UserError(f"{path}: {photo} is in the list of {splits[key]}, too; a picture has one split")
    return splits


def fixed_draw(keys: Sequence[str], train: int, test: int) -> dict[str, Split]:
    """A split in these proportions, the same in every run, for counts that were published without their lists."""
    ordered = sorted(keys, key=lambda key: place(0, key), reverse=True)  # as in a draw, test has the smallest
    count = round(len(ordered) * train / (train + test))
    return {key: "train" if number < count else "test" for number, key in enumerate(ordered)}
