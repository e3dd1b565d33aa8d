"""What a model makes of pictures, in grids."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from PIL import Image

from suite.run.picture_grids import PictureGrids, arrange


def test_a_grid_shows_input_output_and_truth_in_the_whole_range(run: Callable, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path / "images", count=1, every_n_validations=1))
    a2b = Image.open(tmp_path / "images" / "a2b_epoch0001.png")
    assert a2b.mode == "RGB"
    assert a2b.size == (12, 4)
    assert [a2b.getpixel((x, 0)) for x in (0, 4, 8)] == [(255,) * 3, (0,) * 3, (128,) * 3]
    assert a2b.getpixel((0, 3)) == (0, 0, 0)
    b2a = Image.open(tmp_path / "images" / "b2a_epoch0001.png")
    assert [b2a.getpixel((x, 0)) for x in (0, 4, 8)] == [(128,) * 3, (0,) * 3, (255,) * 3]


def test_without_true_counterparts_none_is_shown(run: Callable, toys: SimpleNamespace, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path / "images", 1, 1), val=toys.pictures(1, paired=False))
    assert Image.open(tmp_path / "images" / "a2b_epoch0001.png").size == (8, 4)


def test_a_grid_holds_so_many_pictures_in_two_columns(run: Callable, toys: SimpleNamespace, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path / "images", count=3, every_n_validations=1), val=toys.pictures(5))
    grid = Image.open(tmp_path / "images" / "a2b_epoch0001.png")
    assert grid.size == (24, 8)
    assert grid.getpixel((16, 7)) == (255, 255, 255)  # the place that three pictures leave empty


def test_grids_of_every_other_validation(run: Callable, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path / "images", 1, every_n_validations=2), epochs=4)
    assert sorted(path.stem for path in tmp_path.glob("images/a2b*")) == ["a2b_epoch0002", "a2b_epoch0004"]


def test_training_pictures_have_grids_of_their_own_and_are_read_once(
    run: Callable, toys: SimpleNamespace, tmp_path: Path
) -> None:
    data = toys.TrainingPictures()
    run(PictureGrids(tmp_path, count=1, every_n_validations=1, train=2), epochs=2, data=data)
    names = {f"{grid}_epoch{epoch:04d}" for grid in ("a2b", "b2a", "train_a2b", "train_b2a") for epoch in (1, 2)}
    assert {path.stem for path in tmp_path.glob("*.png")} == names
    for epoch in (1, 2):
        grid = Image.open(tmp_path / f"train_a2b_epoch{epoch:04d}.png")
        assert grid.size == (24, 4)
        assert [grid.getpixel((x, 0))[0] for x in range(0, 24, 4)] == [10, 0, 110, 20, 0, 120]
    assert data.read == 2


def test_more_training_pictures_than_there_are(run: Callable, toys: SimpleNamespace, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path, count=0, every_n_validations=1, train=9), data=toys.TrainingPictures())
    assert Image.open(tmp_path / "train_a2b_epoch0001.png").size == (24, 8)


def test_grids_of_training_pictures_change_nothing_in_training(
    run: Callable, toys: SimpleNamespace, tmp_path: Path
) -> None:
    drawn = []
    for train in (0, 2):
        draws, model = toys.Drawn(), toys.Drawer()
        torch.manual_seed(0)
        run(PictureGrids(tmp_path, 0, 1, train=train), draws, epochs=2, model=model, data=toys.TrainingPictures())
        drawn.append(draws.drawn)
    assert drawn[0] == drawn[1]
    assert (model.translated, model.trains) == ({False}, {True})


def test_other_processes_make_no_grids(
    run: Callable, toys: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pl.Trainer, "is_global_zero", property(lambda self: False))
    data = toys.TrainingPictures()
    run(PictureGrids(tmp_path / "images", 1, 1, train=2), data=data)
    assert not (tmp_path / "images").exists()
    assert data.read == 0


def test_one_picture_is_one_column() -> None:
    assert arrange(torch.zeros(1, 3, 4, 12)).shape == (3, 4, 12)
