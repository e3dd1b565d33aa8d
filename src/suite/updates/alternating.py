"""Alternating updates by hand: optimizers by name, their schedule and counters, what is frozen, averaged and reported.

A step is fit to be recorded (as a CUDA graph): what is decided by chance comes in from `draw`, which step it is from
`next_step`; inside, nothing is read back from a tensor, nothing branches on a value, and memory stays where it is.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.profiler import record_function

from suite.arguments import Count, NonNegative, ShareBelowOne
from suite.data.batch import Batch
from suite.errors import UserError
from suite.updates.draws import Draws
from suite.updates.ema import EMA
from suite.updates.freezing import freeze, learning_alone, learnt, lowest_layers
from suite.updates.halting import Halt
from suite.updates.optimizer import OptimizerName, forget, in_groups, make_optimizer, norm_of_gradients
from suite.updates.rates import LearningRates
from suite.updates.recording import Recorded, Recorder, name_of, of_step, recorder_on_gpu
from suite.updates.replay import ReplayPool
from suite.updates.reporting import Report, ReportedLosses
from suite.updates.schedule import Schedule

Step = Callable[[Batch, dict[str, Tensor]], Report]


class AlternatingUpdates(ReportedLosses):
    """A LightningModule whose step makes one update after the other, each of some networks.

    A loss or gradient that is not finite reaches no weight: nothing moves from there on, see `Halt`, and the next look
    at the losses ends the training.
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
        freeze_d: Count = 0,  # here, too
        recorded: Recorded = "auto",  # here, too
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
        self.clip_norm, self.ema_decay = clip_norm, ema_decay
        self._freeze, self.freeze_d = freeze, freeze_d
        self.freeze_names = freeze  # with those that freeze_d stands for, when the networks are there
        self.ema: EMA | None = None
        # Networks that nobody trains, as of features, by name: on the model's device, and in no checkpoint.
        self.held: dict[str, nn.Module] = {}
        self.draws = Draws(stage)  # what is random in a training step
        self.halt = Halt()
        self._norms: Report = {}  # of the gradients of this step
        self._updates = 0  # of this step
        self.recorded = recorded
        self._recorder: Recorder | None = None
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
        critics = {
            name: critic
            for of, group in self.trained().items()
            if is_discriminator(of)
            for name, critic in group.items()
        }
        if self.freeze_d:
            lowest = [place for name, critic in critics.items() for place in lowest_layers(self.freeze_d, name, critic)]
            self.freeze_names = [*self.freeze_names, *lowest]
        freeze(self.freeze_names, self, self.networks())
        for network in self.held.values():
            network.requires_grad_(False).eval()
        self._moving = [name for name, group in self.trained().items() if any(map(learnt, group.values()))]
        if not self._moving:
            raise UserError(
                f"model.freeze={self.freeze_names} leaves nothing to train: the networks are "
                f"{', '.join(self.networks())}"
            )
        for key, value, unset in (("d_lr", self.d_lr, None), ("freeze_d", self.freeze_d, 0)):
            if value != unset and self.stage is None and not critics:
                said = "null" if unset is None else unset
                raise UserError(
                    f"model.{key}={value:g}: {type(self).__name__} trains no discriminator; leave it {said}"
                )
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
        step, counts = self.next_step()
        seen, drawn = of_step(batch), self.draw(batch)
        if recorder := self.recorder():
            reported = self.make_recorded(recorder, step, seen, drawn)
        else:
            reported, _ = self.make_step(step, seen, drawn)
        self.batches += 1
        self.steps += counts
        if self.attached and self.schedule.unit == "step" and self.steps >= self.schedule.total:
            self.trainer.should_stop = True
        self.pace.add(batch)
        self.report(reported)

    def make_step(self, step: Step, batch: Batch, drawn: dict[str, Tensor]) -> tuple[Report, int]:
        """One step, with what it draws: all of it that is recorded. What it reports, and how many updates it made.

        Nothing of it stays where a loss or gradient is not finite.
        """
        self._norms, self._updates = {}, 0
        changed = self.networks() if self.ema is None else self.networks() | {"ema": self.ema}
        buffers = {id(buffer): buffer for network in changed.values() for buffer in network.buffers()}
        with self.halt.keeping(buffers.values()):
            reported = step(batch, drawn)
        return reported | self._norms, self._updates

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
        # The names are for profiles: on the CPU alone, so that a recording holds nothing of them.
        with record_function("suite/backward"):
            optimizer.zero_grad(set_to_none=False)  # gradients stay where they are
            loss = self.halt.checked(torch.stack(list(losses.values())).sum())
            if self.attached:
                self.manual_backward(loss)
            else:
                loss.backward()
        with record_function("suite/optimizer"):
            if not self.attached:  # else Lightning calls it
                self.on_before_optimizer_step(optimizer)
            optimizer.step()
        self._updates += 1
        self.after_update(name)

    def after_update(self, name: str) -> None:
        """What follows a step of that optimizer: the averages of the generators that it moved, move."""
        if self.ema is not None:
            moved = {of: network for of, network in self.trained()[name].items() if of in self.ema}
            with record_function("suite/average"):
                self.ema.average(moved, self.halt)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Note the norm of the gradients, and clip it; where it is not finite, have the optimizer leave all alone."""
        # Here the gradients are already unscaled; clipping in a step would clip a 16-mixed run's scaled ones.
        with record_function("suite/gradient norm"):
            norm = self._norms[f"norms/{self._updating}"] = norm_of_gradients(optimizer, self.clip_norm)
            if not self.scaled:  # else the scaler does, and scales less
                self.halt.see(norm)
                optimizer.found_inf = self.halt.flag(norm.device)  # type: ignore[attr-defined]

    def configure_optimizers(self) -> list[Optimizer]:
        """One for each entry of `trained` that has something to learn, in that order."""
        slowed = self.slowed()
        assert slowed.keys() <= self.networks().keys()
        groups = {name: in_groups(self.trained()[name], slowed) for name in self._moving}
        return [make_optimizer(self.optimizer, groups[name], *self.rates(name), self.scaled) for name in self._moving]

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
        if self.attached:
            return super().optimizers(use_pl_optimizer)
        if not self._own_optimizers:
            self._own_optimizers = self.configure_optimizers()
        return self._own_optimizers

    def _optimizers(self) -> list[Any]:
        found = self.optimizers()
        return found if isinstance(found, list) else [found]

    # Recorded steps -------------------------------------------------------------------------------------------------

    def recorder(self) -> Recorder | None:
        """What makes the steps where they are recorded; None where each is made as it is written."""
        if self._recorder is None and self.recorded is not False and self.not_recorded() is None:
            self._recorder = recorder_on_gpu(must=self.recorded is True)
        return self._recorder

    def not_recorded(self) -> str | None:
        """Why steps are not recorded; None where they are."""
        if self.recorded is False:
            return "as model.recorded=false"
        device = self.trainer.strategy.root_device if self.attached else next(self.parameters()).device
        if device.type != "cuda":
            return "as only those of a GPU are"
        if self.attached and self.trainer.world_size > 1:
            return "as several devices wait for each other in them"
        if self.scaled:
            return "as trainer.precision=16-mixed looks at the gradients of each"
        return None

    def stop_recording(self) -> None:
        """Make each step from now on one operation at a time, as a profile wants them."""
        self.recorded, self._recorder = False, None

    def make_recorded(self, recorder: Recorder, step: Step, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        """One step by its recording; Lightning counts it, whose own count misses a replay, and not a vain attempt."""
        trackers: list[Any] = []
        if self.attached:
            progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
            trackers = [progress.total, progress.current]
        before = [tracker.completed for tracker in trackers]
        reported, updates = recorder.make(name_of(step), partial(self.make_step, step), batch, drawn)
        for tracker, done in zip(trackers, before, strict=True):
            tracker.ready = tracker.completed = done + updates
        return reported

    # In a run -------------------------------------------------------------------------------------------------------

    def rates_now(self) -> dict[str, float]:
        rates = {"lr": self.lr * self._rates.factor}
        return rates if self.d_lr is None else rates | {"d_lr": self.d_lr * self._rates.factor}

    def on_fit_start(self) -> None:
        """Raises UserError where steps that are to be recorded can't be."""
        self._recorder = None  # it knows other optimizers
        if self.recorded is True and (why := self.not_recorded()):
            raise UserError(f"model.recorded=true: steps can't be recorded, {why}; set model.recorded=auto")

    def on_train_start(self) -> None:
        """Give the optimizers the settings of this run."""
        self._rates.renew(self.trainer.optimizers, self.configure_optimizers())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raises UserError where the checkpoint's optimizers know other weights than this model's."""
        settings = checkpoint["hyper_parameters"]
        before = {"freeze": sorted(settings["freeze"]), "freeze_d": settings.get("freeze_d", 0)}
        now = {"freeze": sorted(self._freeze), "freeze_d": self.freeze_d}
        for key in now:
            if before[key] != now[key]:
                raise UserError(f"model.{key}={now[key]}: the checkpoint has {before[key]}, and a resumed run keeps it")
        super().on_load_checkpoint(checkpoint)


def is_discriminator(name: str) -> bool:
    """Whether the optimizer of that name moves discriminators: D, or as D_T."""
    return name.partition("_")[0] == "D"
