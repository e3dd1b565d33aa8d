"""SIGTERM, SIGHUP and SIGUSR1 end a command as Ctrl-C does: what it builds is taken away, what it started ends, too."""

import signal
import threading
from types import FrameType

_ENDS = ("SIGTERM", "SIGHUP", "SIGUSR1")  # Slurm may announce a time limit by the last; Windows knows the first alone

_number = signal.SIGINT


def listen() -> None:
    """From now on; where one is ignored, as SIGHUP under nohup, it stays so."""
    global _number
    _number = signal.SIGINT
    if threading.current_thread() is not threading.main_thread():
        return
    for name in _ENDS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, interrupt)


def interrupt(number: int, frame: FrameType | None) -> None:
    """The handler of them."""
    global _number
    _number = signal.Signals(number)
    raise KeyboardInterrupt


def stopped_by() -> signal.Signals:
    """What the last KeyboardInterrupt came from."""
    return _number
