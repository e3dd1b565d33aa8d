"""Runs of DA-GAN and CSI by their commands: the features that their losses need, and what goes on without them."""

import dataclasses
import hashlib
from pathlib import Path

import pytest
import torch

import suite
from suite.networks import weights
from suite.networks.vgg import VGG

TINY = ["scale=smoke", "metrics.names=[]", "images.count=0"]
PUBLISHED = ["model.features=vgg", "model.features_width=64"]
PAPERS = {"dagan_celeba_cufsf": ("vgg19", 19, "conv3_4"), "csi_celeba": ("vgg16", 16, "relu2_2")}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """By experiment, random weights of full width under torchvision's names, known to the suite as the published."""
    found = {}
    for experiment, (name, depth, layer) in PAPERS.items():
        layers = VGG(depth, layer, None).layers  # type: ignore[arg-type]
        found[experiment] = tmp_path / f"{name}.pth"
        torch.save({f"features.{key}": value for key, value in layers.state_dict().items()}, found[experiment])
        digest = hashlib.sha256(found[experiment].read_bytes()).hexdigest()
        known = dataclasses.replace(weights.WEIGHTS[name], sha256=digest[:8])
        monkeypatch.setitem(weights.WEIGHTS, name, known)
    return found


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
def test_published_features_are_for_training_alone(experiment, command, files, tmp_path, capsys):
    run, file = tmp_path / "run", files[experiment]
    words = [f"experiment={experiment}", *TINY, *PUBLISHED, f"model.features_weights={file}", "model.epochs=1"]
    assert command("train", *words, "model.decay_epochs=0", "trainer.max_epochs=1", f"hydra.run.dir={run}") == 0
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["features"].endswith(hashlib.sha256(file.read_bytes()).hexdigest())
    assert f"{PAPERS[experiment][0]} {PAPERS[experiment][2]}" in (run / "log.txt").read_text(encoding="utf-8")

    file.rename(tmp_path / "away.pth")
    translated = suite.load(run).translate(torch.rand(2, 1, 32, 32) * 2 - 1)
    assert translated.shape == (2, 3, 32, 32)
    capsys.readouterr()
    longer = [f"resume={run}", "model.epochs=2", "trainer.max_epochs=2"]
    assert command("train", *longer) == 2
    assert f"there is no file {file}" in the_line(capsys)
    assert command("train", *longer, "+model.features=random_vgg") == 2
    assert "model.features: the checkpoint was trained with vgg" in the_line(capsys)
    assert command("train", *longer, f"+model.features_weights={tmp_path / 'away.pth'}") == 0
