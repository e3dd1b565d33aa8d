"""Splits whose pictures are open: decoded into the cache, and listed for the task datasets."""

from collections.abc import Callable, Iterator
from pathlib import Path

from suite.data.catalog import Kind, Record, Split
from suite.data.kept import IN_NO_SPLIT, kept_name
from suite.data.pictures import store as cache
from suite.data.pictures.copies import Placed, find_copies
from suite.data.pictures.decode import MOST_BROKEN, Fit, broken
from suite.data.pictures.headers import check_alike
from suite.data.pictures.room import check_room
from suite.data.pictures.tasks import PictureList
from suite.data.splits import ServedSplits, Shown, Splits
from suite.errors import UserError


class OpenedSplits:
    """The pictures of the splits that serve; of their truth those of val and test, as no training looks at it.

    `fit(kind, training)` says how pictures of a kind are stored; `folder` is the cache's, None for no cache. Without
    `training` those of train are listed and not looked at. Raises UserError for pairs of different shapes that are to
    cover a square, and for broken pictures: for the first one, or with `skip_broken` for more than 1 %.
    """

    def __init__(
        self,
        served: ServedSplits,
        fit: Callable[[Kind, bool], Fit],
        folder: Path | None,
        skip_broken: bool,
        training: bool = True,
    ) -> None:
        self.served, self.fit, self.folder, self.skip_broken, self.training = served, fit, folder, skip_broken, training
        self._check_shapes()
        opens = [
            (split, kind)
            for split in served.names
            for kind in self._kinds(split)
            if kind in served.needs.kinds or split != "train"
        ]
        if folder is not None:
            of_cache = (self._stored(*place) for place in opens if training or place[0] != "train")
            wanted = (([shown.picture for shown in pictures], fit) for pictures, fit in of_cache)
            check_room(wanted, folder, served.catalog.dataset)
        self.lists: dict[tuple[Split, Kind], PictureList] = {place: self._open_split(*place) for place in opens}
        self._report_broken()
        self.copies = self._leave_out_copies()
        self.records: Splits = {split: self._readable(split) for split in served.names}
        self._fingerprints: dict[str, str] = {}
        for split in served.names:
            if folder is not None and split != "train":
                self.fingerprint(split)  # now: from here on, a run that has all in its cache needs the files no more

    def _check_shapes(self) -> None:
        """Raises UserError where the two of a pair would be cut apart."""
        served = self.served
        if self.fit(served.needs.kinds[0], False).resize == "cover":
            check_alike((record for split in served.paired_splits for record in served.records[split]), served.key)

    def remarks(self) -> Iterator[str]:
        """What people should know of the splits, a line each."""
        served, needs = self.served, self.served.needs
        if served.validates_on_test and needs.truth is None:
            where = "" if served.key == "data" else f" in {served.key}"
            yield f"no validation pictures{where}: validation, and the choice of best.ckpt, use the test pictures"
        for split in served.names:
            if split != "train" and (lacking := served.without_truth(split)):
                of_all = f"{lacking} of {lacking + len(self.records[split])} {needs.kinds[0]}s of {split}"
                yield f"{served.key}: {of_all} have no {needs.truth} and are left out of it"

    def pictures(self, split: str, kind: Kind, training: bool) -> PictureList:
        """Those of one kind, in `training` as they are stored to be cropped from, else in evaluation form."""
        if split == "train" and not training:
            return self.reals(split, kind)
        return self.lists[self.served.resolve(split), kind]

    def reals(self, split: str, kind: Kind) -> PictureList:
        """Those of one kind as in evaluation, also of the train split, and with `all` of every record."""
        if split != "all" and (of := self.served.resolve(split)) != "train" and (of, kind) in self.lists:
            return self.lists[of, kind]  # open already: the files may be gone by now
        found = self._open(self.served.pictures(split, kind), self.fit(kind, False), build=False)
        return found.without(self._copies(split))

    def names_of(self, kind: Kind) -> dict[str, list[str]]:
        """What splits.json calls the pictures of one kind, of each split that serves, and of those in none."""
        there = [record for record in self.served.catalog.records if record.pictures(kind)]
        drawn = self.served.wanted is not None
        called = {id(record): kept_name(record, kind, drawn) for record in there}
        names: dict[str, list[str]] = {}
        used: set[int] = set()
        for split in self.records:
            records = self.served.records[split]
            shown = [records[scene] for scene in self.lists[split, kind].scenes]
            names[split] = [called[id(record)] for record in shown]
            used |= {id(record) for record in shown}
        return names | {IN_NO_SPLIT: [called[id(record)] for record in there if id(record) not in used]}

    def fingerprint(self, split: str) -> str:
        """A hash that changes when what `reals` gives of any kind does, of the files as they were when first asked."""
        split = split if split == "all" else self.served.resolve(split)
        if split not in self._fingerprints:
            hashes = []
            for kind in self._kinds(split):
                shown = [one for one in self.served.pictures(split, kind) if one.scene not in self._copies(split)]
                hashes.append(cache.fingerprint([one.picture for one in shown], self.fit(kind, False)))
            self._fingerprints[split] = "-".join(hashes)
        return self._fingerprints[split]

    def _copies(self, split: str) -> set[int]:
        return set() if split == "all" else self.copies.get(self.served.resolve(split), set())

    def _kinds(self, split: str) -> tuple[Kind, ...]:
        """What there is to open of a split: what the task needs, and the truth of it where there is some."""
        needs = self.served.needs
        return (*needs.kinds, needs.truth) if needs.truth is not None and self.served.has_truth(split) else needs.kinds

    def _open_split(self, split: Split, kind: Kind) -> PictureList:
        pictures, fit = self._stored(split, kind)
        if split == "train" and not self.training:
            return self._listed(pictures, cache.DecodedStore([shown.picture for shown in pictures], fit))
        return self._open(pictures, fit, build=True)

    def _stored(self, split: Split, kind: Kind) -> tuple[list[Shown], Fit]:
        of_train = split == "train"
        return self.served.pictures(split, kind, of_train), self.fit(kind, of_train)

    def _open(self, pictures: list[Shown], fit: Fit, build: bool) -> PictureList:
        """Reads through the cache; without `build`, only where it is there or is needed to find the broken ones."""
        only = [shown.picture for shown in pictures]
        cached: cache.CachedStore | None = None
        if self.folder is not None:
            open_ = cache.open_cache if build or self.skip_broken else cache.find_cache
            cached = open_(only, fit, self.folder, self.served.catalog.dataset, self.skip_broken)
        store = cached or cache.DecodedStore(only, fit)
        if store.broken and not self.skip_broken:
            raise broken(only[min(store.broken)], "found when it was packed")
        return self._listed(pictures, store)

    def _listed(self, pictures: list[Shown], store: cache.Store) -> PictureList:
        rows = [row for row in range(len(pictures)) if row not in store.broken]
        shown = [pictures[row] for row in rows]
        return PictureList(
            store, rows, [one.scene for one in shown], [one.key for one in shown], [one.label for one in shown]
        )

    def _report_broken(self) -> None:
        read = [(split, kind) for split, kind in self.lists if self.training or split != "train"]
        # By name: a photo that stands for its own drawing is in the lists of both.
        names = {name for place in read for name in self.lists[place].store.broken.values()}
        if names:
            of_all = (shown for split, kind in read for shown in self.served.pictures(split, kind, split == "train"))
            total = len({shown.picture.name for shown in of_all})
            some = ", ".join(sorted(names)[:3]) + ", ..." * (len(names) > 3)
            if len(names) > MOST_BROKEN * total:
                raise UserError(
                    f"{len(names)} of {total} pictures are broken, more than 1 %: {some}; mend or remove them"
                )
            self.served.catalog.warnings.append(f"{len(names)} of {total} pictures are broken and skipped: {some}")

    def _leave_out_copies(self) -> dict[Split, set[int]]:
        """Take out of val and test the scenes with the pixels of a training picture, where their split was drawn.

        Those that the source names stay, and so do all of a split that nothing would be left of. Nothing is found where
        pictures are not cached.
        """
        served, needs, catalog = self.served, self.served.needs, self.served.catalog
        looked: list[Placed] = []
        scenes: list[int] = []
        for (split, kind), pictures in self.lists.items():
            # A simulated drawing is its photo: to look at both would find everything twice.
            of_photos = catalog.simulated is not None and kind == "drawing" and "photo" in needs.kinds
            if kind not in needs.kinds or of_photos or (digests := pictures.store.digests()) is None:
                continue
            shown = served.pictures(split, kind, training=split == "train")
            for row, scene in zip(pictures.rows, pictures.scenes, strict=True):
                if not served.records[split][scene].of_every_split:
                    looked.append(Placed(split, kind, shown[row].picture.name, digests[row].tobytes()))
                    scenes.append(scene)
        if (copies := find_copies(looked)) is None:
            return {}
        left_out: dict[Split, set[int]] = {}
        for number in copies.of_train:
            split = looked[number].split
            if served.was_drawn(served.records[split][scenes[number]]):
                left_out.setdefault(split, set()).add(scenes[number])
        for split in list(left_out):
            fewer = {kind: self.lists[split, kind].without(left_out[split]) for kind in self._kinds(split)}
            if all(fewer.values()):
                self.lists |= {(split, kind): pictures for kind, pictures in fewer.items()}
            else:
                del left_out[split]
        gone = {n for n in copies.of_train if scenes[n] in left_out.get(looked[n].split, ())}
        catalog.warnings.append(copies.line(catalog.dataset, gone))
        return left_out

    def _readable(self, split: Split) -> list[Record]:
        needs = self.served.needs
        of_kinds = [set(self.lists[split, kind].scenes) for kind in needs.kinds]
        scenes = set.intersection(*of_kinds) if needs.paired else set.union(*of_kinds)
        return [record for scene, record in enumerate(self.served.records[split]) if scene in scenes]
