"""What every paper of the suite shares: a LightningModule for alternating updates, optimized by hand.

A paper builds its networks and optimizers from plain values, writes its algorithm in `training_step` with `update` and
`report`, and says in `translate` what it makes of a picture. Everything else here is bookkeeping around that.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import LambdaLR

from suite.arguments import number, whole_number
from suite.data.batch import Batch
from suite.errors import UserError
from suite.networks.layers import keep_training_behaviour
from suite.updates.draws import Draws
from suite.updates.ema import EMA
from suite.updates.loss_log import LossLog

if TYPE_CHECKING:
    from suite.data.module import PictureData

Direction = Literal["a2b", "b2a"]
Mode = Literal["eval", "paper"]
Optimizer = Literal["adam", "sgd"]


class GAN(pl.LightningModule):
    """Base of the papers: counters, linear learning-rate decay, gradient clipping, EMA, loss reports.

    Raises UserError when a loss was not finite, naming the loss and the step.
    """

    directions: tuple[Direction, ...] = ("a2b",)  # what `translate` can do, the paper's own first
    mode: Mode = "eval"  # paper, for a trained model: translate with `keep_training_behaviour` of the generators
    tasks: tuple[str, ...] = ("unpaired", "paired")  # values of data.task whose batches `training_step` can read

    def __init__(self, epochs: int, decay_epochs: int, clip_norm: float, ema_decay: float, compile: bool) -> None:
        super().__init__()
        self.automatic_optimization = False
        whole_number("model.epochs", epochs, least=0)
        whole_number("model.decay_epochs", decay_epochs, least=0)
        number("model.clip_norm", clip_norm, least=0)
        number("model.ema_decay", ema_decay, least=0, below=1)
        self.epochs = epochs
        self.decay_epochs = decay_epochs
        self.clip_norm = clip_norm
        self.ema_decay = ema_decay
        self.compile_networks = compile
        self.ema: EMA | None = None
        # Lightning's global_step counts every optimizer's step; these count updates. Kept in the checkpoint.
        self.g_steps = 0
        self.d_steps = 0
        self._losses = LossLog()
        self.draws = Draws()  # what is random in a training step

    # What a paper defines -------------------------------------------------------------------------------------------

    @abstractmethod
    def generators(self) -> dict[str, nn.Module]:
        """The networks that translate, by name; the EMA averages them."""

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """All trained networks, by name."""

    @abstractmethod
    def translate(self, batch: Batch | Tensor, direction: Direction = "a2b") -> Tensor:
        """Pictures of the source domain, or a batch that holds them, to the target domain.

        (B, C, H, W) in [-1, 1] both ways, without gradient; through the EMA where there is one.
        """

    def predict(self, batch: Batch) -> dict[Direction, Tensor]:
        """Every translation of a batch, by direction: what metrics and picture grids are made of."""
        return {direction: self.translate(batch, direction) for direction in self.directions}

    @property
    def divisor(self) -> int:
        """What both sides of a picture must be multiples of."""
        return max(int(getattr(network, "divisor", 1)) for network in self.generators().values())

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
        smallest = max(int(getattr(network, "smallest", 1)) for network in self.networks().values())
        if data.size < smallest:
            raise UserError(
                f"data.size={data.size} is too small for this discriminator, which needs {smallest}: "
                "use a larger data.size, or discriminator=pixel"
            )

    # How pictures are made ------------------------------------------------------------------------------------------

    def translator(self, name: str) -> nn.Module:
        """The generator of that name as it should be used for pictures: averaged where there is an EMA."""
        return self.generators()[name] if self.ema is None else self.ema[name]

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if not mode and self.mode == "paper":
            for name in self.generators():
                keep_training_behaviour(self.translator(name))
        return self

    # The alternating updates ----------------------------------------------------------------------------------------

    def update(self, optimizer: LightningOptimizer, loss: Tensor) -> None:
        """One step of one optimizer down one loss."""
        optimizer.zero_grad()
        self.manual_backward(loss)
        optimizer.step()

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        # Here the gradients are already unscaled; clipping in training_step would clip a 16-mixed run's scaled ones.
        if self.clip_norm > 0:
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            nn.utils.clip_grad_norm_(weights, self.clip_norm)

    def make_optimizer(
        self, networks: Iterable[nn.Module], lr: float, betas: tuple[float, float], kind: Optimizer = "adam"
    ) -> Adam | SGD:
        """Over the weights of some networks, in one kernel where gradients need no look in between.

        kind: adam, or sgd: w - lr * gradient, without momentum; it has no use for `betas`.
        """
        weights = [weight for network in networks for weight in network.parameters()]
        # A fused step unscales a 16-mixed run's gradients itself, which leaves clipping no moment to look at them.
        fused = self.clip_norm == 0
        return SGD(weights, lr=lr, fused=fused) if kind == "sgd" else Adam(weights, lr=lr, betas=betas, fused=fused)

    def linear_decay(self, optimizer: torch.optim.Optimizer) -> LambdaLR:
        """Constant for `epochs`, then linearly towards 0 over `decay_epochs` (CycleGAN, section 4)."""

        def factor(epoch: int) -> float:
            return max(0.0, 1 - max(0, epoch + 1 - self.epochs) / (self.decay_epochs + 1))

        return LambdaLR(optimizer, factor)

    def on_train_epoch_end(self) -> None:
        self._log_losses()
        means = {f"epoch/{name}": mean for name, mean in self._losses.end_epoch().items()}
        self.log_dict(means, sync_dist=True, logger=False)  # for callbacks, such as `StopEarly`
        schedulers = self.lr_schedulers() or []
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            scheduler.step()  # type: ignore[call-arg]  # Lightning steps none in manual optimization

    def update_ema(self) -> None:
        """To be called after the generators' step."""
        if self.ema is not None:
            self.ema.average(self.generators())

    def report(self, losses: Mapping[str, Tensor]) -> None:
        """Note the losses of this step; every `trainer.log_every_n_steps` their means go to the loggers.

        And at the end of an epoch: before it is validated, and shown.
        """
        self._losses.add(losses, self.d_steps)
        every: int = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if self.d_steps % every == 0 or self.trainer.is_last_batch:
            self._log_losses()

    def _log_losses(self) -> None:
        means = self._losses.flush(lambda value: self.trainer.strategy.reduce(value, reduce_op="max"))
        if not means:
            return
        # On the CPU: Lightning reads what a progress bar shows after every step, and would wait for the device.
        self.log_dict({name: torch.tensor(mean) for name, mean in means.items()}, prog_bar=True, logger=False)
        # Straight to the loggers: Lightning would drop what is not logged on the very steps that it picks.
        metrics = {f"train/{name}": mean for name, mean in means.items()}
        metrics["train/lr"] = self.trainer.optimizers[0].param_groups[0]["lr"]
        metrics |= {"epoch": self.current_epoch, "g_steps": self.g_steps}
        for logger in self.trainer.loggers:
            logger.log_metrics(metrics, step=self.d_steps)

    # Lightning's hooks ----------------------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        if stage == "fit" and self.compile_networks:
            for network in self.networks().values():
                network.compile()  # in place: the names in a checkpoint stay what they are

    def on_train_start(self) -> None:
        """Give the optimizers the settings of this run: those of a checkpoint may have been changed on resuming."""
        configured: Any = self.configure_optimizers()
        for optimizer, fresh in zip(self.trainer.optimizers, configured[0], strict=True):
            for group, settings in zip(optimizer.param_groups, fresh.param_groups, strict=True):
                group.update({name: value for name, value in settings.items() if name != "params"})
        for config in self.trainer.lr_scheduler_configs:
            scheduler: LambdaLR = config.scheduler  # type: ignore[assignment]
            factors = [factor(scheduler.last_epoch) for factor in scheduler.lr_lambdas]
            scheduler.base_lrs = [group["initial_lr"] for group in scheduler.optimizer.param_groups]
            for group, rate, factor in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, factors, strict=True):
                group["lr"] = rate * factor

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Nothing: the callbacks for metrics and pictures call `predict` for what they need."""

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Nothing, as in validation."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["paper"] = f"{type(self).__module__}.{type(self).__qualname__}"
        checkpoint["steps"] = {"g": self.g_steps, "d": self.d_steps}
        checkpoint["losses"] = self._losses.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.g_steps, self.d_steps = checkpoint["steps"]["g"], checkpoint["steps"]["d"]
        if "losses" in checkpoint:  # imported weights have none
            self._losses.load_state_dict(checkpoint["losses"])


def check_adam(lr: float, betas: tuple[float, float]) -> None:
    """Raises UserError for settings that Adam can't take."""
    number("model.lr", lr, least=0)
    for beta in betas:
        number("model.betas", beta, least=0, below=1)
