"""What a resumed run takes from the command line, from its folder and from its checkpoint; what it refuses."""

import csv
import re
import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from logged import logged
from omegaconf import OmegaConf
from PIL import Image

from suite.papers.base import Paper
from suite.run.checkpoints import AtomicCheckpointIO

TINY = ["experiment=cyclegan_lsgan", "scale=smoke", "model.backbone.width=4", "model.discriminator.width=4"]
SHORT = ["trainer.limit_train_batches=2", "metrics=none", "images.count=0"]


@pytest.fixture
def run(command: Callable[..., int], tmp_path: Path) -> Path:
    """A run of one epoch that can go on to a second."""
    folder = tmp_path / "run"
    assert command("train", *TINY, *SHORT, "model.epochs=1", "model.decay_epochs=1", f"hydra.run.dir={folder}") == 0
    return folder


@pytest.fixture(scope="module")
def refused_run(module_command: Callable[..., int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a run, for what changes nothing of it."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    words = [*TINY, *SHORT, "model.epochs=1", "model.decay_epochs=1", f"hydra.run.dir={folder}"]
    assert module_command("train", *words) == 0
    return folder


def contents(run: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def checkpoint(run: Path) -> dict[str, Any]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def rates(run: Path) -> list[float]:
    with (run / "metrics.csv").open(newline="") as file:
        return [float(row["train/lr"]) for row in csv.DictReader(file) if row["train/lr"]]


def test_a_job_that_is_requeued_goes_on_by_the_same_command(command, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    words = [*TINY, *SHORT, "trainer.max_epochs=2", f"hydra.run.dir={run}"]
    saved = AtomicCheckpointIO.save_checkpoint

    def save_and_stop(*arguments: Any, **options: Any) -> None:
        saved(*arguments, **options)
        signal.raise_signal(signal.SIGTERM)  # as Slurm does when the time is over

    with monkeypatch.context() as patch:
        patch.setattr(AtomicCheckpointIO, "save_checkpoint", save_and_stop)
        assert command("train", *words) == 128 + signal.SIGTERM
    assert checkpoint(run)["done"]["epochs"] == 1
    assert command("train", *words) == 2  # as a person types it once more
    assert "already holds a run" in capsys.readouterr().err
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert command("train", *words, "seed=1") == 2  # another run
    assert command("train", *words) == 0
    assert f"{run} has begun before, and goes on" in capsys.readouterr().out
    assert len(rates(run)) == 4
    assert checkpoint(run)["done"]["epochs"] == 2
    before = contents(run)
    assert command("train", *words) == 0
    assert "already" in capsys.readouterr().out
    assert contents(run) == before


def test_more_epochs_and_another_learning_rate(run, command):
    before = checkpoint(run)
    words = ["model.decay_epochs=3", "model.lr=1e-5", "model.betas=[0.4,0.9]"]
    assert command("train", f"resume={run}", *words) == 0
    after = checkpoint(run)
    assert after["done"]["epochs"] == 4
    assert after["done"]["batches"] == 4 * before["done"]["batches"]
    assert rates(run)[2:] == pytest.approx([7.5e-6, 7.5e-6, 5e-6, 5e-6, 2.5e-6, 2.5e-6])
    assert all(tuple(state["param_groups"][0]["betas"]) == (0.4, 0.9) for state in after["optimizer_states"])
    moments = [state["state"][0]["step"].item() for state in after["optimizer_states"]]
    assert moments == [after["done"]["steps"], after["done"]["batches"]]  # the averages go on; only settings are new
    kept = OmegaConf.load(run / "config.yaml")
    assert (kept.model.lr, kept.trainer.max_epochs) == (1e-5, 4)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("model.backbone.width=8", "does not fit the model's settings: size mismatch"),
        ("model.ema_decay=0.9", "does not fit the model's settings: Missing key"),
        ("metrics=offline", "metrics=offline: a resumed run keeps its groups, name and seed"),
        ("experiment=cyclegan_vanilla", "a resumed run keeps its groups"),
        ("seed=1", "seed=1: a resumed run keeps its groups, name and seed"),
        ("model.lrr=1", "unknown key model.lrr: did you mean model.lr?"),
        ("trainer.max_epochs=9", "trainer.max_epochs=9: the learning rate is 0 after 2 epochs"),
        ("model.lr=x", "model.lr=x: give a number"),
        ("trainer.max_epochs=2 data.batch_size=100", "data.batch_size=100: an epoch has only"),
        ("trainer.max_epochs=2 trainer.limit_train_batches=0.01", "trainer: You requested to check 0.01"),
        ("trainer.accelerator=gpu", "trainer.accelerator=gpu: no GPU is found here; trainer.accelerator=cpu runs"),
    ],
)
def test_what_cannot_be_changed_leaves_the_run_as_it_was(word, message, refused_run, command, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = contents(refused_run)
    assert command("train", f"resume={refused_run}", *word.split()) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert len(errors) == 1
    assert message in errors[0]
    assert contents(refused_run) == before


def test_a_moved_run_and_its_cache(run, command, tmp_path):
    moved = run.rename(tmp_path / "moved")
    words = ["model.decay_epochs=2", f"cache_dir={tmp_path / 'cache'}"]
    assert command("train", f"resume={moved}", *words) == 0
    assert checkpoint(moved)["done"]["epochs"] == 3
    assert list((tmp_path / "cache" / "pictures").iterdir())
    assert not run.exists()


def test_a_resumed_run_keeps_its_pictures(run, command, capsys):
    before = (run / "splits.json").read_bytes()
    assert command("train", f"resume={run}", "model.decay_epochs=2", "data.count.train=12") == 0
    said = r"\d+ pictures that came after training are in no split of the run"
    assert re.search(said, capsys.readouterr().out)
    assert re.search(said, (run / "log.txt").read_text())
    assert (run / "splits.json").read_bytes() == before
    assert command("train", f"resume={run}", "model.decay_epochs=3", "data.split={train: 0.5, test: 0.5}") == 2
    told = capsys.readouterr().err
    assert "data.split={train: 0.5, test: 0.5}: a resumed run keeps the splits of" in told
    assert f"start_from={run}" in told


def test_no_picture_that_came_after_training_is_tested(command, tmp_path, capsys):
    run, rng = tmp_path / "run", np.random.default_rng(0)

    def add(names):
        for side in "ab":
            (tmp_path / "set" / side).mkdir(parents=True, exist_ok=True)
            for name in names:
                pixels = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "set" / side / f"{name}.png")

    add([f"{number:03d}" for number in range(12)])
    data = ["data=unpaired_folders", f"data.root={tmp_path / 'set'}", "data.a=a", "data.b=b", "data.size=32"]
    data += ["data.load_size=32", "data.split={train: 8, test: 4}"]
    words = [*TINY, *data, *SHORT, "model.epochs=1", "model.decay_epochs=0", f"hydra.run.dir={run}"]
    assert command("train", *words) == 0
    before = (run / "splits.json").read_bytes()
    add(["0040", "041", "0"])
    capsys.readouterr()
    assert command("evaluate", f"run={run}", "metrics=offline", "metrics.names=[kid]") == 0
    out = capsys.readouterr().out
    assert "6 pictures that came after training are in no split of the run, such as 0" in out
    assert f"\nreading data.root={tmp_path / 'set'}\n" in f"\n{out}"
    assert (run / "splits.json").read_bytes() == before
    moved = (tmp_path / "set").rename(tmp_path / "moved")
    assert command("evaluate", f"run={run}", f"data_root={moved}", "metrics=offline", "metrics.names=[kid]") == 0
    assert "6 pictures that came after training" in capsys.readouterr().out


class Killed(BaseException):
    """Stands for kill -9: nothing of ours handles it."""


@pytest.mark.parametrize("at", ["the first step", "the first checkpoint", "the second checkpoint"])
def test_a_kill_at_any_moment_leaves_a_run_that_resumes(at, command, tmp_path, monkeypatch):
    words = [*TINY, *SHORT, "model.epochs=2", "model.decay_epochs=1", "trainer.max_epochs=3"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert command("train", *words, f"hydra.run.dir={whole}") == 0

    saves = 0

    def save(self, content, path, **more):
        nonlocal saves
        saves += 1
        if at == f"the {('zeroth', 'first', 'second')[saves]} checkpoint":
            Path(path).parent.mkdir(exist_ok=True)
            Path(path).with_name(Path(path).name + ".partial").write_bytes(b"half")
            raise Killed
        original(self, content, path, **more)

    def report(self, losses):
        raise Killed

    original = AtomicCheckpointIO.save_checkpoint
    with monkeypatch.context() as patch:
        patch.setattr(AtomicCheckpointIO, "save_checkpoint", save)
        if at == "the first step":
            patch.setattr(Paper, "report", report)
        with pytest.raises(Killed):
            command("train", *words, f"hydra.run.dir={killed}")
    assert (killed / "checkpoints" / "last.ckpt").exists() == (at == "the second checkpoint")

    assert command("train", f"resume={killed}") == 0
    found, expected = checkpoint(killed), checkpoint(whole)
    assert found["done"] == expected["done"]
    for name, weight in expected["state_dict"].items():
        if isinstance(weight, torch.Tensor):
            assert torch.equal(found["state_dict"][name], weight), name
    assert logged(killed) == logged(whole)


def test_stopped_before_its_first_checkpoint(command, tmp_path, monkeypatch, capsys):
    def report(self, losses):
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Paper, "report", report)
        own = f"cache_dir={tmp_path / 'my cache'}"  # not read of a run's folder, so it is said again
        assert command("train", *TINY, *SHORT, own, f"hydra.run.dir={tmp_path / 'run'}") == 130
    told = capsys.readouterr().err
    assert "stopped by SIGINT in epoch 1, before its first checkpoint; go on with: " in told
    assert shlex.split(told)[-2:] == [f"resume={tmp_path / 'run'}", own]
    assert "stopped by SIGINT" in (tmp_path / "run" / "log.txt").read_text()
    assert command("train", f"resume={tmp_path / 'run'}") == 0
