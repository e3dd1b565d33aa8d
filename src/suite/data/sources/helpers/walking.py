"""Folders and files below a root, in natural order, without what systems and unpackers add to them.

Every source lists its pictures with these, so that records come in one order whatever the disk says.
"""

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from suite.errors import UserError
from suite.files import folders_once, is_data


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Sort key by which `2` comes before `10`; capitals count only between names that are otherwise equal."""
    parts = re.split("([0-9]+)", name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], name


def in_natural_order(names: Iterable[str]) -> list[str]:
    """The names, `2` before `10`."""
    return sorted(sorted(names), key=natural_order)  # names of equal length are in order already: half the time


def inner_folders(place: Path) -> list[Path]:
    """The folders in a folder, in natural order. Raises OSError where it can't be read."""
    with os.scandir(place) as entries:
        return [place / name for name in in_natural_order(e.name for e in entries if is_data(e.name) and e.is_dir())]


def walk(root: Path, wanted: Callable[[str], object], recursive: bool = True, most: int | None = None) -> list[str]:
    """The files whose names are `wanted`, as paths below the root, in natural order.

    Links are followed; a folder that is reached twice is read once. Raises OSError where a folder can't be read, and
    UserError where there are more than `most` files, wanted or not.
    """
    found: list[str] = []
    count = 0
    for place, files in folders_once(root, set(), in_natural_order if recursive else lambda folders: [], _raise):
        count += len(files)
        if most is not None and count > most:
            raise UserError(
                f"data.root: {root}: more than {most:,} files below it; name the folder of the data set alone"
            )
        below = os.path.relpath(place, root)
        prefix = "" if below == os.curdir else below + os.sep
        found += [prefix + file for file in files if wanted(file)]
    return in_natural_order(found)


def _raise(error: OSError) -> None:
    raise error
