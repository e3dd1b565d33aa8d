"""The two steps of Dong 2017 by one command: exactly resumed wherever it was stopped, and used by the others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from logged import logged
from omegaconf import OmegaConf

import suite
from suite.papers.two_step import TwoStep
from suite.run.checkpoints import LastCheckpoint

TINY = [
    "experiment=two_step_faces",
    "scale=smoke",
    "trainer.limit_train_batches=4",
    "trainer.max_epochs=2",
    "data.load_size=36",
    "checkpoint.every_n_steps=1",
]
STAGES = ("1_generator", "2_encoder")


def last(run: Path) -> dict[str, Any]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        for mine, theirs in zip(one, other, strict=True):
            assert_same(mine, theirs)
    else:
        assert one == other


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("whole") / "run"


def test_one_command_trains_both_steps(command: Callable, whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("train", *TINY, f"hydra.run.dir={whole}") == 0
    said = capsys.readouterr().out
    assert "G of" in said
    assert "new: E; left: D" in said
    model = suite.load(whole)
    assert (model.stage, model.labels, list(model.directions)) == (
        "encoder", ("female", "male"), ["to_female", "to_male"],
    )  # fmt: skip
    assert OmegaConf.load(whole / STAGES[0] / "config.yaml").model.labels == ["female", "male"]
    assert [path.name for path in sorted((whole / STAGES[0] / "images").iterdir())] == [
        "samples_epoch0001.png", "samples_epoch0002.png",
    ]  # fmt: skip
    assert (whole / STAGES[1] / "images" / "reconstruction_epoch0002.png").is_file()
    # G rests, as the first step left it.
    assert_same(*({k: v for k, v in last(whole / s)["state_dict"].items() if k.startswith("G.")} for s in STAGES))
    assert command("evaluate", f"run={whole}") == 0
    said = capsys.readouterr().out
    for name in ("test/psnr", "test/fd_random_vgg", "test_to_female/fd_random_vgg", "test_to_male/fd_random_vgg"):
        assert name in said


@pytest.mark.parametrize(
    ("stage", "step"), [("generator", 6), ("generator", 8), ("encoder", 5)], ids=["in step 1", "between", "in step 2"]
)
def test_a_stopped_run_ends_as_one_that_never_was(
    stage: str, step: int, whole: Path, command: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not whole.exists():  # the test before this one has run in another process
        assert command("train", *TINY, f"hydra.run.dir={whole}") == 0
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        save = LastCheckpoint.on_train_batch_end

        def stop(self: Any, trainer: Any, pl_module: Any, *more: Any) -> None:
            save(self, trainer, pl_module, *more)
            if (pl_module.stage, pl_module.steps) == (stage, step) and step < 8:
                raise KeyboardInterrupt

        def leave_behind(self: Any, *_: Any) -> None:
            if (self.stage, step) == ("generator", 8):
                raise KeyboardInterrupt

        patch.setattr(LastCheckpoint, "on_train_batch_end", stop)
        patch.setattr(TwoStep, "leave_behind", leave_behind)
        assert command("train", *TINY, f"hydra.run.dir={run}") == 130
    run = run.rename(tmp_path / "moved")
    assert command("train", f"resume={run}") == 0
    for own in STAGES:
        found, expected = last(run / own), last(whole / own)
        for part in ("state_dict", "optimizer_states", "done", "losses"):
            assert_same(found[part], expected[part])
        assert logged(run / own) == logged(whole / own)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data=identity_folders_dong", "data.root={one}"], "two at least"),
        (["preset=two_step_official_code", "model.encoder_output=tanh"], "encoder_output=tanh with model.prior=normal"),
        (["data.root={one}"], "/one: data.source=faces reads nothing from a disk; name the set that lies there"),
        (["data.batch_size=3"], "data.batch_size=3"),
        (["data.size=48", "data.load_size=48"], "data.size=48: these networks read 16, 32, 64, 128, 256, 512 pixels"),
        (["data.task=unpaired"], "data.task=labelled"),
        (["stage=encoder"], "start_from is not set: model.stage=encoder builds on G"),
        (["model.encoder_labels=[woman]"], "there is no label woman; choose from female, male"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_run(
    words: list[str], message: str, command: Callable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one" / "ann").mkdir(parents=True)
    run, words = tmp_path / "run", [word.format(one=tmp_path / "one") for word in words]
    assert command("train", "experiment=two_step_faces", "scale=smoke", *words, f"hydra.run.dir={run}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not run.exists()


@pytest.mark.parametrize(("size", "stored"), [(32, 34), (64, 69), (128, 138)])
def test_one_key_is_the_size_of_everything(size: int, stored: int) -> None:
    model, data = suite.build(
        "two_step_faces", ["stage=generator", f"data.size={size}", "model.width=8", "model.width_d=8"]
    )
    assert (data.size, data.load_size, model.fixed_size) == (size, stored, size)
    assert model.decode(model.noise(2, None), torch.tensor([0, 1])).shape == (2, 3, size, size)
