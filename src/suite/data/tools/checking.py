"""What a data set has and what it lacks: counts, tasks, broken pictures; for people and for programs.

catalog, splits ─► [looking.py] ─► Findings ─► show, figures, report
"""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, get_args

from suite.data.catalog import Catalog, Kind, Picture, Record
from suite.data.depth import Depth
from suite.data.keys import DataKeys
from suite.data.labels import check_balanced, count_by_name, names_of
from suite.data.pictures.copies import Copies, Placed, find_copies
from suite.data.pictures.decode import MOST_BROKEN
from suite.data.pictures.headers import check_alike
from suite.data.splits import ServedSplits, Splits, assign_splits, split_said
from suite.data.tools.looking import Looked
from suite.data.unread import some
from suite.errors import UserError, printable

_EXAMPLES, _BROKEN_SHOWN, _LABELS_SHOWN = 3, 20, 12


class Broken(NamedTuple):
    """A picture that can't be decoded."""

    name: str
    reason: str


@dataclass(frozen=True)
class Findings:
    """A catalog with its splits; `broken` is None where not every picture was decoded, `looked` what was."""

    catalog: Catalog
    splits: Splits
    broken: list[Broken] | None = None
    looked: Sequence[Looked] = ()
    depth: Depth = "auto"  # that it was decoded with

    @cached_property
    def copies(self) -> Copies | None:
        """The pictures of the splits that equal another; None where all differ, or not all were decoded."""
        if self.broken is None:
            return None
        digests = {picture: digest for one in self.looked for picture, digest in one.digests.items()}
        kinds = get_args(Kind)[: 1 if self.catalog.simulated else 2]
        return find_copies(
            Placed(split, kind, picture.name, digests[picture])
            for split, records in self.splits.items()
            for record in records
            for kind in kinds
            for picture in record.pictures(kind)
            if picture in digests and not record.of_every_split
        )

    def figures(self) -> dict[str, Any]:
        """Plain numbers, strings and dicts; conf/check_data.yaml says what each is."""
        catalog = self.catalog
        return {
            "dataset": catalog.dataset,
            "root": None if catalog.root is None else str(catalog.root),
            "split": {split: count(records) | self._labels(records) for split, records in self.splits.items()},
            **count(catalog.records),
            "orphan_photos": len(catalog.orphan_photos),
            "orphan_sketches": len(catalog.orphan_drawings),
            "missing": len(catalog.missing),
            "unread": catalog.unread.figures(),
            "broken": None if self.broken is None else len(self.broken),
            "copies": None if self.broken is None else len(self.copies.equal) if self.copies else 0,
            "values": {one.kind: one.figures() for one in self.looked},
            "labels": labels(catalog, catalog.records),
            "simulated": catalog.simulated,
            "tasks": [task for task, lacks in tasks(self.splits).items() if not lacks],
        }

    def _labels(self, records: Sequence[Record]) -> dict[str, Any]:
        found = labels(self.catalog, records)
        return {"labels": found} if found else {}

    def wrong(self) -> list[tuple[str, list[str]]]:
        """Everything that is wrong, by kind."""
        catalog = self.catalog
        return [
            ("orphan photos", catalog.orphan_photos),
            ("orphan sketches", catalog.orphan_drawings),
            ("missing", catalog.missing),
            ("broken", [f"{name}: {reason}" for name, reason in self.broken or []]),
            ("copies", [] if self.copies is None else [self.copies.line(catalog.dataset)]),
            ("not read", catalog.unread.lines()),
            ("warning", [*catalog.warnings, *(line for one in self.looked for line in one.warnings(self.depth))]),
        ]

    def report(self) -> str:
        """One line for everything that is wrong, its kind in front."""
        return "".join(f"{kind}\t{printable(line)}\n" for kind, lines in self.wrong() for line in lines)

    def check_usable(self, skip_broken: bool, task: str | None) -> None:
        """Raises UserError where `suite.train` would stop at once: no picture, none to train on, or broken ones.

        `task` is None for a `data.target`. One that no split serves is no error: the set may be half of another.
        """
        catalog = self.catalog
        if not catalog.records:
            raise UserError(f"{catalog.root or catalog.dataset}: the source {catalog.dataset} finds no picture there")
        self._check_train(task)
        if self.broken is None and not skip_broken and (found := [b for one in self.looked for b in one.broken]):
            raise UserError(
                f"{len(found)} of {sum(len(one.seen) for one in self.looked)} pictures looked at can't be decoded, the "
                f"first is {printable(found[0].name)} ({printable(found[0].reason)}); verify=true looks at all; mend "
                "or remove them, or set data.on_broken=skip"
            )
        if not self.broken:
            return
        total, name = len(pictures(catalog.records)), printable(self.broken[0].name)
        first = f"{len(self.broken)} of {total} pictures can't be decoded, the first is {name}"
        if len(self.broken) > MOST_BROKEN * total:
            raise UserError(f"{first}; that is more than 1 %: mend or remove them")
        if not skip_broken:
            raise UserError(f"{first}; mend or remove them, or set data.on_broken=skip")

    def _check_train(self, task: str | None) -> None:
        key, needs, lacks = "data.target", "data.target", "train" not in self.splits
        if task is not None:
            served = _served(self.splits)
            asked = {task} if task in served else served
            lacks = bool(asked) and not asked & _served({"train": self.splits.get("train", [])})
            key, needs = "data", f"data.task={'|'.join(sorted(asked))}"
        if lacks:
            raise UserError(
                f"{self.catalog.summary()}: the split train has nothing for {needs}, what there is lies in "
                f"{' and '.join(split for split in self.splits if split != 'train')}; "
                f"{split_said(key, '{train: 0.9, test: 0.1}')} draws new splits"
            )


def list_sets(data: DataKeys) -> list[tuple[Catalog, Splits]]:
    """The data set and, where it has one, its `data.target`, with their splits. Opens no picture."""
    sets = [(data.own_set, data.list_pictures(), data.needs(of_target=False))]
    if data.target_set is not None and (of_target := data.list_target()) is not None:
        data.warn_of_pairs(sets[0][1], of_target)
        sets.append((data.target_set, of_target, data.needs(of_target=True)))
    return [
        (catalog, assign_splits(catalog, one.split, data.seed, one.key, needs.together, needs.labelled, needs.kinds))
        for one, catalog, needs in sets
    ]


def check_target(data: DataKeys, own: Catalog, target: Catalog) -> None:
    """Raises UserError where `suite.train` would not take the two sets together."""
    if (wanted := data.target_set) is not None:
        unwarned = replace(target, warnings=[])  # it has been told of its splits
        ServedSplits(unwarned, wanted.split, data.seed, wanted.key, data.needs(of_target=True))
        data.check_apart(own, target)


def check_pairs(data: DataKeys, splits: Splits) -> None:
    """Raises UserError where `suite.train` would refuse pairs of different shapes."""
    paired = data.needs(of_target=False).paired
    compared = [of for split, of in splits.items() if paired or (split != "train" and all(one.paired for one in of))]
    if data.resize == "cover":
        check_alike(record for records in compared for record in records)


def count(records: Sequence[Record]) -> dict[str, int]:
    """Pictures of both kinds; a pair is a photo with at least one drawing."""
    return {
        "photos": sum(record.photo is not None for record in records),
        "sketches": sum(len(record.drawings) for record in records),
        "pairs": sum(record.paired for record in records),
    }


def check_labels(data: DataKeys, own: Findings) -> None:
    """Raises UserError where `suite.train` could not train on the labels, of the task labelled."""
    if data.task != "labelled":
        return
    train = own.splits.get("train", [])
    of_pictures = (record.label for record in train for _ in record.pictures(data.kind("a")))
    counts = count_by_name(names_of(own.catalog), of_pictures)
    there = [name for name, number in counts.items() if number > 0]
    if len(there) < 2:
        raise UserError(
            f"{own.catalog.summary()}: data.task=labelled needs pictures of two labels at least to train on, and there "
            f"are those of {there[0] if there else 'none'} alone; add some, or choose what the labels say"
        )
    if data.balanced:
        check_balanced(counts, data.batch_size)


def check_styles(data: DataKeys, own: Findings) -> None:
    """Raises UserError where `suite.train` could not evaluate the task self_supervised."""
    for split, records in own.splits.items():
        if split != "train" and (pairs := count(records)["pairs"]):
            data.check_styles(split, pairs)


def labels(catalog: Catalog, records: Sequence[Record]) -> dict[str, int]:
    """How many of the records have each label, by its name, in the order of the labels."""
    counted = Counter(record.label for record in records if record.label is not None)
    return {label_name(catalog, label): counted[label] for label in sorted(counted)}


def label_name(catalog: Catalog, label: int) -> str:
    return catalog.label_names[label] if label < len(catalog.label_names) else str(label)


def tasks(splits: Splits) -> dict[str, str]:
    """Each `data.task`, and what no split has of what it needs; empty for a task that is served."""
    counts = [count(records) for records in splits.values()]
    pairs = "" if any(one["pairs"] for one in counts) else "pairs of a photo and its drawings"
    both = "" if any(one["photos"] and one["sketches"] for one in counts) else "photos and drawings in one split"
    if not any(one["photos"] for one in counts):
        pairs = both = "photos"
    elif not any(one["sketches"] for one in counts):
        pairs = both = "drawings, which data.sketch=sobel|dodge|xdog makes of photos"
    labelled = any(len({record.label for record in records} - {None}) > 1 for records in splits.values())
    return {
        "paired": pairs,
        "unpaired": both,
        "labelled": "" if labelled else "two labels",
        "semi_supervised": pairs,
        "self_supervised": pairs,
    }


def _served(splits: Splits) -> set[str]:
    return {task for task, lacks in tasks(splits).items() if not lacks}


def pictures(records: Iterable[Record]) -> list[Picture]:
    """Every picture of the records, photo before drawings; a photo that stands for its own drawing once."""
    both = (picture for record in records for picture in (record.photo, *record.drawings) if picture is not None)
    return list(dict.fromkeys(both))


def show(findings: Findings) -> None:
    """Print the findings for people: all numbers, and a few examples of what is wrong."""
    from rich.console import Console
    from rich.table import Table

    catalog = findings.catalog
    say("data set", catalog.dataset + ("" if catalog.root is None else f" in {catalog.root}"))
    table = Table()
    table.add_column("split")
    for name in ("photos", "sketches", "pairs"):
        table.add_column(name, justify="right")
    used = {id(record) for records in findings.splits.values() for record in records}
    unused = len(catalog.records) - len(used)
    for split, records in (*findings.splits.items(), ("all" + ", also of no split" * (unused > 0), catalog.records)):
        table.add_row(split, *map(str, count(records).values()))
    Console().print(table)
    for name, line in _lines(findings):
        say(name, line)


def say(name: str, line: str) -> None:
    """Print a line of the table for people, also where the terminal's encoding lacks some of its characters."""
    encoding = sys.stdout.encoding or "utf-8"
    print(f"{name:<16}{printable(line)}".rstrip().encode(encoding, "backslashreplace").decode(encoding))


def _lines(findings: Findings) -> Iterable[tuple[str, str]]:
    if findings.catalog.simulated:
        yield "sketches", f"none of its own in use: data.sketch={findings.catalog.simulated} makes them of the photos"
    if findings.catalog.drawings_from:
        yield "sketches", f"none of its own in use: {findings.catalog.drawings_from}"
    if by_label := labels(findings.catalog, findings.catalog.records):
        yield "labels", f"{len(by_label)}: {_of_labels(findings.catalog, findings.catalog.records)}"
        yield from (
            ("", f"{split}: {_of_labels(findings.catalog, records)}") for split, records in findings.splits.items()
        )
    needs = tasks(findings.splits)
    yield "serves", ", ".join(task for task, lacks in needs.items() if not lacks) or "no task on its own"
    for lacks in dict.fromkeys(filter(None, needs.values())):
        yield "does not serve", f"{', '.join(task for task in needs if needs[task] == lacks)}: lacks {lacks}"
    for kind, lines in findings.wrong():
        if kind in ("copies", "warning", "not read"):
            yield from ((kind, line) for line in lines)
        elif kind == "broken" and lines:
            yield kind, str(len(lines))
            yield from (("", line) for line in lines[:_BROKEN_SHOWN])
            if len(lines) > _BROKEN_SHOWN:
                yield "", f"and {len(lines) - _BROKEN_SHOWN} more; report=<file> writes them all"
        elif lines:
            yield kind, f"{len(lines)}: {some(lines, _EXAMPLES)}"
    for one in findings.looked:
        yield "values", one.summary()
        if depths := one.depths():
            yield "", depths
    if findings.broken is None:
        looked = sum(len(one.seen) for one in findings.looked)
        seen = sum(len(one.broken) for one in findings.looked)
        yield "broken", f"{seen or 'none'} of {looked} looked at; verify=true decodes every picture"
    elif not findings.broken:
        yield "broken", f"none of {len(pictures(findings.catalog.records))} pictures"


def _of_labels(catalog: Catalog, records: Sequence[Record]) -> str:
    unlabelled = sum(record.label is None for record in records)
    counts = [f"{name} {number}" for name, number in labels(catalog, records).items()]
    return some(counts + [f"none {unlabelled}"] * (unlabelled > 0), _LABELS_SHOWN)
