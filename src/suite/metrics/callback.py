"""Metrics on validation and test pictures, for training and `suite.evaluate` alike.

The callback asks the module for `predict(batch)`, a list of `Translation`, and the datamodule for `reals(split, name)`
and `fingerprint(split)`, which of its splits is tested, and whether it knows the truth.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from suite.arguments import File, OneOf, Positive, check_types
from suite.data.batch import Batch
from suite.errors import UserError
from suite.images import is_grey, luma, signed_to_uint8, to_rgb
from suite.metrics import pairwise
from suite.metrics.dinov2 import DINOv2
from suite.metrics.features import Features, Inception, RandomVGG
from suite.metrics.processes import gather
from suite.metrics.real_features import real_features
from suite.metrics.sets import SET_METRICS
from suite.metrics.style_relevance import StyleRelevance
from suite.metrics.table import OF_PAPER, OTHER_THAN_TRUTH, PAIRWISE_METRICS, Table, join, summarise
from suite.networks import weights as weight_files
from suite.networks.lpips import LPIPS
from suite.papers.translation import Translation

log = logging.getLogger(__name__)

FEATURES = ("inception", "random_vgg")
REFERENCES = ("train", "val", "test", "all")
SECTIONS = {"train": "train_pictures", "val": "val", "test": "test"}  # what a split's figures are logged under
# Which file a metric's network needs, and what to set instead of having it.
NEEDED_WEIGHTS = {
    "inception": "metrics.features=random_vgg",
    "alexnet": "metrics.names without lpips",
    "vgg19": "metrics.features=random_vgg or metrics.names without lp and sr",
    "dinov2": "metrics.names without fd_dinov2",
}


@dataclass
class Measured:
    """What one process has measured of one translation."""

    reals: str | None  # the set of real pictures to compare with
    parts: list[Table] = field(default_factory=list)


class MetricsCallback(Callback):
    """FID, KID, precision and recall, MIND, LPIPS, L_p, PSNR, SSIM and L1 of every translation of the module, L1 to the
    closest drawing, and style relevance to an exemplar; with them the figures that a paper itself measures, under their
    own names.

    Logged as `val/fid` for the module's first translation and `val_<name>/fid`, as `val_b2a/fid`, for any other, in a
    test `test/...`, or of training pictures `train_pictures/...`, as `train/...` are losses. With features other than
    Inception the names say so: `val/fd_random_vgg`, `val/kd_random_vgg`, `val/lp_sum_random_vgg19`. Everything runs in
    float32 without autocast and gradients, and leaves the process's random generators as they were. `val/n` is how many
    pictures were measured, and `val/n_real` with how many real ones fid and its kin compare them. Each figure is
    computed from per-picture values gathered over all processes, so several devices give what one gives. Where a
    translation says `luma_where_grey`, its luma is compared with grey truths, and `val/grey_truth` is their share.

    `intervals`: whether figures of two sets have their spread beside them, `val/fid_interval`, `val/kid_std`. That
    takes longer than the figures themselves, so `suite.evaluate` sets it, and training does not.

    names: metrics, any of fid, kid, precision, recall, mind, fd_dinov2, lpips, lp, psnr, ssim, l1, l1_closest, sr; the
    first six where a translation names its real pictures, l1_closest where it gives all drawings of a photo, sr where
    it gives the exemplars of its style, the others where it gives the truth. lp gives three figures, lp_sum, lp_mean
    and lp_norm, and so does sr: sr_colour, sr_texture and their mean sr.
    features: inception is that behind fid, kid, precision, recall and mind, and a published VGG-19 behind lp and sr;
    random_vgg needs no file for any. fd_dinov2 always is of DINOv2's.
    cache_dir: the features of real pictures are kept in its sub-folder `features`.
    weights: paths of the user's own weight files by name (inception, alexnet, vgg19, dinov2); null or absent finds or
        downloads them.
    references: splits whose real pictures the generated ones of a test are compared with by fid and its kin, any of
    train, val, test, all; the tested split is `test/fid`, the others `test/fid_to_<split>`. Validation compares with
    its own.
    max_pictures: at most so many generated pictures per translation, the first of the split; null is all of them.

    Raises UserError for an argument that can't be, and in `setup`, before the first step, for missing weights.
    """

    def __init__(
        self,
        names: Sequence[Annotated[str, OneOf((*SET_METRICS, *PAIRWISE_METRICS))]],
        cache_dir: File,
        features: Annotated[str, OneOf(FEATURES)] = "inception",
        weights: Mapping[Annotated[str, OneOf(NEEDED_WEIGHTS)], File | None] | None = None,
        references: Sequence[Annotated[str, OneOf(REFERENCES)]] = ("test",),
        max_pictures: Positive | None = None,
    ) -> None:
        check_types("metrics.", MetricsCallback, locals())
        self.names = tuple(names)
        self.to_truth = [name for name in PAIRWISE_METRICS if name in names and name not in OTHER_THAN_TRUTH]
        self.cache_dir = Path(cache_dir)
        self.features = features
        self.weights = dict(weights or {})
        self.references = tuple(references)
        self.max_pictures = max_pictures

        self.intervals = False
        self.extractor: Features | None = None
        self.dinov2: Features | None = None
        self.lpips: LPIPS | None = None
        self.lp: pairwise.LP | None = None
        self.sr: StyleRelevance | None = None
        self._measured: dict[str, Measured] = {}  # by name of the translation, in the module's order
        self._told: set[tuple[str, str]] = set()

    # --- networks: held here, so that they never enter the module's state_dict -------------------------------------

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if self._asks_for("features") and self.extractor is None:
            if self.features == "inception":
                self.extractor = Inception(self._weight_file("inception", trainer))
            else:
                self.extractor = RandomVGG()
        if self._asks_for("dinov2") and self.dinov2 is None:
            self.dinov2 = DINOv2(self._weight_file("dinov2", trainer))
        if "lpips" in self.names and data.has_truth and self.lpips is None:
            self.lpips = LPIPS("alex", self._weight_file("alexnet", trainer))
        if "lp" in self.names and data.has_truth and self.lp is None:
            self.lp = pairwise.LP(self._weight_file("vgg19", trainer) if self.features == "inception" else None)
        if "sr" in self.names and self.sr is None:
            self.sr = StyleRelevance(self._weight_file("vgg19", trainer) if self.features == "inception" else None)

    def find_weights(self, data: Any) -> None:
        """Find or download the files that `setup` will load, for a datamodule that is prepared.

        Raises UserError where one can't be had.
        """
        if self.features == "inception" and self._asks_for("features"):
            self._find("inception")
        if self._asks_for("dinov2"):
            self._find("dinov2")
        if "lpips" in self.names and data.has_truth:
            self._find("alexnet")
        if self.features == "inception" and ("sr" in self.names or ("lp" in self.names and data.has_truth)):
            self._find("vgg19")

    def _asks_for(self, features: str) -> bool:
        """Whether any metric compares sets by these features, a column of the table."""
        return any(SET_METRICS[name].features == features for name in self.names if name in SET_METRICS)

    def _find(self, name: str) -> Path:
        option, without = f"metrics.weights.{name}", NEEDED_WEIGHTS[name]
        return weight_files.find(name, self.weights.get(name), option=option, without=without)

    def _weight_file(self, name: str, trainer: Trainer) -> Path:
        """Found by one process a machine first, so that a file is downloaded once; all fail together or none does."""
        message = None
        if trainer.local_rank == 0:
            try:
                self._find(name)
            except UserError as error:
                message = str(error)
        for problem in gather(message, trainer):
            if problem is not None:
                raise UserError(problem)
        return self._find(name)

    # --- collecting --------------------------------------------------------------------------------------------------

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin(pl_module)

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin(pl_module)

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int, *_: Any
    ) -> None:
        if not trainer.sanity_checking:
            self._collect(trainer, pl_module, batch)

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int, *_: Any
    ) -> None:
        self._collect(trainer, pl_module, batch)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._finish(trainer, pl_module, "val", ("val",))

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self._finish(trainer, pl_module, data.test_split, self.references)

    def _begin(self, pl_module: LightningModule) -> None:
        self._measured = {}
        for network in (self.extractor, self.dinov2, self.lpips, self.lp, self.sr):
            if network is not None:
                network.to(pl_module.device)

    def _collect(self, trainer: Trainer, pl_module: LightningModule, batch: Batch) -> None:
        within = self._within(batch["index"])
        if not self.names or not within.any():
            return
        model: Any = pl_module  # `predict` is the papers' own, Lightning knows none
        with _aside(pl_module.device):
            for translation in model.predict(batch):
                if translation.output is None:
                    continue
                # Also where no row counts: every process has to know the first translation from the others.
                measured = self._measured.setdefault(translation.name, Measured(translation.reals))
                rows = within if translation.counts is None else within & translation.counts
                if rows.any():
                    measured.parts.append(self._measure(translation, batch["index"], rows))

    def _within(self, index: Tensor) -> Tensor:
        """Which rows (B,) are among the first `max_pictures` of the split."""
        return torch.ones_like(index, dtype=torch.bool) if self.max_pictures is None else index < self.max_pictures

    def _measure(self, translation: Translation, index: Tensor, rows: Tensor) -> Table:
        """The columns of those rows (B,) of a batch that count, on the CPU."""
        assert translation.output is not None
        fake = translation.output[rows].float().clamp(-1, 1)
        columns: Table = {"index": index[rows]}
        for column, network in (("features", self.extractor), ("dinov2", self.dinov2)):
            if network is not None and translation.reals is not None:
                columns[column] = network(to_rgb(signed_to_uint8(fake)))
        if translation.truth is not None and self.to_truth:
            truth = translation.truth[rows].float().clamp(-1, 1)
            compared = fake
            if translation.luma_where_grey and truth.shape[1] == 3:
                grey = is_grey(truth)
                compared = torch.where(grey[:, None, None, None], to_rgb(luma(fake)), fake)
                columns["grey_truth"] = grey.float()
            measures: dict[str, Callable[[Tensor, Tensor], Tensor] | None]
            measures = {"lpips": self.lpips, "psnr": pairwise.psnr, "ssim": pairwise.ssim, "l1": pairwise.l1}
            for name, measure in measures.items():
                if name in self.names and measure is not None:
                    columns[name] = measure(compared, truth)
            if self.lp is not None:
                columns |= self.lp(compared, truth)
        if translation.drawings is not None and translation.drawing_count is not None and "l1_closest" in self.names:
            drawings = translation.drawings[rows].float().clamp(-1, 1)
            columns["l1_closest"] = pairwise.l1_closest(fake, drawings, translation.drawing_count[rows])
        if translation.style is not None and self.sr is not None:
            columns |= self.sr(fake, translation.style[rows].float().clamp(-1, 1))
        columns |= {f"{OF_PAPER}{name}": values[rows].float() for name, values in translation.figures.items()}
        return {name: column.cpu() for name, column in columns.items()}

    # --- figures -----------------------------------------------------------------------------------------------------

    def _finish(self, trainer: Trainer, pl_module: LightningModule, split: str, references: Sequence[str]) -> None:
        if not self.names:
            return
        shards: list[dict[str, Measured]] = gather(self._measured, trainer)
        self._measured = {}
        figures: dict[str, float] = {}
        seen: set[str] = set()  # columns of any translation so far
        with _aside(pl_module.device):
            for place, name in enumerate(dict.fromkeys(name for shard in shards for name in shard)):
                of_all = [shard[name] for shard in shards if name in shard]
                parts = [part for measured in of_all for part in measured.parts]
                if not parts:
                    continue
                reals, of_dinov2 = (
                    self._reals(network, trainer, split, references, of_all[0].reals)
                    for network in (self.extractor, self.dinov2)
                )
                if not trainer.is_global_zero:
                    continue
                table = join(parts)
                values, missing = summarise(table, reals, self.names, self.features, of_dinov2, self.intervals)
                section = SECTIONS[split] if place == 0 else f"{SECTIONS[split]}_{name}"
                figures |= {f"{section}/{metric}": value for metric, value in values.items()}
                seen |= table.keys()
                self._tell(section, missing, table, seen)
        figures = trainer.strategy.broadcast(figures)
        # All processes hold the same figures; the maximum is their exact agreement where a mean would round.
        # Where no logger is, Lightning returns what it would have shown.
        pl_module.log_dict(figures, sync_dist=True, reduce_fx="max", logger=not trainer.loggers)
        if trainer.loggers and figures:
            model: Any = pl_module
            model.to_loggers(figures)

    def _reals(
        self, network: Features | None, trainer: Trainer, split: str, references: Sequence[str], name: str | None
    ) -> dict[str, Tensor]:
        """Features of the real pictures to compare with, by the suffix of the metrics' names."""
        if network is None or name is None:
            return {}
        return {
            "" if other == split else f"_to_{other}": real_features(network, trainer, other, name, self.cache_dir)
            for other in references
        }

    def _tell(self, section: str, missing: list[str], table: Table, seen: set[str]) -> None:
        lacking = [name for name in self.to_truth if PAIRWISE_METRICS[name][0] not in seen]
        if lacking:
            missing = [*missing, f"{', '.join(lacking)} left out: these pictures have no true counterparts (unpaired)"]
        if "sr" in self.names and "sr" not in seen:
            missing = [*missing, "sr left out: these pictures have no exemplar of their style"]
        of_sets = [name for name in self.names if name in SET_METRICS]
        if of_sets and not {"features", "dinov2"} & table.keys():
            missing = [*missing, f"{', '.join(of_sets)} left out: this model names no real pictures to compare with"]
        if "grey_truth" in table and (grey := int(table["grey_truth"].sum())):
            of_all = f"{grey} of {len(table['grey_truth'])} true pictures are grey"
            colours = f", {' and '.join(of_sets)} the colours as they are" if of_sets else ""
            missing = [*missing, f"{of_all}: {', '.join(self.to_truth)} compare luma there{colours}"]
        for sentence in missing:
            if (section, sentence) not in self._told:
                self._told.add((section, sentence))
                log.warning("%s: %s", section, sentence)


@contextmanager
def _aside(device: torch.device) -> Iterator[None]:
    """Inside, no gradient is recorded, autocast is off, and random numbers drawn are given back.

    That holds for a generator with dropout as for the base seed that a loader over real pictures draws: a run that
    finds its features in the cache must train exactly like one that does not.
    """
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), torch.inference_mode(), torch.autocast(device.type, enabled=False):
        yield
