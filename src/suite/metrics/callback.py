"""Metrics on validation and test pictures, for training and `suite.evaluate` alike.

The callback asks the module for `predict(batch) -> {"a2b": fake_b, "b2a": fake_a, ...}` and the datamodule for
`reals(split, side)` and `fingerprint(split)`, which of its splits is tested, and where it knows the truth.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from suite.data.batch import Batch
from suite.errors import UserError
from suite.images import signed_to_uint8, to_rgb
from suite.metrics import feature_cache, pairwise
from suite.metrics import weights as weight_files
from suite.metrics.features import Features, Inception, RandomVGG
from suite.metrics.table import PAIRWISE_METRICS, SET_METRICS, Table, join, summarise

log = logging.getLogger(__name__)

FEATURES = ("inception", "random_vgg")
REFERENCES = ("train", "val", "test", "all")
SECTIONS = {"train": "train_pictures", "val": "val", "test": "test"}  # what a split's figures are logged under
# Which file a metric's network needs, and what to set instead of having it.
NEEDED_WEIGHTS = {
    "inception": "metrics.features=random_vgg",
    "alexnet": "metrics.names without lpips",
}


class MetricsCallback(Callback):
    """FID, KID, LPIPS, PSNR, SSIM and L1 of every direction that the module predicts, and L1 to the closest drawing.

    Logged as `val/fid` for direction a2b and `val_b2a/fid` for any other, in a test `test/...`, or of training pictures
    `train_pictures/...`, as `train/...` are losses. With features other than Inception the names say so:
    `val/fd_random_vgg`, `val/kd_random_vgg`. Everything runs in float32 without autocast and gradients, and leaves the
    process's random generators as they were. Each figure is computed from per-picture values gathered over all
    processes, so several devices give what one gives.

    names: metrics, any of fid, kid, lpips, psnr, ssim, l1, l1_closest; but for the first two only where batches are
    paired, and the last only where they hold all drawings of a photo and those are what is predicted.
    features: the network behind fid and kid, inception or random_vgg.
    cache_dir: the features of real pictures are kept in its sub-folder `features`.
    weights: paths of the user's own weight files by name (inception, alexnet); null or absent finds or downloads them.
    references: splits whose real pictures the generated ones of a test are compared with by fid and kid, any of train,
    val, test, all; the tested split is `test/fid`, the others `test/fid_to_<split>`. Validation compares with its own.
    max_pictures: at most so many generated pictures per direction, the first of the split; null is all of them.

    Raises UserError for an argument that can't be, and in `setup`, before the first step, for missing weights.
    """

    def __init__(
        self,
        names: Sequence[str],
        cache_dir: str,
        features: str = "inception",
        weights: Mapping[str, str | None] | None = None,
        references: Sequence[str] = ("test",),
        max_pictures: int | None = None,
    ) -> None:
        _only(names, SET_METRICS + PAIRWISE_METRICS, "metrics.names")
        _only([features], FEATURES, "metrics.features")
        _only(weights or {}, NEEDED_WEIGHTS, "metrics.weights")
        _only(references, REFERENCES, "metrics.references")
        if max_pictures is not None and max_pictures < 1:
            raise UserError(f"metrics.max_pictures={max_pictures}: give a number from 1 up, or null for all")
        self.names = tuple(names)
        self.cache_dir = cache_dir
        self.features = features
        self.weights = dict(weights or {})
        self.references = tuple(references)
        self.max_pictures = max_pictures

        self.extractor: Features | None = None
        self.lpips: pairwise.LPIPS | None = None
        self._tables: dict[str, list[Table]] = {}
        self._told: set[tuple[str, str]] = set()

    # --- networks: held here, so that they never enter the module's state_dict -------------------------------------

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if any(name in SET_METRICS for name in self.names) and self.extractor is None:
            if self.features == "inception":
                self.extractor = Inception(self._weight_file("inception", trainer))
            else:
                self.extractor = RandomVGG()
        if "lpips" in self.names and data.has_truth and self.lpips is None:
            self.lpips = pairwise.LPIPS(self._weight_file("alexnet", trainer))

    def find_weights(self, data: Any) -> None:
        """Find or download the files that `setup` will load, for a datamodule that is prepared.

        Raises UserError where one can't be had.
        """
        if self.features == "inception" and any(name in SET_METRICS for name in self.names):
            self._find("inception")
        if "lpips" in self.names and data.has_truth:
            self._find("alexnet")

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
        for problem in _gather(message, trainer):
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
        self._tables = {}
        for network in (self.extractor, self.lpips):
            if network is not None:
                network.to(pl_module.device)

    def _collect(self, trainer: Trainer, pl_module: LightningModule, batch: Batch) -> None:
        if not self.names:
            return
        model: Any = pl_module  # `predict` is the papers' own, Lightning knows none
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        with _aside(pl_module.device):
            wanted = self._wanted(batch)
            if not any(rows.any() for rows in wanted.values()):
                return
            for direction, fake in model.predict(batch).items():
                source, target = direction.split("2")
                rows = wanted[source].to(fake.device)
                if not rows.any():
                    continue
                truth = batch[target][rows] if batch["paired"] else None
                several = None
                if "drawings" in batch and target == data.side_of_drawings:
                    several = batch["drawings"][rows], batch["drawing_count"][rows]
                table = {"index": batch["index"].to(fake.device)[rows], **self._measure(fake[rows], truth, several)}
                on_cpu = {name: column.cpu() for name, column in table.items()}
                self._tables.setdefault(direction, []).append(on_cpu)

    def _wanted(self, batch: Batch) -> dict[str, Tensor]:
        """For each source side the rows (B,) that count: no repeat of the shorter side, none beyond max_pictures."""
        index = batch["index"]
        rows = torch.ones_like(index, dtype=torch.bool) if self.max_pictures is None else index < self.max_pictures
        return {side: rows & batch[f"fresh_{side}"] if f"fresh_{side}" in batch else rows for side in ("a", "b")}

    def _measure(self, fake: Tensor, truth: Tensor | None, several: tuple[Tensor, Tensor] | None) -> Table:
        """Columns for fakes (B, C, H, W) in [-1, 1] and, where there are any, their true counterparts.

        `several`: all of those, (B, K, C, H, W) padded, and how many there are of each, (B,).
        """
        columns: Table = {}
        fake = fake.float().clamp(-1, 1)
        if self.extractor is not None:
            columns["features"] = self.extractor(to_rgb(signed_to_uint8(fake)))
        if truth is not None:
            truth = truth.float().clamp(-1, 1)
            measures: dict[str, Callable[[Tensor, Tensor], Tensor] | None]
            measures = {"lpips": self.lpips, "psnr": pairwise.psnr, "ssim": pairwise.ssim, "l1": pairwise.l1}
            for name, measure in measures.items():
                if name in self.names and measure is not None:
                    columns[name] = measure(fake, truth)
        if several is not None and "l1_closest" in self.names:
            drawings, count = several
            columns["l1_closest"] = pairwise.l1_closest(fake, drawings.float().clamp(-1, 1), count)
        return columns

    # --- figures -----------------------------------------------------------------------------------------------------

    def _finish(self, trainer: Trainer, pl_module: LightningModule, split: str, references: Sequence[str]) -> None:
        if not self.names:
            return
        mine = {direction: join(parts) for direction, parts in self._tables.items()}
        self._tables = {}
        shards = _gather(mine, trainer)
        figures: dict[str, float] = {}
        with _aside(pl_module.device):
            for direction in sorted({direction for shard in shards for direction in shard}):
                target = direction.split("2")[1]
                reals = {
                    "" if other == split else f"_to_{other}": self._reals(trainer, pl_module.device, other, target)
                    for other in (references if self.extractor is not None else ())
                }
                if not trainer.is_global_zero:
                    continue
                table = join(shard[direction] for shard in shards if direction in shard)
                values, missing = summarise(table, reals, self.names, self.features)
                section = SECTIONS[split] if direction == "a2b" else f"{SECTIONS[split]}_{direction}"
                figures |= {f"{section}/{name}": value for name, value in values.items()}
                self._tell(section, missing, table)
        figures = trainer.strategy.broadcast(figures)
        # All processes hold the same figures; the maximum is their exact agreement where a mean would round.
        pl_module.log_dict(figures, sync_dist=True, reduce_fx="max")

    def _tell(self, section: str, missing: list[str], table: Table) -> None:
        wanted = [name for name in PAIRWISE_METRICS if name in self.names and name != "l1_closest"]  # few data have it
        lacking = [name for name in wanted if name not in table]
        if lacking:
            missing = [*missing, f"{', '.join(lacking)} left out: these pictures have no true counterparts (unpaired)"]
        for sentence in missing:
            if (section, sentence) not in self._told:
                self._told.add((section, sentence))
                log.warning("%s: %s", section, sentence)

    def _reals(self, trainer: Trainer, device: torch.device, split: str, side: str) -> Tensor:
        """Features (N, d) of a split's real pictures; kept on disk, complete on the first process only."""
        assert self.extractor is not None
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        loader = data.reals(split, side)
        if len(loader.dataset) == 0:
            return torch.empty(0, self.extractor.num_features)
        size = tuple(loader.dataset[0]["picture"].shape)
        path = feature_cache.cache_path(self.cache_dir, self.extractor.key, data.fingerprint(split), side, size)
        kept = feature_cache.load(path, self.extractor.num_features) if trainer.is_global_zero else None
        # One process decides for all: on machines without a shared disk they would not agree.
        if trainer.strategy.broadcast(kept is not None):
            return torch.empty(0, self.extractor.num_features) if kept is None else kept

        if trainer.is_global_zero:
            what = f"{len(loader.dataset)} real pictures ({split}, side {side})"
            log.info("computing %s features of %s, kept in %s", self.features, what, path)
        parts: list[Table] = []
        for number, batch in enumerate(loader):
            if number % trainer.world_size == trainer.global_rank:
                features = self.extractor(to_rgb(batch["picture"].to(device)))
                parts.append({"index": batch["index"].cpu(), "features": features.cpu()})
        table = join(_gather(join(parts), trainer))
        if trainer.is_global_zero:
            feature_cache.save(path, table["features"])
        return table["features"]


def _only(given: Iterable[str], known: Iterable[str], key: str) -> None:
    if isinstance(given, str):
        raise UserError(f"{key}={given}: give a list, [{given}]")
    for name in given:
        if name not in known:
            raise UserError(f"{key}: '{name}' is unknown; known are {', '.join(known)}")


def _gather(value: Any, trainer: Trainer) -> list[Any]:
    """The values of all processes in the order of their rank."""
    if trainer.world_size == 1:
        return [value]
    values: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(values, value)
    return values


@contextmanager
def _aside(device: torch.device) -> Iterator[None]:
    """Inside, no gradient is recorded, autocast is off, and random numbers drawn are given back.

    That holds for a generator with dropout as for the base seed that a loader over real pictures draws: a run that
    finds its features in the cache must train exactly like one that does not.
    """
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), torch.inference_mode(), torch.autocast(device.type, enabled=False):
        yield
