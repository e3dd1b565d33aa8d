"""The DataModule: a source, a task, a cache and the loaders.

source ─► catalog ─► splits ─► cache ─► task dataset ─► loader ─► device: finish ─► batch (data/batch.py)
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningDataModule

from suite.data.batch import Batch
from suite.data.catalog import Catalog
from suite.data.checks import one_of
from suite.data.finish import Finish, sketcher
from suite.data.keys import Kind, Pictures, Side
from suite.data.pictures.decode import Fit
from suite.data.pictures.loading import AtOnce, EvalSampler, Loader, Place, Sampler, TrainSampler, collate, make_loader
from suite.data.pictures.opened import OpenedSplits
from suite.data.pictures.tasks import (
    EpochLength,
    LabelledPictures,
    OneSide,
    PairedPictures,
    Sampling,
    SelfSupervisedPictures,
    SemiSupervisedPictures,
    UnpairedPictures,
)
from suite.data.splits import Splits
from suite.errors import UserError

_log = logging.getLogger(__name__)


class PictureData(Pictures, LightningDataModule):
    """`Pictures` as Lightning's trainer takes them: split, cached, put together into samples and batches."""

    test_split = "test"  # what `test_dataloader` gives; `suite.evaluate` also tests the pictures of train

    @wraps(Pictures.__init__)  # type: ignore[misc]  # so that help() and the check of keys see the arguments
    def __init__(self, **arguments: Any) -> None:
        LightningDataModule.__init__(self)
        Pictures.__init__(self, **arguments)
        self.sketcher = sketcher(self)
        drawing_side: Side = "a" if self.swap else "b"
        self.finish = Finish(drawing_side, self.sketcher)
        self._opened: OpenedSplits | None = None
        self._opened_target: OpenedSplits | None = None

    @property
    def catalog(self) -> Catalog:
        """What the source found; after `setup`."""
        return self._open().catalog

    @property
    def splits(self) -> Splits:
        """The readable records of each split that serves the task; after `setup`."""
        return self._open().records

    @property
    def has_truth(self) -> bool:
        """Whether evaluation knows what a translation should look like: every picture there has its counterpart."""
        if self.task == "labelled":
            return False
        return self.task != "unpaired" or any(self._open().all_pairs(split) for split in ("val", self.test_split))

    def prepare_data(self) -> None:
        """List the source and build the cache, on one rank. Raises UserError for what is wrong with the data."""
        self._open()

    def setup(self, stage: str | None = None) -> None:
        """List the source and open the cache, on every rank; a second call does nothing."""
        self._open()

    def write_splits(self, path: str | Path) -> None:
        """Write the record keys of each split and side as JSON."""
        opened = self._open()
        content: dict[str, Any] = {"dataset": opened.catalog.dataset, "seed": self.seed}
        for split in opened.records:
            content[split] = {side: opened.sides[split, self._kind(side)].keys for side in self._batch_sides}
        if (target := self._open_target()) is not None:
            content["target"] = {split: target.sides[split, self._kind("a")].keys for split in target.records}
        Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def fingerprint(self, split: str) -> str:
        """A hash that changes when the pictures that `reals(split, ...)` gives do, on either side."""
        drawn = "" if self.sketcher is None else f"-{self.sketcher.fingerprint()}"
        return self._open().fingerprint(split) + drawn

    def train_dataloader(self) -> Loader:
        dataset = self._dataset("train", Sampling(self.seed, self.size if self.crop else None, self.flip))
        rank, world = self._rank_and_world()
        sampler = TrainSampler(len(dataset), dataset.population, self.seed, rank, world, self._samples_done)
        if len(sampler) < self.batch_size:
            raise UserError(
                f"data.batch_size={self.batch_size}: an epoch has only {len(sampler)} samples on each device; "
                "lower it, or raise data.epoch_length"
            )
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

    def reals(self, split: str, side: Side) -> Loader:
        """The pictures of one side as {`picture`: uint8 (B, C, size, size), `index`: (B,)}, in evaluation form.

        `split` is train, val, test, or all: every picture of the data set, also those of no split. Each rank gets them
        all, in the same order.
        """
        one_of("side", side, ("a", "b"))
        kind = self._kind(side)
        look = self.sketcher.of_uint8 if self.sketcher is not None and kind == "drawing" else None
        pictures = OneSide(self._open().reals(split, kind), look)
        return self._loader(pictures, EvalSampler(len(pictures)))

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """uint8 to float in [-1, 1]."""
        return self.finish(batch)

    def _samples_done(self) -> int:
        """Of the epoch that is going on, on this rank: not 0 where a run is resumed within it."""
        if self.trainer is None or not self.trainer.training:
            return 0
        # Counted by what was trained on: the loader and its workers are ahead of it.
        return int(self.trainer.fit_loop.epoch_loop.batch_progress.current.ready) * self.batch_size

    def _open(self) -> OpenedSplits:
        if self._opened is None:
            catalog = self.list_pictures()
            paired = self.task not in ("unpaired", "labelled")
            kinds = tuple(self._kind(side) for side in self._batch_sides)
            folder = None if self.streaming else self.cache_folder  # what fits no disk is not decoded onto one
            self._opened = self._open_catalog("data", catalog, self.split, kinds, paired, self._fit_kind, folder)
            if self._rank_and_world()[0] == 0 and self._opened.validates_on_test:
                _log.info("no validation pictures: validation, and the choice of best.ckpt, use the test pictures")
            self._open_target()
        return self._opened

    def _open_target(self) -> OpenedSplits | None:
        if self._opened_target is None and self.target is not None and (catalog := self.list_target()) is not None:
            folder = None if self.target.get("streaming") else self.cache_folder
            self._opened_target = self._open_catalog(
                "data.target", catalog, self.target.get("split"), (self._kind("a"),), False, self._fit_target, folder
            )
        return self._opened_target

    def _open_catalog(
        self,
        key: str,
        catalog: Catalog,
        split: Mapping[str, float] | None,
        kinds: tuple[Kind, ...],
        paired: bool,
        fit: Callable[[Kind, bool], Fit],
        folder: Path | None,
    ) -> OpenedSplits:
        disjoint = self.disjoint and self.task == "unpaired"
        task = f"data.task={self.task}" if key == "data" else key
        opened = OpenedSplits(
            key, catalog, split, self.seed, task, kinds, paired, disjoint, fit, folder, self.skip_broken
        )
        if self._rank_and_world()[0] == 0:
            _log.info(catalog.summary())
            for warning in catalog.warnings:
                _log.warning(warning)
        return opened

    def _dataset(self, split: str, sampling: Sampling | None = None) -> Any:
        """The samples of a split; without `sampling` as in evaluation."""
        opened = self._open()
        length: EpochLength = "max" if sampling is None else self.epoch_length
        training = sampling is not None
        if self.task == "labelled":
            return LabelledPictures(opened.side(split, self._kind("a"), training), length, sampling)
        photos = opened.side(split, "photo", training)
        drawings = opened.side(split, "drawing", training)
        # Where every picture has its true counterpart, unpaired models are measured against it, too.
        if self.task == "unpaired" and (training or not opened.all_pairs(split)):
            a, b = (drawings, photos) if self.swap else (photos, drawings)
            return UnpairedPictures(a, b, length, sampling)
        every, simulated = self.drawings == "all", self.sketch is not None
        pairs = PairedPictures(photos, drawings, self.swap, every, length, sampling, simulated)
        if self.task == "self_supervised":
            return SelfSupervisedPictures(pairs, self.size, self.seed)
        target = self._open_target()
        return pairs if target is None else SemiSupervisedPictures(pairs, target.side(split, self._kind("a"), training))

    def _loader(self, dataset: Any, sampler: Sampler[Place], training: bool = False) -> Loader:
        on_cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        size = self.batch_size if training else self.eval_batch_size
        samples = AtOnce(dataset) if self.streaming else dataset
        return make_loader(samples, sampler, size, self.workers, drop_last=training, pin_memory=on_cuda)

    def _rank_and_world(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)
