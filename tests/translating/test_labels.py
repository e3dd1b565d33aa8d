"""`suite.translate` to a label, with a model that reads one size alone, and darkens or lightens."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from saved import save_run
from to_labels import SHIFT, SIZE, ToLabels, to_labels
from videos import command, files, read, write

from suite.errors import UserError
from suite.translating.batches import pick_direction, translate_files


@pytest.mark.parametrize(("width", "height"), [(50, 70), (SIZE, SIZE), (9, 5)])
def test_a_picture_is_squashed_and_keeps_its_size(run: Path, tmp_path: Path, width: int, height: int) -> None:
    ramp = np.linspace(90, 160, width)[None, :, None] + np.linspace(0, 20, height)[:, None, None] + np.zeros(3)
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "x.png")
    for target, shift in (("Dark", -SHIFT), ("light", SHIFT)):
        command(run, tmp_path / "x.png", tmp_path / f"{target}.png", f"target={target}")
        result = np.asarray(Image.open(tmp_path / f"{target}.png"), int)
        assert result.shape == (height, width, 3)
        np.testing.assert_allclose(result, ramp.astype(np.uint8).astype(int) + shift, atol=4)


def test_with_a_size_the_shorter_side_is_that(run: Path, tmp_path: Path) -> None:
    Image.new("RGB", (60, 40), (90, 90, 90)).save(tmp_path / "x.png")
    command(run, tmp_path / "x.png", tmp_path / "y.png", "size=20")
    assert Image.open(tmp_path / "y.png").size == (30, 20)


def test_a_grey_model(tmp_path: Path) -> None:
    run = save_run(tmp_path / "run", to_labels(channels_a=1, channels_b=1))
    Image.new("L", (50, 40), 90).save(tmp_path / "x.png")
    command(run, tmp_path / "x.png", tmp_path / "y.png")
    result = Image.open(tmp_path / "y.png")
    assert (result.mode, result.size, result.getextrema()) == ("L", (50, 40), (90 - SHIFT, 90 - SHIFT))
    video = write(tmp_path / "v.mp4", np.full((2, 32, 48, 3), (200, 100, 50), np.uint8), sound=None)
    command(run, video, tmp_path / "o.mp4", "crops=true")
    luma = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    np.testing.assert_allclose(read(tmp_path / "o.mp4").frames.astype(int), luma - SHIFT, atol=4)


def test_pictures_of_all_sizes_share_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    whole = ToLabels.translate

    def spy(self: ToLabels, batch: Any, direction: str = "to_dark") -> torch.Tensor:
        shapes.append(tuple(batch.shape))
        return whole(self, batch, direction)

    monkeypatch.setattr(ToLabels, "translate", spy)
    pairs = []
    for side in (20, 33, 47):
        Image.new("RGB", (side, 40)).save(tmp_path / f"{side}.png")
        pairs.append((tmp_path / f"{side}.png", tmp_path / "out" / f"{side}.png"))
    assert translate_files(to_labels(), pairs) == {}
    assert shapes == [(3, 3, SIZE, SIZE)]


def test_a_target_is_a_label_of_the_model(run: Path, cyclegan_run: Path, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    for where, words, complaint in [
        (run, ["target=blue"], "target=blue: this model knows dark, light"),
        (cyclegan_run, ["target=male"], "target=male: CycleGAN knows no labels; say direction="),
        (run, ["target=dark", "direction=to_light"], "target=dark and direction=to_light: say one of them"),
        (run, ["target="], "target=: give a name"),
    ]:
        with pytest.raises(UserError, match=complaint):
            command(where, tmp_path / "x.png", tmp_path / "y.png", *words)
    assert pick_direction(to_labels(), None) == "to_dark"
    assert files(tmp_path) == ["x.png"]
