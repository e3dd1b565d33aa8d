"""Runs of the commands in this process: everything but the interpreter's start."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from suite import cli
from suite.evaluate import evaluate
from suite.train import train

JOBS = {"train": train, "evaluate": evaluate}


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def command(monkeypatch, cache) -> Callable[..., int]:
    """`command("train", "experiment=…")`: run a command as typed and return its exit code."""

    def run(name: str, *words: str) -> int:
        monkeypatch.setenv("SUITE_CACHE", str(cache))
        monkeypatch.setattr(sys, "argv", [f"suite.{name}", *words])
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            cli.run(name, JOBS[name])
        except SystemExit as stop:
            return int(stop.code or 0)
        finally:
            for number, handler in handlers.items():  # an ended run leaves SIGINT ignored, for its process' end
                signal.signal(number, handler)
        return 0

    return run
