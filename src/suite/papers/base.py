"""What every paper of the suite shares: a LightningModule for alternating updates, optimized by hand.

A paper builds its networks from plain values, says in `trained` which of them each optimizer moves, writes its
algorithm in `step` with `learning` and `update`, and says in `translate` what it makes of a picture. Everything else
here is bookkeeping around that.

A step is fit to be recorded (as a CUDA graph): what is decided by chance comes in from `draw`, which step it is from
`next_step`; inside, nothing is read back from a tensor, nothing branches on a value, and memory stays where it is.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from suite.arguments import Count, NonNegative, ShareBelowOne, check_value
from suite.data.batch import Batch
from suite.errors import UserError
from suite.networks.contract import PictureNetwork
from suite.networks.layers import keep_training_behaviour
from suite.papers import arguments_of
from suite.updates.draws import Draws
from suite.updates.ema import EMA
from suite.updates.loss_log import LossLog, is_loss
from suite.updates.schedule import Schedule

if TYPE_CHECKING:
    from suite.data.module import PictureData

Direction = Literal["a2b", "b2a"]
Mode = Literal["eval", "train"]
Report = dict[str, Tensor]  # of a step: losses by name, and what else is seen, by section/name
Step = Callable[[Batch, dict[str, Tensor]], Report]


class Paper(pl.LightningModule):
    """Base of the papers: schedule, counters, clipping, EMA, frozen networks, reports. Defaults are in conf/model.

    Raises UserError when a loss was not finite, naming the loss and the step.
    """

    name: ClassVar[str]  # in configurations and checkpoints
    directions: tuple[Direction, ...] = ("a2b",)  # what `translate` can do, the paper's own first
    tasks: tuple[str, ...] = ("unpaired", "paired")  # values of data.task whose batches `step` can read
    stages: tuple[str, ...] = ()  # values of model.stage, in order; () trains all in one
    batches_per_step = 1  # training batches for a step
    mode: Mode = "eval"  # train, for a trained model: translate with `keep_training_behaviour` of the generators

    def __init__(
        self,
        *,
        channels_a: Literal[1, 3],
        channels_b: Literal[1, 3],
        optimizer: Literal["adam", "sgd"],
        lr: NonNegative,
        betas: tuple[ShareBelowOne, ShareBelowOne],
        epochs: Count,
        decay_epochs: Count,
        steps: Count | None,
        decay_steps: Count,
        clip_norm: NonNegative,
        ema_decay: ShareBelowOne,
        freeze: list[str],
        compile: bool,
        stage: str | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)  # those of the paper's own class, too
        annotations = arguments_of(type(self))
        for key, value in self.hparams.items():
            check_value(f"model.{key}", value, annotations[key])
        self.automatic_optimization = False
        if stage not in (self.stages or (None,)):
            known = f"choose from {', '.join(self.stages)}" if self.stages else f"{self.name} has no stages"
            raise UserError(f"model.stage={stage}: {known}")
        self.stage = stage
        self.optimizer, self.lr, self.betas = optimizer, lr, betas
        self.schedule = Schedule("epoch", epochs, decay_epochs)
        if steps is not None:
            self.schedule = Schedule("step", steps, decay_steps)
        self.clip_norm, self.ema_decay, self.freeze_names, self.compile_networks = clip_norm, ema_decay, freeze, compile
        self.ema: EMA | None = None
        # Lightning's global_step counts every optimizer's step. These are kept in the checkpoint.
        self.steps = 0  # updates of the generator, or of the network that is trained where there is none
        self.batches = 0  # training batches
        self.draws = Draws(stage)  # what is random in a training step
        self._losses = LossLog()
        self._norms: Report = {}  # of the gradients of this step
        self._moving: list[str] = []  # the optimizers that have something to learn
        self._updating = ""  # whose step is being made
        self._resting: list[nn.Module] = []  # networks of earlier stages
        self._own_optimizers: list[Optimizer] = []  # outside of a run
        self._factor: float | None = None  # of the learning rate, as the optimizers have it

    # What a paper defines -------------------------------------------------------------------------------------------

    @abstractmethod
    def trained(self) -> dict[str, dict[str, nn.Module]]:
        """The networks that are trained: by the name of their optimizer, then by their own."""

    @abstractmethod
    def generators(self) -> dict[str, nn.Module]:
        """The networks that translate, by name; the EMA averages those that are trained."""

    @abstractmethod
    def translate(self, batch: Batch | Tensor, direction: Direction = "a2b") -> Tensor:
        """Pictures of the source domain, or a batch that holds them, to the target domain.

        (B, C, H, W) in [-1, 1] both ways, without gradient; through the EMA where there is one.
        """

    def step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        """One update of every network: the paper's algorithm. A paper with stages has `<stage>_step` for each."""
        raise NotImplementedError

    def draw(self, batch: Batch) -> dict[str, Tensor]:
        """What the coming step decides by chance, as tensors on the batch's device."""
        return {}

    def next_step(self) -> tuple[Step, bool]:
        """Which step the coming batch is for, and whether it counts as one."""
        return getattr(self, "step" if self.stage is None else f"{self.stage}_step"), True

    def predict(self, batch: Batch) -> dict[Direction, Tensor]:
        """Every translation of a batch, by direction: what metrics and picture grids are made of."""
        return {direction: self.translate(batch, direction) for direction in self.directions}

    def check_data(self, data: "PictureData") -> None:
        """Refuse data that this model can't be trained on, before the first step."""
        if data.task not in self.tasks:
            raise UserError(f"data.task={data.task}: {type(self).__name__} trains on data.task={'|'.join(self.tasks)}")
        if data.size % self.divisor:
            nearest = max(self.divisor, round(data.size / self.divisor) * self.divisor)
            raise UserError(
                f"data.size={data.size} is not a multiple of {self.divisor}, which this backbone needs: "
                f"use data.size={nearest}, another backbone, or with a U-Net a lower model.backbone.downs"
            )
        smallest = max((network.smallest for network in self._of_pictures()), default=1)
        if data.size < smallest:
            raise UserError(
                f"data.size={data.size} is too small for this discriminator, which needs {smallest}: "
                "use a larger data.size, or discriminator=pixel"
            )

    def leave_behind(self, data: "PictureData", run: Path) -> None:
        """What a trained stage makes for the next one, as files in its folder; one process does, anew if stopped."""

    def published_step(self, batch: Batch) -> Callable[[Batch], object] | None:
        """The step as it was published, on copies of the networks; None: nothing published does what this is set to."""
        return None

    def summary(self) -> dict[str, str]:
        """What the model is, for people: lines by title."""
        sizes = [f"{name} {_weights(network):,}" for name, network in self.networks().items()]
        stage = "" if self.stage is None else f", stage {self.stage}"
        rows = {"model": f"{type(self).__name__}{stage}: {', '.join(sizes)}"}
        if frozen := self.frozen_stages + self.freeze_names:
            rows["frozen"] = ", ".join(frozen)
        return rows

    # Putting it together --------------------------------------------------------------------------------------------

    def assemble(self) -> None:
        """To be called when the networks are there: freezes what is not trained, and begins the average."""
        for name in self.freeze_names:
            try:
                self.get_submodule(name).requires_grad_(False)
            except AttributeError as error:
                raise UserError(f"model.freeze: there is no {name}; the networks are {self._names()}") from error
        self._moving = [name for name, group in self.trained().items() if _learnt(group)]
        if not self._moving:
            raise UserError(
                f"model.freeze={self.freeze_names} leaves nothing to train: the networks are {self._names()}"
            )
        trained = {id(network) for network in self.networks().values()}
        self._resting = [
            child for child in self.children() if id(child) not in trained and any(True for _ in child.parameters())
        ]
        for network in self._resting:
            network.requires_grad_(False).eval()
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

    @property
    def divisor(self) -> int:
        """What both sides of a picture must be multiples of."""
        return max((network.divisor for network in self._of_pictures()), default=1)

    def translator(self, name: str) -> nn.Module:
        """The generator of that name as it should be used for pictures: averaged where there is an EMA."""
        return self.ema[name] if self.ema is not None and name in self.ema else self.generators()[name]

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for network in self._resting:
            network.eval()
        if not mode and self.mode == "train":
            for name in self.generators():
                keep_training_behaviour(self.translator(name))
        return self

    def _of_pictures(self) -> list[PictureNetwork]:
        networks = self.networks() | self.generators()
        return [network for network in networks.values() if isinstance(network, PictureNetwork)]

    def _names(self) -> str:
        return ", ".join(self.networks())

    # The alternating updates ----------------------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Everything that is decided is decided here; the step itself is tensors alone."""
        self._set_learning_rate()
        self._norms = {}
        step, counts = self.next_step()
        reported = step(batch, self.draw(batch))
        self.batches += 1
        self.steps += counts
        self.report(reported | self._norms)
        if self._attached and self.schedule.unit == "step" and self.steps >= self.schedule.total:
            self.trainer.should_stop = True

    @contextmanager
    def learning(self, name: str) -> Iterator[None]:
        """Inside, the networks of one optimizer learn; those of the others only hand gradients on."""
        others = [network for other, group in self.trained().items() if other != name for network in group.values()]
        weights = [weight for network in others for weight in network.parameters() if weight.requires_grad]
        for weight in weights:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in weights:
                weight.requires_grad_(True)

    def update(self, name: str, losses: Mapping[str, Tensor]) -> None:
        """One step of one optimizer down the sum of some losses, each with its weight in it."""
        if name not in self._moving:
            return  # all that it would move is frozen
        self._updating, optimizer = name, self._optimizers()[self._moving.index(name)]
        optimizer.zero_grad(set_to_none=False)  # gradients stay where they are
        loss = torch.stack(list(losses.values())).sum()
        if self._attached:
            self.manual_backward(loss)
        else:
            loss.backward()
            self.on_before_optimizer_step(optimizer)
        optimizer.step()
        self.after_update(name)

    def after_update(self, name: str) -> None:
        """What follows a step of that optimizer: the average moves with the generators."""
        if self.ema is not None and not self.trained()[name].keys().isdisjoint(self.ema.keys()):
            self.ema.average({of: network for of, network in self.generators().items() if of in self.ema})

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Note the norm of the gradients, and clip it."""
        # Here the gradients are already unscaled; clipping in a step would clip a 16-mixed run's scaled ones.
        weights = [weight for group in optimizer.param_groups for weight in group["params"] if weight.grad is not None]
        if self.clip_norm > 0:
            norm = nn.utils.clip_grad_norm_(weights, self.clip_norm)
        else:
            norm = nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        self._norms[f"norms/{self._updating}"] = norm

    def configure_optimizers(self) -> list[Optimizer]:
        """One for each entry of `trained` that has something to learn, in that order."""
        return [self.make_optimizer(_learnt(self.trained()[name])) for name in self._moving]

    def make_optimizer(self, weights: list[nn.Parameter]) -> Adam | SGD:
        """Adam, or SGD without momentum; in one kernel, its learning rate a tensor that keeps its place."""
        rate = torch.tensor(self.lr, dtype=torch.float32, device=weights[0].device)  # the kernels take no other type
        # A fused step unscales a 16-mixed run's gradients itself, which leaves no moment to look at them.
        scaled = self._attached and getattr(self.trainer.precision_plugin, "scaler", None) is not None
        how: dict[str, Any] = {"capturable": weights[0].is_cuda} if scaled else {"fused": True}
        if self.optimizer == "sgd":
            return SGD(weights, lr=rate, fused=not scaled)
        return Adam(weights, lr=rate, betas=self.betas, **how)

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
        if self.batches % every == 0 or self.trainer.is_last_batch:
            self._log_losses()

    def _log_losses(self) -> None:
        means = self._losses.flush(lambda value: self.trainer.strategy.reduce(value, reduce_op="max"))
        if not means:
            return
        # On the CPU: Lightning reads what a progress bar shows after every step, and would wait for the device.
        losses = {name: torch.tensor(mean) for name, mean in means.items() if is_loss(name)}
        self.log_dict(losses, prog_bar=True, logger=False)
        # Straight to the loggers: Lightning would drop what is not logged on the very steps that it picks.
        metrics = {f"train/{name}" if is_loss(name) else name: mean for name, mean in means.items()}
        metrics["train/lr"] = self.lr * (1.0 if self._factor is None else self._factor)
        metrics |= {"epoch": self.current_epoch, "step": self.steps}
        for logger in self.trainer.loggers:
            logger.log_metrics(metrics, step=self.batches)

    def on_train_epoch_end(self) -> None:
        self._log_losses()
        means = {f"epoch/{name}": mean for name, mean in self._losses.end_epoch().items()}
        self.log_dict(means, sync_dist=True, logger=False)  # for callbacks, such as `StopEarly`

    # Lightning's hooks ----------------------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        if stage == "fit" and self.compile_networks:
            for network in self.networks().values():
                network.compile()  # in place: the names in a checkpoint stay what they are

    def on_train_start(self) -> None:
        """Give the optimizers the settings of this run: those of a checkpoint may have been changed on resuming."""
        for optimizer, fresh in zip(self.trainer.optimizers, self.configure_optimizers(), strict=True):
            for group, settings in zip(optimizer.param_groups, fresh.param_groups, strict=True):
                group["initial_lr"] = float(settings["lr"])
                group.update({name: value for name, value in settings.items() if name != "params"})
        self._factor = None

    def _set_learning_rate(self) -> None:
        """A function of what has been done, and of no history; written in place where it changes."""
        done = self.steps if self.schedule.unit == "step" else self.current_epoch
        if (factor := self.schedule.factor(done)) == self._factor:
            return
        self._factor = factor
        for optimizer in self._optimizers():
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", float(group["lr"]))
                group["lr"].fill_(group["initial_lr"] * factor)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Nothing: the callbacks for metrics and pictures call `predict` for what they need."""

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Nothing, as in validation."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["paper"] = self.name
        # What is saved while an epoch ends is of the whole epoch, though Lightning counts it a moment later.
        epochs: int = self.trainer.fit_loop.epoch_progress.current.processed if self._attached else 0  # type: ignore[attr-defined]
        checkpoint["done"] = {"epochs": epochs, "steps": self.steps, "batches": self.batches}
        checkpoint["losses"] = self._losses.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.steps, self.batches = checkpoint["done"]["steps"], checkpoint["done"]["batches"]
        if "losses" in checkpoint:  # imported weights have none
            self._losses.load_state_dict(checkpoint["losses"])


def _learnt(networks: Mapping[str, nn.Module]) -> list[nn.Parameter]:
    return [weight for network in networks.values() for weight in network.parameters() if weight.requires_grad]


def _weights(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())
