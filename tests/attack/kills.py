"""Kills: a run that is killed, or stopped by a signal, at any moment, and resumed, ends as one that nobody disturbed.

Bit for bit: weights, optimizers and counts of last.ckpt, and metrics.csv but for speed. Every third kill waits for a
checkpoint that is being saved. One that is killed before it is a run begins again, as the command says.
"""

import csv
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from ground import CYCLEGAN, Ground
from trial import Failure, Trial

COUNT = 20
_EARLIEST = 0.5  # seconds; before it is a command a signal ends the interpreter
WORDS = (
    *CYCLEGAN, "trainer.max_epochs=3", "model.epochs=2", "model.decay_epochs=1", "trainer.limit_train_batches=5",
    "checkpoint.every_n_steps=2", "logger=none",
)  # fmt: skip


def attack(number: int, random: Random, ground: Ground, trial: Trial) -> None:
    """Raises Failure."""
    whole, seconds = undisturbed(ground)
    run = trial.folder / "run"
    how = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[number % 4]
    words: tuple[str, ...] = (*WORDS, "hydra.run.dir=run")
    for left in reversed(range(random.randint(2, 4))):  # it may be killed again, when it has gone on
        moment = random.uniform(_EARLIEST, seconds)
        strike = while_it_saves(run, how, random.randint(1, 6)) if number % 3 == 0 else at(moment, how)
        ended = trial.run("train", *words, watch=strike if left else nothing)
        ended.check(0, 2, -how if how == signal.SIGKILL else 128 + how)
        if ended.code in (0, 2):
            break
        words = go_on(run)
    if ended.code == 2 and "to train on, raise" not in ended.errors[0]:
        raise Failure("wrong", f"it is not resumed: {ended.errors[0]}")
    compare(run, whole)


def go_on(run: Path) -> tuple[str, ...]:
    return ("resume=run",) if (run / "config.yaml").is_file() else (*WORDS, "hydra.run.dir=run")


def undisturbed(ground: Ground) -> tuple[Path, float]:
    """A run that nobody disturbs, and the seconds that it takes."""
    place = ground.folder / f"undisturbed-{os.getpid()}"
    if not (place / "seconds").is_file():
        place.mkdir()
        began = time.monotonic()
        Trial(place).run("train", *WORDS, "hydra.run.dir=run").check(0)
        (place / "seconds").write_text(str(time.monotonic() - began))
    return place / "run", float((place / "seconds").read_text())


def nothing(pid: int, seconds: float) -> None:
    """Strikes never."""


def at(moment: float, how: signal.Signals) -> Callable[[int, float], None]:
    """Strikes once, after so many seconds."""
    struck = False

    def strike(pid: int, seconds: float) -> None:
        nonlocal struck
        if not struck and seconds >= moment:
            struck = True
            os.kill(pid, how)

    return strike


def while_it_saves(run: Path, how: signal.Signals, save: int) -> Callable[[int, float], None]:
    """Strikes once, when that many checkpoints have been seen half-written."""
    partial, there, seen = run / "checkpoints" / "last.ckpt.partial", False, 0

    def strike(pid: int, seconds: float) -> None:
        nonlocal there, seen
        before, there = there, partial.exists()
        seen += there and not before
        if seen == save and there and not before:
            os.kill(pid, how)

    return strike


def compare(run: Path, whole: Path) -> None:
    """Raises Failure where a run did not come to what the other has."""
    import torch

    found, expected = (torch.load(one / "checkpoints" / "last.ckpt", weights_only=True) for one in (run, whole))
    for part in ("done", "state_dict", "optimizer_states"):
        if different := difference(found[part], expected[part], part):
            raise Failure("wrong", f"{different} of last.ckpt is not that of an undisturbed run")
    if logged(run) != logged(whole):
        raise Failure("wrong", "metrics.csv is not that of an undisturbed run")
    if left := [path for path in run.rglob("*") if path.suffix in (".partial", ".part")]:
        raise Failure("wrong", f"{left[0].relative_to(run)} is left behind")


def logged(run: Path) -> list[dict[str, str]]:
    """metrics.csv, but for how fast it went."""
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{name: value for name, value in row.items() if not name.startswith("speed/")} for row in rows]


def difference(found: Any, expected: Any, name: str) -> str:
    """The name of the first value that is not equal; empty where all are."""
    import torch

    if isinstance(expected, torch.Tensor):
        return "" if isinstance(found, torch.Tensor) and torch.equal(found, expected) else name
    if type(found) is not type(expected):
        return name
    if isinstance(expected, dict) and found.keys() == expected.keys():
        return next(filter(None, (difference(found[key], expected[key], f"{name}.{key}") for key in expected)), "")
    if isinstance(expected, list | tuple) and len(found) == len(expected):
        pairs = zip(found, expected, strict=True)
        return next(filter(None, (difference(*pair, f"{name}.{at}") for at, pair in enumerate(pairs))), "")
    return "" if found == expected else name
