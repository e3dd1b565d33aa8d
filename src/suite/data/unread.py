"""What lies below the root of a data set and is not read, so that it can be said: by names alone, no file is opened."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path

from suite.data.suffixes import HEIC, NOT_READ, PICTURES
from suite.files import folders_once

_MOST = 1_000_000  # files below a root; beyond it is a whole disk, and counting takes minutes
_SHOWN = 8  # kinds, and folders, that are named


@dataclass
class Unread:
    """Files that hold pictures and are not read."""

    root: str = ""
    kinds: dict[str, int] = field(default_factory=dict)  # suffix -> files of a kind that is not read
    folders: dict[str, int] = field(default_factory=dict)  # folder below the root -> pictures that could be read
    complete: bool = True

    def figures(self) -> dict[str, int]:
        """Files by suffix, and pictures that could be read under `pictures`."""
        return self.kinds | ({"pictures": sum(self.folders.values())} if self.folders else {})

    def lines(self) -> list[str]:
        """For people: one on kinds of files, one on folders."""
        found = []
        if total := sum(self.kinds.values()):
            kinds = sorted(self.kinds.items(), key=lambda kind: (-kind[1], kind[0]))
            found.append(
                f"{total} file{'s' * (total > 1)} below {self.root} {'are' if total > 1 else 'is'} not read: "
                + some([f"{count} {kind}" for kind, count in kinds], _SHOWN)
                + (" (pip install 'suite[heic]' reads heic)" if set(self.kinds) & {one[1:] for one in HEIC} else "")
            )
        if self.folders:
            folders = sorted(self.folders.items(), key=lambda folder: (-folder[1], folder[0]))
            each = [f"{name} holds {count} picture{'s' * (count > 1)}" for name, count in folders]
            found.append(f"pictures below {self.root} that are not read: {some(each, _SHOWN)}")
        if not self.complete:
            found.append(f"more than {_MOST:,} files lie below {self.root}: what of them is not read is not counted")
        return found


def some(parts: Sequence[str], most: int) -> str:
    """The first of them, as a line, and how many more there are."""
    return ", ".join(parts[:most]) + f", and {len(parts) - most} more" * (len(parts) > most)


def count_unread(root: Path, read: Iterable[str]) -> Unread:
    """What of the files below the root is not among those that are read, by path.

    Hidden files, and kinds that hold no pictures as annotations do, are not counted. One walk of the folders; a folder
    that is reached twice counts once.
    """
    names: dict[str, set[str]] = {}
    real_folder = cache(os.path.realpath)
    for path in read:
        folder, name = os.path.split(path)
        names.setdefault(real_folder(folder), set()).add(name)
    kinds: Counter[str] = Counter()
    left: dict[str, int] = {}  # folder below the root -> pictures in it
    used: set[str] = set()  # folders below the root with pictures that are read, in them or below
    seen: set[str] = set()
    total = 0
    for place, files in chain(folders_once(root, seen), _beside(names, seen)):
        total += len(files)
        if total > _MOST:
            break
        below = os.path.relpath(place, root)
        there = names.get(os.path.realpath(place), set())
        if not there.isdisjoint(files):
            used.update(_above(below))
        for name in files:
            if name in there or name.startswith("."):
                continue
            suffix = os.path.splitext(name)[1].lower()
            if suffix in PICTURES:
                left[below] = left.get(below, 0) + 1
            elif suffix in NOT_READ:
                kinds[suffix[1:]] += 1
    return Unread(str(root), dict(kinds), _joined(left, used), total <= _MOST)


def _beside(names: Iterable[str], seen: set[str]) -> Iterator[tuple[str, list[str]]]:
    """The folders that files are read of outside the root, with their files; only once the root is walked."""
    for place in sorted(set(names) - seen):
        _, _, files = next(os.walk(place), (place, [], []))
        yield place, files


def _above(folder: str) -> list[str]:
    """A folder below the root, and all between it and the root."""
    if folder == os.curdir or folder.startswith(os.pardir):  # outside, it is a place by itself
        return [folder]
    parts = folder.split(os.sep)
    return [os.curdir, *(os.sep.join(parts[:end]) for end in range(1, len(parts) + 1))]


def _joined(left: dict[str, int], used: set[str]) -> dict[str, int]:
    """The same by the uppermost folder of which nothing is read."""
    joined: Counter[str] = Counter()
    for folder, count in left.items():
        top = next((one for one in _above(folder) if one not in used), folder)
        if top == os.curdir and folder != os.curdir and not used:
            top = folder  # nothing at all is read
        joined["the root itself" if top == os.curdir else f"{top}/"] += count
    return dict(joined)
