"""The DataModule: a source, a task, a cache and the loaders.

source ─► catalog ─► splits ─► cache ─► task dataset ─► loader ─► device: augment ─► batch (data/batch.py)
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pytorch_lightning import LightningDataModule

from suite.data.arguments import one_of, share, truth, whole_number
from suite.data.augment import Augment
from suite.data.batch import Batch
from suite.data.catalog import Catalog
from suite.data.decode import Fit, Resize
from suite.data.loading import EvalSampler, Loader, Place, Sampler, TrainSampler, make_loader
from suite.data.opened import Kind, OpenedSplits
from suite.data.sources import check_options, find_source, source_arguments, source_options
from suite.data.splits import Splits, check_wanted
from suite.data.tasks import OneSide, PairedPictures, Sampling, UnpairedPictures
from suite.errors import UserError

__all__ = ["PictureData", "Provides", "source_options"]

_log = logging.getLogger(__name__)


class Provides(NamedTuple):
    """What a model can count on, known before any file is looked at."""

    paired: bool
    size: int
    channels_a: int
    channels_b: int


class PictureData(LightningDataModule):
    """Any source under any task.

    `conf/data/_common.yaml` says what each argument means; what is not named here is an option of the source, see its
    function. Nothing touches the disk before `prepare_data`. Wrong values raise UserError that names the key.
    """

    def __init__(
        self,
        *,
        source: str,
        task: Literal["paired", "unpaired"] = "unpaired",
        root: str | None = None,
        size: int = 256,
        load_size: int = 286,
        resize: Resize = "squash",
        crop: bool = True,
        flip: float = 0.5,
        channels_a: Literal[1, 3] = 3,
        channels_b: Literal[1, 3] = 3,
        direction: Literal["a2b", "b2a"] = "a2b",
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
        one_of("task", task, ("paired", "unpaired"))
        whole_number("size", size, least=1)
        whole_number("load_size", load_size, least=1)
        one_of("resize", resize, ("squash", "cover"))
        truth("crop", crop)
        if crop and size > load_size:
            raise UserError(
                f"data.size={size} is larger than data.load_size={load_size}, which it is cropped from: "
                "raise data.load_size, or set data.crop=false"
            )
        share("flip", flip)
        one_of("channels_a", channels_a, (1, 3))
        one_of("channels_b", channels_b, (1, 3))
        one_of("direction", direction, ("a2b", "b2a"))
        whole_number("batch_size", batch_size, least=1)
        whole_number("eval_batch_size", eval_batch_size, least=1)
        whole_number("workers", workers, least=0)
        whole_number("seed", seed, least=0)
        if split is not None:
            check_wanted(split)
        if isinstance(epoch_length, int):
            whole_number("epoch_length", epoch_length, least=1)
        else:
            one_of("epoch_length", epoch_length, ("max", "min", "a", "b", "a number of samples"))
        truth("disjoint", disjoint)
        one_of("drawings", drawings, ("one", "all"))
        one_of("on_broken", on_broken, ("error", "skip"))
        truth("cache", cache)
        if on_broken == "skip" and not cache:
            raise UserError("data.on_broken=skip needs data.cache=true: broken pictures are found while it is built")
        check_options(source, options)

        self.source, self.task, self.root, self.options = source, task, root, options
        self.size, self.load_size, self.resize, self.crop = size, load_size, resize, crop
        self.channels_a, self.channels_b, self.swap = channels_a, channels_b, direction == "b2a"
        self.batch_size, self.eval_batch_size, self.workers, self.seed = batch_size, eval_batch_size, workers, seed
        self.split, self.epoch_length, self.disjoint, self.drawings = split, epoch_length, disjoint, drawings
        self.skip_broken = on_broken == "skip"
        self.cache_folder = Path(cache_dir).expanduser() / "pictures" if cache else None
        self.augment = Augment(size, load_size, crop, flip)
        self._opened: OpenedSplits | None = None

    @property
    def provides(self) -> Provides:
        return Provides(self.task == "paired", self.size, self.channels_a, self.channels_b)

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
        return self.task == "paired" or any(self._open().all_pairs(split) for split in ("val", "test"))

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
            content[split] = {
                "a": opened.sides[split, self._kind("a")].keys,
                "b": opened.sides[split, self._kind("b")].keys,
            }
        Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def fingerprint(self, split: str) -> str:
        """A hash that changes when the pictures that `reals(split, ...)` gives do, on either side."""
        return self._open().fingerprint(split)

    def train_dataloader(self) -> Loader:
        photos, drawings = self._open().both("train")
        sampling = Sampling(self.seed, self.load_size if self.crop and self.resize == "cover" else None)
        dataset: PairedPictures | UnpairedPictures
        if self.task == "paired":
            dataset = PairedPictures(photos, drawings, self.swap, self.drawings == "all", self.epoch_length, sampling)
        else:
            a, b = (drawings, photos) if self.swap else (photos, drawings)
            dataset = UnpairedPictures(a, b, self.epoch_length, sampling)
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

    def reals(self, split: str, side: Literal["a", "b"]) -> Loader:
        """The pictures of one side as {`picture`: uint8 (B, C, size, size), `index`: (B,)}, in evaluation form.

        `split` is train, val, test, or all: every picture of the data set, also those of no split. Each rank gets them
        all, in the same order.
        """
        one_of("side", side, ("a", "b"))
        pictures = OneSide(self._open().reals(split, self._kind(side)))
        return self._loader(pictures, EvalSampler(len(pictures)))

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """uint8 to float in [-1, 1]; random crop and flip only while training."""
        return self.augment(batch, training=self.trainer is not None and bool(self.trainer.training))

    def _open(self) -> OpenedSplits:
        if self._opened is None:
            catalog = self._list()
            paired = self.task == "paired"
            self._opened = OpenedSplits(
                catalog,
                self.split,
                self.seed,
                paired=paired,
                disjoint=self.disjoint and not paired,
                fit=self._fit,
                folder=self.cache_folder,
                skip_broken=self.skip_broken,
            )
            if self._rank_and_world()[0] == 0:
                _log.info(catalog.summary())
                if self._opened.validates_on_test:
                    _log.info("no validation pictures: validation, and the choice of best.ckpt, use the test pictures")
                for warning in catalog.warnings:
                    _log.warning(warning)
        return self._opened

    def _list(self) -> Catalog:
        arguments = source_arguments(self.source)
        given = dict(self.options)
        if "root" in arguments:
            if self.root is None:
                raise UserError(f"data.root is missing: say where the pictures of data.source={self.source} are")
            given["root"] = self.root
        if "size" in arguments:  # a source that draws its pictures draws them as large as they are stored
            given["size"] = self._fit("photo", training=True).side
        return find_source(self.source)(**given)

    def _fit(self, kind: Kind, training: bool) -> Fit:
        channels = self.channels_a if self._kind("a") == kind else self.channels_b
        if training and self.crop:
            return Fit(self.load_size, channels, self.resize, whole=self.resize == "cover")
        return Fit(self.size, channels, self.resize)

    def _kind(self, side: Literal["a", "b"]) -> Kind:
        return "photo" if (side == "a") != self.swap else "drawing"

    def _eval_loader(self, split: str) -> Loader:
        photos, drawings = self._open().both(split)
        dataset: PairedPictures | UnpairedPictures
        # Where every picture has its true counterpart, unpaired models are measured against it, too.
        if self.task == "paired" or self._open().all_pairs(split):
            dataset = PairedPictures(photos, drawings, self.swap, self.task == "paired" and self.drawings == "all")
        else:
            dataset = UnpairedPictures(*((drawings, photos) if self.swap else (photos, drawings)))
        return self._loader(dataset, EvalSampler(len(dataset), *self._rank_and_world()))

    def _loader(self, dataset: Any, sampler: Sampler[Place], training: bool = False) -> Loader:
        on_cuda = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        size = self.batch_size if training else self.eval_batch_size
        return make_loader(dataset, sampler, size, self.workers, drop_last=training, pin_memory=on_cuda)

    def _rank_and_world(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)
