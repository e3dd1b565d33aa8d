"""Runs of DA-GAN and CSI by their commands: the features that their losses need, and what goes on without them."""

import csv
import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from suite.networks import weights
from suite.networks.vgg import VGG
from suite.run.config import compose, instantiate, plain
from suite.run.folder import write_config

ROOT = Path(__file__).parents[2]
TINY = ["scale=smoke", "model.epochs=1", "model.decay_epochs=0", "trainer.max_epochs=1"]
PUBLISHED = ["model.features=vgg", "model.features_width=64"]
PAPERS = {"dagan_celeba_cufsf": ("vgg19", 19, "conv3_4"), "csi_celeba": ("vgg16", 16, "relu2_2")}


@pytest.fixture
def file(experiment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Random weights of full width under torchvision's names, known to the suite as the experiment's published ones."""
    name, depth, layer = PAPERS[experiment]
    layers = VGG(depth, layer, None).layers  # type: ignore[arg-type]
    path = tmp_path / f"{name}.pth"
    torch.save({f"features.{key}": value for key, value in layers.state_dict().items()}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(weights.WEIGHTS, name, dataclasses.replace(weights.WEIGHTS[name], sha256=digest[:8]))
    return path


def the_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said on stderr: one line."""
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("experiment", PAPERS)
def test_missing_features_end_the_command_before_there_is_a_run(experiment, command, tmp_path, capsys):
    words = [f"experiment={experiment}", *TINY, *PUBLISHED, f"model.features_weights={tmp_path / 'nowhere.pth'}"]
    assert command("train", *words, f"hydra.run.dir={tmp_path / 'run'}") == 2
    line = the_line(capsys)
    assert "model.features_weights: there is no file" in line
    assert "model.features=random_vgg runs without it" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("experiment", PAPERS)
def test_published_features_are_for_training_alone(experiment, command, file, tmp_path, capsys):
    run = tmp_path / "run"
    words = [f"experiment={experiment}", *TINY, *PUBLISHED, f"model.features_weights={file}"]
    assert command("train", *words, f"hydra.run.dir={run}") == 0
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["features"].endswith(hashlib.sha256(file.read_bytes()).hexdigest())
    assert f"{PAPERS[experiment][0]} {PAPERS[experiment][2]}" in (run / "log.txt").read_text(encoding="utf-8")

    file.rename(tmp_path / "away.pth")
    assert_both_styles_are_measured_and_shown(run)
    assert_table_2_and_photos_are_made(run, command)
    capsys.readouterr()
    longer = [f"resume={run}", "model.epochs=2", "trainer.max_epochs=2"]
    assert command("train", *longer, f"model.features_weights={file}") == 2  # of a run's folder it is never taken
    assert f"there is no file {file}" in the_line(capsys)
    assert command("train", *longer, "model.features=random_vgg") == 2
    assert "model.features: the checkpoint was trained with vgg" in the_line(capsys)
    assert command("train", *longer, f"model.features_weights={tmp_path / 'away.pth'}") == 0


def assert_both_styles_are_measured_and_shown(run: Path) -> None:
    """By a run's validation: simulated sketches as val, hand-drawn ones as val_target."""
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as rows:
        *_, measured = (row for row in csv.DictReader(rows) if row["val/psnr"])
    for name in ("lp_sum_random_vgg19", "lp_mean_random_vgg19", "lp_norm_random_vgg19", "psnr", "ssim"):
        assert float(measured[f"val/{name}"]) != float(measured[f"val_target/{name}"]), name
    assert {path.name for path in (run / "images").iterdir()} == {"a2b_epoch0001.png", "target_epoch0001.png"}


def assert_table_2_and_photos_are_made(run: Path, command) -> None:
    """By the commands that follow a run."""
    assert command("evaluate", f"run={run}") == 0
    figures = json.loads((run / "metrics.json").read_text(encoding="utf-8"))["test/last"]
    table = ("lp_mean_random_vgg19", "psnr", "ssim")
    assert {f"{section}/{name}" for section in ("test", "test_target") for name in table} <= figures.keys()

    sketch, photo = run.parent / "sketch.png", run.parent / "photo.png"
    Image.linear_gradient("L").resize((48, 33)).save(sketch)
    assert command("translate", f"run={run}", f"input={sketch}", f"output={photo}") == 0
    with Image.open(photo) as made:
        assert (made.mode, made.size) == ("RGB", (48, 33))


# The paper's figures --------------------------------------------------------------------------------------------------


@pytest.fixture
def without_photos(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Untrained runs by experiment, whose hand-drawn sketches come alone, as CUFSF's without FERET do."""
    monkeypatch.setenv("SUITE_CACHE", str(cache))
    (tmp_path / "cufsf" / "cropped_sketch").mkdir(parents=True)
    for number in range(1, 5):
        noise = Image.effect_noise((32, 32), 64 + number)
        noise.save(tmp_path / "cufsf" / "cropped_sketch" / f"{number:05d}.jpg")
    target = f"+data.target={{source: cufsf, root: {tmp_path / 'cufsf'}, split: {{train: 2, test: 2}}}}"
    runs = {experiment: tmp_path / experiment for experiment in PAPERS}
    for experiment, run in runs.items():
        config = compose("train", [f"experiment={experiment}", *TINY, "~data.target", target])
        model, _ = instantiate(config)
        content = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams), "epoch": 0}
        model.on_save_checkpoint(content)
        (run / "checkpoints").mkdir(parents=True)
        torch.save(content, run / "checkpoints" / "last.ckpt")
        write_config(OmegaConf.create({"data": plain(config.data)}), run)
    return runs


def test_figures_do_without_photos_of_hand_drawn_sketches_and_tables_say_that_they_need_them(
    without_photos, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(ROOT)
    from experiments.dagan.figures import columns, grids, table
    from experiments.dagan.measure import measure

    grids(without_photos, tmp_path / "figures")
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"fig1.png", "fig3.png", "fig4.png"}
    assert list(columns(without_photos, "source")) == ["sketch", "photo", "CSI", "DA-GAN"]
    assert list(columns(without_photos, "target")) == ["sketch", "CSI", "DA-GAN"]

    run = without_photos["csi_celeba"]
    for figures in (lambda: table({"csi_celeba": [run]}, "target"), lambda: measure(run)):
        with pytest.raises(SystemExit) as end:
            figures()
        assert str(end.value).startswith(f"{run}: not every test sketch of data.target has its photo")
