"""Splits that are drawn: they follow from the seed and the names of the pictures, so that others that come move none.

A group, the records of one name or of one identity, is on one side: what was trained on is never a test picture.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import get_args

from suite.data.catalog import Record, Split
from suite.data.suffixes import PICTURES
from suite.errors import UserError

SPLITS: tuple[Split, ...] = get_args(Split)

Group = tuple[str, ...]  # the last part says where it stands


class SplitDraw:
    """Draws the splits of one set of records after the other; a group that has got one has it in the next, too.

    `group_of` gives the group of a record, see `group_by_name`.
    """

    def __init__(self, seed: int, group_of: Callable[[Record], Group]) -> None:
        self.seed, self.group_of = seed, group_of
        self.split_of: dict[Group, Split] = {}

    def draw(self, records: Sequence[Record], wanted: Mapping[Split, int | float], too_few: str) -> dict[int, Split]:
        """The split of each record, by its id; what no split is asked for is left out.

        Counts take the groups of the smallest places, test first, so that others that come or go may move some; the
        rest of a group that is more than is asked for belongs to no split. Fractions are borders among the places: a
        fraction f is about f of the records, and where no count is asked for, others move none, except that each split
        has a group at least. Raises UserError, `too_few`, where there are fewer than that.
        """
        members: dict[Group, list[Record]] = {}
        for record in records:
            members.setdefault(self.group_of(record), []).append(record)
        left = {group: members[group] for group in sorted(members, key=lambda group: place(self.seed, group[-1]))}
        counts = {split: amount for split in reversed(SPLITS) if isinstance(amount := wanted.get(split), int)}
        shares = {split: amount for split in SPLITS if isinstance(amount := wanted.get(split), float)}
        drawn: dict[int, Split] = {}
        for split, count in counts.items():
            taken = self._take(left, split, count)
            if len(taken) < count:
                raise UserError(too_few)
            drawn |= {id(record): split for record in taken}
        drawn |= self._share(left, shares, too_few)
        for record in records:
            if id(record) in drawn:
                self.split_of.setdefault(self.group_of(record), drawn[id(record)])
        return drawn

    def _take(self, left: dict[Group, list[Record]], split: Split, count: int) -> list[Record]:
        """So many records out of the groups that are left, whole ones as far as they fit; fewer where there are none.

        Those that have the split already come first: of what is left over none may then be in another.
        """
        allowed = [group for group in left if self.split_of.get(group, split) == split]
        allowed.sort(key=lambda group: group not in self.split_of)  # keeps the order of places otherwise
        taken: list[Record] = []
        for group in allowed:
            if len(taken) + len(left[group]) <= count:
                taken += left.pop(group)
        too_large = next((group for group in allowed if group in left), None)
        if len(taken) < count and too_large is not None:
            taken += left.pop(too_large)[: count - len(taken)]
        return taken

    def _share(self, left: dict[Group, list[Record]], shares: Mapping[Split, float], too_few: str) -> dict[int, Split]:
        ranges: dict[Split, tuple[float, float]] = {}
        below = 1.0
        for split, share in shares.items():
            above, below = below, below - share
            ranges[split] = (0.0 if below < 1e-9 else below, above)  # fractions of 1 in sum leave nothing over
        places = {group: place(self.seed, group[-1]) for group in left}
        found: dict[Group, Split | None] = {
            group: self.split_of.get(group) or next((of for of in ranges if ranges[of][0] <= places[group]), None)
            for group in left
        }
        for split in shares:
            if split in found.values():
                continue
            sizes = Counter(found.values())
            spare = [group for group, of in found.items() if of not in shares or sizes[of] > 1]
            if not spare:
                raise UserError(too_few)
            low, high = ranges[split]
            # One that has a split elsewhere comes last; else the nearest to where this one's would stand.
            nearest = min(spare, key=lambda one: (one in self.split_of, max(low - places[one], places[one] - high)))
            found[nearest] = split
        return {id(record): of for group, of in found.items() if of and of in shares for record in left[group]}


def group_by_name(record: Record) -> Group:
    """A photo and its drawings that are listed apart have one name; where the source has splits, each its own names."""
    return record.split or "", one_name(record.key)


def one_name(key: str) -> str:
    """A key in one form: `7` and `007` are one number, and an umlaut may be written as two characters.

    `7.png`, beside which there is a `7.jpg`, is `7` too: as a rule it is the same picture, saved again.
    """
    stem, suffix = os.path.splitext(key)
    key = stem if suffix.lower() in PICTURES else key
    return re.sub(r"(?<!\d)0+(?=\d)", "", unicodedata.normalize("NFC", key))


def halves(keys: Mapping[int, str], seed: int) -> tuple[list[int], list[int]]:
    """The numbers in two halves that share none, by the key of each: one that comes or goes moves one other at most."""
    ordered = sorted(keys, key=lambda number: place(seed, f"halves:{keys[number]}"))
    middle = len(ordered) // 2
    return ordered[:middle], ordered[middle:]


def place(seed: int, name: str) -> float:
    """Where a name stands, 0 up to 1, as if drawn at random, but the same on every machine."""
    digest = blake2b(f"{seed}:{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
