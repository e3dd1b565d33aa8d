"""How a run ends before its time: by Ctrl-C or by SIGTERM."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments import LightningEnvironment
from pytorch_lightning.callbacks import Callback

from suite.run.interrupts import interrupt


class Signals(Callback):
    """SIGTERM ends a run like Ctrl-C. Of the processes that a run has started, the first answers and ends the others.

    Lightning's own handler sends messages between the processes from wherever the signal met them, and hangs. While an
    epoch ends, from its validation on, signals wait until it is saved.
    """

    waits = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.local_rank == 0 or not isinstance(trainer.strategy.cluster_environment, LightningEnvironment):  # type: ignore[attr-defined]
            signal.signal(signal.SIGTERM, interrupt)
        else:
            for number in _known("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):
                signal.signal(number, signal.SIG_IGN)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_last_batch:
            self._wait()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._wait()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._answer()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._answer()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        with suppress(KeyboardInterrupt):  # it ends in any case
            self._answer()

    def _wait(self) -> None:
        if not self.waits:
            self.waits = True
            _waiting.begin()

    def _answer(self) -> None:
        if self.waits:
            self.waits = False
            _waiting.end()


class _Waiting:
    """Signals that are put off, by as many as ask for it: they are answered after the last."""

    def __init__(self) -> None:
        self.askers = 0
        self.arrived: list[int] = []
        self.handlers: dict[signal.Signals, Any] = {}

    def begin(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self.askers += 1
        if self.askers == 1:
            numbers = _known("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")  # by the last submitit requeues a job
            theirs = [number for number in numbers if signal.getsignal(number) is None]  # of C, as faulthandler's
            self.handlers = {number: signal.signal(number, self._note) for number in numbers if number not in theirs}

    def end(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self.askers -= 1
        if self.askers > 0:
            return
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        arrived, self.arrived = self.arrived, []
        for late in arrived:
            signal.raise_signal(late)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.arrived.append(number)


_waiting = _Waiting()


def _known(*names: str) -> list[signal.Signals]:
    """Those that this system has: Windows has few."""
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


@contextmanager
def signals_wait() -> Iterator[None]:
    """What SIGINT, SIGTERM and others ask for is done at the end of the block.

    An exception in the middle of torch.save, as Ctrl-C raises one, would abort the whole process.
    """
    _waiting.begin()
    try:
        yield
    finally:
        _waiting.end()
