"""A catalog whose splits are drawn and whose pictures are open: what the task datasets are made from."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from suite.data.catalog import Catalog, Picture, Record, Split
from suite.data.checks import one_of
from suite.data.keys import Kind
from suite.data.pictures import store as cache
from suite.data.pictures.decode import MOST_BROKEN, Fit, broken
from suite.data.pictures.tasks import Side
from suite.data.sources.shards import ShardPicture
from suite.data.splits import SPLITS, Splits, assign_splits, halves
from suite.errors import UserError

_OTHER_WAYS: dict[Kind, str] = {  # with a data set that lacks one kind for a task that needs both
    "photo": "; drawings alone serve as data.target of another set, or beside your own photos as "
    "data=unpaired_folders data.root=… data.a=<photos> data.b=<drawings>",
    "drawing": "; data.sketch=sobel|dodge|xdog makes sketches of the photos",
}


class Shown(NamedTuple):
    """A picture, and the record that it is of: its place among the records, its key and label."""

    scene: int
    key: str
    label: int | None
    picture: Picture


class OpenedSplits:
    """The splits that have what the task needs, with their pictures decoded into the cache.

    A split serves where it has pictures of each of `kinds`, and with `paired` both in one record; `task` is what to
    call that in a message, `key` where the data set stands in the configuration. `fit(kind, training)` says how
    pictures of a kind are stored; `folder` is the cache's, None for no cache. With `disjoint`, pairs of the train split
    give either their photo or their drawing, half of them each. Raises UserError where no split serves, and for broken
    pictures: for the first one, or with `skip_broken` for more than 1 %.
    """

    def __init__(
        self,
        key: str,
        catalog: Catalog,
        wanted: Mapping[str, float] | None,
        seed: int,
        task: str,
        kinds: Sequence[Kind],
        paired: bool,
        disjoint: bool,
        fit: Callable[[Kind, bool], Fit],
        folder: Path | None,
        skip_broken: bool,
    ) -> None:
        self.key, self.catalog, self.task, self.kinds, self.seed = key, catalog, task, tuple(kinds), seed
        self.paired, self.disjoint = paired, disjoint
        self.fit, self.folder, self.skip_broken = fit, folder, skip_broken
        self._assigned: Splits = assign_splits(catalog, wanted, seed, key)
        served = [split for split in SPLITS if self._serves(split)]
        if not served:
            raise self._no_split("train")
        self.sides: dict[tuple[Split, Kind], Side] = {
            (split, kind): self._side(self._pictures(split, kind), fit(kind, split == "train"), build=True)
            for split in served
            for kind in self.kinds
        }
        self._report_broken()
        self.records: Splits = {split: self._readable(split) for split in served}

    def resolve(self, split: str) -> Split:
        """The split; for val where there is none test, and the reverse. Raises UserError where there is neither."""
        one_of("split", split, SPLITS)
        candidates: dict[str, list[Split]] = {"train": ["train"], "val": ["val", "test"], "test": ["test", "val"]}
        for candidate in candidates[split]:
            if self._serves(candidate):
                return candidate
        raise self._no_split(split)

    @property
    def validates_on_test(self) -> bool:
        """Whether validation has no pictures of its own, so that what is best in it is best on the test pictures."""
        return self._serves("test") and not self._serves("val")

    def side(self, split: str, kind: Kind, training: bool) -> Side:
        """The pictures of one kind, in `training` as they are stored to be cropped from, else in evaluation form."""
        if split == "train" and not training:
            return self.reals(split, kind)
        return self.sides[self.resolve(split), kind]

    def all_pairs(self, split: str) -> bool:
        """Every picture of the split has its counterpart there, which none has on disjoint sides."""
        resolved = self.resolve(split)
        disjoint = resolved == "train" and self.disjoint
        return not disjoint and all(record.paired for record in self.records[resolved])

    def reals(self, split: str, kind: Kind) -> Side:
        """One side as in evaluation, also of the train split, and with `all` of every record of the catalog."""
        return self._side(self._real_pictures(split, kind), self.fit(kind, False), build=False)

    def fingerprint(self, split: str) -> str:
        """A hash that changes when what `reals` gives of either kind does."""
        hashes = [
            cache.fingerprint([shown.picture for shown in self._real_pictures(split, kind)], self.fit(kind, False))
            for kind in self.kinds
        ]
        return "-".join(hashes)

    def _serves(self, split: Split) -> bool:
        records = self._assigned.get(split, [])
        if self.paired:
            return any(record.paired for record in records)
        return all(any(_has(record, kind) for record in records) for kind in self.kinds)

    def _no_split(self, split: str) -> UserError:
        records, both = self.catalog.records, len(self.kinds) > 1
        need = "pairs" if self.paired else " and ".join(f"{kind}s" for kind in self.kinds)
        wanted = f"{self.catalog.summary()}: {self.task} needs {need}, and"
        for kind in self.kinds:
            if not any(_has(record, kind) for record in records):
                return UserError(f"{wanted} there are no {kind}s at all" + (_OTHER_WAYS[kind] if both else ""))
        mend = f"{self.key}.split={{train: 0.9, test: 0.1}} draws new splits"
        if self.paired and not any(record.paired for record in records):
            mend = "data.task=unpaired needs no pairs, and data.sketch=sobel|dodge|xdog draws sketches of photos"
        return UserError(f"{wanted} the split {split} has none; {mend}")

    def _real_pictures(self, split: str, kind: Kind) -> list[Shown]:
        if split == "all":
            return _of_kind(self.catalog.records, set(range(len(self.catalog.records))), kind)
        return self._pictures(self.resolve(split), kind)

    def _pictures(self, split: Split, kind: Kind) -> list[Shown]:
        records = self._assigned[split]
        left_out: list[int] = []
        if split == "train" and self.disjoint:
            first, second = halves([scene for scene, record in enumerate(records) if record.paired], self.seed)
            left_out = second if kind == "photo" else first
        found = _of_kind(records, set(range(len(records))).difference(left_out), kind)
        if not found:
            raise self._no_split(split)
        return found

    def _side(self, pictures: list[Shown], fit: Fit, build: bool) -> Side:
        """Reads through the cache; without `build`, only where it is there or is needed to find the broken ones."""
        only = [shown.picture for shown in pictures]
        cached: cache.CachedStore | None = None
        if self.folder is not None:
            open_ = cache.open_cache if build or self.skip_broken else cache.find_cache
            cached = open_(only, fit, self.folder, self.catalog.dataset, self.skip_broken)
        store = cached or cache.DecodedStore(only, fit)
        left_out = _broken_in(store)
        if left_out and not self.skip_broken:
            raise broken(only[min(left_out)], "found when it was packed")
        rows = [row for row in range(len(only)) if row not in left_out]
        shown = [pictures[row] for row in rows]
        return Side(store, rows, [one.scene for one in shown], [one.key for one in shown], [one.label for one in shown])

    def _report_broken(self) -> None:
        names = [name for side in self.sides.values() for name in _broken_in(side.store).values()]
        total = sum(len(side.rows) for side in self.sides.values()) + len(names)
        if names:
            some = ", ".join(sorted(names)[:3]) + ", ..." * (len(names) > 3)
            if len(names) > MOST_BROKEN * total:
                raise UserError(
                    f"{len(names)} of {total} pictures are broken, more than 1 %: {some}; mend or remove them"
                )
            self.catalog.warnings.append(f"{len(names)} of {total} pictures are broken and skipped: {some}")

    def _readable(self, split: Split) -> list[Record]:
        of_kinds = [set(self.sides[split, kind].scenes) for kind in self.kinds]
        scenes = set.intersection(*of_kinds) if self.paired else set.union(*of_kinds)
        return [record for scene, record in enumerate(self._assigned[split]) if scene in scenes]


def _broken_in(store: cache.Store) -> dict[int, str]:
    """The pictures that are known to be broken, by position: since the cache was built, or since they were packed."""
    if isinstance(store, cache.CachedStore):
        return store.broken
    assert isinstance(store, cache.DecodedStore)
    return {
        position: picture.name
        for position, picture in enumerate(store.pictures)
        if isinstance(picture, ShardPicture) and picture.broken is not None
    }


def _has(record: Record, kind: Kind) -> bool:
    return record.photo is not None if kind == "photo" else bool(record.drawings)


def _of_kind(records: list[Record], scenes: set[int], kind: Kind) -> list[Shown]:
    found: list[Shown] = []
    for scene, record in enumerate(records):
        pictures = record.drawings if kind == "drawing" else () if record.photo is None else (record.photo,)
        found += [Shown(scene, record.key, record.label, picture) for picture in pictures if scene in scenes]
    return found
