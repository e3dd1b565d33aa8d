"""What training shows of its losses: they stay on the device until it is time to look."""

from abc import abstractmethod
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from suite.updates.loss_log import LossLog, is_loss
from suite.updates.pace import Pace

Report = dict[str, Tensor]  # of a step: losses by name, and what else is seen, by section/name


class ReportedLosses(pl.LightningModule):
    """A LightningModule that says what its steps report: means to its loggers and its progress bar, now and then.

    Raises UserError when a loss or gradient was not finite, naming it and the step: at the next look, and before a
    checkpoint is saved.
    """

    # Lightning's global_step counts every optimizer's step. These are kept in the checkpoint.
    steps = 0  # updates of the generator, or of the network that is trained where there is none
    batches = 0  # training batches

    def __init__(self) -> None:
        super().__init__()
        self._losses, self.pace = LossLog(), Pace()

    @abstractmethod
    def rates_now(self) -> dict[str, float]:
        """The learning rates, by name."""

    @property
    def attached(self) -> bool:
        """Whether a Trainer makes the steps."""
        return self._trainer is not None

    @property
    def scaled(self) -> bool:
        """Whether gradients are scaled, as in 16-mixed: they are infinite at times, and such steps are left out."""
        return self.attached and getattr(self.trainer.precision_plugin, "scaler", None) is not None

    def report(self, seen: Report) -> None:
        """Note the losses of this step, each with its weight, and what else was seen; tensors, that nobody waits for.

        Every `trainer.log_every_n_steps` batches their means go to the loggers. And at the end of an epoch: before it
        is validated, and shown.
        """
        self._losses.add(seen, self.batches)
        if not self.attached:
            return
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if self.batches % every == 0 or self.trainer.is_last_batch or self.trainer.should_stop:
            self._log_losses()

    def _log_losses(self) -> None:
        means = self._losses.flush(self._most_over_ranks, gradients=not self.scaled)  # after it the device is done
        if not means:
            return
        # On the CPU: Lightning reads what a progress bar shows after every step, and would wait for the device.
        losses = {name: torch.tensor(mean) for name, mean in means.items() if is_loss(name)}
        self.log_dict(losses, prog_bar=True, logger=False)
        metrics = {f"train/{name}" if is_loss(name) else name: mean for name, mean in means.items()}
        metrics |= {f"train/{name}": rate for name, rate in self.rates_now().items()}
        speed = {f"speed/{name}": rate * self.trainer.world_size for name, rate in self.pace.look().items()}
        self.to_loggers(metrics | speed)

    def _most_over_ranks(self, value: Tensor) -> Tensor:
        most: Tensor = self.trainer.strategy.reduce(value, reduce_op="max")
        return most

    def to_loggers(self, metrics: dict[str, float]) -> None:
        """Show figures where training is now. Lightning would drop those that are not of the very steps that it picks,
        and count a validation's by batches from 0.
        """
        for logger in self.trainer.loggers:
            logger.log_metrics(metrics | {"epoch": self.current_epoch, "step": self.steps}, step=self.batches)

    def on_train_epoch_start(self) -> None:
        self.pace.begin()

    def on_validation_end(self) -> None:
        self.pace.begin()

    def on_train_epoch_end(self) -> None:
        self._log_losses()
        means = {f"epoch/{name}": mean for name, mean in self._losses.end_epoch().items()}
        self.log_dict(means, sync_dist=True, logger=False)  # for callbacks, such as `StopEarly`

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raises UserError where a loss or gradient since the last look was not finite: nothing has moved since."""
        if self.attached:
            self._losses.check(self._most_over_ranks, gradients=not self.scaled)
        # What is saved while an epoch ends is of the whole epoch, though Lightning counts it a moment later.
        epochs: int = self.trainer.fit_loop.epoch_progress.current.processed if self.attached else 0  # type: ignore[attr-defined]
        checkpoint["done"] = {"epochs": epochs, "steps": self.steps, "batches": self.batches}
        checkpoint["losses"] = self._losses.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.steps, self.batches = checkpoint["done"]["steps"], checkpoint["done"]["batches"]
        if "losses" in checkpoint:  # imported weights have none
            self._losses.load_state_dict(checkpoint["losses"])
