"""What is kept of a run: the last checkpoint, the best and those of chosen steps, each whole or not there."""

import errno
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf

from suite.errors import UserError
from suite.run.checkpoints import (
    AtomicCheckpointIO,
    BestCheckpoint,
    EpochCheckpoints,
    LastCheckpoint,
    StepCheckpoints,
    refuse_lost,
)
from suite.run.folder import checkpoint_path
from suite.run.interrupts import stopped_by
from suite.run.signals import Signals
from suite.run.stages import check_start


class Scores(pl.Callback):
    """Gives `val/fid` the values of a list, one a validation."""

    def __init__(self, *values: float) -> None:
        self.values = list(values)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        pl_module.log("val/fid", torch.tensor(self.values.pop(0)))


def epoch_of(path: Path) -> int:
    return torch.load(path, weights_only=True)["epoch"]


@pytest.mark.parametrize(
    ("mode", "values", "best"),
    [("min", (3.0, 1.0, 2.0), 1), ("max", (3.0, 1.0, 2.0), 0), ("min", (float("nan"), 5.0, 6.0), 1)],
    ids=["lowest", "highest", "never a NaN"],
)
def test_the_best_validation_is_kept(mode: str, values: tuple, best: int, run: Callable, tmp_path: Path) -> None:
    run(Scores(*values), BestCheckpoint(tmp_path, "val/fid", mode), epochs=3)
    assert epoch_of(tmp_path / "best.ckpt") == best


def test_no_finite_value_no_best(run: Callable, tmp_path: Path) -> None:
    run(Scores(float("nan"), float("inf")), BestCheckpoint(tmp_path, "val/fid", "min"), epochs=2)
    assert not (tmp_path / "best.ckpt").exists()


def test_a_resumed_run_remembers_its_best_value_also_in_another_folder(run: Callable, tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    run(Scores(1.0, 2.0), BestCheckpoint(old, "val/fid", "min"), LastCheckpoint(old, 1), epochs=2)
    old.rename(new)
    callbacks = [BestCheckpoint(new, "val/fid", "min"), LastCheckpoint(new, 1)]
    run(Scores(1.5), *callbacks, epochs=3, ckpt_path=new / "last.ckpt")
    assert epoch_of(new / "best.ckpt") == 0
    run(Scores(0.5), *callbacks, epochs=4, ckpt_path=new / "last.ckpt")
    assert epoch_of(new / "best.ckpt") == 3


def test_another_metric_starts_anew(run: Callable, tmp_path: Path) -> None:
    run(Scores(1.0), BestCheckpoint(tmp_path, "val/fid", "min"), LastCheckpoint(tmp_path, 1))
    best = BestCheckpoint(tmp_path, "val/kid", "min")
    run(Scores(2.0), best, LastCheckpoint(tmp_path, 1), epochs=2, ckpt_path=tmp_path / "last.ckpt")
    assert best.best is None


def test_a_metric_that_is_not_there_is_said_once(run: Callable, tmp_path: Path, caplog) -> None:
    run(Scores(1.0, 1.0), BestCheckpoint(tmp_path, "val/fdi", "min"), epochs=2)
    told = [record.getMessage() for record in caplog.records if "best.ckpt" in record.getMessage()]
    assert told == ["no best.ckpt: metrics.monitor=val/fdi is not among the metrics: val/fid"]


@pytest.mark.parametrize(("every", "epochs", "kept"), [(1, 2, 2), (2, 3, 3), (5, 2, 2)])
def test_the_last_epoch_is_always_saved(every: int, epochs: int, kept: int, run: Callable, tmp_path: Path) -> None:
    run(LastCheckpoint(tmp_path, every), epochs=epochs)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["done"]["epochs"] == kept


def test_that_it_was_saved_is_kept_beside_the_checkpoints(run: Callable, tmp_path: Path) -> None:
    run(LastCheckpoint(tmp_path / "checkpoints", every_n_epochs=2))
    shutil.rmtree(tmp_path / "checkpoints")
    config = OmegaConf.create({"checkpoint": {"every_n_epochs": 2, "every_n_steps": None}})
    with pytest.raises(UserError, match=r"last\.ckpt is missing, and was there"):
        refuse_lost(tmp_path, config)


def test_steps_are_saved_between_epochs(run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two batches an epoch. What is due on an epoch's last batch waits for its validation: one file, not two."""
    saved = []
    monkeypatch.setattr(
        pl.Trainer, "save_checkpoint", lambda self, *_, **__: saved.append(self.fit_loop.total_batch_idx)
    )
    run(LastCheckpoint(tmp_path, every_n_epochs=9, every_n_steps=3), epochs=3)
    assert saved == [2, 5]
    saved.clear()
    run(LastCheckpoint(tmp_path, every_n_epochs=9, every_n_steps=1), epochs=3)
    assert saved == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("what", ["loss 'loss'", "gradient of G"])
def test_no_checkpoint_is_saved_of_what_is_not_finite(
    what: str, toys: SimpleNamespace, run: Callable, tmp_path: Path
) -> None:
    """Though the losses are looked at every 50 batches, and each is saved."""

    class Failing(toys.Drawer):
        def step(self, batch: Any, drawn: dict[str, Any]) -> dict[str, Any]:
            weight = self.weight.weight.sum()
            if self.batches < 2:
                losses = {"loss": weight}
            elif what == "gradient of G":
                losses = {"loss": torch.sqrt(weight * 0)}  # 0, and steep without end
            else:
                losses = {"loss": weight * float("nan")}
            self.update("G", losses)
            return losses

    with pytest.raises(UserError, match=f"the {what} was not finite in batch 3: "):
        run(LastCheckpoint(tmp_path, 1, every_n_steps=1), model=Failing(), epochs=3)
    last = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert last["done"]["batches"] == 2
    assert last["state_dict"]["weight.weight"].isfinite().all()


def test_without_validation_no_step_waits_for_one(run: Callable, tmp_path: Path, monkeypatch) -> None:
    saved = []
    monkeypatch.setattr(
        pl.Trainer, "save_checkpoint", lambda self, *_, **__: saved.append(self.fit_loop.total_batch_idx)
    )
    every = {"val_check_interval": 1, "check_val_every_n_epoch": None, "limit_val_batches": 0}
    run(LastCheckpoint(tmp_path, every_n_epochs=9, every_n_steps=1), **every)
    assert saved == [0, 1]


def test_chosen_steps_are_kept_without_optimizers(run: Callable, tmp_path: Path, caplog) -> None:
    """Two batches an epoch, so that step 4 is the last of one."""
    run(StepCheckpoints(tmp_path, [1, 4, 7, 9]), LastCheckpoint(tmp_path, 1), epochs=3)
    assert {path.name for path in tmp_path.glob("*.ckpt")} == {"last.ckpt", "step1.ckpt", "step4.ckpt"}
    last = torch.load(tmp_path / "last.ckpt", weights_only=True)
    for step in (1, 4):
        kept = torch.load(tmp_path / f"step{step}.ckpt", weights_only=True)
        assert (kept["done"]["steps"], kept["paper"]) == (step, "drawer")
        assert kept["state_dict"].keys() == last["state_dict"].keys()
        assert kept["hyper_parameters"] == last["hyper_parameters"]
        assert "optimizer_states" not in kept
        assert not torch.equal(kept["state_dict"]["weight.weight"], last["state_dict"]["weight.weight"])
    told = [record.getMessage() for record in caplog.records if ".ckpt" in record.getMessage()]
    assert told == ["no step7.ckpt, step9.ckpt: the training ended after 6 steps"]


def test_every_nth_epoch_is_kept_without_optimizers(run: Callable, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    run(EpochCheckpoints(folder, 2), LastCheckpoint(folder, 1), epochs=5)
    assert sorted(path.stem for path in folder.iterdir()) == ["epoch2", "epoch4", "last"]
    kept = torch.load(checkpoint_path(tmp_path, "epoch4"), weights_only=True)
    assert kept["done"] == {"epochs": 4, "steps": 8, "batches": 8}
    assert "optimizer_states" not in kept
    with pytest.raises(UserError, match="use start=epoch2 or epoch4 or last"):
        checkpoint_path(tmp_path, "epoch3", key="start")


@pytest.mark.parametrize("keep", [None, 9])
def test_no_epoch_is_kept_unless_asked_for(keep: int | None, run: Callable, tmp_path: Path) -> None:
    run(EpochCheckpoints(tmp_path, keep), epochs=2)
    assert not list(tmp_path.glob("*.ckpt"))


def test_a_stage_may_start_from_an_epoch_that_the_one_before_keeps() -> None:
    before = OmegaConf.create(
        {"metrics": {"names": []}, "checkpoint": {"at_steps": [], "keep": 5}, "trainer": {"max_epochs": 20}}
    )
    for start in ("epoch5", "epoch20", "epoch10.ckpt", "last"):
        check_start(start, "tom", before)
    for start in ("epoch4", "epoch25", "epoch0", "epoch"):
        with pytest.raises(UserError, match=rf"start={start}: stage tom keeps last, epoch5 and its multiples"):
            check_start(start, "tom", before)
    before.trainer.max_epochs = -1
    check_start("epoch25", "tom", before)
    del before.checkpoint.keep  # a run of before
    with pytest.raises(UserError, match="keeps last; choose"):
        check_start("epoch5", "tom", before)


def test_a_resumed_run_keeps_the_steps_that_it_makes(run: Callable, tmp_path: Path) -> None:
    run(StepCheckpoints(tmp_path, [1]), LastCheckpoint(tmp_path, 1))
    first = (tmp_path / "step1.ckpt").read_bytes()
    run(StepCheckpoints(tmp_path, [1, 2, 3]), epochs=2, ckpt_path=tmp_path / "last.ckpt")
    assert (tmp_path / "step1.ckpt").read_bytes() == first
    assert sorted(path.stem for path in tmp_path.glob("step*")) == ["step1", "step3"]
    assert torch.load(tmp_path / "step3.ckpt", weights_only=True)["done"]["steps"] == 3


class Killed(BaseException):
    """Stands for kill -9: nothing of ours handles it."""


def test_a_kill_between_two_steps_of_saving_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch) -> None:
    def kill(*_: Any) -> None:
        raise Killed

    path, io = tmp_path / "last.ckpt", AtomicCheckpointIO()
    io.save_checkpoint({"epoch": 1}, path)
    for at in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, at, kill)
            with pytest.raises(Killed):
                io.save_checkpoint({"epoch": 2}, path)
        assert epoch_of(path) == 1
        assert (tmp_path / "last.ckpt.partial").exists()
    io.save_checkpoint({"epoch": 3}, path)
    assert epoch_of(path) == 3
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_signal_is_answered_when_the_checkpoint_is_in_its_place(tmp_path: Path, monkeypatch) -> None:
    path, io = tmp_path / "last.ckpt", AtomicCheckpointIO()
    monkeypatch.setattr(os, "fsync", lambda _: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            io.save_checkpoint({"epoch": 1}, path)
    finally:
        signal.signal(signal.SIGINT, before)
    assert epoch_of(path) == 1


class Told(pl.Callback):
    """A signal that comes at the end of the first validation."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 0:
            signal.raise_signal(signal.SIGTERM)


def test_a_signal_while_an_epoch_ends_does_not_lose_it(run: Callable, tmp_path: Path) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    best, last = BestCheckpoint(tmp_path, "val/fid", "min"), LastCheckpoint(tmp_path, 1)
    try:
        with pytest.raises(SystemExit):  # how Lightning leaves
            run(Signals(), Scores(1.0), Told(), best, last, epochs=2)
        assert stopped_by() == signal.SIGTERM
        assert signal.getsignal(signal.SIGHUP) == before[signal.SIGHUP]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["done"]["epochs"] == 1


def test_torchs_word_for_a_full_disk_is_not_the_users(tmp_path: Path, monkeypatch) -> None:
    def save(*_: Any) -> None:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            raise RuntimeError("[enforce fail at inline_container.cc:671] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(UserError, match=r"last\.ckpt: No space left on device; the previous checkpoint is untouched"):
        AtomicCheckpointIO().save_checkpoint({}, tmp_path / "last.ckpt")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"can't save .*last\.ckpt: .*; the previous checkpoint is untouched"):
        AtomicCheckpointIO().save_checkpoint({}, tmp_path / "file" / "last.ckpt")


LOST: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "a validated epoch": ({}, "batch,epoch,step,val/l1\n5,0,5,\n5,0,5,0.1\n", (".saved",)),
    "a second epoch": ({}, "batch,epoch,step\n5,0,5\n6,1,6\n", ("checkpoints/best.ckpt",)),
    "a step that is saved": ({"every_n_epochs": 9, "every_n_steps": 3}, "batch,epoch,step\n4,0,4\n", ()),
    "a finished run": ({}, "batch,epoch,step\n5,0,5\n", ("conclusion.txt",)),
}
NOT_YET: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "no step": ({}, "", ()),
    "the first epoch": ({}, "batch,epoch,step\n4,0,4\n\0\0,", ()),
    "a kill before the first was saved": ({}, "batch,epoch,step,val/l1\n5,0,5,0.1\n", ("checkpoints/best.ckpt",)),
    "a kill while the first was saved": (
        {},
        "batch,epoch,step,val/l1\n5,0,5,0.1\n",
        ("checkpoints/best.ckpt", "checkpoints/last.ckpt.partial"),
    ),
    "rarely saved": ({"every_n_epochs": 3}, "batch,epoch,step,val/l1\n9,1,9,0.1\n", ("checkpoints/best.ckpt",)),
    "it is there": ({}, "batch,epoch,step\n6,1,6\n", ("checkpoints/last.ckpt",)),
}


@pytest.mark.parametrize("case", [*LOST, *NOT_YET])
def test_a_run_that_has_lost_its_checkpoint_does_not_start_over(case: str, tmp_path: Path) -> None:
    changes, metrics, files = (LOST | NOT_YET)[case]
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "metrics.csv").write_text(metrics or "batch\n")
    for name in files:
        (tmp_path / name).touch()
    saved = {"every_n_epochs": 1, "every_n_steps": None} | changes
    config = OmegaConf.create({"checkpoint": saved})
    if case in NOT_YET:
        refuse_lost(tmp_path, config)
        return
    with pytest.raises(UserError, match=r"last\.ckpt is missing, and was there: put it back, or train a fresh run"):
        refuse_lost(tmp_path, config)
