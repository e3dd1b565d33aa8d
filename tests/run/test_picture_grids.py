"""What a model makes of pictures, in grids."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from PIL import Image

from suite.errors import UserError
from suite.papers.translation import Translation
from suite.run.checkpoints import LastCheckpoint
from suite.run.picture_grids import HEADER, PictureGrids, arrange, latest, written


def opened(path: Path) -> Image.Image:
    """A grid without its titles."""
    grid = Image.open(path)
    assert grid.mode == "RGB"
    return grid.crop((0, HEADER, *grid.size))


def test_a_grid_shows_input_output_and_truth_in_the_whole_range(run: Callable, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path / "images", count=1, every_n_validations=1))
    a2b = opened(tmp_path / "images" / "a2b_epoch0001.png")
    assert a2b.size == (12, 4)
    assert [a2b.getpixel((x, 0)) for x in (0, 4, 8)] == [(255,) * 3, (0,) * 3, (128,) * 3]
    assert a2b.getpixel((0, 3)) == (0, 0, 0)
    b2a = opened(tmp_path / "images" / "b2a_epoch0001.png")
    assert [b2a.getpixel((x, 0)) for x in (0, 4, 8)] == [(128,) * 3, (0,) * 3, (255,) * 3]


def test_without_true_counterparts_none_is_shown(run: Callable, toys: SimpleNamespace, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path / "images", 1, 1), val=toys.pictures(1, paired=False))
    assert opened(tmp_path / "images" / "a2b_epoch0001.png").size == (8, 4)


def test_a_grid_holds_so_many_pictures_in_two_columns(run: Callable, toys: SimpleNamespace, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path / "images", count=3, every_n_validations=1), val=toys.pictures(5))
    grid = opened(tmp_path / "images" / "a2b_epoch0001.png")
    assert grid.size == (24, 8)
    assert grid.getpixel((16, 7)) == (255, 255, 255)  # the place that three pictures leave empty


def test_grids_of_every_other_validation(run: Callable, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path / "images", 1, every_n_validations=2), epochs=4)
    assert sorted(path.stem for path in tmp_path.glob("images/a2b*")) == ["a2b_epoch0002", "a2b_epoch0004"]


def test_a_resumed_run_stays_in_rhythm(run: Callable, tmp_path: Path) -> None:
    """Three validations, and on: the fourth is due, though the first of its process."""
    run(PictureGrids(tmp_path / "images", 1, 2), LastCheckpoint(tmp_path, 1), epochs=3)
    (tmp_path / "images" / "a2b_epoch0002.png").unlink()
    run(PictureGrids(tmp_path / "images", 1, 2), epochs=4, ckpt_path=tmp_path / "last.ckpt")
    assert [path.stem for path in tmp_path.glob("images/a2b*")] == ["a2b_epoch0004"]


def test_where_validations_are_counted_in_steps_files_are_named_after_them(
    run: Callable, toys: SimpleNamespace, tmp_path: Path
) -> None:
    model = toys.Drawer()
    model.steps = 498  # and the two of this run
    run(PictureGrids(tmp_path, 1, 1), model=model, check_val_every_n_epoch=None, val_check_interval=2)
    assert {path.name for path in tmp_path.glob("*.png")} == {"a2b_step000500.png", "b2a_step000500.png"}


def test_rows_are_the_papers_own(run: Callable, toys: SimpleNamespace, tmp_path: Path) -> None:
    """As many columns as it likes, grey ones and wide ones, in its order; what has no row has no grid."""

    class Painter(toys.Drawer):
        def predict(self, batch: Any) -> list[Translation]:
            wide, grey = torch.ones(1, 3, 4, 8), torch.zeros(1, 1, 4, 4)
            row = {"z": -wide, "input": grey, "as b": wide, "as a": grey}
            return [Translation("shown", None, row), Translation("measured", wide)]

    run(PictureGrids(tmp_path, 1, 1), model=Painter())
    assert [path.name for path in tmp_path.glob("*.png")] == ["shown_epoch0001.png"]
    grid = opened(tmp_path / "shown_epoch0001.png")
    assert grid.size == (24, 4)
    assert [grid.getpixel((x, 0))[0] for x in (0, 7, 8, 11, 12, 19, 20, 23)] == [0, 0, 128, 128, 255, 255, 128, 128]


def test_a_grids_columns_are_titled(run: Callable, toys: SimpleNamespace, tmp_path: Path) -> None:
    class Painter(toys.Drawer):
        def predict(self, batch: Any) -> list[Translation]:
            picture = torch.zeros(2, 3, 4, 60)
            return [Translation("a2b", picture, {"input": picture, "a title too long for it": picture})]

    run(PictureGrids(tmp_path, 2, 1), model=Painter())
    grid = Image.open(tmp_path / "a2b_epoch0001.png")
    titles = [grid.crop((left, 0, left + 60, HEADER)) for left in range(0, 240, 60)]
    expected = [written("input", 60), written("a title too long for it", 60)]
    assert [title.tobytes() for title in titles] == [title.tobytes() for title in expected * 2]
    assert all(min(title.tobytes()) < 64 for title in titles)  # there is something written


def test_training_pictures_have_grids_of_their_own_and_are_read_once_as_training_begins(
    run: Callable, toys: SimpleNamespace, tmp_path: Path
) -> None:
    data = toys.TrainingPictures()

    class Gone(pl.Callback):
        def on_train_batch_start(self, *_: Any) -> None:
            data.first_batches = None

    run(PictureGrids(tmp_path, count=1, every_n_validations=1, train=2), Gone(), epochs=2, data=data)
    names = {f"{grid}_epoch{epoch:04d}" for grid in ("a2b", "b2a", "train_a2b", "train_b2a") for epoch in (1, 2)}
    assert {path.stem for path in tmp_path.glob("*.png")} == names
    for epoch in (1, 2):
        grid = opened(tmp_path / f"train_a2b_epoch{epoch:04d}.png")
        assert grid.size == (24, 4)
        assert [grid.getpixel((x, 0))[0] for x in range(0, 24, 4)] == [10, 0, 110, 20, 0, 120]
    assert data.read == 2


def test_more_training_pictures_than_there_are(run: Callable, toys: SimpleNamespace, tmp_path: Path) -> None:
    run(PictureGrids(tmp_path, count=0, every_n_validations=1, train=9), data=toys.TrainingPictures())
    assert opened(tmp_path / "train_a2b_epoch0001.png").size == (24, 8)


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


def test_a_papers_sheets_of_its_first_pictures_stand_beside_its_grids(
    run: Callable, toys: SimpleNamespace, tmp_path: Path
) -> None:
    class Painter(toys.Drawer):
        def sheets(self, batch: Any) -> dict[str, Any]:
            return {"whole": torch.full((3, 5, 7), int(batch["index"]) + 9, dtype=torch.uint8)}

    run(PictureGrids(tmp_path, 2, 1), model=Painter(), val=toys.pictures(3), epochs=2)
    expected = {f"{name}_epoch000{epoch}.png" for name in ("a2b", "b2a", "whole") for epoch in (1, 2)}
    assert {path.name for path in tmp_path.glob("*.png")} == expected
    sheet = Image.open(tmp_path / "whole_epoch0002.png")
    assert (sheet.size, sheet.getcolors()) == ((7, 5), [(35, (9, 9, 9))])


def test_the_latest_grid_is_the_first_of_the_last_validation(tmp_path: Path) -> None:
    assert latest(tmp_path / "images") is None
    names = ("a2b_step000900.png", "b2a_step000900.png", "a2b_step001000.png", "b2a_step001000.png", "train_x.png")
    for number, name in enumerate(names):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (number, number))
    assert latest(tmp_path) == tmp_path / "a2b_step001000.png"
    assert latest(tmp_path, "b2a") == tmp_path / "b2a_step001000.png"
    assert latest(tmp_path, "styles") == tmp_path / "a2b_step001000.png"


def test_one_picture_is_one_column() -> None:
    assert arrange(torch.zeros(1, 3, 4, 12)).shape == (3, 4, 12)


def test_a_folder_that_can_no_longer_be_written_is_named(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "images").write_text("")
    with pytest.raises(UserError, match=rf"^can't write to {tmp_path}/images: File exists"):
        run(PictureGrids(tmp_path / "images", 1, 1))
