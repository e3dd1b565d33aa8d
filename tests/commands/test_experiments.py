"""Every experiment composes, says its command, and trains; the groups swap; a finished run can be used."""

import csv
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import golden
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

import suite
from suite.errors import UserError
from suite.images import signed_to_uint8, to_pil
from suite.papers import arguments_of, find_paper
from suite.run import folder
from suite.run.config import CONF, compose
from suite.run.picture_grids import HEADER, arrange

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
TINY = ["scale=smoke", "model.backbone.width=4", "model.discriminator.width=4"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_says_its_command_and_only_what_differs(name):
    lines = (CONF / "experiment" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert lines[1].startswith(f"# python -m suite.train experiment={name}")
    assert len(lines) <= 30
    config = compose("train", [f"experiment={name}", "data.root=/nowhere"])
    assert set(config.model) - {"paper", "stage"} == set(arguments_of(find_paper(config.model.paper))) - {"stage"}
    check_shown(config, name)


@pytest.mark.parametrize("name", ["two_step_faces", "sketch_to_image_faces"])
def test_every_stage_is_shown_with_the_papers_networks(name):
    for stage in find_paper(compose("train", [f"experiment={name}"]).model.paper).stages:
        words = [f"stage={stage}", "start_from=x"]
        check_shown(compose("train", [f"experiment={name}", *words]), name, *words)


def check_shown(config, name, *words):
    """scale=show is the paper's model, for so many steps, on built-in faces. config: of the paper's own scale."""
    shown = compose("train", [f"experiment={name}", "scale=show", *words])
    said, of_paper = (OmegaConf.to_container(one.model, resolve=False) for one in (shown, config))
    assert {key for key in said if said[key] != of_paper[key]} <= {"steps", "decay_steps"}
    assert (shown.data.source, shown.data.size, shown.validation.every_n_steps) == ("faces", 128, None)
    assert shown.data.load_size >= 128
    if words or shown.stages is None:
        assert 0 < shown.model.steps < 100_000
        assert all(step <= shown.model.steps for step in shown.checkpoint.at_steps)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_ten_steps_give_the_losses_written_down_and_keep_the_best(name, command, tmp_path):
    content = golden.golden()
    if (twin := twin_of(name)) is not None:  # no other run at this scale
        assert max(golden.difference(content[twin], content[name])) < 1e-4
        return
    before, _ = built(name)
    assert command("train", f"experiment={name}", *golden.WORDS, f"hydra.run.dir={tmp_path / 'run'}") == 0
    expected = {loss: values for loss, values in content[name].items() if loss != golden.PROCESSORS_DIFFER}
    differences = golden.difference(expected, golden.losses(tmp_path / "run"))
    for step, (value, most) in enumerate(zip(differences, golden.tolerance(content, name), strict=True), start=1):
        assert value <= most, f"step {step}: another loss than in golden_losses.csv; see golden.py"
    run = folder.of_stage(tmp_path / "run")
    after = suite.load(run)
    for network in before.networks():
        old, new = (model.networks()[network].state_dict() for model in (before, after))
        assert any(not torch.equal(old[weight], new[weight]) for weight in old), network
    assert (run / "checkpoints" / "best.ckpt").is_file()
    assert "no best.ckpt" not in (run / "log.txt").read_text()


def twin_of(name):
    """The experiment before this one in the alphabet, where they differ in nothing that scale=smoke leaves as it is."""
    before = EXPERIMENTS[EXPERIMENTS.index(name) - 1]
    if beside_data(name) != beside_data(before):
        return None
    return before if all_that_is_set(name) == all_that_is_set(before) else None


def beside_data(name):
    """What its file says of anything but the data, which a scale replaces."""
    said = OmegaConf.to_container(OmegaConf.load(CONF / "experiment" / f"{name}.yaml"))
    of_others = [one for one in said["defaults"] if "override /data" not in one and one != "_self_"]
    return said | {"defaults": of_others, "data": None}


@cache
def all_that_is_set(name):
    """The configuration of each stage, without what names the run."""
    words = [f"experiment={name}", *golden.WORDS]
    config = compose("train", words)
    stages = [config] if config.stages is None else [compose("train", [*words, f"stage={s}"]) for s in config.stages]
    found = [OmegaConf.masked_copy(one, [key for key in one if key != "name"]) for one in stages]
    return [OmegaConf.to_container(one, resolve=True, throw_on_missing=False) for one in found]


def built(name):
    torch.manual_seed(0)
    stages = compose("train", [f"experiment={name}", *golden.WORDS]).stages
    return suite.build(name, [*golden.WORDS, *([f"stage={stages[-1]}"] if stages else [])])


@pytest.mark.parametrize("backbone", ["resnet6", "unet_noskip"])
@pytest.mark.parametrize("discriminator", ["patch70", "pixel"])
@pytest.mark.parametrize("adversarial", ["vanilla", "hinge", "wgan", "wgan_gp"])
def test_networks_and_losses_swap(backbone, discriminator, adversarial):
    downs = ["model.backbone.downs=3"] if backbone.startswith("unet") else []
    groups = [f"backbone={backbone}", f"discriminator={discriminator}", f"adversarial={adversarial}"]
    model, data = suite.build("cyclegan_lsgan", [*TINY, *groups, *downs])
    pictures = torch.zeros(1, 3, data.size, data.size)
    assert model.translate(pictures).shape == pictures.shape


@pytest.mark.parametrize("choice", ["unpaired_folders", "paired_folders", "anime_faces"])
def test_data_swaps_without_touching_the_disk(choice):
    _, data = suite.build("cyclegan_lsgan", [f"data={choice}", "data.root=/nowhere"])
    with pytest.raises(UserError, match="/nowhere"):
        data.setup()


def test_grey_to_colour_without_the_identity_loss():
    model, _ = suite.build("cyclegan_lsgan", [*TINY, "data.channels_a=1", "model.lambda_identity=0"])
    assert model.translate(torch.zeros(1, 1, 32, 32)).shape == (1, 3, 32, 32)


def test_evaluate_gives_what_validation_gave(command, tmp_path, capsys):
    run = tmp_path / "run"
    words = [*TINY, "model.ema_decay=0.5", f"hydra.run.dir={run}"]
    assert command("train", "experiment=cyclegan_lsgan", *words) == 0
    with (run / "metrics.csv").open(newline="") as file:
        validated = [row for row in csv.DictReader(file) if row["val/psnr"]][-1]
    moved = run.rename(tmp_path / "moved")
    assert command("evaluate", f"run={moved}", "split=val") == 0
    assert command("evaluate", f"run={moved}") == 0
    said = capsys.readouterr().out
    assert "left out" not in said
    assert "l1_closest" not in said  # CycleGAN's data have one drawing of a photo
    assert command("evaluate", f"run={moved}", "split=train") == 0
    entries = json.loads((moved / "metrics.json").read_text())
    assert entries.keys() == {"val/last", "test/last", "train/last"}
    for name, value in entries["val/last"].items():
        if name.startswith("val") and not name.endswith("_std"):  # training has no spread
            assert value == pytest.approx(float(validated[name]), rel=1e-4, abs=1e-5), name
    assert {"test/fd_random_vgg", "test/fd_random_vgg_to_train", "test/fd_random_vgg_to_all"} <= entries[
        "test/last"
    ].keys()
    # No face is on both sides of the training pictures, so none has its counterpart there.
    features = tuple(
        f"train_pictures/{name}" for name in ("fd_random_vgg", "kd_random_vgg", "kd_random_vgg_std", "n", "n_real")
    )
    assert entries["train/last"].keys() - {"steps", "note"} == {*features, *(f.replace("/", "_b2a/") for f in features)}
    said = capsys.readouterr().out
    assert "train_pictures/fd_random_vgg" in said
    assert "train_pictures: psnr, ssim, l1 left out" in said

    model = suite.load(moved)
    assert not model.training
    pictures = torch.rand(2, 3, 32, 32) * 2 - 1
    assert torch.equal(model.translate(pictures), model.ema["G"](pictures))


def test_jobs_of_a_multirun_are_runs_of_their_own(command, tmp_path, capsys):
    sweep = [f"hydra.sweep.dir={tmp_path}", "hydra.sweep.subdir=${hydra:job.num}"]
    words = ["-m", "experiment=cyclegan_lsgan", *TINY, "logger=wandb", "data.batch_size=-1,2", *sweep]
    assert command("train", *words) == 2
    assert "data.batch_size=-1" in capsys.readouterr().err
    assert not (tmp_path / "0" / "config.yaml").exists()
    assert (tmp_path / "1" / "checkpoints" / "last.ckpt").is_file()
    assert len(list((tmp_path / "1" / "wandb").glob("offline-run-*"))) == 1


def test_grids_keep_black_black_and_white_white():
    rows = torch.stack([torch.full((3, 2, 4), -1.0), torch.full((3, 2, 4), 1.0), torch.full((3, 2, 4), 0.0)])
    grid = np.asarray(to_pil(arrange(signed_to_uint8(rows))))
    assert grid.shape == (4, 8, 3)  # three pictures in two columns, the last place white
    assert (grid[:2, :4] == 0).all()
    assert (grid[2:, :4] == 255).all()
    assert (grid[:2, 4:] == 128).all()
    assert (grid[2:, 4:] == 255).all()


def test_a_run_folder_is_whole(command, tmp_path):
    run = tmp_path / "run"
    assert command("train", "experiment=cyclegan_lsgan", *TINY, "logger=wandb", f"hydra.run.dir={run}") == 0
    assert {path.name for path in run.iterdir()} == {
        ".saved", "config.yaml", "checkpoints", "conclusion.txt", "images", "log.txt", "metrics.csv", "splits.json",
        "wandb",
    }  # fmt: skip
    grid = Image.open(run / "images" / "a2b_epoch0001.png")
    assert grid.size == (2 * 3 * 32, 2 * 32 + HEADER)  # four pictures in two columns: input, output, truth
    uploaded = list((run / "wandb").rglob("media/images/pictures/a2b*.png"))
    assert (np.asarray(Image.open(uploaded[0])) == np.asarray(grid)).all()
    assert "wandb sync" in (run / "log.txt").read_text()


def test_importing_the_suite_imports_nothing_heavy():
    code = "import sys, suite; sys.exit(any(name in sys.modules for name in ('torch', 'hydra', 'wandb', 'kornia')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent).returncode == 0
