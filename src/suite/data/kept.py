"""The splits that a run was trained with, as its splits.json names them: it keeps them, whatever comes later.

    {"dataset": …, "seed": …, "train": {"a": [names], "b": [names]}, "test": …, "in_no_split": {"a": [names], …},
     "target": {"train": [names], …, "in_no_split": [names]}}

A name is the key of a record; with that of its split in the source in front, as `train/7`, where others were drawn and
two records have one key.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from suite.data.catalog import Catalog, Kind, Record, Split
from suite.data.drawn import SPLITS
from suite.errors import UserError

IN_NO_SPLIT = "in_no_split"  # what was there and not used; files of older runs say nothing of it


def kept_names(records: Sequence[Record], drawn: bool) -> dict[int, str]:
    """What splits.json calls records, by their ids; `drawn`: splits were drawn anew, whatever the source says."""
    counts = Counter(record.key for record in records)
    return {id(record): _with_split(record) if drawn and counts[record.key] > 1 else record.key for record in records}


def _with_split(record: Record) -> str:
    return record.key if record.split is None else f"{record.split}/{record.key}"


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
        kept = KeptSet(self.path, named, left_out, drawn)
        same = of_target or self.content["dataset"] == catalog.dataset
        if same and (key not in self.elsewhere or kept.most_are_in(catalog)):
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
    named: Mapping[tuple[Split, Kind], Sequence[str]]
    left_out: Mapping[Kind, Sequence[str]] | None
    drawn: bool

    def splits_of(self, catalog: Catalog) -> dict[Split, list[Record]]:
        """The records of each split, in the catalog's order; warns of those that came later, and of missing ones."""
        # Folders of splits may have the same names: a name is then that of the split where it still lies.
        lying = {
            (record.split, kind, record.key)
            for record in catalog.records
            for kind in self._kinds
            if record.split is not None and record.pictures(kind) and not self.drawn
        }
        found: dict[Split, list[Record]] = {split: [] for split in SPLITS}
        everywhere = [record for record in catalog.records if record.of_every_split]
        there: set[tuple[Kind, str]] = {
            (kind, record.key) for record in everywhere for kind in self._kinds if record.pictures(kind)
        }
        later: list[str] = []
        for record in catalog.records:
            kinds = [kind for kind in self._kinds if record.pictures(kind)]
            if record.of_every_split or not kinds:
                continue
            split = self._split_of(record, kinds, lying)
            if split is not None:
                found[split].append(record)
                there.update((kind, name) for kind in kinds for name in self._names(record))
            elif not any(name in self._left_out.get(kind, ()) for kind in kinds for name in self._names(record)):
                later.append(record.key)
        catalog.warnings += self._said(later, there)
        return {split: [*records, *everywhere] for split, records in found.items() if records}

    def most_are_in(self, catalog: Catalog) -> bool:
        """Whether at least half of the pictures are among those of the catalog, by name."""
        there = {
            (kind, name)
            for record in catalog.records
            for kind in self._kinds
            if record.pictures(kind)
            for name in self._names(record)
        }
        wanted = {(kind, name) for (_, kind), names in self.named.items() for name in names}
        return 2 * len(wanted & there) >= len(wanted)

    @property
    def has_halves(self) -> bool:
        """Whether the run trained on photos of some records and drawings of others."""
        return not self._sets.get(("train", "photo"), set()) & self._sets.get(("train", "drawing"), set())

    def trains(self, record: Record, kind: Kind) -> bool:
        """Whether the run trained on the record's picture of that kind."""
        return any(name in self._sets.get(("train", kind), ()) for name in self._names(record))

    def _split_of(self, record: Record, kinds: Sequence[Kind], lying: set[tuple[Split, Kind, str]]) -> Split | None:
        for name in self._names(record):
            listed = [split for split in SPLITS if any(name in self._sets.get((split, kind), ()) for kind in kinds)]
            if record.split in listed and not self.drawn:
                return record.split
            # In doubt it is of train, which comes first: what may have been trained on is no test picture.
            for split in listed:
                if not any((split, kind, record.key) in lying for kind in kinds):
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

    def _names(self, record: Record) -> list[str]:
        """What it may be called: its split is in front where there were two of its key."""
        return list(dict.fromkeys([_with_split(record), record.key])) if self.drawn else [record.key]

    @cached_property
    def _kinds(self) -> tuple[Kind, ...]:
        return tuple(dict.fromkeys(kind for _, kind in self.named))

    @cached_property
    def _sets(self) -> dict[tuple[Split, Kind], set[str]]:
        return {place: set(names) for place, names in self.named.items()}

    @cached_property
    def _left_out(self) -> dict[Kind, set[str]]:
        return {kind: set(names) for kind, names in (self.left_out or {}).items()}
