"""Folders and files below a root, without what systems and unpackers add to them."""

import os
from collections.abc import Callable
from pathlib import Path

from suite.errors import UserError


def inner_folders(place: Path) -> list[Path]:
    """The folders in a folder, in alphabetical order. Raises OSError where it can't be read."""
    with os.scandir(place) as entries:
        return sorted(Path(entry.path) for entry in entries if _is_data(entry.name) and entry.is_dir())


def walk(root: Path, wanted: Callable[[str], object], recursive: bool = True, most: int | None = None) -> list[str]:
    """The files whose names are `wanted`, as paths below the root; of an order that the file system does not change.

    Links are followed; a folder that is reached twice is read once. Raises OSError where a folder can't be read, and
    UserError where there are more than `most` files, wanted or not.
    """
    found: list[str] = []
    seen: set[str] = set()
    count = 0
    for place, folders, files in os.walk(root, followlinks=True, onerror=_raise):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        count += len(files)
        if most is not None and count > most:
            raise UserError(
                f"data.root: {root}: more than {most:,} files below it; name the folder of the data set alone"
            )
        below = os.path.relpath(place, root)
        prefix = "" if below == os.curdir else below + os.sep
        found += [prefix + file for file in sorted(files) if wanted(file)]
        # Sorted: of two links to one folder, the one met first is read.
        folders[:] = sorted(filter(_is_data, folders)) if recursive else []
    return found


def _is_data(folder: str) -> bool:
    return not folder.startswith(".") and folder != "__MACOSX"


def _raise(error: OSError) -> None:
    raise error
