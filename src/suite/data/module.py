"""The DataModule: the whole data layer behind one class. One batch, from file to loss:

 1. The keys of `conf/data/<name>.yaml` become the attributes of `PictureData`, checked, in keys.py.
 2. The source, a function in sources/, lists a folder as a catalog of records: a photo, its drawings, a label.
 3. splits.py gives each record to train, val or test, and keeps the splits that have what the task needs.
 4. pictures/ decodes every picture once, to uint8 in a memory map: how large says `DataKeys.fit`.
 5. What `a` and `b` are, photo or drawing, and of which set, say `DataKeys.kind` and `DataKeys.of_target`.
 6. A task dataset (pictures/) puts the sample of (epoch, index) together: partner, window, mirror.
 7. The sampler (pictures/loading.py) orders the samples, each rank its own; workers stack them to a batch (batch.py).
 8. On the device `finish` brings the batch to [-1, 1], and makes sketches of photos where `data.sketch` says so.
 9. The paper's `training_step(batch)` translates `batch["a"]`, and its losses compare that with `batch["b"]`.
10. Evaluation goes the same way with nothing random; `reals` gives real pictures alone, for statistics.
"""

import json
import logging
from collections.abc import Iterator
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from pytorch_lightning import LightningDataModule

from suite.data.batch import Batch
from suite.data.catalog import Catalog
from suite.data.finish import Finish, Sketched, sketcher
from suite.data.kept import IN_NO_SPLIT, KeptSplits
from suite.data.keys import DataKeys, PictureKey
from suite.data.labels import check_balanced, count_by_name, names_of
from suite.data.listing import SetKeys
from suite.data.pictures.labelled import BalancedPictures, LabelledPictures
from suite.data.pictures.loading import (
    AtOnce,
    EvalSampler,
    Loader,
    Sampler,
    TrainSampler,
    WithoutPictures,
    batches_done,
    make_loader,
)
from suite.data.pictures.opened import OpenedSplits
from suite.data.pictures.packed import collate
from suite.data.pictures.self_supervised import SelfSupervisedPictures
from suite.data.pictures.tasks import (
    EpochLength,
    PairedPictures,
    PictureList,
    RealPictures,
    Sampling,
    SemiSupervisedPictures,
    UnpairedPictures,
)
from suite.data.sources.helpers.stores import is_distant
from suite.data.splits import ServedSplits, Shown, Splits
from suite.errors import UserError
from suite.files import write_whole

_log = logging.getLogger(__name__)
_LABEL = "label="


class PictureData(DataKeys, LightningDataModule):
    """`DataKeys` as Lightning's trainer takes them: split, cached, put together into samples and batches."""

    test_split = "test"  # what `test_dataloader` gives; `suite.evaluate` also tests the pictures of train

    # How often one epoch goes through the data, in a new order and with new crops and partners each time. Whoever fits
    # a model with n critic steps to one of the generator sets n, before: an epoch then has as many generator steps as
    # the data have batches.
    rounds: int = 1

    # The splits of the run that the pictures are for: it keeps them. None, before `setup`: a run that has none yet.
    kept: KeptSplits | None = None

    # Whether a training batch has pictures. False, before `setup`, for a model that trains on none: a batch is then
    # `index` and `paired` alone, an epoch as long as ever, and no picture of train is opened for it.
    with_pictures: bool = True

    _subset_told = False

    @property
    def catalog(self) -> Catalog:
        """What the source found. Opens no picture."""
        return self._served[0].catalog

    @property
    def splits(self) -> Splits:
        """The readable records of each split that serves the task; after `setup`."""
        return self._own.records

    @cached_property
    def label_names(self) -> tuple[str, ...]:
        """For the task labelled the name of each label, of one without name its number. Opens no picture."""
        return names_of(self.catalog) if self.task == "labelled" else ()

    def label_counts(self, split: str) -> dict[str, int]:
        """How many pictures of `a` each label has in a split, by its name. Opens none."""
        served = self._served[0]
        there = served.pictures(split, self.kind("a"), training=True) if split in served.names else []
        return count_by_name(self.label_names, (shown.label for shown in there))

    @property
    def holds_out(self) -> bool:
        """Whether there are pictures to validate and test on, of both sets where there are two. Opens none."""
        return all(served.holds_out for served in self._served if served is not None)

    @property
    def held_out_alone(self) -> dict[str, int]:
        """Where nothing `holds_out`: what is held out all the same, for nothing, as the other side has none. By key."""
        held_out = {} if self.holds_out else {one.key: one.held_out for one in self._served if one is not None}
        return {key: count for key, count in held_out.items() if count}

    @property
    def has_truth(self) -> bool:
        """Whether evaluation knows what a translation should look like: every picture there has its counterpart."""
        evaluated = [split for split in ("val", self.test_split) if split == "train" or self.holds_out]
        return self.task != "labelled" and any(map(self._evaluates_pairs, evaluated))

    @cached_property
    def sketcher(self) -> Sketched | None:
        return sketcher(self)

    @cached_property
    def finish(self) -> Finish:
        return Finish("a" if self.swap else "b", self.sketcher, self.size)

    def prepare_data(self) -> None:
        """List the source and build the cache, on one rank. Raises UserError for what is wrong with the data."""
        self.setup()

    def setup(self, stage: str | None = None) -> None:
        """List the source and open the cache, on every rank; a second call does nothing."""
        _ = self._own, self._target

    def check_training(self) -> None:
        """Raises UserError where `setup` has found too little for the batches that are asked for."""
        if self.balanced:
            labels = self._pictures("a", "train", training=True).labels
            check_balanced(count_by_name(self.label_names, labels), self.batch_size)
        for split in self.splits.keys() - {"train"}:
            self.check_styles(split, len(self.splits[split]))

    def write_splits(self, path: str | Path) -> None:
        """Write which pictures each split and side has, as JSON, see `suite.data.kept`."""
        content: dict[str, Any] = {"dataset": self.catalog.dataset, "seed": self.seed}
        sides = {key: self._own.names_of(self.kind(key)) for key in self.picture_keys if not self.of_target(key)}
        for split in (*self._own.records, IN_NO_SPLIT):
            content[split] = {key: names[split] for key, names in sides.items()}
        if (target := self._target) is not None:
            (kind,) = target.served.needs.kinds
            content["target"] = target.names_of(kind)
        write_whole(Path(path), json.dumps(content, indent=1) + "\n")

    # Batches ----------------------------------------------------------------------------------------------------------

    def train_dataloader(self) -> Loader:
        self.check_training()
        augment = None if self.augment is None else (self.augment.get("zoom", 0.0), self.augment.get("rotation", 0.0))
        dataset = self._dataset("train", Sampling(self.seed, self.size if self.crop else None, self.flip, augment))
        rank, world = self._rank_and_world()
        per_turn = None
        if isinstance(dataset, SelfSupervisedPictures) and (classes := dataset.classes) is not None:
            per_turn = max(1, classes * self.subset_views // (self.batch_size * world))
            if rank == 0 and classes != self.subset and not self._subset_told:
                self._subset_told = True
                _log.info(f"data.subset={self.subset}: there are {classes} training photos, all of which are a subset")
        if not self.with_pictures:
            dataset = WithoutPictures(dataset)
        group = len(self.label_names) if self.balanced else 1
        of_rank = {"rank": rank, "world": world, "done": self._samples_done, "batches_per_turn": per_turn}
        whole: dict[str, Any] = {"rounds": self.rounds, "batch_size": self.batch_size, "group": group, **of_rank}
        sampler = TrainSampler(len(dataset), dataset.population, self.seed, **whole)
        return self._loader(dataset, sampler, training=True)

    def val_dataloader(self) -> Loader:
        return self.eval_dataloader("val")

    def test_dataloader(self) -> Loader:
        return self.eval_dataloader(self.test_split)

    def predict_dataloader(self) -> Loader:
        return self.eval_dataloader("test")

    def eval_dataloader(self, split: str) -> Loader:
        """The samples of train, val or test in evaluation form: all in order, each rank its part, nothing random."""
        dataset = self._dataset(split)
        return self._loader(dataset, EvalSampler(len(dataset), *self._rank_and_world()))

    def first_batches(self, split: str, count: int) -> Iterator[Batch]:
        """The first `count` samples of a split in evaluation form, uint8, on any rank: made here, without a loader."""
        dataset = self._dataset(split)
        places = range(min(count, len(dataset)))
        for start in places[:: self.eval_batch_size]:
            yield collate([dataset[index] for index in places[start : start + self.eval_batch_size]])

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """uint8 to float in [-1, 1]."""
        return self.finish(batch)

    def listed(self, split: str, key: PictureKey) -> list[Shown]:
        """The pictures of a split that a key of a batch is taken from, in evaluation. Opens none.

        Where `data.sketch` makes the drawings, those are the photos. Raises UserError where the split has none.
        """
        served = self._served[self.of_target(key)]
        assert served is not None, f"no data set has {key}"
        return served.pictures(split, self.kind(key))

    # Real pictures ----------------------------------------------------------------------------------------------------

    @property
    def real_names(self) -> tuple[str, ...]:
        """What `reals` can give: `a`, `b`, `target`, as batches have them, and for labelled `label=<name>` of `a`.

        After `setup`: `target_truth` is there where a split has it.
        """
        splits = () if self._target is None else self._target.served.names
        truth = ["target_truth"] if any(map(self._has_target_truth, splits)) else []
        return (*self.picture_keys, *truth, *(f"{_LABEL}{name}" for name in self.label_names))

    def reals(self, split: str, name: str) -> Loader:
        """The pictures of a name as {`picture`: uint8 (B, C, size, size), `index`: (B,)}, in evaluation form.

        `split` is train, val, test, or all: every picture of the data set, also those of no split. Of a split that has
        target_truth, the targets are those with truth. Each rank gets them all, in the same order. A label may have
        none in a split. Raises UserError for what is not in `real_names`.
        """
        if name not in self.real_names:
            raise UserError(f"no real pictures are called {name}: choose from {', '.join(self.real_names)}")
        key = cast(PictureKey, "a" if name.startswith(_LABEL) else name)
        if key == "target_truth" and not self._has_target_truth(split):
            raise UserError(f"no target_truth: no {self.kind('target')} of data.target's split {split} has one")
        pictures = self._set_of(key).reals(split, self.kind(key))
        if key != name:
            pictures = pictures.of_label(self.label_names.index(name.removeprefix(_LABEL)))
        look = None
        if self.sketcher is not None and self.kind(key) == "drawing" and not self.of_target(key):
            look = self.sketcher.of_uint8
        dataset = RealPictures(pictures, look)
        return self._loader(dataset, EvalSampler(len(dataset)))

    def fingerprint(self, split: str) -> str:
        """A hash that changes when the pictures that `reals(split, ...)` gives under any name do."""
        parts = [opened.fingerprint(split) for opened in (self._own, self._target) if opened is not None]
        if self.task == "labelled":  # the same pictures may have other labels
            labels = [shown.label for shown in self._own.served.pictures(split, self.kind("a"))]
            parts.append(sha256(json.dumps([self.label_names, labels]).encode()).hexdigest()[:16])
        if self.sketcher is not None:
            parts.append(self.sketcher.fingerprint())
        return "-".join(parts)

    # From the data sets to samples ------------------------------------------------------------------------------------

    @cached_property
    def _served(self) -> tuple[ServedSplits, ServedSplits | None]:
        """Both sets, checked before either is decoded: that may take an hour."""

        def serve(wanted: SetKeys, catalog: Catalog, of_target: bool) -> ServedSplits:
            sides = {key: self.kind(key) for key in self.picture_keys if self.of_target(key) is of_target}
            kept = None
            if self.kept is not None:
                kept = self.kept.of_set(wanted.key, wanted.place, catalog, sides, drawn=wanted.split is not None)
            return ServedSplits(catalog, wanted.split, self.seed, wanted.key, self.needs(of_target), kept)

        own = serve(self.own_set, self.list_pictures(), of_target=False)
        if self.target_set is None or (catalog := self.list_target()) is None:
            return own, None
        target = serve(self.target_set, catalog, of_target=True)
        self.check_apart(own.catalog, catalog)
        self.warn_of_pairs(own.catalog, catalog)
        return own, target

    @cached_property
    def _own(self) -> OpenedSplits:
        return self._open(self.own_set, self._served[0], of_target=False)

    @cached_property
    def _target(self) -> OpenedSplits | None:
        if self.target_set is None or (served := self._served[1]) is None:
            return None
        return self._open(self.target_set, served, of_target=True)

    def _open(self, wanted: SetKeys, served: ServedSplits, of_target: bool) -> OpenedSplits:
        catalog = served.catalog
        folder = None if wanted.streaming else self.cache_folder  # what fits no disk is not decoded onto one
        fit = partial(self.fit, of_target=of_target)
        opened = OpenedSplits(served, fit, folder, self.skip_broken, training=self.with_pictures)
        if self._rank_and_world()[0] == 0:
            _log.info(catalog.summary())
            for warning in catalog.warnings:
                _log.warning(warning)
            for remark in (*catalog.unread.lines(), *opened.remarks()):
                _log.info(remark)
        return opened

    def _set_of(self, key: PictureKey) -> OpenedSplits:
        opened = self._target if self.of_target(key) else self._own
        assert opened is not None, f"no data set has {key}"
        return opened

    def _pictures(self, key: PictureKey, split: str, training: bool) -> PictureList:
        """What a key of a batch is taken from."""
        return self._set_of(key).pictures(split, self.kind(key), training)

    def _has_target_truth(self, split: str) -> bool:
        """Whether evaluation knows what targets of the split should look like; it then leaves the others out."""
        return self._target is not None and self._target.served.has_truth(split)

    def _evaluates_pairs(self, split: str) -> bool:
        """Whether `a` and `b` show one scene in evaluation: unpaired models, too, are measured where all have truth."""
        return self.task != "unpaired" or (self.target is None and self._own.served.all_pairs(split))

    def _dataset(self, split: str, sampling: Sampling | None = None) -> Any:
        """The samples of a split; without `sampling` as in evaluation."""
        training = sampling is not None
        length: EpochLength = self.epoch_length if training else "max"
        a = self._pictures("a", split, training)
        if self.balanced and sampling is not None:
            return BalancedPictures(a, len(self.label_names), length, sampling)
        if self.task == "labelled":
            return LabelledPictures(a, length, sampling)
        b = self._pictures("b", split, training)
        if self.task == "unpaired" and (training or not self._evaluates_pairs(split)):
            return UnpairedPictures(a, b, length, sampling)
        photos, drawings = (b, a) if self.swap else (a, b)
        every, simulated = self.drawings == "all", self.sketch is not None
        pairs = PairedPictures(photos, drawings, self.swap, every, length, sampling, simulated)
        if self.task == "self_supervised":
            if not training:
                self.check_styles(split, len(pairs))
            mismatched = self.mismatched if split == "test" else None
            return SelfSupervisedPictures(pairs, self.size, self.seed, self.subset, mismatched)
        if self.task == "semi_supervised":
            truth = None
            if not training and self._has_target_truth(split):
                truth = self._pictures("target_truth", split, training)
            return SemiSupervisedPictures(pairs, self._pictures("target", split, training), truth)
        return pairs

    def _loader(self, dataset: Any, sampler: Sampler[Any], training: bool = False) -> Loader:
        on_cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        size = self.batch_size if training else self.eval_batch_size
        packed = [where for where in (self.streaming, (self.target or {}).get("streaming")) if where]
        samples = AtOnce(dataset) if packed else dataset
        distant = any(map(is_distant, packed))
        return make_loader(samples, sampler, size, self.workers, training, on_cuda, distant)

    def _samples_done(self) -> int:
        """Of the epoch that is going on, on this rank: not 0 where a run is resumed within it."""
        return 0 if self.trainer is None else batches_done(self.trainer) * self.batch_size

    def _rank_and_world(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)
