"""Alternating updates by hand: optimizers by name, their schedule and counters, what is frozen, averaged and reported.

A step is fit to be recorded (as a CUDA graph): what is decided by chance comes in from `draw`, which step it is from
`next_step`; inside, nothing is read back from a tensor, nothing branches on a value, and memory stays where it is.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from suite.arguments import Count, NonNegative, ShareBelowOne
from suite.data.batch import Batch
from suite.errors import UserError
from suite.updates.draws import Draws
from suite.updates.ema import EMA
from suite.updates.freezing import freeze, learning_alone, learnt
from suite.updates.halting import Halt
from suite.updates.loss_log import LossLog, is_loss
from suite.updates.optimizer import OptimizerName, forget, in_groups, make_optimizer, norm_of_gradients
from suite.updates.rates import LearningRates
from suite.updates.replay import ReplayPool
from suite.updates.schedule import Schedule

Report = dict[str, Tensor]  # of a step: losses by name, and what else is seen, by section/name
Step = Callable[[Batch, dict[str, Tensor]], Report]


class AlternatingUpdates(pl.LightningModule):
    """A LightningModule whose step makes one update after the other, each of some networks.

    A loss or gradient that is not finite reaches no weight: nothing moves from there on, see `Halt`. Raises UserError
    that names it and the step at the next look at the losses, and before a checkpoint is saved.
    """

    batches_per_step = 1  # training batches for a step

    def __init__(
        self,
        *,
        optimizer: OptimizerName,
        lr: NonNegative,
        betas: tuple[ShareBelowOne, ShareBelowOne],
        epochs: Count,
        decay_epochs: Count,
        steps: Count | None,
        decay_steps: Count,
        clip_norm: NonNegative,
        ema_decay: ShareBelowOne,
        freeze: list[str],
        d_lr: NonNegative | None = None,  # checkpoints of before it was there have none
        stage: str | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.stage = stage
        self.optimizer, self.lr, self.d_lr, self.betas = optimizer, lr, d_lr, betas
        self.schedule = Schedule("epoch", epochs, decay_epochs)
        if steps is not None:
            self.schedule = Schedule("step", steps, decay_steps)
        elif decay_steps:
            raise UserError(f"model.decay_steps={decay_steps} without model.steps: set both, or model.decay_epochs")
        self.clip_norm, self.ema_decay, self.freeze_names = clip_norm, ema_decay, freeze
        self.ema: EMA | None = None
        # Networks that nobody trains, as of features, by name: on the model's device, and in no checkpoint.
        self.held: dict[str, nn.Module] = {}
        # Lightning's global_step counts every optimizer's step. These are kept in the checkpoint.
        self.steps = 0  # updates of the generator, or of the network that is trained where there is none
        self.batches = 0  # training batches
        self.draws = Draws(stage)  # what is random in a training step
        self.halt = Halt()
        self._losses = LossLog()
        self._norms: Report = {}  # of the gradients of this step
        self._moving: list[str] = []  # the optimizers that have something to learn
        self._updating = ""  # whose step is being made
        self._resting: list[nn.Module] = []  # networks of earlier stages
        self._own_optimizers: list[Optimizer] = []  # outside of a run
        self._rates = LearningRates(self.schedule)

    # What a paper defines -------------------------------------------------------------------------------------------

    @abstractmethod
    def trained(self) -> dict[str, dict[str, nn.Module]]:
        """The networks that are trained: by the name of their optimizer, then by their own; one may have several."""

    @abstractmethod
    def generators(self) -> dict[str, nn.Module]:
        """The networks that translate, by name; the EMA averages those that are trained."""

    def step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        """One update of every network: the paper's algorithm. A paper with stages has `<stage>_step` for each."""
        raise NotImplementedError

    def draw(self, batch: Batch) -> dict[str, Tensor]:
        """What the coming step decides by chance, as tensors on the batch's device."""
        return {}

    def before_step(self, batch: Batch) -> None:
        """What is decided between steps and changes weights, in place: as a head that starts anew.

        The same on every rank: weights are not sent from one to another.
        """

    def slowed(self) -> Mapping[str, float]:
        """The share of its optimizer's learning rate that a network has now, by its name; all others have the whole.

        The names stay the same all along, as each is a group of its own in an optimizer; what they have may change
        from step to step, as a function of what is in a checkpoint.
        """
        return {}

    def next_step(self) -> tuple[Step, bool]:
        """Which step the coming batch is for, and whether it counts as one."""
        return getattr(self, "step" if self.stage is None else f"{self.stage}_step"), True

    # Putting it together --------------------------------------------------------------------------------------------

    def assemble(self) -> None:
        """To be called when the networks are there: freezes what is not trained, and begins the average."""
        freeze(self.freeze_names, self, self.networks())
        for network in self.held.values():
            network.requires_grad_(False).eval()
        self._moving = [name for name, group in self.trained().items() if any(map(learnt, group.values()))]
        if not self._moving:
            raise UserError(
                f"model.freeze={self.freeze_names} leaves nothing to train: the networks are "
                f"{', '.join(self.networks())}"
            )
        if self.d_lr is not None and self.stage is None and not any(map(is_discriminator, self.trained())):
            raise UserError(f"model.d_lr={self.d_lr:g}: {type(self).__name__} trains no discriminator; leave it null")
        trained = {id(network) for network in self.networks().values()}
        self._resting = [
            child for child in self.children() if id(child) not in trained and any(True for _ in child.parameters())
        ]
        for network in self._resting:
            network.requires_grad_(False).eval()
        for part in self.modules():
            if isinstance(part, ReplayPool):
                part.halt = self.halt
        self.begin_average()

    def begin_average(self) -> None:
        """With what the generators are now; of those that are trained."""
        mine = self.networks()
        averaged = {name: network for name, network in self.generators().items() if name in mine}
        if self.ema_decay > 0 and averaged:
            self.ema = EMA(averaged, self.ema_decay)

    def networks(self) -> dict[str, nn.Module]:
        """All trained networks, by name."""
        return {name: network for group in self.trained().values() for name, network in group.items()}

    @property
    def frozen_stages(self) -> list[str]:
        """The names of the networks that an earlier stage has trained, and this one builds on."""
        return [name for name, child in self.named_children() if child in self._resting]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        for network in self.held.values():
            network._apply(fn)
        return super()._apply(fn, recurse)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for network in self._resting:
            network.eval()
        return self

    # One step -------------------------------------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """What is decided is decided here; the step itself is tensors alone."""
        self.before_step(batch)
        self.write_rates()
        self._norms = {}
        step, counts = self.next_step()
        reported = self.make_step(step, batch, self.draw(batch))
        self.batches += 1
        self.steps += counts
        if self._attached and self.schedule.unit == "step" and self.steps >= self.schedule.total:
            self.trainer.should_stop = True
        self.report(reported | self._norms)

    def make_step(self, step: Step, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        """One step, with what it draws, of which nothing stays where a loss or gradient is not finite."""
        changed = self.networks() if self.ema is None else self.networks() | {"ema": self.ema}
        buffers = {id(buffer): buffer for network in changed.values() for buffer in network.buffers()}
        with self.halt.keeping(buffers.values()):
            return step(batch, drawn)

    @contextmanager
    def learning(self, name: str) -> Iterator[None]:
        """Inside, the networks of one optimizer learn; those of the others only hand gradients on."""
        self._optimizers()  # made, at the latest, while all weights are awake
        with learning_alone(self.trained()[name], self.networks()):
            yield

    def update(self, name: str, losses: Mapping[str, Tensor]) -> None:
        """One step of one optimizer down the sum of some losses, each with its weight in it."""
        if name not in self._moving:
            return  # all that it would move is frozen
        self._updating, optimizer = name, self._optimizers()[self._moving.index(name)]
        optimizer.zero_grad(set_to_none=False)  # gradients stay where they are
        loss = self.halt.checked(torch.stack(list(losses.values())).sum())
        if self._attached:
            self.manual_backward(loss)
        else:
            loss.backward()
            self.on_before_optimizer_step(optimizer)
        optimizer.step()
        self.after_update(name)

    def after_update(self, name: str) -> None:
        """What follows a step of that optimizer: the averages of the generators that it moved, move."""
        if self.ema is not None:
            moved = {of: network for of, network in self.trained()[name].items() if of in self.ema}
            self.ema.average(moved, self.halt)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Note the norm of the gradients, and clip it; where it is not finite, have the optimizer leave all alone."""
        # Here the gradients are already unscaled; clipping in a step would clip a 16-mixed run's scaled ones.
        norm = self._norms[f"norms/{self._updating}"] = norm_of_gradients(optimizer, self.clip_norm)
        if not self._scaled:  # else the scaler does, and scales less
            self.halt.see(norm)
            optimizer.found_inf = self.halt.flag(norm.device)  # type: ignore[attr-defined]

    def configure_optimizers(self) -> list[Optimizer]:
        """One for each entry of `trained` that has something to learn, in that order."""
        slowed = self.slowed()
        assert slowed.keys() <= self.networks().keys()
        groups = {name: in_groups(self.trained()[name], slowed) for name in self._moving}
        return [make_optimizer(self.optimizer, groups[name], *self.rates(name), self._scaled) for name in self._moving]

    def rates(self, name: str) -> tuple[float, tuple[float, float]]:
        """The learning rate and the betas of that optimizer: those of the model, where a paper has none for each."""
        return (self.lr if self.d_lr is None or not is_discriminator(name) else self.d_lr), self.betas

    def forget(self, network: str) -> None:
        """Have the optimizers begin anew with a network of that name, as one whose weights are drawn again."""
        for optimizer in self._optimizers():
            forget(optimizer, self.networks()[network].parameters())

    def write_rates(self) -> None:
        """Set the learning rates to what they are now."""
        done = self.steps if self.schedule.unit == "step" else self.current_epoch
        self._rates.write(self._optimizers(), done, self.slowed())

    def optimizers(self, use_pl_optimizer: bool = True) -> Any:
        """Lightning's in a run. Outside of one the model's own, so that a step can be made by hand."""
        if self._attached:
            return super().optimizers(use_pl_optimizer)
        if not self._own_optimizers:
            self._own_optimizers = self.configure_optimizers()
        return self._own_optimizers

    def _optimizers(self) -> list[Any]:
        found = self.optimizers()
        return found if isinstance(found, list) else [found]

    @property
    def _attached(self) -> bool:
        return self._trainer is not None

    @property
    def _scaled(self) -> bool:
        """Whether gradients are scaled, as in 16-mixed: they are infinite at times, and such steps are left out."""
        return self._attached and getattr(self.trainer.precision_plugin, "scaler", None) is not None

    # What a run shows -----------------------------------------------------------------------------------------------

    def report(self, seen: Report) -> None:
        """Note the losses of this step, each with its weight, and what else was seen; tensors, that nobody waits for.

        Every `trainer.log_every_n_steps` batches their means go to the loggers. And at the end of an epoch: before it
        is validated, and shown.
        """
        self._losses.add(seen, self.batches)
        if not self._attached:
            return
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if self.batches % every == 0 or self.trainer.is_last_batch or self.trainer.should_stop:
            self._log_losses()

    def _log_losses(self) -> None:
        means = self._losses.flush(self._most_over_ranks, gradients=not self._scaled)
        if not means:
            return
        # On the CPU: Lightning reads what a progress bar shows after every step, and would wait for the device.
        losses = {name: torch.tensor(mean) for name, mean in means.items() if is_loss(name)}
        self.log_dict(losses, prog_bar=True, logger=False)
        metrics = {f"train/{name}" if is_loss(name) else name: mean for name, mean in means.items()}
        metrics["train/lr"] = self.lr * self._rates.factor
        if self.d_lr is not None:
            metrics["train/d_lr"] = self.d_lr * self._rates.factor
        self.to_loggers(metrics)

    def _most_over_ranks(self, value: Tensor) -> Tensor:
        most: Tensor = self.trainer.strategy.reduce(value, reduce_op="max")
        return most

    def to_loggers(self, metrics: dict[str, float]) -> None:
        """Show figures where training is now. Lightning would drop those that are not of the very steps that it picks,
        and count a validation's by batches from 0.
        """
        for logger in self.trainer.loggers:
            logger.log_metrics(metrics | {"epoch": self.current_epoch, "step": self.steps}, step=self.batches)

    def on_train_epoch_end(self) -> None:
        self._log_losses()
        means = {f"epoch/{name}": mean for name, mean in self._losses.end_epoch().items()}
        self.log_dict(means, sync_dist=True, logger=False)  # for callbacks, such as `StopEarly`

    def on_train_start(self) -> None:
        """Give the optimizers the settings of this run."""
        self._rates.renew(self.trainer.optimizers, self.configure_optimizers())

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raises UserError where a loss or gradient since the last look was not finite: it is in the weights by now."""
        if self._attached:
            self._losses.check(self._most_over_ranks, gradients=not self._scaled)
        # What is saved while an epoch ends is of the whole epoch, though Lightning counts it a moment later.
        epochs: int = self.trainer.fit_loop.epoch_progress.current.processed if self._attached else 0  # type: ignore[attr-defined]
        checkpoint["done"] = {"epochs": epochs, "steps": self.steps, "batches": self.batches}
        checkpoint["losses"] = self._losses.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raises UserError where the checkpoint's optimizers know other weights than this model's."""
        before = checkpoint["hyper_parameters"]["freeze"]
        if set(before) != set(self.freeze_names):
            raise UserError(
                f"model.freeze={self.freeze_names}: the checkpoint has {before}, and a resumed run keeps it"
            )
        self.steps, self.batches = checkpoint["done"]["steps"], checkpoint["done"]["batches"]
        if "losses" in checkpoint:  # imported weights have none
            self._losses.load_state_dict(checkpoint["losses"])


def is_discriminator(name: str) -> bool:
    """Whether the optimizer of that name moves discriminators: D, or as D_T."""
    return name.partition("_")[0] == "D"
