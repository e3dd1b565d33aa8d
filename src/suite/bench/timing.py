"""Ways to make the same training steps, and how long a step of each takes."""

import copy
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.profilers import Profiler
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from suite.data.batch import Batch
from suite.papers.base import GAN
from suite.papers.cyclegan import CycleGAN
from suite.papers.pix2pix import Pix2Pix
from suite.papers.reference import ReferenceCycleGAN, ReferencePix2Pix

Step = Callable[[Batch], object]
MakeTrainer = Callable[..., pl.Trainer]


# Without Lightning ----------------------------------------------------------------------------------------------------


class _Bare(GAN):
    """Over a paper's class: plain PyTorch in place of what `training_step` asks of Lightning."""

    def prepare(self) -> None:
        self._optimizers, _ = self.configure_optimizers()  # type: ignore[assignment, misc]

    def optimizers(self, use_pl_optimizer: bool = True) -> Any:
        return self._optimizers

    @contextmanager
    def toggled_optimizer(self, optimizer: Any) -> Iterator[None]:
        others = [other for other in self._optimizers if other is not optimizer]
        weights = [weight for other in others for group in other.param_groups for weight in group["params"]]
        for weight in weights:
            weight.requires_grad_(False)
        yield
        for weight in weights:
            weight.requires_grad_(True)

    def update(self, optimizer: Any, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        self.on_before_optimizer_step(optimizer)
        optimizer.step()

    def report(self, losses: Any) -> None:
        self._losses.add(losses, self.d_steps)

    _optimizers: list[Optimizer]


def bare(paper: type[GAN], values: dict[str, Any], device: torch.device | str) -> GAN:
    """A paper's model whose `training_step(batch, 0)` needs no Trainer; `values` are the paper's arguments."""
    model: _Bare = type(f"Bare{paper.__name__}", (_Bare, paper), {})(**values)
    model.to(device).train()
    model.prepare()
    return model


def reference(model: GAN, batch: Batch) -> Step | None:
    """The published step on copies of the model's networks, where there is one for what the model is set to do."""
    if not isinstance(model, CycleGAN | Pix2Pix) or model.clip_norm > 0:
        return None
    game = model.adversarial
    if game.loss not in ("vanilla", "lsgan") or game.critic_steps > 1 or game.penalty != "none" or game.weight_clip > 0:
        return None
    if isinstance(model, CycleGAN):
        return _reference_cyclegan(model) if game.real_label == 1 and model.optimizer == "adam" else None
    # Where photos of the batch differ in how many drawings they have, nothing is published.
    return _reference_pix2pix(model) if "drawings" not in batch or _without_padding(batch) else None


def _reference_cyclegan(model: CycleGAN) -> Step:
    published = ReferenceCycleGAN(
        **copy.deepcopy(model.networks()),
        loss=model.adversarial.loss,  # type: ignore[arg-type]  # one of the two, see above
        lambda_a=model.lambda_a,
        lambda_b=model.lambda_b,
        lambda_identity=model.lambda_identity,
        pool_size=model.pool_a.size,
        lr=model.lr,
        betas=model.betas,
    )

    def step(batch: Batch) -> dict[str, Tensor]:
        return published.step(batch["a"], batch["b"])

    return step


def _reference_pix2pix(model: Pix2Pix) -> Step:
    published = ReferencePix2Pix(
        **copy.deepcopy(model.networks()),
        loss=model.adversarial.loss,  # type: ignore[arg-type]  # one of the two, see above
        lambda_l1=model.lambda_l1,
        real_label=model.adversarial.real_label,
        deep_supervision=model.deep_supervision,
        lr=model.lr,
        betas=model.betas,
    )

    def step(batch: Batch) -> dict[str, Tensor]:
        # Erasing and noise are done to the data, before the step.
        drawings = batch["drawings"] if "drawings" in batch else batch["b"][:, None]
        return published.step(model.disturbed(batch["a"]), drawings)

    return step


def _without_padding(batch: Batch) -> bool:
    return bool((batch["drawing_count"] == batch["drawings"].shape[1]).all())


def time_steps(step: Step, batch: Batch, warmup: int, steps: int, autocast: torch.autocast) -> float:
    """Seconds of a step, the mean of `steps` after `warmup` others, all on one batch."""
    for number in range(warmup + steps):
        if number == warmup:
            wait_for_device()
            start = time.perf_counter()
        with autocast:
            step(batch)
    wait_for_device()
    return (time.perf_counter() - start) / steps


# Under Lightning ------------------------------------------------------------------------------------------------------


class Stopwatch(Callback):
    """Times whole steps of a run, from the end of its step `warmup` to the end of the one `steps` later, and ends it.

    `in_step`: wait for the device after every step, so that what follows is not hidden behind its work.
    """

    def __init__(self, warmup: int, steps: int, in_step: bool = False) -> None:
        self.warmup, self.steps, self.in_step = warmup, steps, in_step
        self.done = 0
        self.seconds = 0.0
        self.batch: Batch = {}

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int):
        self.done += 1
        if self.in_step or self.done in (self.warmup, self.warmup + self.steps):
            wait_for_device()
        if self.done == self.warmup:
            self.seconds = -time.perf_counter()
        elif self.done == self.warmup + self.steps:
            self.seconds += time.perf_counter()
            self.batch = batch
            trainer.should_stop = True


class Fetches(Profiler):
    """How long the loop waited for each batch of training, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def start(self, action_name: str) -> None:
        if action_name.endswith("train_dataloader_next"):
            self.seconds.append(-time.perf_counter())

    def stop(self, action_name: str) -> None:
        if action_name.endswith("train_dataloader_next"):
            self.seconds[-1] += time.perf_counter()


def time_lightning(model: GAN, batch: Batch, warmup: int, steps: int, make_trainer: MakeTrainer) -> float:
    """As `time_steps`, in a Trainer's fit."""
    watch = Stopwatch(warmup, steps)
    make_trainer(callbacks=[watch]).fit(model, DataLoader([batch] * (warmup + steps), batch_size=None))  # type: ignore[arg-type]
    return watch.seconds / steps


def time_loader(
    model: GAN, data: pl.LightningDataModule, warmup: int, steps: int, make_trainer: MakeTrainer
) -> tuple[float, Batch]:
    """The share of the time that training on the real data waits for its loader, and the last batch."""
    watch, fetches = Stopwatch(warmup, steps, in_step=True), Fetches()
    make_trainer(callbacks=[watch], profiler=fetches).fit(model, datamodule=data)
    return sum(fetches.seconds[warmup : warmup + steps]) / watch.seconds, watch.batch


# The machine ----------------------------------------------------------------------------------------------------------


def wait_for_device() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_memory(device: torch.device) -> float | None:
    """MiB: the most that was allocated on a GPU, or that this process held of a CPU's memory; None where unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({torch.get_num_threads()} threads)"
