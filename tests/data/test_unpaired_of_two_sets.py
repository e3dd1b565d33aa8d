"""The task unpaired with a `data.target`: photos of one set against drawings of another, each with its own splits."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from suite.data.module import PictureData
from suite.errors import UserError

LOOSE = {"source": "faces", "style": "loose", "seed": 9, "count": {"train": 5, "test": 3}}


@pytest.fixture
def faces(tmp_path: Path) -> Callable[..., PictureData]:
    """faces(**arguments): photos of built-in faces against loose sketches of another series, 32 pixels."""

    def make(**arguments: Any) -> PictureData:
        settings: dict[str, Any] = {"size": 32, "load_size": 32, "flip": 0.0, "workers": 0, "batch_size": 4}
        settings |= {"count": {"train": 8, "val": 2, "test": 4}, "cache_dir": str(tmp_path), "target": LOOSE}
        return PictureData(**({"source": "faces"} | settings | arguments))

    return make


@pytest.fixture
def folders(tmp_path: Path, picture: Callable[..., Path]) -> Callable[..., PictureData]:
    """folders(**arguments): grey photos of level 10 and up, against drawings of level 200 and up in another place."""

    def make(**arguments: Any) -> PictureData:
        for number in range(6):
            picture(f"photos/{number}.png", level=10 + number)
        for number in range(9):
            picture(f"sketches/{number}.png", level=200 + number)
        where = {"a": "photos", "b": "photos", "root": str(tmp_path), "cache_dir": str(tmp_path / "cache")}
        target: dict[str, Any] = {"source": "unpaired_folders", "root": str(tmp_path), "a": "sketches", "b": "sketches"}
        target["split"] = {"train": 5, "test": 4}
        settings: dict[str, Any] = {"size": 8, "load_size": 8, "workers": 0, "split": {"train": 4, "test": 2}}
        settings |= {"batch_size": 2, "target": target}
        return PictureData(**({"source": "unpaired_folders"} | where | settings | arguments))

    return make


def stored(pictures: torch.Tensor) -> set[bytes]:
    return {picture.numpy().tobytes() for picture in pictures}


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_drawings_are_those_of_the_target_on_the_side_that_the_direction_says(
    faces: Callable[..., PictureData], direction: str
) -> None:
    grey = {"channels_b": 1} if direction == "a2b" else {"channels_a": 1}
    data = faces(direction=direction, **grey)
    data.setup()
    photos, drawings = ("a", "b") if direction == "a2b" else ("b", "a")
    expected = {side: stored(next(iter(data.reals("train", side)))["picture"]) for side in ("a", "b")}
    assert (len(expected[photos]), len(expected[drawings])) == (8, 5)
    loader = data.train_dataloader()
    partners = set()
    for epoch in range(3):
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        for batch in loader:
            assert set(batch) == {"a", "b", "paired", "index", "fresh_a", "fresh_b", "key", "key_b"}
            assert batch["paired"] is False
            assert (batch[photos].shape, batch[drawings].shape) == ((4, 3, 32, 32), (4, 1, 32, 32))
            assert batch["fresh_a"].all()
            assert batch["fresh_b"].all()
            assert stored(batch["a"]) <= expected["a"]
            assert stored(batch["b"]) <= expected["b"]
            partners |= set(zip(batch["key"], batch["key_b"], strict=True))
    assert len(partners) > 8  # other partners in other epochs


def test_each_side_is_evaluated_on_a_split_of_its_own(faces: Callable[..., PictureData]) -> None:
    data = faces()
    data.setup()
    assert not data.has_truth  # the built-in faces have a drawing of each photo; those of the target are of none
    (val,) = data.val_dataloader()
    assert val["paired"] is False
    assert len(val["key"]) == 3  # two photos of val, three drawings of test: the target has no val
    assert (val["fresh_a"].tolist(), val["fresh_b"].tolist()) == ([True, True, False], [True] * 3)
    sizes = {split: [len(data.reals(split, side).dataset) for side in ("a", "b")] for split in ("train", "val", "all")}  # type: ignore[arg-type]
    assert sizes == {"train": [8, 5], "val": [2, 3], "all": [14, 8]}


def test_pictures_of_two_folders(folders: Callable[..., PictureData], tmp_path: Path) -> None:
    data = folders()
    data.setup()
    for loader in (data.train_dataloader(), data.test_dataloader()):
        for batch in loader:
            assert ((batch["a"] >= 10) & (batch["a"] < 16)).all()
            assert (batch["b"] >= 200).all()
    data.write_splits(tmp_path / "splits.json")
    written = json.loads((tmp_path / "splits.json").read_text())
    assert {split: len(written[split]["a"]) for split in ("train", "test")} == {"train": 4, "test": 2}
    assert set(written["train"]) == {"a"}
    assert {split: len(keys) for split, keys in written["target"].items()} == {"train": 5, "test": 4, "in_no_split": 0}


def test_an_epoch_has_the_length_of_either_side(folders: Callable[..., PictureData]) -> None:
    for length, samples in (("max", 5), ("min", 4), ("a", 4), ("b", 5)):
        data = folders(epoch_length=length)
        assert len(data.train_dataloader().dataset) == samples  # type: ignore[arg-type]


def test_the_fingerprint_follows_both_sets(folders: Callable[..., PictureData], picture: Callable[..., Path]) -> None:
    first = folders().fingerprint("train")
    assert folders().fingerprint("train") == first
    target = dict(folders().target or {}, split={"train": 4, "test": 5})
    assert folders(target=target).fingerprint("train") != first
    assert folders(split={"train": 3, "test": 3}).fingerprint("train") != first


def test_a_disjoint_draw_is_of_one_set_alone(faces: Callable[..., PictureData]) -> None:
    data = faces(disjoint=True)  # as conf/data/faces.yaml has it
    data.setup()
    assert len(data.reals("train", "a").dataset) == 8  # type: ignore[arg-type]


def test_photos_alone_serve(tmp_path: Path, picture: Callable[..., Path]) -> None:
    for number in range(12):
        picture(f"{number}.jpg", (40, 40), seed=number)
    settings: dict[str, Any] = {"size": 32, "load_size": 32, "workers": 0, "cache": False, "task": "unpaired"}
    photos: dict[str, Any] = {"source": "celeba_hq", "root": str(tmp_path), **settings}
    with pytest.raises(
        UserError, match=r"no drawings at all; .*data\.target={source: …, root: …} those of another set"
    ):
        PictureData(**photos).setup()
    data = PictureData(**photos, target=LOOSE)
    data.setup()
    assert next(iter(data.train_dataloader()))["b"].shape == (1, 3, 32, 32)


def test_a_target_without_drawings_is_named(faces: Callable[..., PictureData], picture: Callable[..., Path]) -> None:
    root = picture("celeba/1.jpg").parent
    picture("celeba/2.jpg")
    with pytest.raises(UserError, match=r"^celeba_hq: 2 photos: data\.target needs drawings, and there are no"):
        faces(target={"source": "celeba_hq", "root": str(root)}).setup()


def test_simulated_sketches_beside_drawings_of_another_set_are_refused(faces: Callable[..., PictureData]) -> None:
    with pytest.raises(UserError, match=r"^data\.sketch=xdog with data\.target and data\.task=unpaired: .*leave"):
        faces(sketch="xdog")
