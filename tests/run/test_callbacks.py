"""Seeds, picture grids and checkpoints around a run, each in a Trainer of its own."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader

from suite.errors import UserError
from suite.images import uint8_to_unit, unit_to_signed
from suite.papers.base import Paper
from suite.run.callbacks import AtomicCheckpointIO, BestCheckpoint, LastCheckpoint, PictureGrids, StepSeeds, arrange


class Drawer(Paper):
    """Translates every picture to black; one weight, no losses."""

    directions = ("a2b", "b2a")

    def __init__(self) -> None:
        super().__init__(epochs=9, decay_epochs=0, clip_norm=0, ema_decay=0, compile=False)
        self.weight = nn.Linear(1, 1)

    def generators(self) -> dict[str, nn.Module]:
        return {"G": self.weight}

    networks = generators

    def translate(self, batch: Any, direction: str = "a2b") -> Tensor:
        return torch.full_like(batch["b" if direction == "a2b" else "a"], -1)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        self.update(self.optimizers(), self.weight(torch.ones(1, 1)).sum())  # type: ignore[arg-type]

    def configure_optimizers(self) -> tuple[list, list]:
        optimizer = self.make_optimizer([self.weight], 1e-3, (0.5, 0.999))
        return [optimizer], [self.linear_decay(optimizer)]


def pictures(count: int, paired: bool = True) -> list[dict[str, Any]]:
    """One batch a picture; `a` is white in its upper half, `b` grey."""
    a = torch.full((1, 3, 4, 4), -1.0)
    a[:, :, :2] = 1
    b = torch.zeros(1, 1, 4, 4)
    return [{"a": a, "b": b, "paired": paired, "index": torch.tensor([n])} for n in range(count)]


def loader(batches: list) -> DataLoader:
    # A generator of its own: the usual one would take a number from the global one.
    return DataLoader(batches, batch_size=None, generator=torch.Generator())  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., pl.Trainer]:
    def make(*callbacks: pl.Callback, epochs: int = 1, val: list | None = None, **more: Any) -> pl.Trainer:
        ckpt_path, model, data = more.pop("ckpt_path", None), more.pop("model", Drawer()), more.pop("data", None)
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=epochs, callbacks=list(callbacks), logger=False, default_root_dir=tmp_path,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
            plugins=[AtomicCheckpointIO()], **more,
        )  # fmt: skip
        loaders = [] if data else [loader(pictures(2)), loader(val or pictures(1))]
        trainer.fit(model, *loaders, datamodule=data, ckpt_path=ckpt_path, weights_only=True)
        return trainer

    return make


# Seeds ---------------------------------------------------------------------------------------------------------------


class Drawn(pl.Callback):
    """What each step would draw for two purposes, and for dropout."""

    def __init__(self) -> None:
        self.drawn: list[tuple[float, float, float]] = []

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, Drawer)
        generators = [pl_module.draws.generator(purpose) for purpose in ("noise", "pool_a")]
        one, other, dropout = (torch.rand(1, generator=generator).item() for generator in (*generators, None))
        self.drawn.append((one, other, dropout))


def test_a_step_draws_the_same_however_the_run_came_to_it(run: Callable) -> None:
    once, again, other = Drawn(), Drawn(), Drawn()
    run(StepSeeds(0), once, epochs=2)
    torch.rand(5)
    run(StepSeeds(0), again, epochs=2)
    assert once.drawn == again.drawn
    run(StepSeeds(1), other, epochs=2)
    drawn = [number for drawn in (once, other) for step in drawn.drawn for number in step]
    assert len(drawn) == len(set(drawn)) == 2 * 4 * 3


def test_ranks_draw_differently(run: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Drawn(), Drawn()
    run(StepSeeds(0), first)
    monkeypatch.setattr(pl.Trainer, "global_rank", property(lambda self: 1))
    run(StepSeeds(0), second)
    assert not {n for step in first.drawn for n in step} & {n for step in second.drawn for n in step}


# Pictures ------------------------------------------------------------------------------------------------------------


def test_a_grid_shows_input_output_and_truth_in_the_whole_range(run: Callable, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path / "images", count=1, every_n_validations=1))
    a2b = Image.open(tmp_path / "images" / "a2b_epoch0001.png")
    assert a2b.mode == "RGB"
    assert a2b.size == (12, 4)
    assert [a2b.getpixel((x, 0)) for x in (0, 4, 8)] == [(255,) * 3, (0,) * 3, (128,) * 3]
    assert a2b.getpixel((0, 3)) == (0, 0, 0)
    b2a = Image.open(tmp_path / "images" / "b2a_epoch0001.png")
    assert [b2a.getpixel((x, 0)) for x in (0, 4, 8)] == [(128,) * 3, (0,) * 3, (255,) * 3]


def test_without_true_counterparts_none_is_shown(run: Callable, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path / "images", 1, 1), val=pictures(1, paired=False))
    assert Image.open(tmp_path / "images" / "a2b_epoch0001.png").size == (8, 4)


def test_a_grid_holds_so_many_pictures_in_two_columns(run: Callable, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path / "images", count=3, every_n_validations=1), val=pictures(5))
    grid = Image.open(tmp_path / "images" / "a2b_epoch0001.png")
    assert grid.size == (24, 8)
    assert grid.getpixel((16, 7)) == (255, 255, 255)  # the place that three pictures leave empty


def test_grids_of_every_other_validation(run: Callable, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path / "images", 1, every_n_validations=2), epochs=4)
    assert sorted(path.stem for path in tmp_path.glob("images/a2b*")) == ["a2b_epoch0002", "a2b_epoch0004"]


class TrainingPictures(pl.LightningDataModule):
    """Three of them, as uint8 in evaluation form, in batches of one; counts how many are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def train_dataloader(self) -> DataLoader:
        return loader(pictures(2))

    def val_dataloader(self) -> DataLoader:
        return loader(pictures(1))

    def first_batches(self, split: str, count: int) -> Any:
        assert split == "train"
        for grey in (10, 20, 30)[:count]:
            self.read += 1
            a = torch.full((1, 3, 4, 4), grey, dtype=torch.uint8)
            yield {"a": a, "b": a[:, :1] + 100, "paired": True, "index": torch.tensor([0])}

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        stored = {side: batch[side] for side in ("a", "b") if batch[side].dtype == torch.uint8}
        return batch | {side: unit_to_signed(uint8_to_unit(picture)) for side, picture in stored.items()}


class Random(Drawer):
    """A Drawer that draws a random number for each picture; notes the mode in which it translates and trains."""

    def __init__(self) -> None:
        super().__init__()
        self.translated: set[bool] = set()
        self.trained: set[bool] = set()

    def translate(self, batch: Any, direction: str = "a2b") -> Tensor:
        torch.rand(1)
        self.translated.add(self.training)
        return super().translate(batch, direction)

    def training_step(self, batch: Any, batch_idx: int) -> None:
        self.trained.add(self.training)
        super().training_step(batch, batch_idx)


def test_training_pictures_have_grids_of_their_own_and_are_read_once(run: Callable, tmp_path: Path) -> None:
    data = TrainingPictures()
    run(PictureGrids(tmp_path, count=1, every_n_validations=1, train=2), epochs=2, data=data)
    names = {f"{grid}_epoch{epoch:04d}" for grid in ("a2b", "b2a", "train_a2b", "train_b2a") for epoch in (1, 2)}
    assert {path.stem for path in tmp_path.glob("*.png")} == names
    for epoch in (1, 2):
        grid = Image.open(tmp_path / f"train_a2b_epoch{epoch:04d}.png")
        assert grid.size == (24, 4)
        assert [grid.getpixel((x, 0))[0] for x in range(0, 24, 4)] == [10, 0, 110, 20, 0, 120]
    assert data.read == 2


def test_more_training_pictures_than_there_are(run: Callable, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path, count=0, every_n_validations=1, train=9), data=TrainingPictures())
    assert Image.open(tmp_path / "train_a2b_epoch0001.png").size == (24, 8)


def test_grids_of_training_pictures_change_nothing_in_training(run: Callable, tmp_path: Path) -> None:
    drawn = []
    for train in (0, 2):
        draws, model = Drawn(), Random()
        torch.manual_seed(0)
        run(PictureGrids(tmp_path, 0, 1, train=train), draws, epochs=2, model=model, data=TrainingPictures())
        drawn.append(draws.drawn)
    assert drawn[0] == drawn[1]
    assert (model.translated, model.trained) == ({False}, {True})


def test_other_processes_make_no_grids(run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl.Trainer, "is_global_zero", property(lambda self: False))
    data = TrainingPictures()
    run(PictureGrids(tmp_path / "images", 1, 1, train=2), data=data)
    assert not (tmp_path / "images").exists()
    assert data.read == 0


def test_one_picture_is_one_column() -> None:
    assert arrange(torch.zeros(1, 3, 4, 12)).shape == (3, 4, 12)


# Checkpoints ---------------------------------------------------------------------------------------------------------


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
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["lr_schedulers"][0]["last_epoch"] == kept


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
