"""Runs of pix2pix by its commands: every arm fits its own data, early stopping, modes of inference, bad input."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import suite
from suite.run.config import CONF, compose, instantiate
from suite.run.folder import read_config
from suite.translate import main as translate

ARMS = sorted(
    path.stem
    for pattern in ("pix2pix_*", "cyclegan_*sketch*")
    for path in (CONF / "experiment").glob(f"{pattern}.yaml")
)
TINY = ["scale=smoke", "model.backbone.width=4", "model.discriminator.width=4", "metrics=pixel"]
QUICK = [*TINY, "images.count=0", "trainer.check_val_every_n_epoch=100", "metrics=none"]
STUCK = ["model.lr=1e-12", "early_stopping.min_delta=100", "model.epochs=9", "trainer.max_epochs=9"]


@pytest.mark.parametrize("name", sorted(set(ARMS)))
@pytest.mark.parametrize("scale", ["paper", "demo"])
def test_every_arm_fits_the_reports_data_and_the_built_in_faces(name: str, scale: str) -> None:
    config = compose("train", [f"experiment={name}", f"scale={scale}", "data.root=/nowhere"])
    with torch.device("meta"):
        model, data = instantiate(config)
    watched = "val/l1_closest" if data.drawings == "all" else "val/l1"
    assert (config.metrics.monitor, config.metrics.mode) == (watched, "min")
    assert data.drawings == ("all" if name.startswith("pix2pix") else "one")
    assert data.source == {"paper": "sketchy" if "sketchy" in name else "photo_sketch", "demo": "faces"}[scale]
    if scale == "paper" and name.startswith("pix2pix"):
        assert (data.size, model.hparams["channels_b"], model.schedule.decay) == (256, 1, 0)


# Early stopping -------------------------------------------------------------------------------------------------------


def epochs_of(run: Path) -> int:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["done"]["epochs"]


def test_a_run_stops_when_its_loss_no_longer_falls_and_can_be_told_to_wait(command, tmp_path):
    run = tmp_path / "run"
    words = ["experiment=pix2pix_early_stop", *QUICK, *STUCK, f"hydra.run.dir={run}", "checkpoint.every_n_epochs=5"]
    assert command("train", *words, "early_stopping.patience=2") == 0
    assert epochs_of(run) == 3  # the first is the best of all
    assert "stopped early: L1 is" in (run / "log.txt").read_text()
    assert command("train", f"resume={run}", "early_stopping.patience=4") == 0
    assert epochs_of(run) == 5


def test_a_loss_that_falls_stops_nothing(command, tmp_path):
    run = tmp_path / "run"
    words = [
        "experiment=pix2pix_early_stop",
        *QUICK,
        "trainer.max_epochs=3",
        "early_stopping.patience=1",
        "model.lr=0.01",
    ]
    assert command("train", *words, "early_stopping.min_delta=0", f"hydra.run.dir={run}") == 0
    assert epochs_of(run) == 3
    with (run / "metrics.csv").open(newline="") as file:
        losses = [float(row["train/L1"]) for row in csv.DictReader(file) if row["train/L1"]]
    assert losses[0] + losses[1] > losses[2] + losses[3] > losses[4] + losses[5]


def test_early_stopping_is_decided_over_whole_epochs(make_cyclegan, make_batches, fit):
    from suite.run.callbacks import StopEarly

    model, watched = make_cyclegan(), []
    report = model.report
    model.report = lambda losses: watched.append(losses["cycle_a"].item()) or report(losses)
    stop = StopEarly("cycle_a", patience=5, min_delta=0.0)
    trainer = fit(model, make_batches(3), max_epochs=2, log_every_n_steps=2, callbacks=stop)  # 2 steps and 1
    means = [sum(watched[:3]) / 3, sum(watched[3:]) / 3]
    assert trainer.callback_metrics["epoch/cycle_a"].item() == pytest.approx(means[1])
    assert float(stop.best_score) == pytest.approx(min(means))


# What is measured -----------------------------------------------------------------------------------------------------


def test_data_with_one_drawing_watch_the_distance_to_it():
    words = ["experiment=pix2pix_final", "data=paired_folders", "data.root=/nowhere"]
    assert compose("train", words).metrics.monitor == "val/l1"
    assert compose("train", ["experiment=pix2pix_final", "sweep=gao_alignment"]).metrics.monitor == "val/l1"
    assert compose("train", ["experiment=pix2pix_final", "sweep=gao_regularisers"]).metrics.monitor == "val/l1_closest"


def test_training_pictures_are_measured_as_they_are(run, command):
    from suite.papers.pix2pix import closest_l1, real_drawings

    assert command("evaluate", f"run={run}", "split=train", "metrics=pixel") == 0
    figures = json.loads((run / "metrics.json").read_text())["train/last"]
    assert {name for name in figures if name != "steps"} == {
        f"train_pictures/{name}" for name in ("psnr", "ssim", "l1", "l1_closest", "n")
    }
    _, data = instantiate(read_config(run))
    data.setup()
    (batch,) = map(data.finish, data.first_batches("train", 99))
    assert len(batch["index"]) == 8
    expected = closest_l1(suite.load(run).translate(batch)[None], real_drawings(batch)[0]).item()
    assert figures["train_pictures/l1_closest"] == pytest.approx(expected, rel=1e-4)
    assert expected < figures["train_pictures/l1"]


# Modes of inference ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A run of a U-Net with dropout and BatchNorm, to be read only."""
    return tmp_path_factory.mktemp("pix2pix") / "run"


@pytest.fixture
def run(finished, command) -> Path:
    if not finished.exists():
        words = [*TINY, "data.size=64", "data.load_size=64", "discriminator=patch34", "model.discriminator.width=4"]
        assert command("train", "experiment=pix2pix_unet", *words, f"hydra.run.dir={finished}") == 0
    return finished


def test_evaluate_in_both_modes(run, command, capsys):
    for words in (["mode=eval"], ["mode=train"], ["mode=train", "checkpoint=best"], ["mode=train", "seed=1"]):
        assert command("evaluate", f"run={run}", *words) == 0
    entries = json.loads((run / "metrics.json").read_text())
    assert entries.keys() >= {"test/last", "test/last/train", "test/best/train"}
    by_mode = [entries[name]["test/l1"] for name in ("test/last", "test/last/train")]
    assert abs(by_mode[0] - by_mode[1]) > 1e-4
    assert command("evaluate", f"run={run}", "mode=papr") == 2
    assert command("evaluate", f"run={run}", "split=all") == 2
    told = capsys.readouterr().err
    assert "mode=papr: choose from eval, train" in told
    assert "split=all: choose from test, val, train" in told


def test_translate_in_both_modes(run, monkeypatch, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "photo.png")

    def translated(name: str, *words: str) -> bytes:
        output = tmp_path / f"{name}.png"
        monkeypatch.setattr("sys.argv", ["suite.translate", f"run={run}", f"input={tmp_path / 'photo.png'}",
                                         f"output={output}", "device=cpu", *words])  # fmt: skip
        translate()
        return np.asarray(Image.open(output)).tobytes()

    by_eval, once = translated("eval"), translated("once", "mode=train", "seed=1")
    assert translated("again", "mode=train", "seed=1") == once
    assert translated("other", "mode=train", "seed=2") != once
    assert by_eval != once
    model, x = suite.load(run, mode="train"), torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 127.5 - 1
    torch.manual_seed(1)
    expected = ((model.translate(x)[0, 0] + 1) * 127.5).round().to(torch.uint8)
    assert np.abs(np.frombuffer(once, np.uint8).reshape(64, 64) - expected.numpy().astype(int)).max() <= 1


# Bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["experiment=pix2pix_unet", "data.size=40", "data.load_size=40"], ["data.size=40", "data.size=32", "downs"]),
        (["experiment=pix2pix_unetpp", "data.size=40", "data.load_size=40"], ["data.size=40", "multiple of 16"]),
        (["experiment=pix2pix_unet", "model.backbone.deep_supervision=true"], ["model.backbone.deep_supervision"]),
        (["experiment=pix2pix_unet", "+model.backbone.deep_supervision=true"], ["only other choices of backbone="]),
        (["experiment=cyclegan_lsgan", "backbone=unetpp", "model.backbone.deep_supervision=true"], ["set it false"]),
        (["experiment=pix2pix_unet", "data.hands=1"], ["16 drawings", "data.drawings=one"]),
        (["experiment=pix2pix_unet", "data.direction=b2a", "data.channels_a=1"], ["direction=b2a", "drawings=one"]),
        (["experiment=pix2pix_unet", "data.task=unpaired", "data.drawings=one"], ["data.task=unpaired", "paired"]),
        (["experiment=pix2pix_final", "adversarial=wgan"], ["real_label=0.9", "wgan", "set it to 1"]),
        (["experiment=pix2pix_unet", "discriminator=patch", "model.discriminator.field=64"], ["field=64", "34 and 70"]),
        (["experiment=pix2pix_unet", "early_stopping.loss=l1"], ["early_stopping.loss=l1", "D, G_adv, L1"]),
        (["experiment=pix2pix_unet", "early_stopping.patience=0"], ["early_stopping.patience=0"]),
        (["experiment=pix2pix_unet", "early_stopping.patients=9"], ["early_stopping.patients"]),
    ],
)  # fmt: skip
def test_one_line(words, parts, command, tmp_path, capsys):
    assert command("train", *words, "scale=smoke", "metrics=none", f"hydra.run.dir={tmp_path / 'run'}") == 2
    (told,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("error"))
    for part in parts:
        assert part in told
