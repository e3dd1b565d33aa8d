"""W&B offline, read back from the files that `wandb sync` would upload."""

import json
import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wandb
from omegaconf import OmegaConf
from PIL import Image

from suite.run.folder import read_config

TINY = ["experiment=cyclegan_lsgan", "scale=smoke", "model.backbone.width=4", "model.discriminator.width=4"]
SHORT = ["trainer.limit_train_batches=2", "logger=wandb"]


def records(folder: Path) -> list[Any]:
    """All records of a finished run, of which the one on its exit is the last.

    W&B's service writes the file, and `finish` may return before it has; the end of a command waits for it, and a test
    in one process has to.
    """
    (file,) = folder.glob("*.wandb")
    patience = time.monotonic() + 30
    while True:
        found = list(parsed(file.read_bytes()))
        if any(record.HasField("exit") for record in found):
            return found
        assert time.monotonic() < patience, f"{file} has no exit record"
        time.sleep(0.05)


def parsed(content: bytes) -> Iterator[Any]:
    """The records that are whole: LevelDB's log format behind W&B's header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    at, parts = 7, b""
    while at < len(content):
        left_in_block = 32768 - at % 32768
        if left_in_block < 7:
            at += left_in_block
            continue
        if at + 7 > len(content):
            return
        _checksum, length, kind = struct.unpack("<IHB", content[at : at + 7])
        if at + 7 + length > len(content):
            return
        parts += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or the last part of one
            yield Record.FromString(parts)
            parts = b""


def wandb_runs(run: Path) -> list[Path]:
    return sorted((run / "wandb").glob("offline-run-*"))


def history(folder: Path) -> list[dict[str, Any]]:
    of_steps = (record.history for record in records(folder) if record.HasField("history"))
    return [{item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in h.item} for h in of_steps]


def run_id(folder: Path) -> str:
    return next(record.run.run_id for record in records(folder) if record.HasField("run"))


def exit_codes(folder: Path) -> list[int]:
    return [record.exit.exit_code for record in records(folder) if record.HasField("exit")]


@pytest.fixture
def run(command: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_DATA_DIR", raising=False)
    folder = tmp_path / "run"
    words = [*TINY, *SHORT, "trainer.max_epochs=2", "model.epochs=2", "model.decay_epochs=1"]
    assert command("train", *words, f"hydra.run.dir={folder}") == 0
    return folder


def test_a_run_is_offline_finished_and_says_how_to_upload_it(run):
    (folder,) = wandb_runs(run)
    assert exit_codes(folder) == [0]
    assert f"wandb sync {run}/wandb/offline-run-*" in (run / "log.txt").read_text()
    about = next(record.run for record in records(folder) if record.HasField("run"))
    assert (about.project, about.run_group, about.display_name) == ("suite", "cyclegan_lsgan", "cyclegan_lsgan-0")
    assert set(about.tags) == {"cyclegan", "faces_smoke", "smoke"}
    updates = [item for record in records(folder) if record.HasField("config") for item in record.config.update]
    config = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in updates}
    assert config["model"]["lr"] == 2e-4
    assert config["data"]["source"] == "faces"


def test_curves_have_their_axes(run):
    (folder,) = wandb_runs(run)
    metrics = [record.metric for record in records(folder) if record.HasField("metric")]
    axes = {metric.name: metric.step_metric for metric in metrics if metric.name}
    assert axes["train/cycle_a"] == axes["train/lr"] == "step"
    assert axes["val/psnr"] == axes["val_b2a/psnr"] == axes["pictures/a2b"] == axes["pictures/b2a"] == "epoch"
    rows = history(folder)
    assert [row["step"] for row in rows if "train/cycle_a" in row] == [1, 2, 3, 4]
    assert [row["epoch"] for row in rows if "val/psnr" in row] == [0, 1]
    assert [row["epoch"] for row in rows if any(name.startswith("pictures/a2b") for name in row)] == [0, 1]


def test_pictures_are_handed_over_pixel_by_pixel(run):
    (folder,) = wandb_runs(run)
    uploaded = sorted(folder.glob("files/media/images/pictures/a2b_*.png"), key=lambda path: path.stat().st_mtime)
    for path, epoch in zip(uploaded, (1, 2), strict=True):
        grid = np.asarray(Image.open(run / "images" / f"a2b_epoch{epoch:04d}.png"))
        assert (np.asarray(Image.open(path)) == grid).all()
        assert grid.min() < 40  # not the black or wrapped pictures that a float array would have become
        assert grid.max() > 215


def test_pictures_are_rows_of_a_table_of_each_validation_and_wait_in_the_runs_folder(run):
    (folder,) = wandb_runs(run)
    for name in ("a2b", "b2a"):
        tables = [json.loads(path.read_text()) for path in folder.glob(f"files/media/table/tables/{name}_*.json")]
        assert {tuple(table["columns"]) for table in tables} == {
            ("epoch", "step", "picture", "input", "output", "truth")
        }
        assert sorted(row[:3] for table in tables for row in table["data"]) == [
            [epoch, 2 * epoch, number] for epoch in (1, 2) for number in (1, 2, 3, 4)
        ]
    assert [row["epoch"] for row in history(folder) if any(name.startswith("tables/a2b") for name in row)] == [0, 1]
    pictures = [path for path in (run / "wandb" / "tables").rglob("*") if path.is_file() and is_picture(path)]
    assert len(pictures) == 2 * 2 * 4 * 3
    assert "WANDB_DATA_DIR" not in os.environ  # the next run of this process has a folder of its own


def is_picture(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


def test_a_resumed_run_goes_on_in_the_same_one(run, command):
    assert command("train", f"resume={run}", "model.decay_epochs=1", "trainer.max_epochs=3") == 0
    first, second = wandb_runs(run)
    assert run_id(first) == run_id(second)
    assert [row["step"] for row in history(second) if "train/cycle_a" in row] == [5, 6]
    assert exit_codes(second) == [0]


def test_an_evaluation_is_in_the_summary_where_asked_and_not_in_the_curves(run, command):
    """As the person who measures has W&B set, whatever the run says of where to send it."""
    config = OmegaConf.load(run / "config.yaml")
    config.logger.mode, config.logger.entity = "online", "somebody"
    OmegaConf.save(config, run / "config.yaml")
    assert command("evaluate", f"run={run}") == 0
    assert len(wandb_runs(run)) == 1
    assert command("evaluate", f"run={run}", "log=true") == 0
    first, second = wandb_runs(run)
    assert next(record.run.entity for record in records(second) if record.HasField("run")) == ""
    assert run_id(first) == run_id(second)
    assert not any("psnr" in name for row in history(second) for name in row)
    updates = [item for record in records(second) if record.HasField("summary") for item in record.summary.update]
    assert "psnr" in " ".join(item.key or ".".join(item.nested_key) for item in updates)
    assert exit_codes(second) == [0]


def test_jobs_of_a_multirun_are_separate_and_one_that_fails_stops_none(command, tmp_path, capsys):
    # The first job's loss is not finite: it fails with its W&B run open.
    words = ["-m", *TINY, *SHORT, "metrics=none", "model.lr=1e25,1e-4,2e-4", f"hydra.sweep.dir={tmp_path}"]
    assert command("train", *words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error in job 0: the loss '")
    assert "job 1" not in error
    folders = [folder for job in "012" for folder in wandb_runs(tmp_path / job)]
    assert len({run_id(folder) for folder in folders}) == 3
    assert [exit_codes(folder) for folder in folders] == [[1], [0], [0]]
    assert "the loss '" in (tmp_path / "0" / "log.txt").read_text()
    assert "the loss '" not in (tmp_path / "1" / "log.txt").read_text()


def test_a_refusal_of_wandb_is_one_line_and_leaves_none_open(command, tmp_path, capsys):
    assert command("train", *TINY, *SHORT, "logger.project=a/b", f"hydra.run.dir={tmp_path / 'run'}") == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert "logger.mode=offline needs no account" in line
    import wandb

    assert wandb.run is None


def test_a_run_of_a_sweep_is_the_one_that_its_agent_began(command, tmp_path, monkeypatch):
    """The agent says which in the environment, and types `--key=value`."""
    for name, value in (("RUN_ID", "agents1d"), ("SWEEP_ID", "abcdefgh"), ("PROJECT", "agents"), ("MODE", "offline")):
        monkeypatch.setenv(f"WANDB_{name}", value)
    wandb.teardown()  # it has read the environment once for all
    run = tmp_path / "run"
    words = [*(f"--{word}" for word in (*TINY, *SHORT)), "trainer.max_epochs=1", "metrics=none"]
    try:
        assert command("train", *words, f"--hydra.run.dir={run}") == 0
    finally:
        wandb.teardown()
    (folder,) = wandb_runs(run)
    about = next(record.run for record in records(folder) if record.HasField("run"))
    assert (about.run_id, about.sweep_id, about.project) == ("agents1d", "abcdefgh", "agents")
    assert read_config(run).logger.id == "agents1d"  # a resumed run, without the agent, goes on in it
