"""Whose a run's folder is: one process trains in it at a time."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from suite.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"

_held: dict[Path, TextIO] = {}  # kept open: closing a file gives its lock up


def hold(run: Path) -> None:
    """Take a run's folder for this process, until `let_go`. Does nothing where the file system has no locks.

    Raises UserError where another process trains in it. A lock of POSIX ends with its process, however that ends, and
    no child inherits it; one of `flock` would live on in a loader's process.
    """
    place = run.resolve()
    if fcntl is None or place in _held:
        return None
    path = run / LOCK
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise UserError(f"can't write to {run}: {error.strerror}") from error
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        file.seek(0)
        who = file.read().strip() or "another process"
        file.close()
        raise UserError(f"{run} is being trained by {who}: wait until it ends, or end it first") from error
    except OSError:  # a file system without locks
        file.close()
        return None
    if not path.exists() or os.fstat(file.fileno()).st_ino != path.stat().st_ino:
        file.close()
        return hold(run)  # who held it has removed the file in between
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    _held[place] = file
    return None


def let_go(run: Path) -> None:
    """Give the folder up, with no trace of having held it."""
    if file := _held.pop(run.resolve(), None):
        with suppress(OSError):  # of a folder that can't be written any more something else is told
            (run / LOCK).unlink()
        file.close()
