"""One command under attack: a forked child with limits of time, memory and file sizes, and what is to be held of it.

The suite is imported once, by the parent, which computes nothing itself; a child is a command of its own in a second,
not in four. Some are real processes instead, `python -m suite.<command>`, so that nothing hangs on that.
"""

import importlib
import os
import resource
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

# Seconds of the processor, so that a busy machine makes no failures: then it is killed; more is too slow an answer.
HANGS, SLOW = 20.0, 10.0
WAITS = 60.0  # seconds of the clock, after which a command is killed that does nothing
MEMORY = 8 << 30  # bytes of address space: torch alone takes 3
FILE = 1 << 30  # bytes of the largest file
COMMANDS = (
    "train", "evaluate", "translate", "check_data", "pack", "extract_faces", "make_sketches", "style_grid",
    "compare", "import_weights", "bench", "export",
)  # fmt: skip

OUTCOMES = ("well", "traceback", "hang", "slow", "wrong")


class Failure(Exception):  # noqa: N818  # of the suite, not of this script
    """The suite did not keep a promise; `outcome` is one of OUTCOMES."""

    def __init__(self, outcome: str, told: str) -> None:
        super().__init__(told)
        self.outcome = outcome


@dataclass
class Ended:
    """How a command ended. code: its exit code, or minus the signal that it died of."""

    words: str
    code: int
    out: str
    err: str
    seconds: float  # of the processor; where it was asked to stop, until then
    hung: bool = False

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.split("\n") if line.startswith("error")]

    def check(self, *codes: int) -> "Ended":
        """Raises Failure where it did not end well: with one of the codes, and in one line where that is 2."""
        last = self.err.rstrip("\n").split("\n")[-1]
        if self.hung:
            raise Failure("hang", f"killed after {self.seconds:.0f} s; {last}")
        if "Traceback (most recent call last)" in self.err:
            raise Failure("traceback", last)
        if self.code not in codes:
            raise Failure("wrong", f"exit code {self.code}; {last}")
        if self.code == 2 and (len(self.errors) != 1 or self.errors[0] != last):
            raise Failure("wrong", f"exit code 2 with {len(self.errors)} error lines, and at the end: {last}")
        if self.code > 128 and not last.startswith(f"stopped by {signal.Signals(self.code - 128).name}"):
            raise Failure("wrong", f"exit code {self.code}, and at the end: {last}")
        if self.code == 0 and self.errors:
            raise Failure("wrong", f"exit code 0 with {self.errors[0]}")
        if self.seconds > SLOW:
            raise Failure("slow", f"{self.seconds:.0f} s; {last}")
        return self


@dataclass
class Trial:
    """A folder of one attack, in which it lays its traps, and the commands that it runs there."""

    folder: Path
    ran: list[str] = field(default_factory=list)

    def run(
        self,
        command: str,
        *words: str,
        real: bool = False,
        watch: Callable[[int, float], None] = lambda pid, seconds: None,
        works: Callable[[float], bool] = lambda seconds: False,
    ) -> Ended:
        """Run a command to its end, `real` as a process of its own.

        watch: called with its process and the seconds so far, every few milliseconds. works: whether it is at the work
        that it was asked for, and may be stopped by SIGTERM: a value may be right, and ask for days.
        """
        typed = shlex.join(("python", "-m", f"suite.{command}", *words))
        self.ran.append(typed)
        out, err = self.folder / "stdout", self.folder / "stderr"
        sys.stdout.flush()  # else the child would print it once more
        sys.stderr.flush()
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _become(command, words, self.folder, out, err, real)
        status, hung, asked = None, False, None
        while status is None:
            time.sleep(0.003)
            ended, found, used = os.wait4(pid, os.WNOHANG)
            seconds = time.monotonic() - began
            if ended:
                status = found
            elif not hung and (seconds > WAITS or _processor_seconds(pid) > HANGS):
                hung = True
                os.kill(pid, signal.SIGKILL)
            elif asked is None and works(seconds):
                asked = _processor_seconds(pid)
                os.kill(pid, signal.SIGTERM)
            else:
                watch(pid, seconds)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # what it started: loaders, W&B
        code = os.waitstatus_to_exitcode(status)
        text = [path.read_text(encoding="utf-8", errors="backslashreplace") for path in (out, err)]
        took = used.ru_utime + used.ru_stime if asked is None else asked
        return Ended(typed, code, *text, took, hung)


def _processor_seconds(pid: int) -> float:
    """What a living process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _become(command: str, words: Sequence[str], folder: Path, out: Path, err: Path, real: bool) -> None:
    """The child: that command, and nothing of the parent behind it."""
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        for number, path, how in ((0, os.devnull, os.O_RDONLY), (1, out, os.O_WRONLY), (2, err, os.O_WRONLY)):
            file = os.open(path, how | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(file, number)
            os.close(file)
        for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, FILE), (resource.RLIMIT_CORE, 0)):
            resource.setrlimit(what, (most, most))
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the child of a background job would ignore it
        if real:
            os.execv(sys.executable, [sys.executable, "-m", f"suite.{command}", *words])
        # The parent may have others, as pytest does; threads that it had are not there.
        sys.stdout = open(1, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
        importlib.import_module("torch").set_num_threads(1)
        sys.argv = [f"suite.{command}", *words]
        importlib.import_module(f"suite.{command}").main()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1 if stop.code else 0
    except BaseException:  # also Ctrl-C: that no handler took it is a finding
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
