"""The processes of a run on several devices: where one hangs or dies, all of them end, with one line.

Each process, a rank, trains a share of every batch and waits in each step for the others. A rank that stops would so be
waited for without end, and NCCL's own watchdog aborts a process without an exception. So a thread in each rank tells
the first how far its training loop has come, and hears of the others; it never beats for a training loop that hangs.
"""

import atexit
import multiprocessing
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from suite.errors import UserError
from suite.run.cli import FIRST_RANK_ENDS, on_terminal
from suite.run.cluster import started_by
from suite.run.heartbeat import Heartbeat, HeartbeatBehind, Judge, Standing, read, written

_EVERY = 0.5  # seconds between two looks at the others
_GRACE = 2  # seconds in which a process that saw the same ends by itself, and says why
_LEAVING = 20  # seconds for log and W&B, which a dead disk would keep waiting
_FIRST = "SUITE_FIRST_PROCESS"  # what tells the processes that the first one starts which that is


class Watch(threading.Thread):
    """Looks after the other processes of this run, from before they are started until this one ends."""

    def __init__(self, trainer: pl.Trainer, timeout: float | None) -> None:
        super().__init__(name="watch over the ranks", daemon=True)
        self.rank = trainer.global_rank
        self.first = trainer.global_rank - trainer.local_rank  # of its machine
        self.launcher: Any = trainer.strategy.launcher
        starts = self.rank == self.first and started_by() is None  # the others of its machine
        self.to_start = trainer.num_devices - 1 if starts else 0
        self.parent = int(os.environ.get(_FIRST, "0")) if self.rank != self.first else 0  # 0 is torchrun or Slurm, too
        self.of_terminal = starts or self.rank == 0  # the command that a person typed, or that speaks for all
        if starts:
            os.environ[_FIRST] = str(os.getpid())
        self.timeout, self.judge = timeout, Judge(60 * timeout) if timeout else None
        self.own = Standing(self.rank, os.getpid(), socket.gethostname())  # set by the main thread alone
        self.known: dict[int, Standing] = {self.rank: self.own}  # by rank, as it was last heard of
        self.others: list[subprocess.Popen] = []  # by rank behind this one's, where this process has started them
        self.over = threading.Event()
        self.socket: socket.socket | None = None
        self.token = ""  # nobody else's datagrams count
        self.trained = False  # a rank may leave now, and is waited for by nobody
        self.refused = False  # nobody listens any more where the first process did
        self.ending = False

    def goes_on(self, run: Path, how: Callable[[], str]) -> None:
        """Before each stage. run: what this process holds. how: what to say of how to go on."""
        self.folder, self.how, self.trained = run, how, False
        self.own = replace(self.own, at=(self.own.at[0] + 1, 0, 0), resting=True, where="its preparation")

    def connect(self, trainer: pl.Trainer) -> None:
        """By all ranks together, once: datagrams, as they are never waited for, whatever the other side does."""
        if self.socket is not None:
            return
        environment: Any = trainer.strategy.cluster_environment  # type: ignore[attr-defined]
        family, _, _, _, address = socket.getaddrinfo(environment.main_address, 0, type=socket.SOCK_DGRAM)[0]
        link = socket.socket(family, socket.SOCK_DGRAM)
        if self.rank == 0:
            link.bind(("", 0))  # any of its addresses: a host may know itself by another one than the others do
        port, self.token = trainer.strategy.broadcast((link.getsockname()[1], secrets.token_hex(8)))
        if self.rank > 0:
            link.connect((address[0], port, *address[2:]))
        self.socket = link

    # --- the thread --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        pulse = 0
        while not self.over.wait(_EVERY):
            self._take_over()
            if (ended := self._ended()) and not self.over.wait(_GRACE):
                self._end(*ended)
            pulse += 1
            self.known[self.rank] = replace(self.own, pulse=pulse)
            if self.socket is not None:
                self._exchange(self.socket)
            if self.judge:
                self._judge(self.judge)

    def _take_over(self) -> None:
        """From Lightning, whose own watch over them would kill this process, too, without a word."""
        if self.to_start and len(self.launcher.procs) == self.to_start:
            self.others, self.to_start = list(self.launcher.procs), 0
            self.launcher.procs.clear()

    def _ended(self) -> tuple[str, bool] | None:
        """What to say of a process that is no more, and whether it is for the terminal, too."""
        if self.parent and os.getppid() != self.parent:
            return f"{self._who(self.first, self.parent)} has died", self.rank == self.first + 1
        if not self.parent and self.refused and not self.own.resting:
            return f"{self._who(0, 0)} has died", self.rank == 1 or self.of_terminal
        codes = {rank: process.poll() for rank, process in enumerate(self.others, self.rank + 1)}
        for rank, code in sorted(codes.items(), key=lambda item: (item[1] or 0) >= 0):  # a signal is a cause
            if not code:
                continue
            who = self._who(rank, self.others[rank - self.rank - 1].pid)
            if code < 0:
                by = next((known.name for known in signal.Signals if known == -code), f"signal {-code}")
                return f"{who} was ended by {by}{self._where(rank)}", True
            above = ", see above" if code == 1 else ""
            return f"{who} ended with exit code {code}{self._where(rank)}{above}", code != 2  # which has said why
        return None

    def _exchange(self, link: socket.socket) -> None:
        try:
            if self.rank > 0:
                link.send(written([self.known[self.rank]], self.token))
            wait = _EVERY
            while True:
                link.settimeout(wait)
                told, sender = link.recvfrom(65536)
                heard = read(told, self.token)
                self.known |= {one.rank: one for one in heard if one.rank != self.rank}
                if self.rank == 0 and heard:
                    link.sendto(written(list(self.known.values()), self.token), sender)
                wait = 0  # those that wait to be read
        except ConnectionRefusedError:
            self.refused = 0 in self.known  # else it was never heard
        except OSError:  # nothing more to read, or no network for now
            pass

    def _judge(self, judge: Judge) -> None:
        if self.trained or not (hanging := judge.hanging(list(self.known.values()), time.monotonic())):
            return
        first_is_silent = self.rank > 0 and 0 in judge.silent
        if first_is_silent:  # through which they hear of each other: nothing is known of the rest
            hanging = [self.known[0]]
        stand = ", ".join(f"{self._who(one.rank, one.pid)} stands {one.where}" for one in hanging)
        leads = self.rank == (1 if first_is_silent else 0)
        if not leads and self.over.wait(FIRST_RANK_ENDS):
            return
        self._end(f"no progress for timeout={self.timeout:g} minutes: {stand}", leads or self.of_terminal)

    def _who(self, rank: int, pid: int) -> str:
        known = self.known.get(rank, replace(self.own, pid=pid))
        return f"rank {rank} (process {known.pid} on {known.host})"

    def _where(self, rank: int) -> str:
        return f" {self.known[rank].where}" if rank in self.known else " before it began to train"

    def _end(self, what: str, speaks: bool) -> None:
        """End this process, and what it has started, from beside its main thread, which may be stuck anywhere."""
        self.ending = True
        line = f"{what}; {self.how()}"
        for process in self.others:
            process.kill()
        if speaks:
            if on_terminal():
                print("\033[?25h", flush=True)  # the cursor, which a progress bar hides until it ends itself
            print(f"error: {line}", file=sys.stderr, flush=True)
        if self.parent and speaks and os.getppid() == self.parent:
            os.kill(self.parent, getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows knows the second alone
        leaving = threading.Thread(target=self._leave, args=(line,), daemon=True)
        leaving.start()
        leaving.join(_LEAVING)
        os._exit(2)

    def _leave(self, line: str) -> None:
        import logging

        from suite.run.hold import let_go
        from suite.run.loggers import finish_wandb

        for worker in multiprocessing.active_children():
            worker.kill()
        logging.getLogger("suite").error(line)
        let_go(self.folder)
        with suppress(OSError):
            self.folder.rmdir()  # empty, where the run had not begun
        sys.stdout.flush()
        finish_wandb(1)

    # --- the end -----------------------------------------------------------------------------------------------------

    def lost(self, gone: Sequence[Standing]) -> str:
        """What is said of ranks that ended, where this process has started none."""
        return f"{', '.join(self._who(one.rank, one.pid) for one in gone)} ended {gone[0].where}; {self.how()}"

    def end_others(self) -> None:
        """Without this process they would wait for ever."""
        if self.ending:  # by the thread, which has said why
            time.sleep(2 * _LEAVING)
        self.over.set()
        started = [*self.others, *self.launcher.procs]
        self.launcher.procs.clear()  # else Lightning's watch over them would find them dead, and kill this process
        for process in started:
            process.kill()
        self.others.clear()

    def stop(self) -> None:
        """At the end of a command that went well: the others end by themselves, and while the first is there."""
        self.over.set()
        for process in self.others:
            with suppress(subprocess.TimeoutExpired):
                process.wait(FIRST_RANK_ENDS)


_watch: Watch | None = None  # of this process: its run may have several stages, in the same processes


def watch_over(trainer: pl.Trainer, timeout: float | None, run: Path, how: Callable[[], str]) -> None:
    """Before `trainer.fit`, of a run or a stage: does nothing where it has one process.

    timeout: minutes, null without end. run: its folder. how: what to say of how to go on.
    """
    global _watch
    if trainer.world_size == 1:
        return
    if _watch is None:
        _watch = Watch(trainer, timeout)
        atexit.register(_watch.stop)
    _watch.goes_on(run, how)
    heartbeat = Heartbeat(_watch)
    trainer.callbacks[:] = [heartbeat, *trainer.callbacks, HeartbeatBehind(heartbeat)]  # type: ignore[attr-defined]
    if not _watch.is_alive():
        _watch.start()


def end_other_processes() -> None:
    """End those that this one has started: without it they would wait for ever."""
    if _watch is not None:
        _watch.end_others()


def wait_for_the_cause(error: Exception) -> None:
    """Before an error leaves a process: where it comes of another's end, the watch ends this one in that time.

    What all processes meet is the first's to tell.
    """
    if _watch is None or isinstance(error, UserError):  # which `suite.run.cli` has wait
        return
    if _watch.rank > 0:
        time.sleep(FIRST_RANK_ENDS)
    elif isinstance(error, RuntimeError):  # as which the connections of torch.distributed end
        before = {rank: known for rank, known in _watch.known.items() if rank != _watch.rank}
        time.sleep(2 * _GRACE)
        if _watch.ending:
            time.sleep(2 * _LEAVING)
        if gone := [one for rank, one in before.items() if _watch.known[rank].pulse == one.pulse]:
            raise UserError(_watch.lost(gone)) from error  # that torchrun or Slurm had started
