"""Which record belongs to train, val and test: the source's own splits, or a draw with a seed.

catalog ─► assign_splits ─► ServedSplits: of each split the pictures that serve the task
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from suite.arguments import Example, Positive, ShareAboveZero, check_value, one_of, shown
from suite.data.catalog import Catalog, Kind, Picture, Record, Split
from suite.data.drawn import SPLITS, Group, SplitDraw, group_by_name, halves
from suite.data.kept import KeptSet
from suite.errors import UserError

HELD_OUT: dict[Split, float] = {
    "train": 0.9,
    "test": 0.1,
}  # where the source names no val or test split and the user gives none

Splits = dict[Split, list[Record]]
Wanted = Annotated[Mapping[Split, Positive | ShareAboveZero], Example("{train: 0.9, test: 0.1}")]  # counts, or shares
_INSTEAD: dict[str, tuple[Split, ...]] = {"train": ("train",), "val": ("val", "test"), "test": ("test", "val")}
_OTHER_TARGETS: dict[Kind, str] = {  # where the set that lacks it is data.target
    "photo": "; data.direction=b2a takes its drawings",
    "drawing": "; name a set that has them in data.target.source and data.target.root",
}
_OTHER_WAYS: dict[Kind, str] = {  # with a data set that lacks one kind for a task that needs both
    "photo": "; drawings alone serve as data.target of another set, or beside your own photos as "
    "data=unpaired_folders data.root=… data.a=<photos> data.b=<drawings>",
    "drawing": "; data.sketch=sobel|dodge|xdog makes sketches of the photos",
}


def assign_splits(
    catalog: Catalog,
    wanted: Wanted | None,
    seed: int,
    key: str = "data",
    together: Kind | None = None,
    labelled: bool = False,
    kinds: Sequence[Kind] = (),
    hold_out: bool = True,
) -> Splits:
    """The records of each split, in the catalog's order; a split without records is left out.

    Pairs, photos and drawings are each divided on their own, so 1000 means 1000 of each; but all records with a picture
    of the kind `together` as one, whether they have the other kind or not; a record of every split belongs to each that
    has others. `wanted` (counts, or fractions of 1) draws anew, from seed and keys: see `SplitDraw`. Without it the
    source's splits are kept, records that it names no split for become train, and a kind of record that has no val or
    test at all gives up a tenth as test; but of a single one nothing, and nothing where no split of val or test would
    then have all `kinds` that the task needs, or without `hold_out`. What is drawn keeps records of one name, and of
    one identity, in one split; not of one that is itself the label where the task is `labelled`. `key` is where the
    data set stands in the configuration. Raises UserError where there are too few records.
    """

    def group_of(record: Record) -> Group:
        if not catalog.identities or record.group is None:
            return group_by_name(record)
        is_label = record.label is not None and catalog.label_names[record.label : record.label + 1] == (record.group,)
        return group_by_name(record) if labelled and is_label else ("identity", record.group)

    if wanted is None:
        catalog.warnings += catalog.split_warnings
    draw = SplitDraw(seed, group_of).draw
    sorted_out: dict[str, list[Record]] = {"pairs": [], "photos": [], "drawings": []}
    everywhere = [record for record in catalog.records if record.of_every_split]
    for record in catalog.records:
        if record.of_every_split:
            continue
        if together is not None and record.pictures(together):
            sorted_out[f"{together}s"].append(record)
        else:
            name = "pairs" if record.paired else "drawings" if record.photo is None else "photos"
            sorted_out[name].append(record)
    where = catalog.dataset + ("" if catalog.root is None else f" in {catalog.root}")
    split_of: dict[int, Split] = {}
    # The smallest first: where it has to take a group for a split, the others follow.
    said: list[str] = []
    for name, records in sorted(sorted_out.items(), key=lambda one: len(one[1])):
        if not records:
            continue
        found = f"{where} has {len(records)} {name}"
        if wanted is not None:
            split_of |= draw(records, wanted, f"{key}.split={dict(wanted)}: {found}, too few for that")
        elif any(record.split in ("val", "test") for record in records):
            split_of |= {id(record): record.split or "train" for record in records}
        elif len(records) == 1:
            split_of[id(records[0])] = "train"
            said.append(f"{where}: its only {name[:-1]} is trained on, and none is held out as test")
        elif not hold_out:
            split_of |= {id(record): "train" for record in records}
        else:
            of_kind = draw(records, HELD_OUT, found)  # two are enough
            count = sum(split == "test" for split in of_kind.values())
            split_of |= of_kind
            said.append(
                f"{catalog.dataset}: no val or test {name}; {count} of the {len(records)} are held out as test, by "
                f"name and seed, a tenth of many; {split_said(key, '{train: 0.8, test: 0.2}')} draws otherwise"
            )
    drawn: Splits = {split: [] for split in SPLITS}
    for record in catalog.records:
        if id(record) in split_of:
            drawn[split_of[id(record)]].append(record)
    splits = {split: [*records, *everywhere] for split, records in drawn.items() if records}
    held_out = [records for split, records in splits.items() if split != "train"]
    if wanted is None and hold_out and held_out and not any(_have_all(records, kinds) for records in held_out):
        # What is held out of one side alone would be lost: neither trained on nor measured.
        return assign_splits(catalog, wanted, seed, key, together, labelled, kinds, hold_out=False)
    catalog.warnings += said
    return splits


def _have_all(records: Sequence[Record], kinds: Iterable[Kind]) -> bool:
    return all(any(record.pictures(kind) for record in records) for kind in kinds)


def split_said(key: str, wanted: str) -> str:
    """How the splits of a set are asked for: of a target among its other keys, where a word of its own is refused."""
    return f"split: {wanted} in {key}" if key == "data.target" else f"'{key}.split={wanted}'"


def check_wanted(wanted: Wanted, key: str = "data.split") -> None:
    """Raises UserError where it names no splits, or amounts that there can't be."""
    check_value(key, wanted, Wanted)
    if (total := sum(amount for amount in wanted.values() if isinstance(amount, float))) > 1 + 1e-9:
        raise UserError(f"{key}={shown(wanted)}: the fractions sum to {total:g}, more than 1")


@dataclass(frozen=True)
class Needs:
    """What a task wants of a data set; a split that has it serves."""

    task: str  # what to call it in a message
    kinds: tuple[Kind, ...]  # pictures of each of them
    paired: bool = False  # of both in one record
    disjoint: bool = False  # pairs of the train split give either their photo or their drawing, half of them each
    truth: Kind | None = None  # what evaluation compares pictures of the one kind with, where it is there

    @property
    def labelled(self) -> bool:
        """Whether it is labels that are learnt."""
        return self.task == "data.task=labelled"

    @property
    def together(self) -> Kind | None:
        """The kind whose splits must not depend on the truth: what was trained on must not become a test with it."""
        return None if self.truth is None else self.kinds[0]


class Shown(NamedTuple):
    """A picture, and the record that it is of: its place among the records, its key and label."""

    scene: int
    key: str
    label: int | None
    picture: Picture


class ServedSplits:
    """The splits of a catalog that have what the task needs, and their pictures. Opens none.

    `wanted`, `seed` and `key` are those of `assign_splits`; nothing is assigned where a run has its own splits, `kept`.
    Raises UserError where no split serves.
    """

    def __init__(
        self,
        catalog: Catalog,
        wanted: Wanted | None,
        seed: int,
        key: str,
        needs: Needs,
        kept: KeptSet | None = None,
    ) -> None:
        self.catalog, self.wanted, self.seed, self.key, self.needs, self.kept = catalog, wanted, seed, key, needs, kept
        self.records: Splits = (
            assign_splits(catalog, wanted, seed, key, needs.together, needs.labelled, needs.kinds)
            if kept is None
            else kept.splits()
        )
        self.names: tuple[Split, ...] = tuple(split for split in SPLITS if self._serves(split))
        if not self.names:
            raise self._no_split("train")

    def resolve(self, split: str) -> Split:
        """The split; for val where there is none test, and the reverse. Raises UserError where there is neither."""
        one_of("data.split", split, SPLITS)
        for candidate in _INSTEAD[split]:
            if candidate in self.names:
                return candidate
        raise self._no_split(split)

    @property
    def holds_out(self) -> bool:
        """Whether pictures of val or test serve: else all that do are trained on."""
        return self.names != ("train",)

    @property
    def held_out(self) -> int:
        """How many pictures of val and test there are, also where they are of one kind alone and don't serve."""
        return sum(
            len(record.pictures(kind))
            for split, records in self.records.items()
            for record in records
            for kind in self.needs.kinds
            if split != "train" and not record.of_every_split
        )

    @property
    def validates_on_test(self) -> bool:
        """Whether validation has no pictures of its own, so that what is best in it is best on the test pictures."""
        return "test" in self.names and "val" not in self.names

    def pictures(self, split: str, kind: Kind, training: bool = False) -> list[Shown]:
        """Those of one kind of a split that serves, or with `all` of every record of the catalog.

        Where some of a split have their truth, only they are evaluated; in `training` all serve.
        """
        if split == "all":
            return list(_of_kind(enumerate(self.catalog.records), kind))
        resolved = self.resolve(split)
        records = self.records[resolved]
        left_out: list[int] = []
        if self._disjoint(resolved):
            pairs = {scene: record.key for scene, record in enumerate(records) if record.paired}
            if self.kept is not None and self.kept.has_halves:
                left_out = [scene for scene in pairs if not self.kept.trains(records[scene], kind)]
            else:
                first, second = halves(pairs, self.seed)
                left_out = second if kind == "photo" else first
        scenes = set(range(len(records))).difference(left_out)
        if not training and self.has_truth(resolved):
            scenes = {scene for scene in scenes if records[scene].paired}
        found = list(_of_kind(((scene, records[scene]) for scene in sorted(scenes)), kind))
        if not found:
            raise self._no_split(resolved)
        return found

    def all_pairs(self, split: str) -> bool:
        """Whether every picture of the split has its counterpart there, which none has on disjoint sides."""
        resolved = self.resolve(split)
        return not self._disjoint(resolved) and all(record.paired for record in self.records[resolved])

    @property
    def paired_splits(self) -> list[Split]:
        """Those that are trained on, or evaluated, by comparing the two pictures of a pair."""
        if self.needs.paired:
            return list(self.names)
        held_out = [split for split in self.names if split != "train"]
        return [split for split in held_out if self.needs.truth is not None or self.all_pairs(split)]

    def has_truth(self, split: str) -> bool:
        """Whether a picture that serves, of the split or with `all` of the catalog, has its `truth` beside it."""
        records = self.catalog.records if split == "all" else self.records[self.resolve(split)]
        return self.needs.truth is not None and any(record.paired for record in records)

    def without_truth(self, split: Split) -> int:
        """How many records of a split that has truth are not evaluated, as they have none."""
        if not self.has_truth(split):
            return 0
        return sum(bool(record.pictures(self.needs.kinds[0])) and not record.paired for record in self.records[split])

    def was_drawn(self, record: Record) -> bool:
        """Whether the source does not say what the record, of val or test, is for."""
        return self.wanted is not None or record.split not in ("val", "test")

    def _disjoint(self, split: Split) -> bool:
        return self.needs.disjoint and split == "train"

    def _serves(self, split: Split) -> bool:
        records = self.records.get(split, [])
        if self.needs.paired:
            return any(record.paired for record in records)
        return _have_all(records, self.needs.kinds)

    def _no_split(self, split: str) -> UserError:
        records, needs = self.catalog.records, self.needs
        need = "pairs" if needs.paired else " and ".join(f"{kind}s" for kind in needs.kinds)
        wanted = f"{self.catalog.summary()}: {needs.task} needs {need}, and"
        for kind in needs.kinds:
            if not any(record.pictures(kind) for record in records):
                both = len(needs.kinds) > 1
                other = _OTHER_TARGETS[kind] if self.key == "data.target" else _OTHER_WAYS[kind] if both else ""
                if both and kind == "drawing" and not needs.paired:
                    other += (
                        ", data.line_drawings=<folder> takes those of a plain folder, and data.target={source: …, "
                        "root: …} those of another set"
                    )
                return UserError(f"{wanted} there are no {kind}s at all{other}")
        mend = f"{split_said(self.key, '{train: 0.9, test: 0.1}')} draws new splits"
        if needs.paired and not any(record.paired for record in records):
            mend = "data.task=unpaired needs no pairs, and data.sketch=sobel|dodge|xdog draws sketches of photos"
        return UserError(f"{wanted} the split {split} has none; {mend}")


def _of_kind(records: Iterable[tuple[int, Record]], kind: Kind) -> Iterable[Shown]:
    for scene, record in records:
        yield from (Shown(scene, record.key, record.label, picture) for picture in record.pictures(kind))
