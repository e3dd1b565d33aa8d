"""What the readers of published data sets share: annotations, flat folders, roots named wrongly, splits of no list."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from suite.data.catalog import Split
from suite.data.sources.folders import SUFFIXES, natural_order
from suite.errors import UserError

_NEARBY = 500  # folders looked at before a hint is given up


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


def is_picture(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES


def holds(folder: Path, wanted: Callable[[str], object]) -> bool:
    """Whether a folder is there and an entry of it has a `wanted` name."""
    try:
        with os.scandir(folder) as entries:
            return any(wanted(entry.name) for entry in entries)
    except OSError:
        return False


def first_file(places: Iterable[Path], *names: str) -> Path | None:
    """The first file of one of these names in the first place that has one."""
    return next((place / name for place in places for name in names if (place / name).is_file()), None)


def wrong_root(root: Path, expected: str, fits: Callable[[Path], bool]) -> UserError:
    """The error for a root that does not hold what is `expected`; says which folder nearby `fits`, if one does."""
    near = next((place for place in _around(root) if fits(place)), None)
    hint = f"it lies in {near}: set data.root={near}" if near else "and nothing like it lies nearby: check data.root"
    return UserError(f"{root}: expected {expected}; {hint}")


def fixed_draw(keys: Sequence[str], train: int, test: int) -> dict[str, Split]:
    """A split in these proportions, the same in every run, for counts that were published without their lists."""
    ordered = sorted(keys)
    count = round(len(ordered) * train / (train + test))
    chosen = np.random.default_rng(0).permutation(len(ordered))[:count].tolist()
    training = {ordered[place] for place in chosen}
    return {key: "train" if key in training else "test" for key in ordered}


def _around(root: Path) -> Iterator[Path]:
    """The folders two levels up and down; up first where pictures lie in the root itself."""
    above = list(islice(root.resolve().parents, 2))
    too_low = holds(root, is_picture)
    yield from above if too_low else ()
    waiting = deque((place, 1) for place in _folders(root))
    for _ in range(_NEARBY):
        if not waiting:
            break
        place, level = waiting.popleft()
        yield place
        if level < 2:
            waiting.extend((inner, level + 1) for inner in _folders(place))
    yield from () if too_low else above


def _folders(place: Path) -> list[Path]:
    try:
        with os.scandir(place) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return []
