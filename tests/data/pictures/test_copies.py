"""Files with the same pixels: none that was trained on is tested under another name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite.data.module import PictureData
from suite.data.pictures.copies import Placed, find_copies

Make = Callable[..., PictureData]
SPLIT = {"train": 0.7, "test": 0.3}


def splits(data: PictureData, path: Path) -> dict[str, Any]:
    data.write_splits(path)
    return json.loads(path.read_text())


def said(data: PictureData) -> list[str]:
    return [line for line in data.catalog.warnings if "pixel by pixel" in line]


def test_they_are_found_within_a_kind() -> None:
    looked = [
        Placed("train", "photo", "one", b"1"),
        Placed("train", "drawing", "its outline", b"2"),
        Placed("test", "drawing", "another kind", b"1"),
        Placed("val", "photo", "two", b"2"),
    ]
    assert find_copies(looked) is None
    copies = find_copies(
        [*looked, Placed("test", "photo", "one again", b"1"), Placed("test", "photo", "two too", b"2")]
    )
    assert copies is not None
    assert (copies.equal, copies.of_train) == ({4: 0, 5: 3}, {4: 0})
    example = "1 of test are pictures of train, such as one again, which is one"
    assert copies.line("set") == f"set: 2 pictures equal another, pixel by pixel; {example}"
    assert copies.line("set", [4]).endswith("which is one, and 1 are left out of test")
    assert copies.line("set", []).endswith("which is one, and stay in both: remove one of each")
    alone = find_copies(Placed("train", "photo", name, b"1") for name in ("x", "y"))
    assert alone is not None
    assert alone.line("set") == "set: 1 pictures equal another, pixel by pixel, such as y, which is x"


def copied(data: PictureData, root: Path, folder: str, tmp_path: Path) -> str:
    """Give a test picture's file the pixels of a training picture; the name of the former."""
    data.setup()
    before = splits(data, tmp_path / "before.json")
    trained, tested = before["train"]["a"][0], before["test"]["a"][0]
    shutil.copy(root / folder / trained, root / folder / tested)
    return tested


def test_a_drawn_test_pair_that_was_trained_on_is_left_out(paired: Make, tmp_path: Path) -> None:
    before = paired(pairs=12, split=SPLIT)
    tested = copied(before, tmp_path / "pairs", "photos", tmp_path)
    data = paired(pairs=12, split=SPLIT)
    data.setup()
    assert len(said(data)) == 1
    assert "1 pictures equal another, pixel by pixel; 1 of test are pictures of train, such as" in said(data)[0]
    assert said(data)[0].endswith("and 1 are left out of test")
    now = splits(data, tmp_path / "now.json")
    assert now["in_no_split"] == {"a": [tested], "b": [tested]}
    keys = [key for batch in data.test_dataloader() for key in batch["key"]]
    assert keys == [record.key for record in data.splits["test"]]
    assert [f"{key}.png" for key in keys] == now["test"]["a"]
    assert len(data.reals("test", "b").dataset) == len(keys)  # the figures of real pictures, too
    assert len(data.reals("all", "b").dataset) == 12
    assert data.fingerprint("test") != before.fingerprint("test")
    again = paired(pairs=12, split=SPLIT)  # out of the cache
    again.setup()
    assert splits(again, tmp_path / "again.json") == now
    assert said(again) == said(data)


def test_of_splits_that_the_source_names_nothing_is_moved(unpaired: Make, tmp_path: Path) -> None:
    before = unpaired()
    before.setup()
    shutil.copy(tmp_path / "set" / "trainA" / "2.png", tmp_path / "set" / "testA" / "1.png")
    data = unpaired()
    data.setup()
    names = {of: splits(one, tmp_path / "x.json") for of, one in (("before", before), ("now", data))}
    assert names["before"] == names["now"]
    (line,) = said(data)
    where = tmp_path / "set"
    assert f"1 of test are pictures of train, such as {where}/testA/1.png, which is {where}/trainA/2.png" in line
    assert line.endswith("and stay in both: remove one of each")


def test_where_nothing_would_be_left_all_stay(paired: Make, tmp_path: Path) -> None:
    split = {"train": 5, "test": 1}
    copied(paired(split=split), tmp_path / "pairs", "photos", tmp_path)
    data = paired(split=split)
    data.setup()
    assert said(data)[0].endswith("and stay in both: remove one of each")
    assert len(data.splits["test"]) == 1


def test_line_drawings_of_every_split_are_no_copies(
    unpaired: Make, tmp_path: Path, picture: Callable[..., Path]
) -> None:
    for number in range(4):
        picture(f"lines/{number}.png", seed=900 + number)
    data = unpaired(line_drawings=str(tmp_path / "lines"))
    data.setup()
    assert said(data) == []


@pytest.mark.parametrize("arguments", [{"cache": False}, {"sketch": "sobel", "task": "paired"}])
def test_what_is_not_cached_is_not_looked_at_and_a_simulated_sketch_once(
    paired: Make, tmp_path: Path, arguments: dict[str, Any]
) -> None:
    copied(paired(pairs=12, split=SPLIT), tmp_path / "pairs", "photos", tmp_path)
    data = paired(pairs=12, split=SPLIT, **arguments)
    data.setup()
    assert [line.partition(": ")[2][:27] for line in said(data)] == ["1 pictures equal another, p"] * (
        "sketch" in arguments
    )
