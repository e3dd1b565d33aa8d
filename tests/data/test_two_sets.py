"""A set and its target must not be the same pictures, and had better show other people."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite.data.module import PictureData
from suite.errors import UserError

Make = Callable[..., PictureData]
SEMI: dict[str, Any] = {"task": "semi_supervised", "direction": "b2a"}


@pytest.fixture
def folders(tmp_path: Path, picture: Callable[..., Path]) -> Make:
    """folders(source=folder, a=, b=, target=folder, target_a=, target_b=): pairs of photos and sketches in folders."""

    def make(target: str, target_a: str, target_b: str, **arguments: Any) -> PictureData:
        for name in ("set/photos", "set/sketches", "set/inside", "own/photos", "own/sketches"):
            for number in range(6):
                picture(f"{name}/{number}.png")
        of_target = {"source": "paired_folders", "root": str(tmp_path / target), "a": target_a, "b": target_b}
        settings: dict[str, Any] = {"size": 8, "load_size": 8, "workers": 0, "cache_dir": str(tmp_path / "cache")}
        settings |= {"root": str(tmp_path / "set"), "a": "photos", "b": "sketches", "target": of_target}
        return PictureData(**({"source": "paired_folders"} | settings | SEMI | arguments))

    return make


@pytest.fixture
def faces(tmp_path: Path) -> Make:
    """faces(style=, seed=, **arguments): built-in contours, and a target of that style and series."""

    def make(style: str, seed: int, **arguments: Any) -> PictureData:
        target = {"source": "faces", "style": style, "seed": seed, "count": {"train": 3, "test": 2}}
        settings: dict[str, Any] = {"style": "contour", "count": {"train": 4, "test": 2}, "cache_dir": str(tmp_path)}
        settings |= {"size": 32, "load_size": 32, "workers": 0, "target": target}
        return PictureData(**({"source": "faces"} | settings | SEMI | arguments))

    return make


def test_two_sets_apart_are_fine(folders: Make, faces: Make) -> None:
    for data in (folders("own", "photos", "sketches"), faces("contour", 1), faces("loose", 1)):
        data.setup()
        assert data._target is not None
        assert not any("are among" in warning for warning in data._target.served.catalog.warnings)


@pytest.mark.parametrize("task", ["semi_supervised", "unpaired"])
@pytest.mark.parametrize(
    ("target", "sides", "count"),
    [
        ("own", ("photos", "../set/photos"), 6),  # a photo there, a sketch here
        ("set/photos", ("../inside", "."), 6),  # the folder of one set inside the other's
        ("link", ("inside", "photos"), 6),  # the same folder by another name
    ],
)
def test_pictures_of_both_sets_are_refused(
    folders: Make, tmp_path: Path, task: str, target: str, sides: tuple[str, str], count: int
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "set")
    with pytest.raises(UserError) as error:
        folders(target, *sides, task=task).setup()
    told = str(error.value)
    assert told.startswith(f"data.root={tmp_path / 'set'} and data.target.root={tmp_path / target}: {count} pictures ")
    assert "0.png; give each set a folder of its own" in told
    assert "\n" not in told
    assert not (tmp_path / "cache").exists()  # before anything is decoded


def test_sketches_of_one_set_are_refused_where_both_are_used(folders: Make, faces: Make) -> None:
    with pytest.raises(UserError, match=r"6 pictures of data\.target are among"):
        folders("set", "photos", "sketches").setup()
    with pytest.raises(UserError, match=r"^data and data\.target: 5 .* such as face 0 of series 0 \(contour\);"):
        faces("contour", 0).setup()
    folders("set", "photos", "sketches", task="unpaired").setup()  # whose own sketches nobody looks at


def test_sketches_whose_photos_are_trained_on_are_warned_of(
    folders: Make, faces: Make, caplog: pytest.LogCaptureFixture
) -> None:
    faces("loose", 0).setup()
    assert "5 of 5 photos of the pairs of data.target are among the photos of data, such as face 0 of" in caplog.text
    caplog.clear()
    folders("set", "photos", "sketches", sketch="sobel").setup()
    assert "6 of 6 photos of the pairs of data.target are among the photos of data" in caplog.text
    caplog.clear()
    faces("loose", 0, task="unpaired").setup()
    assert "are among" not in caplog.text


@pytest.mark.parametrize(("direction", "mend"), [("b2a", "name a set that has them in"), ("a2b", None)])
def test_a_target_without_what_is_to_be_learnt(
    faces: Make, picture: Callable[..., Path], direction: str, mend: str | None
) -> None:
    for number in range(12):
        root = picture(f"celeba/{number}.jpg").parent
    data = faces("loose", 1, target={"source": "celeba_hq", "root": str(root)}, direction=direction)
    if mend is None:
        data.setup()
    else:
        with pytest.raises(UserError, match=rf"^celeba_hq: 12 photos: data\.target needs drawings, .* at all; {mend}"):
            data.setup()
