"""What the readers of published data sets share: annotations, flat folders, splits of no list."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from suite.data.catalog import Split
from suite.data.drawn import place
from suite.data.sources.helpers.roots import is_picture
from suite.data.sources.helpers.walking import in_natural_order
from suite.errors import UserError


def rows(path: Path) -> Iterator[str]:
    """The lines of an annotation that hold something, without blanks around them, whatever their line ends.

    Unicode is in one form (NFC), as in the keys of pictures. Bytes that are no UTF-8 come as they would in a file's
    name. Raises UserError for a web page (the message that a
    download service sends instead of a file) and for what can't be read.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            first = True
            for line in map(str.strip, file):
                if first and line.lower().startswith(("<!doctype", "<html", "<head", "<?xml")):
                    raise UserError(f"{path}: a web page, not the annotation; the download failed, get the file again")
                if line:
                    first = False
                    yield unicodedata.normalize("NFC", line)
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror or error}") from error


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


def repackaged_photos(path: Path) -> Iterator[str]:
    """The photo of each row `AR/photos/1.jpg||AR/sketches/1.jpg||...`, or `001.png`."""
    for row in rows(path):
        yield row.partition("||")[0].strip().replace("\\", "/")


def fixed_draw(keys: Sequence[str], train: int, test: int) -> dict[str, Split]:
    """A split in these proportions, the same in every run, for counts that were published without their lists."""
    ordered = sorted(keys, key=lambda key: place(0, key), reverse=True)  # as in a draw, test has the smallest
    count = round(len(ordered) * train / (train + test))
    return {key: "train" if number < count else "test" for number, key in enumerate(ordered)}
