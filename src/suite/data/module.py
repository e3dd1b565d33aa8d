"""The DataModule: a source, a task, a cache and the loaders.

source ─► catalog ─► splits ─► cache ─► task dataset ─► loader ─► device: augment ─► batch (data/batch.py)
"""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning import LightningDataModule

from suite.data.arguments import check, one_of
from suite.data.augment import Augment, Sketched
from suite.data.batch import Batch
from suite.data.catalog import Catalog
from suite.data.decode import Fit, Resize
from suite.data.listing import check_several_drawings, list_source, with_labels, with_sketches
from suite.data.loading import AtOnce, EvalSampler, Loader, Place, Sampler, TrainSampler, make_loader
from suite.data.opened import Kind, OpenedSplits
from suite.data.splits import Splits
from suite.data.tasks import (
    EpochLength,
    LabelledPictures,
    OneSide,
    PairedPictures,
    Sampling,
    SemiSupervisedPictures,
    UnpairedPictures,
)
from suite.errors import UserError

_log = logging.getLogger(__name__)

Task = Literal["unpaired", "paired", "labelled", "semi_supervised", "self_supervised"]
Side = Literal["a", "b"]


class PictureData(LightningDataModule):
    """Any source under any task.

    `conf/data/_common.yaml` says what each argument means; what is not named here is an option of the source, see its
    function. Nothing touches the disk before `prepare_data`. Wrong values raise UserError that names the key.
    """

    def __init__(
        self,
        *,
        source: str,
        task: Task = "unpaired",
        root: str | None = None,
        streaming: str | None = None,
        size: int = 256,
        load_size: int = 286,
        resize: Resize = "squash",
        crop: bool = True,
        flip: float = 0.5,
        channels_a: Literal[1, 3] = 3,
        channels_b: Literal[1, 3] = 3,
        direction: Literal["a2b", "b2a"] = "a2b",
        sketch: str | None = None,
        sketch_options: Mapping[str, Any] | None = None,
        target: Mapping[str, Any] | None = None,
        batch_size: int = 1,
        eval_batch_size: int = 16,
        workers: int = 2,
        seed: int = 0,
        split: Mapping[str, float] | None = None,
        epoch_length: Literal["max", "min", "a", "b"] | int = "max",
        disjoint: bool = False,
        drawings: Literal["one", "all"] = "one",
        on_broken: Literal["error", "skip"] = "error",
        cache: bool = True,
        cache_dir: str = "~/.cache/suite",
        **options: Any,
    ) -> None:
        super().__init__()
        check(PictureData.__init__, dict(locals()))

        self.source, self.task, self.options, self.target = source, task, options, target
        self.root, self.streaming = root, streaming
        self.size, self.load_size, self.resize, self.crop = size, load_size, resize, crop
        self.channels_a, self.channels_b, self.swap = channels_a, channels_b, direction == "b2a"
        self.batch_size, self.eval_batch_size, self.workers, self.seed = batch_size, eval_batch_size, workers, seed
        self.split, self.epoch_length, self.disjoint, self.drawings = split, epoch_length, disjoint, drawings
        self.skip_broken = on_broken == "skip"
        self.cache_folder = Path(cache_dir).expanduser() / "pictures" if cache else None
        self.sketch = Sketched(sketch, dict(sketch_options or {}), self._channels("drawing")) if sketch else None
        drawing_side: Side = "a" if self.swap else "b"
        strokes = task == "self_supervised"
        self.augment = Augment(size, load_size, crop, flip, drawing_side, self.sketch, strokes, seed)
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
        return self.task != "unpaired" or any(self._open().all_pairs(split) for split in ("val", "test"))

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
        drawn = "" if self.sketch is None else f"-{self.sketch.fingerprint()}"
        return self._open().fingerprint(split) + drawn

    def train_dataloader(self) -> Loader:
        dataset = self._dataset("train", Sampling(self.seed, self.load_size if self._cuts_windows else None))
        rank, world = self._rank_and_world()
        sampler = TrainSampler(len(dataset), dataset.population, self.seed, rank, world)
        if len(sampler) < self.batch_size:
            raise UserError(
                f"data.batch_size={self.batch_size}: an epoch has only {len(sampler)} samples on each device; "
                "lower it, or raise data.epoch_length"
            )
        return self._loader(dataset, sampler, training=True)

    def val_dataloader(self) -> Loader:
        return self._eval_loader("val")

    def test_dataloader(self) -> Loader:
        return self._eval_loader("test")

    def predict_dataloader(self) -> Loader:
        return self._eval_loader("test")

    def reals(self, split: str, side: Side) -> Loader:
        """The pictures of one side as {`picture`: uint8 (B, C, size, size), `index`: (B,)}, in evaluation form.

        `split` is train, val, test, or all: every picture of the data set, also those of no split. Each rank gets them
        all, in the same order.
        """
        one_of("side", side, ("a", "b"))
        kind = self._kind(side)
        look = self.sketch.of_uint8 if self.sketch is not None and kind == "drawing" else None
        pictures = OneSide(self._open().reals(split, kind), look)
        return self._loader(pictures, EvalSampler(len(pictures)))

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """uint8 to float in [-1, 1]; random crop and flip only while training."""
        return self.augment(batch, training=self.trainer is not None and bool(self.trainer.training))

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
        if self._opened_target is None and self.target is not None:
            given = dict(self.target)
            source, root, split = given.pop("source"), given.pop("root", None), given.pop("split", None)
            streaming = given.pop("streaming", None)
            catalog = list_source("data.target", source, root, given, self.drawn_size, streaming)
            kinds, folder = (self._kind("a"),), None if streaming else self.cache_folder
            self._opened_target = self._open_catalog(
                "data.target", catalog, split, kinds, False, self._fit_target, folder
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

    def list_pictures(self) -> Catalog:
        """What the source finds, as the task wants it: labelled records, photos whose drawings will be simulated.

        Opens no picture. Raises UserError where the source finds nothing, or no record has what the task needs.
        """
        catalog = list_source("data", self.source, self.root, self.options, self.drawn_size, self.streaming)
        if self.sketch is not None:
            catalog = with_sketches(catalog, self.sketch.style)
        if self.drawings == "all":
            check_several_drawings(catalog)
        return with_labels(catalog, self.source) if self.task == "labelled" else catalog

    def _fit_kind(self, kind: Kind, training: bool) -> Fit:
        # A photo whose sketch is to be simulated is stored once, as the photo that it is.
        return self._fit(self._channels("photo" if self.sketch is not None else kind), training)

    def _fit_target(self, kind: Kind, training: bool) -> Fit:
        return self._fit(self.channels_a, training)

    def _fit(self, channels: int, training: bool) -> Fit:
        if training and self.crop:
            return Fit(self.load_size, channels, self.resize, whole=self._cuts_windows)
        return Fit(self.size, channels, self.resize)

    def _kind(self, side: Side) -> Kind:
        return "photo" if (side == "a") != self.swap else "drawing"

    def _channels(self, kind: Kind) -> int:
        return self.channels_a if self._kind("a") == kind else self.channels_b

    @property
    def _batch_sides(self) -> tuple[Side, ...]:
        return ("a",) if self.task == "labelled" else ("a", "b")

    @property
    def drawn_size(self) -> int:
        """Pixels at which a source that draws its pictures does so: as large as they are stored."""
        return self._fit(3, training=True).side

    @property
    def _cuts_windows(self) -> bool:
        return self.crop and self.resize == "cover"

    def _dataset(self, split: str, sampling: Sampling | None = None) -> Any:
        """The samples of a split; without `sampling` as in evaluation."""
        opened = self._open()
        length: EpochLength = "max" if sampling is None else self.epoch_length
        if self.task == "labelled":
            return LabelledPictures(opened.side(split, self._kind("a")), length, sampling)
        photos, drawings = opened.side(split, "photo"), opened.side(split, "drawing")
        # Where every picture has its true counterpart, unpaired models are measured against it, too.
        if self.task == "unpaired" and (sampling is not None or not opened.all_pairs(split)):
            a, b = (drawings, photos) if self.swap else (photos, drawings)
            return UnpairedPictures(a, b, length, sampling)
        every, simulated = self.drawings == "all", self.sketch is not None
        pairs = PairedPictures(photos, drawings, self.swap, every, length, sampling, simulated)
        target = self._open_target()
        return pairs if target is None else SemiSupervisedPictures(pairs, target.side(split, self._kind("a")))

    def _eval_loader(self, split: str) -> Loader:
        dataset = self._dataset(split)
        return self._loader(dataset, EvalSampler(len(dataset), *self._rank_and_world()))

    def _loader(self, dataset: Any, sampler: Sampler[Place], training: bool = False) -> Loader:
        on_cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        size = self.batch_size if training else self.eval_batch_size
        samples = AtOnce(dataset) if self.streaming else dataset
        return make_loader(samples, sampler, size, self.workers, drop_last=training, pin_memory=on_cuda)

    def _rank_and_world(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)
