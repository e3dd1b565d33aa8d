"""Real pictures by name, for statistics: of the sides, of a label, of a target."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from suite.data.module import PictureData
from suite.errors import UserError


@pytest.fixture
def faces(tmp_path: Path) -> Callable[..., PictureData]:
    """faces(**arguments): built-in faces of 32 pixels, opened."""

    def make(**arguments: Any) -> PictureData:
        settings: dict[str, Any] = {"size": 32, "load_size": 32, "workers": 0, "cache_dir": str(tmp_path)}
        data = PictureData(**({"source": "faces", "count": {"train": 8, "test": 4}} | settings | arguments))
        data.setup()
        return data

    return make


def joined(data: PictureData, split: str, name: str) -> torch.Tensor:
    return torch.cat([batch["picture"] for batch in data.reals(split, name)])


def test_pictures_of_a_label(faces: Callable[..., PictureData]) -> None:
    data = faces(task="labelled")
    assert data.label_names == ("female", "male")
    assert data.real_names == ("a", "label=female", "label=male")
    for split in ("train", "test", "all"):
        every = joined(data, split, "a")
        records = data.catalog.records if split == "all" else data.splits[split]  # type: ignore[index]
        labels = torch.tensor([record.label for record in records])
        for label, name in enumerate(data.label_names):
            assert torch.equal(joined(data, split, f"label={name}"), every[labels == label])
            indices = torch.cat([batch["index"] for batch in data.reals(split, f"label={name}")])
            assert indices.tolist() == list(range(int((labels == label).sum())))


@pytest.mark.parametrize(
    ("task", "name", "choices"),
    [
        ("labelled", "label=men", "a, label=female, label=male"),
        ("labelled", "b", "a, label=female, label=male"),
        ("labelled", "male", "a, label=female, label=male"),
        ("paired", "label=male", "a, b"),
        ("unpaired", "target", "a, b"),
    ],
)
def test_a_wrong_name_lists_the_right_ones(
    faces: Callable[..., PictureData], task: str, name: str, choices: str
) -> None:
    with pytest.raises(UserError) as error:
        faces(task=task).reals("test", name)
    assert str(error.value) == f"no real pictures are called {name}: choose from {choices}"


def test_a_label_without_name_is_called_by_its_number(faces: Callable[..., PictureData]) -> None:
    data = faces(task="labelled")
    data.catalog.label_names = ("female",)
    assert data.label_names == ("female", "1")
    assert len(joined(data, "all", "label=1")) == sum(record.label == 1 for record in data.catalog.records)


def test_a_label_may_have_no_picture_in_a_split(tmp_path: Path, picture: Callable[..., Path]) -> None:
    for split, person in (("train", "ann"), ("train", "bob"), ("test", "ann")):
        for number in range(2):
            picture(f"people/{split}/{person}/{number}.png", seed=number)
    where = {"root": str(tmp_path / "people"), "cache_dir": str(tmp_path / "cache")}
    data = PictureData(source="identity_folders", task="labelled", size=8, load_size=8, workers=0, **where)  # type: ignore[arg-type]
    assert (len(data.reals("test", "label=ann").dataset), len(data.reals("test", "label=bob").dataset)) == (2, 0)  # type: ignore[arg-type]
    assert list(data.reals("test", "label=bob")) == []


def test_the_fingerprint_follows_the_labels(tmp_path: Path, picture: Callable[..., Path]) -> None:
    for number in range(1, 7):
        picture(f"set/img_align_celeba/{number:06d}.jpg", seed=number)

    def fingerprint(*male: int) -> str:
        rows = [f"{number:06d}.jpg {1 if number in male else -1}" for number in range(1, 7)]
        (tmp_path / "set" / "list_attr_celeba.txt").write_text("\n".join(["6", "Male", *rows]))
        settings: dict[str, Any] = {"attribute": "Male", "split": {"train": 4, "test": 2}, "cache": False}
        data = PictureData(
            source="celeba", task="labelled", root=str(tmp_path / "set"), size=8, load_size=8, **settings
        )
        return data.fingerprint("all")

    assert fingerprint(1, 2) == fingerprint(1, 2) != fingerprint(1, 3)


def test_pictures_of_the_target(faces: Callable[..., PictureData]) -> None:
    target = {"source": "faces", "style": "loose", "seed": 9, "count": {"train": 5, "test": 3}}
    data = faces(task="semi_supervised", direction="b2a", style="contour", sketch="sobel", target=target)
    assert data.real_names == ("a", "b", "target", "target_truth")
    assert len(joined(data, "train", "target")) == 5
    (batch,) = data.test_dataloader()
    evaluated = {picture.numpy().tobytes() for picture in batch["target"]}
    # As they are: `data.sketch` draws the sketches of the pairs, not those.
    assert {picture.numpy().tobytes() for picture in joined(data, "test", "target")} == evaluated
    other = faces(task="semi_supervised", direction="b2a", style="contour", sketch="sobel", target=target | {"seed": 8})
    assert other.fingerprint("test") != data.fingerprint("test")
