"""What the models of a page read and make, and that what can't stand side by side is refused."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from suite.demo_page.examples import Examples
from suite.demo_page.serving import folder_of_page
from suite.demo_page.trained import Trained, names_of, ways_of
from suite.errors import UserError

MakeRun = Callable[..., Path]


def load(run: Path, name: str = "run", size: int | None = None) -> Trained:
    return Trained.load(run, name, "last", "cpu", "eval", size)


def test_a_cyclegan_has_a_way_in_each_direction_and_drawings_are_drawn(both_ways: Path) -> None:
    ways = ways_of([load(both_ways)])
    assert [(way.title, way.side, way.draws, way.grey) for way in ways] == [
        ("photo to drawing", "a", False, False),
        ("drawing to photo", "b", True, True),
    ]


def test_the_drawing_is_what_the_run_reads_whatever_side_it_is(to_photos: Path) -> None:
    (way,) = ways_of([load(to_photos)])
    assert (way.title, way.side, way.draws, way.grey) == ("drawing to photo", "a", True, True)


def test_labels_are_one_way_with_a_choice(make_run: MakeRun) -> None:
    trained = load(make_run("two_step_faces", "stage=encoder"))
    (way,) = ways_of([trained])
    assert list(way.directions.values()) == ["to_female", "to_male"]
    assert not way.draws
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 80, 3), np.uint8))
    made = [trained.translate(noise, direction) for direction in way.directions.values()]
    assert all(before.size == after.size == (64, 32) for before, after in made)
    assert made[0][1].tobytes() != made[1][1].tobytes()


def test_a_style_is_taken_of_the_picture_that_is_given(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("data.size=64", "data.load_size=64", "data.sketch=xdog", "data.sketch_sets=null")
    trained = load(make_run("sketch_to_image_faces", "stage=autoencoder", *words))
    assert [way.title for way in ways_of([trained])] == [
        "drawing to photo in the style of another",
        "photo to photo in the style of another",
    ]
    sketch = Image.new("L", (64, 64), "white")
    red, blue = (trained.translate(sketch, "a2b", Image.new("RGB", (50, 40), colour))[1] for colour in ("red", "blue"))
    assert red.tobytes() != blue.tobytes()
    monkeypatch.setattr(type(trained.model), "take_style", lambda *_: np.zeros(1 << 50))
    with pytest.raises(UserError, match="a picture of 50x40 pixels is too large for the memory"):
        trained.translate(sketch, "a2b", Image.new("RGB", (50, 40)))


def test_of_several_only_what_all_can_is_shown(both_ways: Path, to_photos: Path, make_run: MakeRun) -> None:
    photos = make_run("pix2pix_unet", "data.channels_b=1")
    (way,) = ways_of([load(both_ways, "one"), load(photos, "two")])
    assert way.title == "photo to drawing"
    with pytest.raises(
        UserError, match=r"one and two do not read the same, photos \(a2b\), drawings \(b2a\) and drawings"
    ):
        ways_of([load(both_ways, "one"), load(to_photos, "two")])


def test_several_runs_are_called_by_their_experiments_or_places(both_ways: Path, to_photos: Path) -> None:
    assert names_of([both_ways, to_photos]) == ["cyclegan_lsgan", "pix2pix_unet"]
    last = both_ways / "checkpoints" / "last.ckpt"
    assert names_of([both_ways, last]) == ["run", "last.ckpt"]
    with pytest.raises(UserError, match="one is named twice"):
        names_of([both_ways, both_ways])


def test_pictures_come_at_the_size_of_training_or_another(to_photos: Path) -> None:
    for size, expected in ((None, (48, 32)), (64, (96, 64))):
        before, after = load(to_photos, size=size).translate(Image.new("RGB", (300, 200), "white"), "a2b")
        assert before.size == after.size == expected
        assert (before.mode, after.mode) == ("L", "RGB")


# Examples -------------------------------------------------------------------------------------------------------------


def test_examples_are_validation_pictures_as_the_run_reads_them(both_ways: Path, tmp_path: Path) -> None:
    found = Examples(both_ways).write(tmp_path)
    assert {side: len(paths) for side, paths in found.items()} == {"a": 3, "b": 3}
    assert [Image.open(found[side][0]).mode for side in "ab"] == ["RGB", "L"]


def test_no_more_pictures_are_opened_than_a_row_is_worth(
    both_ways: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def broken(_: object, picture: object) -> None:
        opened.append(picture)
        raise OSError("broken")

    monkeypatch.setattr("suite.demo_page.examples._TRIES", 2)
    monkeypatch.setattr("suite.data.pictures.decode.Fit.decode", broken)
    assert Examples(both_ways).write(tmp_path) == {"a": [], "b": []}
    assert len(opened) == 4  # two a side, of three


def test_sketches_that_are_made_of_photos_are_examples_too(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("dagan_celeba_cufsf", "model.features=random_vgg", "data.sketch=xdog")
    drawings = Examples(run).write(tmp_path)["a"]
    assert all(Image.open(path).mode == "L" and np.mean(np.asarray(Image.open(path)) > 200) > 0.3 for path in drawings)


def test_why_there_are_no_examples(both_ways: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.ckpt"
    alone.write_bytes((both_ways / "checkpoints" / "last.ckpt").read_bytes())
    with pytest.raises(UserError, match="a checkpoint by itself"):
        Examples(alone)
    config = (both_ways / "config.yaml").read_text()
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text(config.replace("streaming: null", "streaming: s3://bucket/set"))
    with pytest.raises(UserError, match="not on this machine but in s3://bucket/set"):
        Examples(run)


def test_the_environment_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    before = dict(os.environ)
    with folder_of_page() as place:
        assert (os.environ["HF_HUB_OFFLINE"], os.environ["GRADIO_TEMP_DIR"]) == ("1", str(place))
    assert dict(os.environ) == before
