"""A run that was stopped, within an epoch or at its end, and resumed ends as one that never was: bit for bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from logged import logged

from suite.files import write_picture
from suite.papers import drawing
from suite.run.checkpoints import LastCheckpoint

TINY = [
    "scale=smoke",
    "trainer.max_epochs=4",
    "trainer.limit_train_batches=1.0",
    "model.epochs=2",
    "model.decay_epochs=2",
]
NARROW = ["model.backbone.width=4", "model.discriminator.width=4"]
POOL = ["model.pool_size=3", "model.ema_decay=0.9"]
CRITIC = ["model.adversarial.critic_steps=2"]
DISTURBED = ["model.backbone.dropout=0.5", "model.noise=0.1", "data.drawings=one"]
DAGAN = ["experiment=dagan_celeba_cufsf", "model.width=2"]


def test_four_epochs_equal_two_and_two(command, tmp_path, monkeypatch):
    """Ten batches are three iterations of DA-GAN and a part of the fourth."""
    settings = [*DAGAN, "model.inv_steps=3", "model.ema_decay=0.9", "trainer.limit_train_batches=5"]
    at_once, stopped = tmp_path / "at_once", tmp_path / "stopped"
    assert command("train", *TINY, *settings, f"hydra.run.dir={at_once}") == 0

    with monkeypatch.context() as patch:
        patch.setattr(LastCheckpoint, "on_train_epoch_end", interrupt_after(2, LastCheckpoint.on_train_epoch_end))
        # Grids of training pictures draw nothing that training would.
        assert command("train", *TINY, *settings, "images.train=2", f"hydra.run.dir={stopped}") == 130
    assert read(stopped)["done"]["epochs"] == 2
    assert command("train", f"resume={stopped}") == 0

    expected, found = read(at_once), read(stopped)
    for part in ("state_dict", "optimizer_states", "done"):
        assert_same(found[part], expected[part], part)
    assert logged(stopped) == logged(at_once)
    assert len(list(stopped.glob("images/train_a2b_*.png"))) == 4


@pytest.mark.parametrize(
    ("settings", "steps"),
    [
        ([*NARROW, *POOL, "experiment=cyclegan_wgan_gp", *CRITIC, "data.load_size=40", "data.workers=2"], 11),
        ([*NARROW, "experiment=pix2pix_final", *DISTURBED], 17),
        ([*NARROW, "experiment=pix2pix_unet", "data.workers=1"], 20),
        ([*DAGAN, "model.inv_steps=2"], 13),
    ],
    ids=[
        "critic steps, penalty, crops, pool, EMA and loader processes",
        "dropout, noise, erasing",
        "at an epoch's end",
        "noise of codes",
    ],
)
def test_any_step_will_do(settings, steps, command, tmp_path, monkeypatch):
    """Ten steps an epoch; losses are shown every three, so that some wait in the checkpoint."""
    words = [*settings, *TINY, "trainer.max_epochs=2", "trainer.log_every_n_steps=3", "data.epoch_length=20"]
    at_once, stopped = tmp_path / "at_once", tmp_path / "stopped"
    assert command("train", *words, f"hydra.run.dir={at_once}", f"checkpoint.every_n_steps={steps}") == 0

    with monkeypatch.context() as patch:
        patch.setattr(LastCheckpoint, "on_train_batch_end", interrupt_at(steps, LastCheckpoint.on_train_batch_end))
        code = command("train", *words, f"hydra.run.dir={stopped}", f"checkpoint.every_n_steps={steps}")
        assert code == (130 if steps < 20 else 0)
    assert read(stopped)["done"]["steps"] == steps
    assert command("train", f"resume={stopped}") == (0 if steps < 20 else 2)

    expected, found = read(at_once), read(stopped)
    for part in ("state_dict", "optimizer_states", "done", "losses"):
        assert_same(found[part], expected[part], part)
    assert logged(stopped) == logged(at_once)


@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_validation_end"], ids=["before", "after"])
def test_a_validation_within_an_epoch_is_made_once(hook, command, tmp_path, monkeypatch):
    """Stopped before and after the validation of a step that is saved, too."""
    words = ["experiment=cyclegan_lsgan", *TINY, *NARROW, "model.steps=6", "metrics=pixel"]
    words += ["validation.every_n_steps=2", "checkpoint.every_n_steps=2", "data.epoch_length=20"]
    at_once, stopped = tmp_path / "at_once", tmp_path / "stopped"
    assert command("train", *words, f"hydra.run.dir={at_once}") == 0
    with monkeypatch.context() as patch:
        patch.setattr(LastCheckpoint, hook, interrupt_at(4, getattr(LastCheckpoint, hook)))
        assert command("train", *words, f"hydra.run.dir={stopped}") == 130
    assert read(stopped)["done"]["steps"] == (2 if hook == "on_train_batch_end" else 4)
    assert command("train", f"resume={stopped}") == 0
    assert logged(stopped) == logged(at_once)
    validated = [row for row in logged(at_once) if row["val/l1"]]
    assert [(row["batch"], row["step"]) for row in validated] == [("2", "2"), ("4", "4"), ("6", "6")]
    assert read(stopped)["callbacks"] == read(at_once)["callbacks"]  # also which value was best


THREE_STAGES = [
    "experiment=sketch_to_image_faces",
    "scale=smoke",
    "trainer.limit_train_batches=1.0",
    "trainer.max_epochs=2",
    "data.epoch_length=8",  # samples: four steps an epoch
    "model.white_above=0.5",  # after so few steps all else is black
    "model.width=2",
    "data.subset_views=1",  # four pictures, in batches of two
    "checkpoint.every_n_steps=1",
    "metrics=none",
    "images.count=0",
]


def test_three_stages_stopped_in_each_and_between_them(command, tmp_path, monkeypatch):
    """The auto-encoder's subsets of pictures change every two steps, before the stop and after it."""
    at_once, stopped = tmp_path / "at_once", tmp_path / "stopped"
    assert command("train", *THREE_STAGES, f"hydra.run.dir={at_once}") == 0

    def stop_in(stage, steps):
        save = LastCheckpoint.on_train_batch_end

        def hook(self, trainer, pl_module, *more):
            save(self, trainer, pl_module, *more)
            if (pl_module.stage, pl_module.steps) == (stage, steps):
                raise KeyboardInterrupt

        return lambda patch: patch.setattr(LastCheckpoint, "on_train_batch_end", hook)

    def stop_while_drawing(patch):
        kept = []

        def write(picture, path):
            write_picture(picture, path)
            kept.append(path)
            if len(kept) == 5:
                raise KeyboardInterrupt

        patch.setattr(drawing, "write_picture", write)

    for stop in (stop_in("tom", 3), stop_while_drawing, stop_in("autoencoder", 5), stop_in("refine", 6)):
        with monkeypatch.context() as patch:
            stop(patch)
            words = [f"resume={stopped}"] if stopped.exists() else [*THREE_STAGES, f"hydra.run.dir={stopped}"]
            assert command("train", *words) == 130
        stopped = stopped.rename(stopped.with_name(f"{stopped.name}_moved"))
    assert command("train", f"resume={stopped}") == 0

    assert read(stopped / "2_autoencoder")["turn"] == 3
    for own in ("1_tom", "2_autoencoder", "3_refine"):
        expected, found = read(at_once / own), read(stopped / own)
        for part in ("state_dict", "optimizer_states", "done", "losses", "turn"):
            assert_same(found[part], expected[part], f"{own}.{part}")
        assert logged(stopped / own) == logged(at_once / own)
    made, expected = (sketches(run / "1_tom" / "sketches") for run in (stopped, at_once))
    assert made == expected
    assert len(set(made.values())) > 2  # they are not all black


def sketches(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.png")}


def test_a_finished_run_is_not_resumed(command, tmp_path, capsys):
    words = ["experiment=cyclegan_lsgan", "scale=smoke", f"hydra.run.dir={tmp_path / 'run'}"]
    assert command("train", *words) == 0
    assert command("train", f"resume={tmp_path / 'run'}") == 2
    assert "has its 1 epoch of 200 epochs; to train on, raise trainer.max_epochs" in capsys.readouterr().err


def interrupt_after(epochs: int, save: Any) -> Any:
    """The callback's hook, followed by Ctrl-C at the end of that epoch."""

    def hook(self, trainer, pl_module):
        save(self, trainer, pl_module)
        if trainer.current_epoch + 1 == epochs:
            raise KeyboardInterrupt

    return hook


def interrupt_at(steps: int, save: Any) -> Any:
    """The callback's hook, followed by Ctrl-C after that many steps, the last of an epoch excepted."""

    def hook(self, trainer, *more):
        save(self, trainer, *more)
        if more[0].steps == steps and not trainer.is_last_batch:
            raise KeyboardInterrupt

    return hook


def read(run: Path) -> dict[str, Any]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def assert_same(found: Any, expected: Any, where: str) -> None:
    """Every tensor and every number in nested lists and dicts is the same."""
    assert type(found) is type(expected), where
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key in expected:
            assert_same(found[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), where
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{where}[{number}]")
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected), where
    else:
        assert found == expected, where
