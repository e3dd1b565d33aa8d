"""The built-in faces: what they promise to everything that trains and tests on them."""

import time

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from suite.data.catalog import Split
from suite.data.sources.faces import faces
from suite.errors import UserError
from suite.faces import FEMALE, HANDS, MALE, STYLES, Face, FaceParameters, Style, contact_sheet, draw
from suite.faces.__main__ import main

Picture = NDArray[np.float64]


def grey(index: int, style: Style, size: int = 64, hand: int = 0) -> Picture:
    """Face `index` of series 0 in brightness, 0..255."""
    return draw(FaceParameters.sample(0, index), style, size, hand).mean(2)


def reduced(picture: Picture, size: int) -> Picture:
    """Averaged down to (size, size)."""
    factor = picture.shape[0] // size
    return picture.reshape(size, factor, size, factor).mean((1, 3))


def edges(picture: Picture) -> Picture:
    """Steepness of the brightness at every pixel, without the rim."""
    down, right = np.gradient(picture)
    return np.hypot(down, right)[1:-1, 1:-1]


def correlation(first: Picture, second: Picture) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


@pytest.mark.parametrize("style", STYLES)
def test_a_face_is_a_function_of_its_seed_and_index(style: Style) -> None:
    first = draw(FaceParameters.sample(3, 7), style, 64)
    draw(FaceParameters.sample(3, 8), style, 48)  # what is drawn in between does not matter
    assert np.array_equal(first, draw(FaceParameters.sample(3, 7), style, 64))
    for seed, index in ((3, 8), (4, 7)):
        other = draw(FaceParameters.sample(seed, index), style, 64)
        assert np.abs(first.astype(float) - other).mean() > 8


def test_parameters_never_run_out_and_stay_in_range() -> None:
    for index in range(2000):
        p = FaceParameters.sample(11, index)
        for colour in (p.skin, p.hair_colour, p.eye_colour, p.lip_colour, p.clothes_colour, *p.background_colours):
            assert all(0 <= value <= 255 for value in colour)
        assert p.sex in (FEMALE, MALE)
        assert p.beard == "none" or p.sex == MALE
        assert abs(p.yaw) < 0.3
        assert abs(p.roll) < 0.15


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [32, 33, 57, 100, 250, 1024])
def test_every_size_is_drawn_and_not_blank(style: Style, size: int) -> None:
    picture = draw(FaceParameters.sample(0, 1), style, size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    assert picture.min() < 100
    assert picture.max() > 180
    assert picture.std() > 20
    if style in ("contour", "loose"):
        assert np.array_equal(picture[..., 0], picture[..., 1])
        assert np.array_equal(picture[..., 0], picture[..., 2])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("large", [128, 256, 512])
def test_content_is_the_same_at_every_size(style: Style, large: int) -> None:
    for index in range(4):
        small, shrunk = grey(index, style), reduced(grey(index, style, large), 64)
        error = np.abs(small - shrunk).mean()
        for axis in (0, 1):
            for step in (-1, 1):  # a face off by one pixel of 64 would not pass
                moved = np.roll(shrunk, step, axis)
                assert error < 0.55 * np.abs(small - moved)[2:-2, 2:-2].mean()


def test_cartoon_and_contours_lie_on_the_photo_and_the_loose_sketch_does_not() -> None:
    scores: dict[str, list[float]] = {"cartoon": [], "contour": [], "last hand": [], "loose": [], "another face": []}
    for index in range(24):
        photo = edges(grey(index, "photo"))
        scores["cartoon"].append(correlation(photo, edges(grey(index, "cartoon"))))
        scores["contour"].append(correlation(photo, edges(grey(index, "contour"))))
        scores["last hand"].append(correlation(photo, edges(grey(index, "contour", hand=len(HANDS) - 1))))
        scores["loose"].append(correlation(photo, edges(grey(index, "loose"))))
        scores["another face"].append(correlation(photo, edges(grey(index + 1, "contour"))))
    mean = {name: float(np.mean(values)) for name, values in scores.items()}
    for aligned in ("cartoon", "contour", "last hand"):
        assert mean[aligned] > 0.45, mean
        assert min(scores[aligned]) > 0.3, mean
        assert mean[aligned] > mean["loose"] + 0.15, mean
        assert mean[aligned] > mean["another face"] + 0.15, mean


def test_an_aligned_drawing_moved_by_a_pixel_fits_worse() -> None:
    for style in ("cartoon", "contour"):
        here = there = 0.0
        for index in range(12):
            photo, drawing = edges(grey(index, "photo")), edges(grey(index, style))
            here += correlation(photo, drawing)
            there += max(correlation(photo, np.roll(drawing, step, axis)) for axis in (0, 1) for step in (-1, 1))
        assert here > there


def test_hands_differ_but_agree_on_the_face() -> None:
    for index in range(4):
        pictures = [grey(index, "contour", hand=hand) for hand in range(len(HANDS))]
        other = grey(index + 1, "contour")
        for i, first in enumerate(pictures):
            for second in pictures[i + 1 :]:
                assert np.abs(first - second).mean() > 1
                assert correlation(first, second) > max(0.6, correlation(first, other) + 0.15)


def test_sexes_can_be_told_apart_from_pixels_and_are_about_half() -> None:
    parameters = [FaceParameters.sample(5, index) for index in range(500)]
    label = np.array([p.sex for p in parameters]) * 2.0 - 1
    assert abs(label.mean()) < 0.12
    pixels = np.stack([draw(p, "contour", 32)[..., 0].ravel() / 255.0 for p in parameters])
    pixels -= pixels[:350].mean(0)
    seen, unseen = pixels[:350], pixels[350:]
    # ridge regression in its dual form
    weights = seen.T @ np.linalg.solve(seen @ seen.T + 30 * np.eye(350), label[:350])
    assert (np.sign(unseen @ weights) == label[350:]).mean() > 0.85
    women, men = ([p for p in parameters if p.sex == sex] for sex in (FEMALE, MALE))
    assert np.mean([p.jaw for p in men]) > np.mean([p.jaw for p in women]) + 0.05
    assert any(p.hair == "short" for p in women)  # a tendency, no caricature
    assert any(p.hair == "long" for p in men)


@pytest.mark.parametrize("style", STYLES)
def test_a_face_takes_less_than_ten_milliseconds(style: Style) -> None:
    best = 1.0
    for start in (0, 30, 60):
        begin = time.process_time()
        for index in range(start, start + 30):
            draw(FaceParameters.sample(0, index), style, 64)
        best = min(best, (time.process_time() - begin) / 30)
    assert best < 0.01


@pytest.mark.parametrize(
    ("style", "size", "hand"),
    [("oil", 64, 0), ("photo", 31, 0), ("photo", 1025, 0), ("photo", 64, 1), ("contour", 64, 10), ("contour", 64, -1)],
)
def test_what_can_not_be_drawn_is_refused_in_one_line(style: Style, size: int, hand: int) -> None:
    with pytest.raises(UserError) as error:
        draw(FaceParameters.sample(0, 0), style, size, hand)
    assert "\n" not in str(error.value)


def test_a_face_is_a_picture_of_a_catalog() -> None:
    face = Face(2, 12, "photo", 40)
    assert face.name == "face 12 of series 2 (photo)"
    assert face.load().size == (40, 40)
    assert face.load().mode == "RGB"
    others = [Face(3, 12, "photo", 40), Face(2, 13, "photo", 40), Face(2, 12, "cartoon", 40), Face(2, 12, "photo", 41)]
    others += [Face(2, 12, "contour", 40, hand) for hand in (0, 1)]
    assert len({face.identity(), *(other.identity() for other in others)}) == 7


def test_the_source_pairs_and_labels_disjoint_splits() -> None:
    catalog = faces(count={"train": 6, "val": 3, "test": 2}, size=32, seed=1)
    sizes: dict[Split, int] = {"train": 6, "val": 3, "test": 2}
    assert {split: len(catalog.of_split(split)) for split in sizes} == sizes
    assert len({record.key for record in catalog.records}) == 11
    assert catalog.label_names == ("female", "male")
    assert [record.key for record in catalog.records[:2]] == ["face-000000", "face-000001"]
    for record in catalog.records:
        index = int(record.key.removeprefix("face-"))
        assert record.photo == Face(1, index, "photo", 32)
        assert record.drawings == (Face(1, index, "cartoon", 32),)
        assert record.label == FaceParameters.sample(1, index).sex


def test_a_split_keeps_its_faces_when_another_grows() -> None:
    few, many = (faces(count={"train": n, "val": 3}, size=32) for n in (2, 50))
    assert few.of_split("val") == many.of_split("val")
    assert few.of_split("train") == many.of_split("train")[:2]


def test_contours_come_from_several_hands() -> None:
    record = faces(count={"train": 1}, size=32, style="contour", hands=3).records[0]
    assert record.drawings == tuple(Face(0, 0, "contour", 32, hand) for hand in range(3))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"style": "photo"}, "data.style"),
        ({"style": "oil"}, "data.style"),
        ({"hands": 2}, "data.hands"),
        ({"hands": 0}, "data.hands"),
        ({"hands": 11, "style": "contour"}, "data.hands"),
        ({"size": 16}, "data.size"),
        ({"size": 2048}, "data.size"),
        ({"seed": -1}, "data.seed"),
        ({"count": {"train": -1}}, "data.count.train"),
        ({"count": {"val": 100_001}}, "data.count.val"),
        ({"count": {"training": 1}}, "data.count"),
    ],
)
def test_the_source_refuses_bad_options_by_name(wrong: dict, named: str) -> None:
    with pytest.raises(UserError, match=named):
        faces(**{"count": {"train": 1}, "size": 32, **wrong})


def test_the_command_writes_a_contact_sheet(tmp_path, monkeypatch, capsys) -> None:
    path = tmp_path / "sheet.png"
    monkeypatch.setattr("sys.argv", ["faces", str(path), "--rows", "2", "--size", "32", "--seed", "4"])
    main()
    assert str(path) in capsys.readouterr().out
    assert np.array_equal(np.asarray(Image.open(path)), contact_sheet(2, 32, 4))
    assert contact_sheet(2, 32, 4).shape == (64, 6 * 32, 3)
    monkeypatch.setattr("sys.argv", ["faces", str(tmp_path / "missing" / "sheet.png")])
    with pytest.raises(UserError, match=r"missing.*can't be written"):
        main()
