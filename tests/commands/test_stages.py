"""A run in stages: both by one command, each a run of its own, exactly resumed wherever it was stopped."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
import two_stages
from logged import logged
from omegaconf import OmegaConf
from PIL import Image

import suite
from suite.data.module import PictureData
from suite.errors import UserError
from suite.run import folder
from suite.run.checkpoints import LastCheckpoint

CONF = ["--config-dir", str(two_stages.CONF)]
TINY = ["experiment=two_stages", "scale=smoke", "trainer.limit_train_batches=4", "trainer.max_epochs=2"]
SEARCHED = [f"hydra.searchpath=[file://{two_stages.CONF}]"]
STAGES = ("1_generator", "2_encoder")


@pytest.fixture
def train(command) -> Callable[..., int]:
    return lambda *words: command("train", *CONF, *words)


def last(run: Path) -> dict[str, Any]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def weights(run: Path, network: str) -> dict[str, torch.Tensor]:
    return {name: value for name, value in last(run)["state_dict"].items() if name.startswith(f"{network}.")}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    assert one.keys() == other.keys()
    assert one
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_one_command_trains_both_each_in_a_folder_of_its_own(train, command, tmp_path, capsys):
    run = tmp_path / "run"
    assert train(*TINY, f"hydra.run.dir={run}") == 0
    said = capsys.readouterr().out
    assert sorted(path.name for path in run.iterdir()) == [*STAGES, "stages.yaml"]
    for own in STAGES:
        files = {path.name for path in (run / own).iterdir()}
        assert {"config.yaml", "metrics.csv", "log.txt", "splits.json", "checkpoints", "images"} <= files
    first, second = (OmegaConf.load(run / own / "config.yaml") for own in STAGES)
    assert (first.model.stage, second.model.stage) == ("generator", "encoder")
    assert (first.model.lr, second.model.lr) == (1e-3, 2e-3)  # of conf/stage_of
    assert (first.data.flip, second.data.flip) == (0.5, 0.0)
    assert (first.model.width, second.model.width) == (4, 4)  # the scale is over both
    assert (last(run / STAGES[0])["done"]["steps"], last(run / STAGES[1])["done"]["steps"]) == (8, 7)

    assert "epoch 2/2, step 7/7  brightness" in said
    assert (run / STAGES[0] / "images" / "a2b_epoch0002.png").is_file()
    assert (run / STAGES[1] / "images" / "a2b_epoch0002.png").is_file()  # ended by its steps, and measured then

    # The second stage took the first one's generator, left it as it is, and holds it in its checkpoint.
    assert same(weights(run / STAGES[1], "G"), weights(run / STAGES[0], "G"))
    assert "E.layers.0.weight" not in last(run / STAGES[0])["state_dict"]
    assert f"G of {run / STAGES[0] / 'checkpoints' / 'last.ckpt'}; new: E" in said
    assert "stage 2 of 2: encoder" in said
    assert (run / STAGES[0] / "left_behind.txt").read_text() == "generator 8"

    for source, steps in ((run, 7), (run / STAGES[0], 8), (run / STAGES[1], 7)):
        assert suite.load(source).steps == steps
    assert not suite.load(run).G.training
    assert command("evaluate", f"run={run}") == 0
    assert (run / STAGES[1] / "metrics.json").is_file()
    assert command("evaluate", f"run={run / STAGES[0]}") == 0
    assert (run / STAGES[0] / "metrics.json").is_file()

    assert train(f"resume={run}") == 0  # all is done: nothing is trained again
    assert train(f"resume={run}", "model.lr=1") == 2
    assert f"model.lr=1: all stages of {run} are finished; resume one alone, as in" in capsys.readouterr().err
    for words in (TINY, [*TINY, "stage=generator"], ["experiment=cyclegan_lsgan", "scale=smoke", "metrics=none"]):
        assert train(*words, f"hydra.run.dir={run}") == 2
        assert f"{run} already holds a run: resume={run}" in capsys.readouterr().err
    assert train(*TINY, f"hydra.run.dir={run / STAGES[0]}") == 2  # one that is not in stages
    assert "already holds a run" in capsys.readouterr().err


def test_the_next_stage_may_start_from_a_step_that_the_one_before_kept(train, command, tmp_path, capsys):
    run = tmp_path / "run"
    words = [*TINY, "metrics=none", "images.count=0", f"hydra.run.dir={run}"]
    assert train(*words, "start=step3") == 2
    assert "start=step3: stage generator keeps last; choose from these, or add to" in capsys.readouterr().err
    assert train(*words, "checkpoint.at_steps=[3,8]", "stage=encoder") == 2
    assert "checkpoint.at_steps=8: the training ends after 7 steps; leave it out" in capsys.readouterr().err
    assert not run.exists()
    assert train(*words, "start=first") == 2
    assert "start=first: stage generator keeps last; choose from these, or add to" in capsys.readouterr().err
    assert train(*words, "checkpoint.at_steps=[3]", "start=step3") == 0
    kept = torch.load(run / STAGES[0] / "checkpoints" / "step3.ckpt", weights_only=True)["state_dict"]
    assert same(weights(run / STAGES[1], "G"), {name: value for name, value in kept.items() if name[:2] == "G."})
    assert not same(weights(run / STAGES[1], "G"), weights(run / STAGES[0], "G"))
    assert suite.load(run / STAGES[0], "step3").steps == 3
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (32, 32)).save(photos / "x.png")
    translated = [f"run={run / STAGES[0]}", f"input={photos}", f"output={tmp_path / 'out'}"]
    assert command("translate", *translated, "checkpoint=step3") == 0
    assert command("translate", *translated, "checkpoint=step4", "overwrite=true") == 2
    assert "step4.ckpt does not exist: use checkpoint=last or step3" in capsys.readouterr().err


def test_one_command_says_steps_for_all_stages_and_each_keeps_those_that_it_reaches(train, tmp_path, capsys):
    run = tmp_path / "run"
    words = [*TINY, "metrics=none", "images.count=0", f"hydra.run.dir={run}"]
    assert train(*words, "model.steps=7", "checkpoint.at_steps=[8]") == 2
    assert "checkpoint.at_steps=8: the training ends after 7 steps" in capsys.readouterr().err
    assert not run.exists()
    # Epochs are known to be too few when the data are listed.
    for start in ("first", "step9"):
        assert train(*words, "checkpoint.at_steps=[9,20]", f"start={start}") == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert "checkpoint.at_steps=9: stage generator ends after 8 steps in 2 epochs, and the next one has" in line
        assert f"start={start}; set less, or raise model.epochs" in line
        assert not run.exists()
    assert train(*words, "checkpoint.at_steps=[8,4]", "start=first") == 0
    kept = [sorted(path.stem for path in (run / own / "checkpoints").glob("*")) for own in STAGES]
    assert kept == [["last", "step4", "step8"], ["last", "step4"]]
    assert f"G of {run / STAGES[0] / 'checkpoints' / 'step4.ckpt'}" in capsys.readouterr().out
    assert suite.load(run / STAGES[0], "first").steps == 4


def test_stages_draw_differently_and_the_earlier_network_rests():
    batch = {"a": torch.zeros(2, 3, 32, 32)}
    noise, models = {}, {}
    for stage in ("generator", "encoder"):
        models[stage], _ = suite.build("two_stages", [*SEARCHED, "scale=smoke", f"stage={stage}"])
        models[stage].train()
        models[stage].draws.begin(seed=0, step=3, rank=0)
        noise[stage] = models[stage].draw(batch)["noise"]
    assert not torch.equal(noise["generator"], noise["encoder"])
    assert models["generator"].G.training
    assert not any(module.training for module in models["encoder"].G.modules())
    assert models["encoder"].frozen_stages == ["G"]


@pytest.mark.parametrize(
    ("stage", "step", "hook"),
    [("generator", 6, "step"), ("encoder", 5, "step"), ("generator", 8, "between"), ("encoder", 0, "begin")],
    ids=["in the first", "in the second", "between them", "as the second begins"],
)
def test_a_stopped_run_goes_on_as_if_it_had_not_been(stage, step, hook, train, tmp_path, monkeypatch, whole_run):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        if hook == "step":
            save = LastCheckpoint.on_train_batch_end

            def stop(self, trainer, pl_module, *more):
                save(self, trainer, pl_module, *more)
                if (pl_module.stage, pl_module.steps) == (stage, step):
                    raise KeyboardInterrupt

            patch.setattr(LastCheckpoint, "on_train_batch_end", stop)
        elif hook == "between":
            patch.setattr(two_stages.TwoStages, "leave_behind", killed)
        else:
            load = folder.start_weights
            patch.setattr("suite.run.fit.folder.start_weights", lambda *how: load(*how) and killed())
        with suppress(Killed):
            assert train(*TINY, "checkpoint.every_n_steps=1", f"hydra.run.dir={run}") == 130
    assert (run / STAGES[0] / "conclusion.txt").is_file() == (stage == "encoder")
    run = run.rename(tmp_path / "moved")
    if hook == "step":
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        assert train(f"resume={run}", "data.batch_size=1000") == 2
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert train(f"resume={run}", "images.count=3") == 0
    kept = [OmegaConf.load(run / own / "config.yaml").images.count for own in STAGES]
    assert kept == [4 if stage == "encoder" else 3, 3]  # what is finished is left as it is
    for own in STAGES:
        found, expected = last(run / own), last(whole_run / own)
        assert same(found["state_dict"], expected["state_dict"])
        assert found["done"] == expected["done"]
        assert logged(run / own) == logged(whole_run / own)
    assert (run / STAGES[0] / "left_behind.txt").read_text() == "generator 8"


class Killed(BaseException):
    """As by SIGKILL: nothing of ours comes after it."""


def killed(*_: Any) -> None:
    raise Killed


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory, cache) -> Path:
    """A run that nobody stopped."""
    run = tmp_path_factory.mktemp("whole") / "run"
    script(cache, *TINY, "trainer=cpu", "checkpoint.every_n_steps=1", f"hydra.run.dir={run}")
    return run


def script(cache: Path, *words: str) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SUITE_CACHE": str(cache)}
    command = [sys.executable, two_stages.__file__, *CONF, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_a_later_stage_refuses_is_not_kept(train, tmp_path, monkeypatch, capsys):
    """Its first one took it, and it went well."""
    run = tmp_path / "run"
    with suppress(Killed), monkeypatch.context() as patch:
        patch.setattr(LastCheckpoint, "on_train_epoch_end", killed)
        train(*TINY, f"hydra.run.dir={run}")
    before = (run / "stages.yaml").read_bytes()
    prepare = PictureData.prepare_data

    def refuse_second(self: PictureData) -> None:
        if self.batch_size == 3 and (run / STAGES[0] / "conclusion.txt").is_file():
            raise UserError("data.batch_size=3: not with these pictures")
        prepare(self)

    with monkeypatch.context() as patch:
        patch.setattr(PictureData, "prepare_data", refuse_second)
        assert train(f"resume={run}", "data.batch_size=3") == 2
    assert "data.batch_size=3: not with these pictures" in capsys.readouterr().err
    assert OmegaConf.load(run / STAGES[0] / "config.yaml").data.batch_size == 3
    assert (run / "stages.yaml").read_bytes() == before
    assert train(f"resume={run}") == 0


def test_jobs_of_a_multirun_have_stages_of_their_own_in_one_wandb_group_each(train, tmp_path):
    words = [*TINY, "logger=wandb", "logger.mode=disabled", "metrics=none", "images.count=0", "seed=0,1"]
    assert train("-m", *words, f"hydra.sweep.dir={tmp_path}") == 0
    loggers = [OmegaConf.load(tmp_path / job / own / "config.yaml").logger for job in "01" for own in STAGES]
    assert [logger.name for logger in loggers] == [f"two_stages-{seed}-{own[2:]}" for seed in "01" for own in STAGES]
    assert [logger.group for logger in loggers] == ["two_stages-0", "two_stages-0", "two_stages-1", "two_stages-1"]
    assert len({logger.id for logger in loggers}) == 4


def test_two_ranks_go_through_both_stages(cache, tmp_path):
    run = tmp_path / "run"
    words = [*TINY, "trainer=ddp", "trainer.accelerator=cpu", "threads=1", "data.epoch_length=16", "metrics=none"]
    said = script(cache, *words, f"hydra.run.dir={run}")
    assert said.count("all 2 stages are trained") == 1  # the second rank says nothing
    for own in STAGES:
        assert (run / own / "conclusion.txt").is_file()
    assert [last(run / own)["done"]["steps"] for own in STAGES] == [8, 7]
    assert same(weights(run / STAGES[1], "G"), weights(run / STAGES[0], "G"))


def test_one_stage_alone_starts_from_what_it_is_told(train, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    assert train(*TINY, "stage=generator", f"hydra.run.dir={first}") == 0
    assert (first / "config.yaml").is_file()
    assert train(*TINY, "stage=encoder", f"hydra.run.dir={second}") == 2
    assert "start_from is not set: model.stage=encoder builds on G" in capsys.readouterr().err
    assert not second.exists()
    of_last, best = weights(first, "G"), first / "checkpoints" / "best.ckpt"
    content = torch.load(best, weights_only=True)
    content["state_dict"] |= {name: value + 1 for name, value in of_last.items()}  # whichever step was the best
    torch.save(content, best)
    for number, word in enumerate((f"start_from={first}", f"start_from={best}", "start=best")):
        second = tmp_path / str(number)
        words = [f"start_from={first}", word] if word == "start=best" else [word]
        assert train(*TINY, "stage=encoder", *words, f"hydra.run.dir={second}") == 0
        of_second = weights(second, "G")
        shift = 0 if word == f"start_from={first}" else 1
        assert same(of_second, {name: value + shift for name, value in of_last.items()})


def test_a_stage_knows_where_its_data_may_lie_and_the_one_before_makes_them_as_it_translates(
    command, tmp_path, monkeypatch
):
    seen = []
    conf = tmp_path / "conf"
    shutil.copytree(two_stages.CONF, conf)
    with (conf / "stage_of" / "two_stages_encoder.yaml").open("a") as file:
        file.write("name: ${start_from}/faces\n")

    def leave_behind(model, data, run):
        pictures = sum(len(batch["index"]) for batch in data.eval_dataloader("train"))
        seen.append((model.stage, model.G.training, torch.is_grad_enabled(), pictures, data.trainer, run))

    monkeypatch.setattr(two_stages.TwoStages, "leave_behind", leave_behind)
    run = tmp_path / "run"
    words = ["images.count=0", "metrics=none", f"hydra.run.dir={run}"]
    assert command("train", "--config-dir", str(conf), *TINY, *words) == 0
    runs = [run / own for own in STAGES]
    assert seen == [("generator", False, False, 8, None, runs[0]), ("encoder", False, False, 8, None, runs[1])]
    assert OmegaConf.load(run / "stages.yaml").encoder.name == f"{runs[0]}/faces"
    assert OmegaConf.load(runs[1] / "config.yaml").name == f"{runs[0]}/faces"


def test_data_that_a_stage_makes_for_the_next_are_looked_for_when_that_begins(command, tmp_path, monkeypatch, capsys):
    conf, run = tmp_path / "conf", tmp_path / "run"
    shutil.copytree(two_stages.CONF, conf)
    for file, root in (
        (conf / "experiment" / "two_stages.yaml", tmp_path / "first"),
        (conf / "stage_of" / "two_stages_encoder.yaml", "${start_from}/pictures"),
    ):
        file.write_text(file.read_text().replace("\ndata:\n", f"\ndata:\n  root: {root}\n"))

    def make_pictures(where):
        for side in ("trainA", "trainB", "testA", "testB"):
            (where / side).mkdir(parents=True)
            for number in range(8):
                Image.new("RGB", (32, 32), (number, 0, 0)).save(where / side / f"{number}.png")

    def leave_behind(model, data, run):
        if model.stage == "generator":
            make_pictures(run / "pictures")

    monkeypatch.setattr(two_stages.TwoStages, "leave_behind", lambda *_: None)
    make_pictures(tmp_path / "first")
    words = ["data=paired_folders", "data.channels_b=3", "images.count=0", "metrics=none", f"hydra.run.dir={run}"]
    assert command("train", "--config-dir", str(conf), *TINY, *words) == 2  # the first stage is whole by then
    assert f"{run / STAGES[0] / 'pictures'}" in capsys.readouterr().err
    assert folder.is_finished(run / STAGES[0])
    shutil.rmtree(run)
    monkeypatch.setattr(two_stages.TwoStages, "leave_behind", leave_behind)
    assert command("train", "--config-dir", str(conf), *TINY, *words) == 0
    assert OmegaConf.load(run / STAGES[1] / "config.yaml").data.root == str(run / STAGES[0] / "pictures")


def test_a_stage_may_take_no_network_of_the_one_before(train, tmp_path, capsys):
    first, second = tmp_path / "first", tmp_path / "second"
    assert train(*TINY, "stage=generator", "metrics=none", f"hydra.run.dir={first}") == 0
    content = last(first)
    content["state_dict"] = {f"other_{name}": value for name, value in content["state_dict"].items()}
    torch.save(content, first / "checkpoints" / "last.ckpt")
    words = [*TINY, "metrics=none", f"start_from={first}", f"hydra.run.dir={second}"]
    assert train(*words, "stage=encoder") == 2
    assert "lacks G, which model.stage=encoder builds on" in capsys.readouterr().err
    assert train(*words, "stage=generator") == 0
    assert "starts from none of " in capsys.readouterr().out


def test_a_scale_may_be_another_in_one_stage(command, tmp_path, capsys):
    conf, run = tmp_path / "conf", tmp_path / "run"
    shutil.copytree(two_stages.CONF, conf)
    of_scale = conf / "scale_for" / "smoke_two_stages_encoder.yaml"
    of_scale.write_text("# @package _global_\nmodel: {steps: 3}\n")
    words = ["--config-dir", str(conf), *TINY, "metrics=none", f"hydra.run.dir={run}"]
    assert command("train", *words) == 0
    assert [last(run / own)["done"]["steps"] for own in STAGES] == [8, 3]
    # What Hydra refuses in one stage alone is one line, too.
    of_scale.write_text("# @package _global_\ndefaults: [override /data: faces]\n")
    assert command("train", *words[:-1], f"hydra.run.dir={tmp_path / 'other'}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "smoke_two_stages_encoder: Default List Overrides are not allowed" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stage=nothing"], "stage=nothing: there is none of that name; choose from autoencoder, encoder, generator"),
        (["stages=null"], "which stage? Say stage=<name>: choose from generator, encoder"),
        (["model.stage=nothing"], "model.stage=nothing: choose from generator, encoder"),
        (["stages=[generator,nothing]"], "stages=nothing: choose from generator, encoder"),
        (["stages=generator"], "stages=generator: give a list"),
        (["backbone=unet"], "backbone=unet: the model two_stages has no backbone"),
        (["stage=generator", "start_from=/nowhere"], "start_from=/nowhere does not exist"),
    ],
)
def test_what_cannot_work_is_one_line_before_anything_is_written(words, message, train, tmp_path, capsys):
    assert train(*TINY, *words, f"hydra.run.dir={tmp_path / 'run'}") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("stage=generator", "stage=generator: the experiment does not train in stages"),
        ("stages=[generator]", "stages=[generator]: the model cyclegan does not train in stages"),
    ],
)
def test_stages_of_a_paper_without_are_refused(word, message, command, tmp_path, capsys):
    assert command("train", "experiment=cyclegan_lsgan", "scale=smoke", word, f"hydra.run.dir={tmp_path / 'run'}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_stage_that_trains_on_is_not_finished_until_it_is(train, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    assert train(*TINY, "stage=generator", f"hydra.run.dir={run}") == 0
    assert train(f"resume={run}") == 2
    assert "has its 2 epochs; to train on, raise model.epochs" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(two_stages.TwoStages, "leave_behind", interrupted)
        assert train(f"resume={run}", "model.epochs=3") == 130
    said = capsys.readouterr().err
    assert "stopped by SIGINT after its training; go on with: python -m suite.train resume=" in said
    assert not folder.is_finished(run)
    assert train(f"resume={run}") == 0
    assert folder.is_finished(run)


def interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_run_without_a_finished_stage_says_so(tmp_path):
    (tmp_path / "stages.yaml").write_text("generator: {}\n")
    with pytest.raises(UserError, match="has no finished stage yet: go on with resume="):
        suite.load(tmp_path)


# Fine-tuning: the same for every paper ------------------------------------------------------------------------------


def test_any_paper_starts_from_another_runs_networks(command, tmp_path, capsys):
    words = ["experiment=cyclegan_lsgan", "scale=smoke", "metrics=none", "model.backbone.width=4"]
    first, second = tmp_path / "first", tmp_path / "second"
    assert command("train", *words, "model.ema_decay=0.5", f"hydra.run.dir={first}") == 0
    assert command("train", *words, "model.lr=0", f"start_from={first}", f"hydra.run.dir={second}") == 0
    averaged = {name.removeprefix("ema."): value for name, value in last(first)["state_dict"].items() if "ema." in name}
    of_G = {name: value for name, value in averaged.items() if name.startswith("G.")}
    assert same(of_G, weights(second, "G"))
    assert same(weights(first, "D_A"), weights(second, "D_A"))
    assert last(second)["done"]["steps"] == 2  # counted anew
    assert "starts from G, F, D_A, D_B of " in capsys.readouterr().out
    word = "model.discriminator.width=4"
    assert command("train", *words, word, f"start_from={first}", f"hydra.run.dir={tmp_path / 'third'}") == 2
    assert "D_A does not fit the model's settings: size mismatch" in capsys.readouterr().err
    Image.new("RGB", (8, 8)).save(tmp_path / "no.ckpt", format="PNG")
    words += [f"start_from={tmp_path / 'no.ckpt'}", f"hydra.run.dir={tmp_path / 'third'}"]
    assert command("train", *words) == 2
    assert "damaged or not a checkpoint" in capsys.readouterr().err
