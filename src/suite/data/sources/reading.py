"""What the readers of published data sets share: annotations, flat folders, splits of no list."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from suite.data.catalog import Split
from suite.data.sources.folders import natural_order
from suite.data.sources.roots import is_picture
from suite.errors import UserError


def rows(path: Path) -> Iterator[str]:
    """The lines of an annotation that hold something, without blanks around them, whatever their line ends.

    Bytes that are no UTF-8 come as they would in a file's name. Raises UserError for a web page (the message that a
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
                    yield line
    except OSError as error:
        raise UserError(f"{path}: can't be read: {error.strerror or error}") from error


def picture_names(folder: Path) -> dict[str, str]:
    """Stem -> file name of the pictures in a folder, not below it, in natural order; no file is looked at.

    Of two pictures of one stem the first in natural order is taken.
    """
    names = sorted(name for name in os.listdir(folder) if is_picture(name))
    found: dict[str, str] = {}
    for name in sorted(names, key=natural_order):  # names of equal length are in order already: half the time
        found.setdefault(os.path.splitext(name)[0], name)
    return found


def first_file(places: Iterable[Path], *names: str) -> Path | None:
    """The first file of one of these names in the first place that has one."""
    return next((place / name for place in places for name in names if (place / name).is_file()), None)


def fixed_draw(keys: Sequence[str], train: int, test: int) -> dict[str, Split]:
    """A split in these proportions, the same in every run, for counts that were published without their lists."""
    ordered = sorted(keys)
    count = round(len(ordered) * train / (train + test))
    chosen = np.random.default_rng(0).permutation(len(ordered))[:count].tolist()
    training = {ordered[place] for place in chosen}
    return {key: "train" if key in training else "test" for key in ordered}
