"""Runs of the commands in this process: everything but the interpreter's start."""

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from suite.check_data import check_data
from suite.evaluate import evaluate
from suite.export import export
from suite.make_sketches import make_sketches
from suite.run import cli
from suite.style_grid import style_grid
from suite.train import train
from suite.translate import translate

JOBS = {
    "train": train, "evaluate": evaluate, "translate": translate, "check_data": check_data,
    "make_sketches": make_sketches, "style_grid": style_grid, "export": export,
}  # fmt: skip
# On a GPU, runs are in bfloat16 and not reproducible to the bit. Both of training's words keep the first one from being
# said: one chooses for itself, the other takes what the run had.
ON_CPU = {
    "train": ("trainer=cpu", ("trainer=", "resume=")),
    "evaluate": ("accelerator=cpu", ("accelerator=",)),
    **dict.fromkeys(("translate", "make_sketches", "style_grid"), ("device=cpu", ("device=",))),
}


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def command(monkeypatch, cache) -> Callable[..., int]:
    """`command("train", "experiment=…")`: run a command as typed, on the CPU unless typed, and return its exit code."""
    return command_in(monkeypatch, cache)


@pytest.fixture(scope="module")
def module_command(cache) -> Iterator[Callable[..., int]]:
    """The same, for what several tests share."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield command_in(monkeypatch, cache)


def command_in(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Callable[..., int]:
    def run(name: str, *words: str) -> int:
        if name in ON_CPU:
            on_cpu, chosen = ON_CPU[name]
            words = words if any(word.startswith(chosen) for word in words) else (*words, on_cpu)
        monkeypatch.setenv("SUITE_CACHE", str(cache))
        monkeypatch.setattr(sys, "argv", [f"suite.{name}", *words])
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            cli.run(name, JOBS[name])
        except SystemExit as stop:
            return int(stop.code or 0)
        finally:
            for number, handler in handlers.items():  # an ended run leaves SIGINT ignored, for its process' end
                signal.signal(number, handler)
        return 0

    return run
