"""A run that is told to stop says how to go on; a run that is killed can be gone on with all the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

LONG = [
    "experiment=cyclegan_lsgan",
    "scale=smoke",
    "trainer=cpu",
    "trainer.max_epochs=200",
    "trainer.limit_train_batches=1.0",
]


@pytest.fixture
def start(cache, tmp_path):
    """Starts a long run and returns it with its folder once it has saved a checkpoint; nothing is left running."""
    started = []

    def begin(*words: str) -> tuple[subprocess.Popen, Path]:
        run = tmp_path / "run"
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a child of a background job would ignore it
        environment = os.environ | {"OMP_NUM_THREADS": "1", "SUITE_CACHE": str(cache), "WANDB_MODE": "offline"}
        environment |= {f"WANDB_{name}_DIR": str(tmp_path / "wandb") for name in ("CACHE", "DATA", "CONFIG")}
        arguments = [sys.executable, "-m", "suite.train", *LONG, *words, "threads=1", f"hydra.run.dir={run}"]
        with (tmp_path / "stdout").open("w") as out, (tmp_path / "stderr").open("w") as err:
            process = subprocess.Popen(arguments, env=environment, stdout=out, stderr=err)
        started.append(process)
        deadline = time.monotonic() + 120
        while not (run / "checkpoints" / "last.ckpt").exists():
            assert process.poll() is None, (tmp_path / "stderr").read_text()
            assert time.monotonic() < deadline, "no checkpoint"
            time.sleep(0.1)
        return process, run

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_stopped_run_ends_cleanly_and_says_how_to_go_on(number, start, tmp_path):
    process, run = start("logger=wandb")
    process.send_signal(number)
    assert process.wait(timeout=240) == 128 + number

    lines = (tmp_path / "stderr").read_text().splitlines()
    advice = [line for line in lines if "resume=" in line]
    assert len(advice) == 1
    assert advice[0].startswith(f"stopped by {number.name} in epoch ")
    assert advice[0].endswith(f"python -m suite.train resume={run}")
    assert not any("Traceback" in line for line in lines)

    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["done"]["batches"] >= 10
    assert not list(run.rglob("*.partial"))
    assert len(list(run.glob("wandb/offline-run-*/*.wandb"))) == 1
