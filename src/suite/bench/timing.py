"""Ways to make the same training steps, and how long a step of each takes."""

import sys
import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.profilers import Profiler
from torch.utils.data import DataLoader

from suite.data.batch import Batch
from suite.papers.base import Paper

Step = Callable[[Batch], object]
MakeTrainer = Callable[..., pl.Trainer]


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

    `in_step`: wait for the device after every step, so that what follows is not hidden behind its work. `first`:
    seconds of the first step, in which networks are compiled, and kernels chosen.
    """

    def __init__(self, warmup: int, steps: int, in_step: bool = False) -> None:
        self.warmup, self.steps, self.in_step = warmup, steps, in_step
        self.done = 0
        self.seconds = self.first = 0.0
        self.batch: Batch = {}

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Batch, batch_idx: int) -> None:
        if self.done == 0:
            self.first = -time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int):
        self.done += 1
        if self.in_step or self.done in (self.warmup, self.warmup + self.steps):
            wait_for_device()
        if self.done == 1:
            self.first += time.perf_counter()
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


def time_lightning(model: Paper, batch: Batch, warmup: int, steps: int, make_trainer: MakeTrainer) -> float:
    """As `time_steps`, in a Trainer's fit."""
    watch = Stopwatch(warmup, steps)
    make_trainer(callbacks=[watch]).fit(model, DataLoader([batch] * (warmup + steps), batch_size=None))  # type: ignore[arg-type]
    return watch.seconds / steps


def time_loader(
    model: Paper, data: pl.LightningDataModule, warmup: int, steps: int, make_trainer: MakeTrainer
) -> tuple[float, float, Batch]:
    """The share of the time that training on the real data waits for its loader, seconds of its first step, a batch."""
    watch, fetches = Stopwatch(warmup, steps, in_step=True), Fetches()
    make_trainer(callbacks=[watch], profiler=fetches).fit(model, datamodule=data)
    return sum(fetches.seconds[warmup : warmup + steps]) / watch.seconds, watch.first, watch.batch


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
