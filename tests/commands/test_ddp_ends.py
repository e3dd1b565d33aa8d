"""A run of two processes ends as one does: with one line, at once, and with both of them."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

RUN = ["experiment=cyclegan_lsgan", "scale=smoke", "trainer.devices=2", "trainer.accelerator=cpu", "threads=1"]
TINY = ["model.backbone.width=4", "model.discriminator.width=4", "metrics=none", "images.count=0"]


@pytest.fixture
def start(cache, tmp_path):
    """Starts a run in a process group of its own; nothing is left of it."""
    started = []

    def begin(*words: str) -> tuple[subprocess.Popen, Path]:
        run = tmp_path / "run"
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a child of a background job would ignore it
        environment = os.environ | {"OMP_NUM_THREADS": "1", "SUITE_CACHE": str(cache)}
        arguments = [sys.executable, "-m", "suite.train", *RUN, *TINY, *words, f"hydra.run.dir={run}"]
        with (tmp_path / "stderr").open("w") as err:
            process = subprocess.Popen(
                arguments, env=environment, stdout=subprocess.DEVNULL, stderr=err, start_new_session=True
            )
        started.append(process)
        return process, run

    yield begin
    for process in started:
        if not gone(process.pid, seconds=0):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def gone(group: int, seconds: float) -> bool:
    """Whether no process of the group is left, at the latest after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.1)


LONG = ["trainer.max_epochs=200", "trainer.limit_train_batches=1.0"]


def wait_for_checkpoint(process: subprocess.Popen, run: Path) -> None:
    deadline = time.monotonic() + 120
    while not (run / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None, (run.parent / "stderr").read_text()
        assert time.monotonic() < deadline, "no checkpoint"
        time.sleep(0.1)


def second(process: subprocess.Popen) -> int:
    found = subprocess.run(["pgrep", "-P", str(process.pid), "-f", "suite.train"], capture_output=True, check=True)
    return int(found.stdout)


def test_sigterm_ends_both(start, tmp_path):
    process, run = start(*LONG)
    wait_for_checkpoint(process, run)
    process.send_signal(signal.SIGTERM)  # to the first process alone, as a scheduler does
    assert process.wait(timeout=60) == 143
    assert gone(process.pid, seconds=10)
    lines = (tmp_path / "stderr").read_text().splitlines()
    assert [line for line in lines if "resume=" in line] == [lines[-1]]
    assert lines[-1].startswith("stopped by SIGTERM in epoch ")
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["done"]["batches"] >= 5


def test_a_bad_loss_ends_both_with_one_line(start, tmp_path):
    process, _ = start("model.lr=1e25", "trainer.limit_train_batches=3")
    assert process.wait(timeout=240) == 2
    assert gone(process.pid, seconds=10)
    lines = (tmp_path / "stderr").read_text().splitlines()
    assert [line for line in lines if line.startswith(("error", "Traceback"))] == [lines[-1]]
    assert "was not finite in batch 2" in lines[-1]


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [
        (signal.SIGSTOP, ["timeout=0.1"], "no progress for timeout=0.1 minutes: rank 1 (process {} on {}) stands "),
        (signal.SIGKILL, [], "rank 1 (process {} on {}) was ended by SIGKILL "),
    ],
    ids=["SIGSTOP", "SIGKILL"],
)
def test_a_rank_that_hangs_or_dies_ends_both_with_one_line(number, words, said, start, tmp_path):
    process, run = start(*LONG, *words)
    wait_for_checkpoint(process, run)
    rank = second(process)
    os.kill(rank, number)
    assert process.wait(timeout=40) == 2
    assert gone(process.pid, seconds=10)
    (line,) = (tmp_path / "stderr").read_text().splitlines()
    assert line.startswith(f"error: {said.format(rank, socket.gethostname())}")
    assert " of epoch " in line
    assert line.endswith(f"go on with: python -m suite.train resume={run}")
    assert line.removeprefix("error: ") in (run / "log.txt").read_text()
    assert not (run / ".lock").exists()
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["done"]["batches"] >= 5
