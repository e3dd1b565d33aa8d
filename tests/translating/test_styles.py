"""`suite.translate` in the style of an exemplar, with a model that adds the mean of that."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from saved import save_run
from to_labels import SIZE, ToLabels
from torch import Tensor
from videos import command, files, read, write

import suite
from suite.errors import UserError
from suite.papers import arguments_of, register
from suite.papers.base import Direction
from suite.run.config import defaults_of
from suite.run.summary import what_next


@register
class Styled(ToLabels):
    """Brings grey pictures `a` to the mean of the exemplar `b`."""

    name = "styled"
    needs_style = True

    def take_style(self, picture: Tensor) -> None:
        assert picture.shape == (1, 3, SIZE, SIZE)
        assert -1 <= picture.min() <= picture.max() <= 1
        self.mean = picture.mean(dim=(2, 3), keepdim=True)

    def translate(self, batch: Any, direction: Direction = "to_dark") -> Tensor:
        assert batch.shape[1:] == (1, SIZE, SIZE)
        return self.mean.expand(len(batch), 3, SIZE, SIZE)


@pytest.fixture(scope="module")
def styled_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shared = {key: value for key, value in defaults_of("cyclegan").items() if key in arguments_of(Styled)}
    return save_run(tmp_path_factory.mktemp("runs") / "styled", Styled(**shared | {"channels_a": 1}).eval())


def plain(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (40, 24)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def colour_of(path: Path) -> tuple[int, ...]:
    picture = np.asarray(Image.open(path).convert("RGB"))
    assert (picture == picture[0, 0]).all()
    return tuple(picture[0, 0].tolist())


RED, BLUE, GREY = (200, 10, 20), (0, 40, 250), (90, 90, 90)


@pytest.fixture
def sketches(tmp_path: Path) -> Path:
    for name in ("one.png", "deep/two.png"):
        plain(tmp_path / "sketches" / name, GREY, (50, 30))
    return tmp_path / "sketches"


def test_a_picture_is_the_style_of_every_input(styled_run: Path, sketches: Path, tmp_path: Path) -> None:
    style, out = plain(tmp_path / "red.png", RED), tmp_path / "out"
    command(styled_run, sketches, out, f"style={style}")
    assert files(out) == ["deep/two.png", "one.png"]
    assert [colour_of(out / name) for name in files(out)] == [RED, RED]
    assert Image.open(out / "one.png").size == (50, 30)
    command(styled_run, sketches / "one.png", tmp_path / "one.png", f"style={style}")
    assert colour_of(tmp_path / "one.png") == RED


def test_each_picture_of_a_folder_is_a_folder_of_translations(
    styled_run: Path, sketches: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    styles, out = tmp_path / "styles", tmp_path / "out"
    colours = {"red": RED, "old/blue": BLUE}
    for name, colour in colours.items():
        plain(styles / f"{name}.png", colour)
    expected = sorted(f"{style}/{name}" for style in colours for name in ("one.png", "deep/two.png"))
    for number in range(2):
        if number:  # goes on where it was interrupted
            (out / "red" / "one.png").unlink()
            (out / "old" / "blue" / "one.png").write_bytes(b"mine")
        command(styled_run, sketches, out, f"style={styles}")
        assert files(out) == expected
    for style, colour in colours.items():
        assert colour_of(out / style / "deep" / "two.png") == colour
    assert colour_of(out / "red" / "one.png") == RED
    assert (out / "old" / "blue" / "one.png").read_bytes() == b"mine"
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"4 pictures translated (to_dark, 2 styles) into {out}: ")
    assert said[1].startswith(f"1 picture translated (to_dark, 2 styles) into {out}: ")
    assert "3 already there" in said[1]
    command(styled_run, sketches / "one.png", tmp_path / "single", f"style={styles}")
    assert files(tmp_path / "single") == ["old/blue/one.png", "red/one.png"]


def test_earlier_translations_are_neither_inputs_nor_styles(styled_run: Path, sketches: Path, tmp_path: Path) -> None:
    plain(sketches / "out" / "red" / "one.png", BLUE)
    styles = plain(tmp_path / "styles" / "red.png", RED).parent
    command(styled_run, sketches, sketches / "out", f"style={styles}", "overwrite=true")
    assert files(sketches / "out") == ["red/deep/two.png", "red/one.png"]
    command(styled_run, sketches / "one.png", styles / "out", f"style={styles}")
    command(styled_run, sketches / "one.png", styles / "out", f"style={styles}", "overwrite=true")
    assert files(styles) == ["out/red/one.png", "red.png"]


def test_a_broken_input_is_named_once_whatever_the_styles(styled_run: Path, sketches: Path, tmp_path: Path) -> None:
    for name, colour in (("red", RED), ("blue", BLUE)):
        plain(tmp_path / "styles" / f"{name}.png", colour)
    (sketches / "three.png").write_text("no picture")
    with pytest.raises(UserError, match=r"^1 picture not translated: .*three\.png"):
        command(styled_run, sketches, tmp_path / "out", f"style={tmp_path / 'styles'}")
    assert len(files(tmp_path / "out")) == 4


def test_a_video_takes_the_style_of_one_picture(styled_run: Path, tmp_path: Path) -> None:
    video = write(tmp_path / "v.mp4", np.full((2, 32, 48, 3), 90, np.uint8), sound=None)
    style = plain(tmp_path / "styles" / "blue.png", BLUE)
    command(styled_run, video, tmp_path / "o.mp4", "crops=true", f"style={style}")
    np.testing.assert_allclose(read(tmp_path / "o.mp4").frames.astype(int).mean(axis=(0, 1, 2)), BLUE, atol=6)
    with pytest.raises(UserError, match="is no file: a video is translated in the style of one picture, name it"):
        command(styled_run, video, tmp_path / "p.mp4", "crops=true", f"style={style.parent}")


def test_what_cannot_be_a_style_is_one_line_before_anything_is_written(
    styled_run: Path, run: Path, sketches: Path, tmp_path: Path
) -> None:
    red = plain(tmp_path / "styles" / "red.png", RED)
    (tmp_path / "broken.png").write_text("no picture")
    (tmp_path / "empty").mkdir()
    before = files(tmp_path)
    for where, source, target, style, complaint in [
        (styled_run, sketches, "out", None, r"in which style\? Say style=<picture>"),
        (run, sketches, "out", red, "style=…: ToLabels takes no style; leave it out"),
        (styled_run, sketches, "out", tmp_path / "none.png", "none.png: there is no such file or folder"),
        (styled_run, sketches, "out", tmp_path / "broken.png", "broken.png: no readable picture"),
        (styled_run, sketches, "out", tmp_path / "empty", "empty: there is no picture in this folder"),
        (styled_run, sketches / "one.png", "y.png", red.parent, "is the name of a picture, but style=.*name a folder"),
        (styled_run, sketches, "styles", red.parent, "is the folder of styles: name another"),
        (styled_run, sketches / "one.png", "styles/red.png", red, "would replace the picture .*red.png"),
    ]:
        words = [] if style is None else [f"style={style}"]
        with pytest.raises(UserError, match=complaint):
            command(where, source, tmp_path / target, *words, "overwrite=true")
    assert files(tmp_path) == before
    assert not (tmp_path / "out").exists()


def test_the_command_that_is_shown_at_the_end_names_a_style(styled_run: Path) -> None:
    assert what_next(styled_run, suite.load(styled_run))[0].endswith(" style=PICTURE_OR_FOLDER")
