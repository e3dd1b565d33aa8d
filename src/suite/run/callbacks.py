"""What happens around a training run: its splits written down, seeds per step, an early end, lines of progress."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping

from suite.arguments import Count, Name, NonNegative, Positive, check_types
from suite.errors import UserError
from suite.papers.base import Paper
from suite.run.contents import check_moments
from suite.run.folder import SPLITS_FILE

log = logging.getLogger(__name__)


class RunFiles(Callback):
    """Has a run begin its files, and writes down, once, which pictures it trains and is measured on: splits.json.

    When everything is built: what can't work was refused by then, and leaves the folder as it was. `begun`: that is
    behind it.
    """

    begun = False

    def __init__(self, run: Path, begin: Callable[[], None]) -> None:
        self.run, self.begin = run, begin

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        check_moments(trainer.optimizers)
        self.begun = True
        if not trainer.is_global_zero:
            return
        self.begin()
        if not (path := self.run / SPLITS_FILE).exists():
            trainer.datamodule.write_splits(path)  # type: ignore[attr-defined]


class StepSeeds(Callback):
    """Has a step draw from (seed, step, rank), see `Draws`: a run resumed at any step draws as one that went on."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, Paper)
        pl_module.draws.begin(self.seed, trainer.fit_loop.total_batch_idx, trainer.global_rank)


class CompileTime(Callback):
    """Says how long the first step took, in which torch.compile makes the networks, and how long the next: seconds.

    A step is a whole round of batches, where a game has several critic updates.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self._began = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, Paper)
        of_round = pl_module.batches_per_step
        if len(self.seconds) == 2 * of_round:
            return
        self.seconds.append(time.perf_counter() - self._began)
        if len(self.seconds) == 2 * of_round and trainer.is_global_zero:
            first, second = sum(self.seconds[:of_round]), sum(self.seconds[of_round:])
            log.info("compiled: the first step took %.1f s, the next %.1f s", first, second)


class _StopEarlyState(TypedDict, total=False):
    """What Lightning keeps of it in a checkpoint, and reads back as it is."""

    wait_count: Count
    stopped_epoch: Count
    best_score: torch.Tensor


class StopEarly(EarlyStopping):
    """Ends a run when the mean of a training loss over an epoch has not fallen for `patience` epochs (Gao 2020, 6.1.5).

    Raises UserError where the model has no such loss.
    """

    def __init__(self, loss: Name, patience: Positive, min_delta: NonNegative) -> None:
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
        check_types("callbacks.StopEarly.", _StopEarlyState, state_dict)
        patience = self.patience
        super().load_state_dict(state_dict)
        self.patience = patience  # that of this command: a resumed run may be told to wait longer


class EpochLines(Callback):
    """One line an epoch where no terminal can show a progress bar: in a log file, a batch job, a notebook."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            assert isinstance(pl_module, Paper)
            of = f"/{trainer.max_epochs}" if trainer.max_epochs != -1 else ""
            if pl_module.schedule.unit == "step":
                of += f", step {pl_module.steps}/{pl_module.schedule.total}"
            values = ((name, float(value)) for name, value in trainer.progress_bar_metrics.items())
            shown = "  ".join(f"{name} {value:.3g}" for name, value in values)
            log.info("epoch %d%s  %s", trainer.current_epoch + 1, of, shown)
