"""What goes wrong in the middle of a run: it ends with one line, and what was saved before stays good."""

import resource
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import suite
from suite.losses.adversarial import AdversarialLoss
from suite.run.checkpoints import AtomicCheckpointIO, LastCheckpoint

TINY = ["experiment=cyclegan_lsgan", "scale=smoke", "model.backbone.width=4", "model.discriminator.width=4"]
THREE = ["trainer.max_epochs=3", "trainer.limit_train_batches=2", "trainer.log_every_n_steps=50"]


def assert_finite(path):
    state = torch.load(path, weights_only=True)["state_dict"]
    assert all(weight.isfinite().all() for weight in state.values() if isinstance(weight, torch.Tensor))


@pytest.mark.parametrize("bad_step", [3, 4], ids=["the epoch's first step", "the epoch's last step"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_bad_loss_is_named_with_its_step_and_never_saved(bad_step, bad, command, tmp_path, capsys, monkeypatch):
    calls, loss = 0, AdversarialLoss.discriminator

    def discriminator(self, real, fake):
        nonlocal calls
        calls += 1  # two a step, D_A's first
        return loss(self, real, fake) * (bad if calls == 2 * bad_step else 1)

    monkeypatch.setattr(AdversarialLoss, "discriminator", discriminator)
    run = tmp_path / "run"
    assert command("train", *TINY, *THREE, f"hydra.run.dir={run}") == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert line.startswith(f"error: the loss 'D_b' was not finite in batch {bad_step}: ")
    assert f"with that, go on with: python -m suite.train resume={run}" in line
    assert line in (run / "log.txt").read_text()
    for name in ("last", "best"):
        assert torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)["done"]["batches"] == 2
        assert_finite(run / "checkpoints" / f"{name}.ckpt")
    monkeypatch.undo()
    assert suite.load(run).steps == 2


def test_a_full_disk_ends_a_run_and_not_its_checkpoint(command, tmp_path, capsys, monkeypatch):
    run, save, soft = tmp_path / "run", AtomicCheckpointIO.save_checkpoint, resource.getrlimit(resource.RLIMIT_FSIZE)

    def save_then_fill_the_disk(self, *arguments, **more):
        save(self, *arguments, **more)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, soft[1]))  # no file may grow larger from here

    with monkeypatch.context() as patch:
        patch.setattr(AtomicCheckpointIO, "save_checkpoint", save_then_fill_the_disk)
        try:
            assert command("train", *TINY, *THREE, "metrics=none", f"hydra.run.dir={run}") == 2
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, soft)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert (
        line == f"error: can't save {run}/checkpoints/last.ckpt: File too large; the previous checkpoint is untouched"
    )
    assert [file.name for file in (run / "checkpoints").iterdir()] == ["last.ckpt"]
    assert suite.load(run).steps == 2
    assert command("train", f"resume={run}") == 0
    assert suite.load(run).steps == 6


def at_the_first_step(monkeypatch, happens):
    begun = LastCheckpoint.on_train_start

    def on_train_start(self, *arguments):
        begun(self, *arguments)
        happens()

    monkeypatch.setattr(LastCheckpoint, "on_train_start", on_train_start)


def test_a_run_whose_data_are_gone_goes_on_with_what_is_in_its_cache(command, tmp_path, capsys, monkeypatch):
    root, run = tmp_path / "data", tmp_path / "run"
    for number in range(12):
        for side in ("photos", "paintings"):
            (root / side).mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng([number, len(side)]).integers(0, 256, (40, 40, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / side / f"{number}.png")
    at_the_first_step(monkeypatch, lambda: shutil.rmtree(root))
    where = ["data=unpaired_folders", f"data.root={root}", "data.a=photos", "data.b=paintings"]
    words = [*TINY, *where, "metrics=offline", "images.train=2", "trainer.limit_train_batches=1"]
    assert command("train", *words, f"hydra.run.dir={run}") == 0
    assert not root.exists()
    assert "val/fd_random_vgg" in capsys.readouterr().out
    assert (run / "images" / "train_a2b_epoch0001.png").is_file()


def test_a_run_whose_folder_takes_no_more_ends_with_the_name_of_the_file(command, tmp_path, capsys, monkeypatch):
    run = tmp_path / "run"

    def close():
        (run / "metrics.csv").mkdir()  # which root can't write to either

    at_the_first_step(monkeypatch, close)
    assert command("train", *TINY, *THREE, "metrics=none", f"hydra.run.dir={run}") == 2
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert told == [f"error: can't write {run / 'metrics.csv'}: Is a directory"]
    assert not (run / "conclusion.txt").exists()
