"""The splits that a run was trained with, as its splits.json names them: it keeps them, whatever comes later.

    {"dataset": …, "seed": …, "train": {"a": [names], "b": [names]}, "test": …, "in_no_split": {"a": [names], …},
     "target": {"train": [names], …, "in_no_split": [names]}}

A name is the key of a record with the suffix of its file, since another file of the same stem may come; where splits
were drawn anew, with its split in the source in front, as `train/7.png`, since the others may have its key. Files of
older runs have keys alone.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from suite.data.catalog import Catalog, Kind, Record, Split
from suite.data.drawn import SPLITS
from suite.data.suffixes import PICTURES
from suite.errors import UserError

IN_NO_SPLIT = "in_no_split"  # what was there and not used; files of older runs say nothing of it


def kept_name(record: Record, kind: Kind, drawn: bool) -> str:
    """What splits.json calls a picture of a record; `drawn`: splits were drawn anew, whatever the source says."""
    return _names(record, kind, drawn)[0]


def _names(record: Record, kind: Kind, drawn: bool) -> list[str]:
    """The same, and what it may be called by older runs."""
    suffix = os.path.splitext(record.pictures(kind)[0].name)[1]
    file = record.key + suffix if suffix.lower() in PICTURES and not record.key.endswith(suffix) else record.key
    split = f"{record.split}/" if drawn and record.split is not None else ""
    return [split + file, split + record.key, record.key]


def _without_suffix(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in PICTURES else name


@dataclass(frozen=True)
class KeptSplits:
    """A run's splits.json. `elsewhere`: the data sets, by key, whose pictures are looked for at another place now.

    `resumed`: another data set is refused, as the run goes on with its own.
    """

    path: Path
    content: Mapping[str, Any]
    elsewhere: tuple[str, ...] = ()
    resumed: bool = False

    @classmethod
    def read(cls, path: Path, elsewhere: tuple[str, ...], resumed: bool) -> "KeptSplits":
        """Raises UserError where the file is damaged."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            content["dataset"], content["seed"]
        except (ValueError, TypeError, KeyError) as error:
            why = " ".join(str(error).split())
            raise UserError(f"{path} is damaged ({why}): put it back, the run's splits are in it alone") from error
        return cls(path, content, elsewhere, resumed)

    def of_set(
        self, key: str, place: str, catalog: Catalog, sides: Mapping[Any, Kind], drawn: bool
    ) -> "KeptSet | None":
        """What it says of the set of `data`, or of `data.target`; None where the catalog is of another data set.

        `sides`: the kind of each side of a batch that is of the set. It is another set where it has another name, or
        where it lies elsewhere and has fewer than half of the pictures. Raises UserError for it in a resumed run.
        """
        named: dict[tuple[Split, Kind], list[str]] = {}
        left_out: dict[Kind, list[str]] | None = None
        of_target = key == "data.target"
        parts = self.content.get("target", {}) if of_target else self.content
        for side, kind in sides.items():

            def names(part: str, side: str = side) -> list[str] | None:
                return parts.get(part) if of_target else parts.get(part, {}).get(side)

            named |= {(split, kind): found for split in SPLITS if (found := names(split))}
            if (unused := names(IN_NO_SPLIT)) is not None:
                left_out = {**(left_out or {}), kind: unused}
        kept = KeptSet(self.path, catalog, named, left_out, drawn)
        same = of_target or self.content["dataset"] == catalog.dataset
        if same and (key not in self.elsewhere or kept.most_are_there()):
            return kept
        what = f"{place}: most of the pictures that {self.path} names are not there, so it is another data set"
        if self.resumed:
            raise UserError(
                f"{what}: a resumed run keeps its pictures; name the folder where they are now, or train a fresh run "
                f"with start_from={self.path.parent}"
            )
        catalog.warnings.append(f"{what}: its splits are its own, not those of the run")
        return None


@dataclass(frozen=True)
class KeptSet:
    """The pictures of one data set in each split of a run, by name and kind; `left_out`: None where nobody wrote it."""

    path: Path
    catalog: Catalog
    named: Mapping[tuple[Split, Kind], Sequence[str]]
    left_out: Mapping[Kind, Sequence[str]] | None
    drawn: bool

    def splits(self) -> dict[Split, list[Record]]:
        """The records of each split, in the catalog's order; warns of those that came later, and of missing ones."""
        records = self.catalog.records
        # Folders of splits may have the same names: a name is then that of the split where it still lies.
        lying = {
            (record.split, kind, name)
            for record in records
            for kind, name in self._called(record).items()
            if record.split is not None and not self.drawn
        }
        found: dict[Split, list[Record]] = {split: [] for split in SPLITS}
        everywhere = [record for record in records if record.of_every_split]
        there = {called for record in everywhere for called in self._called(record).items()}
        later: list[str] = []
        for record in records:
            if record.of_every_split or not any(map(record.pictures, self._kinds)):
                continue
            called = self._called(record)
            split = self._split_of(record, called, lying)
            if split is not None:
                found[split].append(record)
                there.update(called.items())
            elif not any(name in self._left_out.get(kind, ()) for kind, name in called.items()):
                later.append(record.key)
        self.catalog.warnings += self._said(later, there)
        return {split: [*records, *everywhere] for split, records in found.items() if records}

    def most_are_there(self) -> bool:
        """Whether at least half of the pictures are among those of the catalog, by name."""
        there = {called for record in self.catalog.records for called in self._called(record).items()}
        wanted = {(kind, name) for (_, kind), names in self.named.items() for name in names}
        return 2 * len(wanted & there) >= len(wanted)

    @property
    def has_halves(self) -> bool:
        """Whether the run trained on photos of some records and drawings of others."""
        return not self._sets.get(("train", "photo"), set()) & self._sets.get(("train", "drawing"), set())

    def trains(self, record: Record, kind: Kind) -> bool:
        """Whether the run trained on the record's picture of that kind."""
        return self._called(record).get(kind) in self._sets.get(("train", kind), ())

    def _split_of(
        self, record: Record, called: Mapping[Kind, str], lying: set[tuple[Split, Kind, str]]
    ) -> Split | None:
        listed = [
            split for split in SPLITS if any(name in self._sets.get((split, kind), ()) for kind, name in called.items())
        ]
        if record.split in listed and not self.drawn:
            return record.split
        # In doubt it is of train, which comes first: what may have been trained on is no test picture.
        for split in listed:
            if not any((split, kind, name) in lying for kind, name in called.items()):
                return split
        return None

    def _said(self, later: Sequence[str], there: set[tuple[Kind, str]]) -> list[str]:
        said = []
        if later:
            which = "came after training" + ", or were not used in it," * (self.left_out is None)
            said.append(f"{len(later)} pictures that {which} are in no split of the run, such as {later[0]}")
        gone = [
            f"{name} ({split})" for (split, kind), names in self.named.items() for name in dict.fromkeys(names)
            if (kind, name) not in there
        ]  # fmt: skip
        if gone:
            said.append(f"{len(gone)} pictures of {self.path} are not there any more, such as {gone[0]}")
        return said

    def _called(self, record: Record) -> dict[Kind, str]:
        """What the file calls the pictures of a record of the catalog, by kind; without those that it does not name."""
        return self._by_record.get(id(record), {})

    @cached_property
    def _by_record(self) -> dict[int, dict[Kind, str]]:
        """By the record's id. Names are given out from the strictest meaning to the loosest, each in one of them.

        The whole name comes first, then as older runs wrote it, then with another suffix, as of pictures that were
        converted or packed. Only then may a picture that came later not pass for one whose name begins alike.
        """
        called: dict[int, dict[Kind, str]] = {}
        for kind in self._kinds:
            free = {name for (_, of), names in self.named.items() if of == kind for name in names}
            free |= self._left_out.get(kind, set())
            by_stem = {_without_suffix(name): name for name in free}
            names = {id(one): _names(one, kind, self.drawn) for one in self.catalog.records if one.pictures(kind)}
            for strictness in range(4):
                taken: set[str] = set()
                for number, (whole, with_split, key) in names.items():
                    name = (whole, with_split, key, by_stem.get(with_split))[strictness]
                    # Drawn splits had a key that stands alone once: the first, of train where it is in several.
                    once = self.drawn and strictness > 0 and name in taken
                    if name is not None and name in free and not once and kind not in called.get(number, {}):
                        called.setdefault(number, {})[kind] = name
                        taken.add(name)
                free -= taken
        return called

    @cached_property
    def _kinds(self) -> tuple[Kind, ...]:
        return tuple(dict.fromkeys(kind for _, kind in self.named))

    @cached_property
    def _sets(self) -> dict[tuple[Split, Kind], set[str]]:
        return {place: set(names) for place, names in self.named.items()}

    @cached_property
    def _left_out(self) -> dict[Kind, set[str]]:
        return {kind: set(names) for kind, names in (self.left_out or {}).items()}
