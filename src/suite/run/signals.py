"""How a run ends before its time: by Ctrl-C, by SIGTERM, or because another of its processes did."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments import LightningEnvironment
from pytorch_lightning.callbacks import Callback


class Signals(Callback):
    """SIGTERM ends a run like Ctrl-C. Of the processes that a run has started, the first answers and ends the others.

    Lightning's own handler sends messages between the processes from wherever the signal met them, and hangs.
    """

    number = signal.SIGINT  # what ended the run, if anything did

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero or not isinstance(trainer.strategy.cluster_environment, LightningEnvironment):  # type: ignore[attr-defined]
            signal.signal(signal.SIGTERM, self._interrupt)
        else:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    @contextmanager
    def heard(self) -> Iterator[None]:
        """SIGTERM means the same in work that follows training, when Lightning has given the handlers back."""
        before = signal.signal(signal.SIGTERM, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.number = signal.Signals(number)
        raise KeyboardInterrupt


def signals_of(trainer: pl.Trainer) -> Signals:
    return next(callback for callback in trainer.callbacks if isinstance(callback, Signals))  # type: ignore[attr-defined]


_launchers: list[Any] = []  # of this process, that have started others


def keep_other_processes(trainer: pl.Trainer) -> None:
    """Remember them after a stage: they go on with the next one, which starts none."""
    launcher: Any = trainer.strategy.launcher
    if getattr(launcher, "procs", None) and launcher not in _launchers:
        _launchers.append(launcher)


def end_other_processes(trainer: pl.Trainer) -> None:
    """End the processes that this one has started for a DDP run: without it they would wait for ever."""
    keep_other_processes(trainer)
    for launcher in _launchers:
        launcher.kill(signal.SIGKILL)
        launcher.procs.clear()  # else Lightning's watch over them would find them dead, and kill this process
    _launchers.clear()


@contextmanager
def signals_wait() -> Iterator[None]:
    """What SIGINT and SIGTERM ask for is done at the end of the block.

    An exception in the middle of torch.save, as Ctrl-C raises one, would abort the whole process.
    """
    arrived: list[int] = []
    held = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    handlers = {number: signal.signal(number, lambda number, _: arrived.append(number)) for number in held}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for late in arrived:
            signal.raise_signal(late)
