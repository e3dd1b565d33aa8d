"""checkpoints/ of a run folder: the last, the best, those of chosen steps and epochs, each whole or not there."""

import logging
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from suite.arguments import Positive, check_value
from suite.errors import UserError
from suite.papers.base import Paper
from suite.run.loggers import read_metrics
from suite.run.signals import signals_wait

log = logging.getLogger(__name__)

SAVED = ".saved"  # in a run's folder, once it has saved a last.ckpt


class AtomicCheckpointIO(TorchCheckpointIO):
    """Saves beside the old checkpoint, then takes its place: a full disk or a kill leaves the old one whole."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with signals_wait():  # also until it is in its place
                with partial.open("wb") as file:
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


class OfSteps(Checkpoint):
    """What counts steps of the model, where Lightning counts batches: a critic's batches come between."""

    steps = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.step_made(pl_module)

    def step_made(self, pl_module: pl.LightningModule) -> bool:
        """Whether the model has made a step since this was last asked."""
        assert isinstance(pl_module, Paper)
        moved, self.steps = pl_module.steps != self.steps, pl_module.steps
        return moved


class LastCheckpoint(OfSteps):
    """checkpoints/last.ckpt: what a resumed run starts from.

    At the end of every n-th epoch and of the last one; with `every_n_steps` also after so many steps of the model.
    """

    def __init__(self, folder: Path, every_n_epochs: Positive, every_n_steps: Positive | None = None) -> None:
        self.path, self.every_n_epochs, self.every_n_steps = folder / "last.ckpt", every_n_epochs, every_n_steps
        self.due = False

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        moved = self.step_made(pl_module)
        self.due = moved and self.every_n_steps is not None and self.steps % self.every_n_steps == 0
        # Behind a validation that follows: else a resumed run would lack it, or best.ckpt forget what it was.
        if self.due and not trainer.is_last_batch and not validates_now(trainer):
            self._save(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.due and not trainer.is_last_batch:  # else with the epoch
            self._save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        done = trainer.current_epoch + 1
        if self.due or done % self.every_n_epochs == 0 or done == trainer.max_epochs or trainer.should_stop:
            self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.path, weights_only=False)
        if trainer.is_global_zero:
            (self.path.parent.parent / SAVED).touch()


def validates_now(trainer: pl.Trainer) -> bool:
    """Whether validations are counted in steps, and one is due after the batch that ends."""
    every: Any = trainer.val_check_batch
    counted = trainer.enable_validation and trainer.check_val_every_n_epoch is None
    return counted and (trainer.fit_loop.total_batch_idx + 1) % every == 0


def refuse_lost(run: Path, config: DictConfig) -> None:
    """Raises UserError where a run to be resumed has no last.ckpt, and must have had one: it would start over.

    A run that ended before it saved its first may start over: it comes to the same. One of an earlier release has no
    mark of it; where its metrics go on behind the first that was due, there was one.
    """
    folder = run / "checkpoints"
    if (folder / "last.ckpt").exists() or (folder / "last.ckpt.partial").exists():
        return
    epochs = steps = 0  # behind it, as far as its metrics say
    for row in read_metrics(run):
        if row.get("epoch", "").isdigit() and row.get("step", "").isdigit():
            epochs, steps = max(epochs, int(row["epoch"])), max(steps, int(row["step"]))
    every_n_steps = config.checkpoint.every_n_steps
    went_on = epochs >= config.checkpoint.every_n_epochs or (every_n_steps is not None and steps > every_n_steps)
    if went_on or any((run / name).exists() for name in (SAVED, "conclusion.txt")):
        raise UserError(
            f"{folder / 'last.ckpt'} is missing, and was there: put it back, or train a fresh run in another folder"
        )


class StepCheckpoints(OfSteps):
    """checkpoints/step<N>.ckpt: the model after chosen numbers of its steps.

    Whole but for the optimizers: to translate, to measure and to start from, and not to resume.
    """

    def __init__(self, folder: Path, at_steps: Sequence[Positive]) -> None:
        self.folder, self.at_steps = folder, frozenset(at_steps)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if self.step_made(pl_module) and self.steps in self.at_steps:
            trainer.save_checkpoint(self.folder / f"{step_name(self.steps)}.ckpt", weights_only=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if never := [step_name(step) for step in sorted(self.at_steps) if step > self.steps]:
            log.warning("no %s.ckpt: the training ended after %d steps", ".ckpt, ".join(never), self.steps)


def step_name(step: int) -> str:
    """What the checkpoint of a step is called, as in checkpoint=step500."""
    return f"step{step}"


class EpochCheckpoints(Checkpoint):
    """checkpoints/epoch<N>.ckpt: the model after every n-th epoch, where `keep` says n; as those of steps."""

    def __init__(self, folder: Path, keep: Positive | None) -> None:
        self.folder, self.keep = folder, keep

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        done = trainer.current_epoch + 1
        if self.keep is not None and done % self.keep == 0:
            trainer.save_checkpoint(self.folder / f"epoch{done}.ckpt", weights_only=True)


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
            check_value("callbacks.BestCheckpoint.best", state_dict["best"], float | None)
            self.best = state_dict["best"]
