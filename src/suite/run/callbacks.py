"""What happens around a training run: seeds per step, picture grids, checkpoints, progress."""

import logging
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, Checkpoint, EarlyStopping
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import Tensor

from suite.data.batch import Batch
from suite.errors import UserError
from suite.images import signed_to_uint8, to_pil, to_rgb
from suite.papers.base import Paper
from suite.run.signals import signals_wait

log = logging.getLogger(__name__)


class RunFiles(Callback):
    """Writes down which pictures the run trains and is measured on: splits.json in the run folder."""

    def __init__(self, run: Path) -> None:
        self.run = run

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            path = self.run / "splits.json"
            before = path.read_text(encoding="utf-8") if path.is_file() else None
            trainer.datamodule.write_splits(path)  # type: ignore[attr-defined]
            if before not in (None, path.read_text(encoding="utf-8")):
                log.warning("the pictures are not those that the run began with: splits.json has changed")


class StepSeeds(Callback):
    """Has a step draw from (seed, step, rank), see `Draws`: a run resumed at any step draws as one that went on."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, Paper)
        pl_module.draws.begin(self.seed, trainer.fit_loop.total_batch_idx, trainer.global_rank)


class PictureGrids(Callback):
    """Writes input | output | truth of the first `count` validation pictures to images/, and to W&B.

    The same pictures every time, as uint8; the truth is left out where the data has none. So, too, the first `train`
    training pictures, uncropped, as train_<direction>: the first process alone makes them, and draws no random number.
    """

    def __init__(self, folder: Path, count: int, every_n_validations: int, train: int = 0) -> None:
        self.folder, self.count, self.every, self.train = folder, count, every_n_validations, train
        self.collected = 0
        self.rows: dict[str, list[Tensor]] = {}  # per name of a grid: uint8 (B, 3, H, W * pictures in a row)
        self.training_pictures: list[Batch] | None = None  # uint8

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self._due(trainer) and self.collected < self.count:
            self._add(pl_module, batch, most=self.count - self.collected)
            self.collected += len(batch["index"])

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._due(trainer):
            return
        if self.train > 0:
            self._add_training_pictures(trainer, pl_module)
        assert isinstance(pl_module, Paper)
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, rows in self.rows.items():
            grid = to_pil(arrange(torch.cat(rows)))
            grid.save(self.folder / f"{name}_epoch{trainer.current_epoch + 1:04d}.png")
            for logger in trainer.loggers:
                if isinstance(logger, WandbLogger):
                    logger.log_image(f"pictures/{name}", [grid], step=pl_module.batches)
        self.rows, self.collected = {}, 0

    def _due(self, trainer: pl.Trainer) -> bool:
        number = (trainer.current_epoch + 1) // (trainer.check_val_every_n_epoch or 1)  # of this validation
        return trainer.is_global_zero and number % self.every == 0

    def _add(self, pl_module: pl.LightningModule, batch: Batch, most: int | None = None, prefix: str = "") -> None:
        assert isinstance(pl_module, Paper)
        for direction, output in pl_module.predict(batch).items():
            source, target = batch[direction[0]], batch[direction[-1]]
            pictures = [source, output, target] if batch["paired"] else [source, output]
            rows = torch.cat([to_rgb(signed_to_uint8(p)) for p in pictures], dim=-1).cpu()
            self.rows.setdefault(prefix + direction, []).append(rows[:most])

    def _add_training_pictures(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """In the model's state of validation; what a model draws at random is given back."""
        device, data = pl_module.device, trainer.datamodule  # type: ignore[attr-defined]
        if self.training_pictures is None:
            self.training_pictures = list(data.first_batches("train", self.train))
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            for batch in self.training_pictures:
                on_device = data.transfer_batch_to_device(batch, device, 0)
                self._add(pl_module, data.on_after_batch_transfer(on_device, 0), prefix="train_")


def arrange(rows: Tensor) -> Tensor:
    """Pictures (B, C, H, W) in two columns, which fit a screen better than one: (C, H * ceil(B / 2), 2 * W)."""
    if len(rows) % 2 and len(rows) > 1:
        rows = torch.cat([rows, torch.full_like(rows[:1], 255)])
    columns = rows.chunk(2)
    return torch.cat([torch.cat(list(column), dim=-2) for column in columns], dim=-1)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Saves beside the old checkpoint, then takes its place: a full disk or a kill leaves the old one whole."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with signals_wait(), partial.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except (OSError, RuntimeError) as error:  # torch reports a short write as RuntimeError
            with suppress(OSError):
                partial.unlink()
            cause: Any = error
            while cause and not isinstance(cause, OSError):
                cause = cause.__context__
            reason = cause.strerror if cause else str(error).splitlines()[0]
            raise UserError(f"can't save {path}: {reason}; the previous checkpoint is untouched") from error


class StopEarly(EarlyStopping):
    """Ends a run when the mean of a training loss over an epoch has not fallen for `patience` epochs (Gao 2020, 6.1.5).

    Raises UserError where the model has no such loss.
    """

    def __init__(self, loss: str, patience: int, min_delta: float) -> None:
        super().__init__(f"epoch/{loss}", min_delta, patience, check_on_train_epoch_end=True)
        self.loss = loss

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.monitor not in trainer.callback_metrics:
            losses = (name.partition("/")[2] for name in trainer.callback_metrics if name.startswith("epoch/"))
            raise UserError(f"early_stopping.loss={self.loss}: the losses of this model are {', '.join(losses)}")
        super().on_train_epoch_end(trainer, pl_module)
        if self.stopped_epoch == trainer.current_epoch > 0 and trainer.is_global_zero:
            best = float(self.best_score)
            log.info(
                "stopped early: %s is %.4g at best, and was not lower for %d epochs", self.loss, best, self.patience
            )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        patience = self.patience
        super().load_state_dict(state_dict)
        self.patience = patience  # that of this command: a resumed run may be told to wait longer


class LastCheckpoint(Checkpoint):
    """checkpoints/last.ckpt: what a resumed run starts from.

    At the end of every n-th epoch and of the last one; with `every_n_steps` also after so many steps of the model.
    """

    def __init__(self, folder: Path, every_n_epochs: int, every_n_steps: int | None = None) -> None:
        self.path, self.every_n_epochs, self.every_n_steps = folder / "last.ckpt", every_n_epochs, every_n_steps
        self.due = False
        self.steps = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Paper)
        self.steps = pl_module.steps

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, Paper)
        moved, self.steps = pl_module.steps != self.steps, pl_module.steps  # a critic's batches come between
        self.due = moved and self.every_n_steps is not None and self.steps % self.every_n_steps == 0
        if self.due and not trainer.is_last_batch:  # else when the epoch is validated, too
            trainer.save_checkpoint(self.path, weights_only=False)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        done = trainer.current_epoch + 1
        if self.due or done % self.every_n_epochs == 0 or done == trainer.max_epochs or trainer.should_stop:
            trainer.save_checkpoint(self.path, weights_only=False)


class BestCheckpoint(Checkpoint):
    """checkpoints/best.ckpt: of the validation with the best value of one metric.

    Lightning's ModelCheckpoint keeps a NaN where it came first, and forgets the best value of a run whose folder moved.
    """

    def __init__(self, folder: Path, monitor: str, mode: str) -> None:
        self.path, self.monitor, self.mode = folder / "best.ckpt", monitor, mode
        self.best: float | None = None
        self.told = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.monitor not in trainer.callback_metrics:
            if not self.told:
                there = ", ".join(sorted(name for name in trainer.callback_metrics if name.startswith("val")))
                log.warning("no best.ckpt: metrics.monitor=%s is not among the metrics: %s", self.monitor, there or "-")
            self.told = True
            return
        value = float(trainer.callback_metrics[self.monitor])  # the same on every rank
        if math.isfinite(value) and (self.best is None or self._better(value, self.best)):
            self.best = value
            trainer.save_checkpoint(self.path, weights_only=False)

    def _better(self, value: float, than: float) -> bool:
        return value < than if self.mode == "min" else value > than

    def state_dict(self) -> dict[str, Any]:
        return {"monitor": self.monitor, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if state_dict["monitor"] == self.monitor:  # else the resumed run was told to watch another metric
            self.best = state_dict["best"]


class EpochLines(Callback):
    """One line an epoch where no terminal can show a progress bar: in a log file, a batch job, a notebook."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            values = ((name, float(value)) for name, value in trainer.progress_bar_metrics.items())
            shown = "  ".join(f"{name} {value:.3g}" for name, value in values)
            log.info("epoch %d/%d  %s", trainer.current_epoch + 1, trainer.max_epochs, shown)
