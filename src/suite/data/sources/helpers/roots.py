"""Where a data set lies: its root, or what to say of a wrong one, a level too high or too low as a rule."""

import os
import shlex
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from suite.data.sources.helpers.split_folders import split_named
from suite.data.sources.helpers.walking import in_natural_order, inner_folders, walk
from suite.data.suffixes import ARCHIVES, PICTURES
from suite.errors import UserError

_NEARBY = 500  # folders looked at before a hint is given up
_NAMED = 5  # folders named where there is no hint

Fits = Callable[[Path], object]


def root_folder(root: str, expected: str, *fits: Fits) -> Path:
    """The folder `data.root`. Raises the UserError of `wrong_root` where it is none."""
    if not root:
        raise UserError(f"data.root is empty: name the folder with {expected}")
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise wrong_root(folder, expected, *fits)
    return folder


def wrong_root(root: Path, expected: str, *fits: Fits) -> UserError:
    """The error for a root that does not hold what is `expected`; says which folder nearby `fits`, if one does.

    Of several `fits` an earlier one counts for all folders before a later one for any.
    """
    if (near := nearby(root, *fits)) is not None:
        hint = f"it lies in {near}: set " + shlex.quote(f"data.root={near}")
    elif packed := archives(root):
        some = ", ".join(packed[:_NAMED]) + " ..." * (len(packed) > _NAMED)
        hint = f"and {some} in {root} may hold it: unpack such archives there"
    else:
        hint = f"and nothing like it lies nearby; {content(root)}: check data.root"
    if root.is_dir():
        return UserError(f"{root}: expected {expected}; {hint}")
    problem = "there is no such folder"
    if root.exists():
        packed_up = _is_archive(root.name)
        problem = "is an archive: unpack it, and name the folder" if packed_up else "is a file, not a folder"
    return UserError(f"data.root: {root}: {problem}; expected {expected}; {hint}")


def archives(root: Path) -> list[str]:
    """The archives in a folder, or in the folders in it and in those, as paths below it, in natural order."""
    if not root.is_dir():
        return []
    inner = _folders(root)[:_NEARBY]
    places = [root, *inner, *[low for place in inner for low in _folders(place)][:_NEARBY]]
    found: list[str] = []
    for place in places:
        with suppress(OSError), os.scandir(place) as entries:
            found += [os.path.relpath(entry.path, root) for entry in entries if _is_archive(entry.name)]
    return in_natural_order(found)


def nearby(root: Path, *fits: Fits) -> Path | None:
    """The first folder near the root that `fits`; not one split of a data set that fits as a whole."""
    for fit in fits:
        for place in _around(root):
            if _fits(fit, place):
                return place.parent if split_named(place.name) and _fits(fit, place.parent) else place
    return None


def above(root: Path, fit: Fits) -> Path | None:
    """The folder that `fits` one level above the root, or two: of the root as written, or of what it links to."""
    written = Path(os.path.abspath(root))
    return next((place for path in (written, root.resolve()) for place in path.parents[:2] if _fits(fit, place)), None)


def beside_a_split(root: Path) -> list[str]:
    """A warning where the root is one split of a data set, and others lie beside it that nobody reads."""
    place = root.resolve()
    if split_named(place.name) is None:
        return []
    others = [folder for folder in _folders(place.parent) if split_named(folder.name) and folder != place]
    beside = [f"{folder.name}/ ({count} pictures)" for folder in others if (count := len(walk(folder, is_picture)))]
    if not beside:
        return []
    advice = shlex.quote(f"data.root={place.parent}")
    return [f"{root}: {', '.join(beside)} beside it is not read; {advice} reads all splits"]


def holds(folder: Path, wanted: Callable[[str], object]) -> bool:
    """Whether a folder is there and an entry of it has a `wanted` name. Raises OSError where it can't be read."""
    try:
        with os.scandir(folder) as entries:
            return any(wanted(entry.name) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False


def undoubled(folder: Path) -> Path:
    """The folder, or the one of its own name in it where nothing else is: archives are often unpacked that way."""
    inner = folder / folder.name
    if inner.is_dir() and not holds(folder, is_picture) and inner_folders(folder) == [inner]:
        return inner
    return folder


def is_picture(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in PICTURES


def _is_archive(name: str) -> bool:
    stem, suffix = os.path.splitext(name)
    return suffix.lower() in ARCHIVES and not is_picture(stem) and not name.startswith(".")  # x.ppm.bz2 is a picture


def _fits(fit: Fits, place: Path) -> bool:
    try:
        return bool(fit(place))
    except (OSError, UserError):  # other people's folders lie nearby, too
        return False


def _around(root: Path) -> Iterator[Path]:
    """The folders two levels up and down; up first where pictures lie in the root itself.

    Of a root that is no folder, the one above it, those beside it, and three further up.
    """
    if not root.is_dir():
        above = list(islice(root.resolve().parents, 4))
        yield from above[:1]
        yield from _folders(above[0])[:_NEARBY]
        yield from above[1:]
        return
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


def content(root: Path) -> str:
    """The folders in the root, or in the first folder above it that is there, in words."""
    place = root if root.is_dir() else next(place for place in root.resolve().parents if place.is_dir())
    names = [folder.name for folder in _folders(place)]
    if names:
        return f"{place} holds {', '.join(names[:_NAMED])}" + " ..." * (len(names) > _NAMED)
    return f"{place} holds no folder" if holds(place, bool) else f"{place} is empty"


def _folders(place: Path) -> list[Path]:
    try:
        return inner_folders(place)
    except OSError:  # a hint is not worth an error
        return []
