"""Runs of the commands in this process: everything but the interpreter's start."""

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
        try:
            cli.run(name, JOBS[name])
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return run
