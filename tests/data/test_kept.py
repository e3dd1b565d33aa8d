"""A run keeps the splits that it was trained with, whatever comes to its data, goes, or moves."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite.data.kept import KeptSplits
from suite.data.module import PictureData
from suite.errors import UserError

Make = Callable[..., PictureData]


@pytest.fixture
def folders(tmp_path: Path, picture: Callable[..., Path]) -> Make:
    """folders(count=20, place="set", **arguments): pictures in a/ and b/ of a folder; `kept` is that of a run."""

    def make(count: int = 20, place: str = "set", kept: KeptSplits | None = None, **arguments: Any) -> PictureData:
        for number in range(count):
            for side in "ab":
                picture(f"{place}/{side}/{number:03d}.png", seed=2 * number + (side == "a"))
        where = {"root": str(tmp_path / place), "cache_dir": str(tmp_path / "cache"), "a": "a", "b": "b"}
        small = {"size": 8, "load_size": 10, "workers": 0}
        data = PictureData(source="unpaired_folders", **(where | small | arguments))
        data.kept = kept
        return data

    return make


def begun(data: PictureData, path: Path, **arguments: Any) -> KeptSplits:
    """What a run of these data keeps."""
    data.setup()
    data.write_splits(path)
    return KeptSplits.read(path, arguments.get("elsewhere", ()), arguments.get("resumed", False))


def names(data: PictureData, path: Path) -> dict[str, Any]:
    """What splits.json would say of them now."""
    data.setup()
    data.write_splits(path)
    content = json.loads(path.read_text())
    return {split: content[split] for split in ("train", "val", "test") if split in content}


def warned(data: PictureData, what: str) -> list[str]:
    return [line for line in data.catalog.warnings if what in line]


WRITTEN = ("train", "test", "in_no_split")
SPLIT = {"train": 12, "test": 6}  # exact counts, whose borders move when pictures come


def test_pictures_that_come_later_are_in_no_split(folders: Make, tmp_path: Path) -> None:
    kept = begun(folders(split=SPLIT), tmp_path / "kept.json")
    trained = {name for side in kept.content["train"].values() for name in side}
    assert names(folders(30, split=SPLIT), tmp_path / "anew.json")["test"] != kept.content["test"]
    later = folders(30, kept=kept, split=SPLIT)
    now = names(later, tmp_path / "now.json")
    assert now == {split: kept.content[split] for split in ("train", "test")}
    assert warned(later, "20 pictures that came after training are in no split of the run, such as 020")
    assert not warned(later, "not there any more")
    assert {f"{key}.png" for batch in later.test_dataloader() for key in batch["key"]}.isdisjoint(trained)
    assert len(later.reals("all", "a").dataset) == 30


def test_nothing_is_said_where_nothing_changed(folders: Make, tmp_path: Path) -> None:
    kept = begun(folders(split=SPLIT), tmp_path / "kept.json")
    again = folders(kept=kept, split=SPLIT)
    names(again, tmp_path / "now.json")
    assert again.catalog.warnings == []


def test_missing_pictures_are_counted_and_one_is_named(folders: Make, tmp_path: Path) -> None:
    kept = begun(folders(split=SPLIT), tmp_path / "kept.json")
    gone = [*kept.content["train"]["a"][:2], kept.content["test"]["a"][0]]
    for name in gone:
        (tmp_path / "set" / "a" / name).unlink()
    data = folders(0, kept=kept, split=SPLIT)
    now = names(data, tmp_path / "now.json")
    assert set(kept.content["train"]["a"]) - set(now["train"]["a"]) == set(gone[:2])
    assert now["train"]["b"] == kept.content["train"]["b"]
    assert warned(data, f"3 pictures of {tmp_path / 'kept.json'} are not there any more, such as {gone[0]} (train)")


def test_the_file_of_an_older_run_is_obeyed(folders: Make, tmp_path: Path) -> None:
    kept = begun(folders(split=SPLIT), tmp_path / "kept.json")
    older = {key: value for key, value in kept.content.items() if key != "in_no_split"}
    data = folders(21, kept=KeptSplits(kept.path, older), split=SPLIT)
    assert names(data, tmp_path / "now.json") == {split: kept.content[split] for split in ("train", "test")}
    assert warned(data, "6 pictures that came after training, or were not used in it, are in no split of the run")


def test_a_drawn_tenth_is_kept(folders: Make, tmp_path: Path) -> None:
    kept = begun(folders(), tmp_path / "kept.json")
    data = folders(25, kept=kept)
    assert names(data, tmp_path / "now.json") == {split: kept.content[split] for split in ("train", "test")}
    assert not warned(data, "held out as test")


def test_pictures_that_moved_are_known_by_their_names(folders: Make, tmp_path: Path) -> None:
    kept = begun(folders(split=SPLIT), tmp_path / "kept.json", elsewhere=("data",), resumed=True)
    data = folders(25, "moved", kept=kept, split=SPLIT)
    assert names(data, tmp_path / "now.json") == {split: kept.content[split] for split in ("train", "test")}


def test_another_set_has_its_own_splits_and_a_resumed_run_refuses_it(
    folders: Make, tmp_path: Path, picture: Callable[..., Path]
) -> None:
    begun(folders(split=SPLIT), tmp_path / "kept.json")
    for number in range(20):
        for side in "ab":
            picture(f"other/{side}/x{number}.png", seed=100 + 2 * number + (side == "a"))
    kept = KeptSplits.read(tmp_path / "kept.json", ("data",), resumed=False)
    data = folders(0, "other", kept=kept, split=SPLIT)
    now = names(data, tmp_path / "now.json")
    assert [len(now[split]["a"]) for split in ("train", "test")] == [12, 6]
    assert warned(data, f"data.root={tmp_path / 'other'}: most of the pictures that {tmp_path / 'kept.json'} names")
    assert warned(data, "its splits are its own, not those of the run")
    kept = KeptSplits.read(tmp_path / "kept.json", ("data",), resumed=True)
    with pytest.raises(UserError, match=r"a resumed run keeps its pictures; .* start_from="):
        folders(0, "other", kept=kept, split=SPLIT).setup()


def test_halves_are_kept(paired: Make, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"task": "unpaired", "split": {"train": 0.8, "test": 0.2}, "disjoint": True}
    kept = begun(paired(pairs=12, **arguments), tmp_path / "kept.json")
    data = paired(pairs=20, **arguments)
    data.kept = kept
    assert names(data, tmp_path / "now.json") == {split: kept.content[split] for split in ("train", "test")}
    assert not set(kept.content["train"]["a"]) & set(kept.content["train"]["b"])


def test_one_name_in_two_folders_of_splits(unpaired: Make, tmp_path: Path) -> None:
    kept = begun(unpaired(), tmp_path / "kept.json")
    assert {"0.png", "1.png", "2.png"} <= set(kept.content["train"]["a"]) & set(kept.content["test"]["a"])
    data = unpaired(photos=6, test=4)
    data.kept = kept
    assert names(data, tmp_path / "now.json") == {split: kept.content[split] for split in ("train", "test")}


def test_a_training_picture_that_was_put_with_the_test_pictures_is_no_test_picture(
    unpaired: Make, tmp_path: Path
) -> None:
    kept = begun(unpaired(), tmp_path / "kept.json")
    (tmp_path / "set" / "trainA" / "4.png").rename(tmp_path / "set" / "testA" / "4.png")
    data = unpaired(photos=4)
    data.kept = kept
    assert names(data, tmp_path / "now.json") == {split: kept.content[split] for split in ("train", "test")}


def test_one_name_twice_where_other_splits_were_drawn(unpaired: Make, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"photos": 8, "drawings": 8, "test": 7, "split": {"train": 9, "test": 5}}
    kept = begun(unpaired(**arguments), tmp_path / "kept.json")
    assert any(name.startswith("train/") for name in kept.content["test"]["a"])
    data = unpaired(**arguments | {"photos": 12})
    data.kept = kept
    assert names(data, tmp_path / "now.json") == {split: kept.content[split] for split in ("train", "test")}


@pytest.mark.parametrize("older", [False, True])
def test_a_later_picture_with_the_name_of_one_in_another_folder(unpaired: Make, tmp_path: Path, older: bool) -> None:
    arguments: dict[str, Any] = {"photos": 8, "drawings": 8, "split": {"train": 0.5, "test": 0.5}}
    kept = begun(unpaired(**arguments), tmp_path / "kept.json")
    if older:
        content = copy.deepcopy(dict(kept.content))
        for side in "ab":
            every = Counter(Path(name).stem for split in WRITTEN for name in content[split][side])
            for split in WRITTEN:  # keys alone, with the split in front where there were two of them
                stems = [name.removesuffix(".png") for name in content[split][side]]
                content[split][side] = [stem if every[Path(stem).name] > 1 else Path(stem).name for stem in stems]
        assert {"test/2", "7"} <= {name for split in WRITTEN for name in content[split]["a"]}
        kept = KeptSplits(kept.path, content)
    data = unpaired(**arguments | {"test": 6})  # three more in testA, and in testB, of the names 3 to 6
    data.kept = kept
    now = names(data, tmp_path / "now.json")
    assert now == {split: json.loads((tmp_path / "kept.json").read_text())[split] for split in ("train", "test")}
    assert warned(data, "6 pictures that came after training are in no split")
    assert not warned(data, "not there any more")


def test_a_later_file_with_the_stem_of_a_trained_one(
    folders: Make, tmp_path: Path, picture: Callable[..., Path]
) -> None:
    kept = begun(folders(), tmp_path / "kept.json")
    for number in range(20):
        picture(f"set/a/{number:03d}.bmp", seed=700 + number)  # which come first in the order of names
    data = folders(kept=kept)
    assert names(data, tmp_path / "now.json") == {split: kept.content[split] for split in ("train", "test")}
    assert warned(data, "20 pictures that came after training")


def test_pictures_that_were_converted_are_known_by_their_stems(folders: Make, tmp_path: Path) -> None:
    kept = begun(folders(split=SPLIT), tmp_path / "kept.json")
    for path in (tmp_path / "set").rglob("*.png"):
        path.rename(path.with_suffix(".bmp"))
    data = folders(0, kept=kept, split=SPLIT)
    data.setup()
    assert {split: len(records) for split, records in data.splits.items()} == {"train": 24, "test": 12}
    assert data.catalog.warnings == []


def test_a_target_keeps_its_splits(folders: Make, tmp_path: Path, picture: Callable[..., Path]) -> None:
    def make(count: int) -> PictureData:
        for number in range(count):
            for side in "ab":
                picture(f"style/{side}/{number:03d}.png", seed=500 + 2 * number + (side == "a"))
        target = {"source": "unpaired_folders", "root": str(tmp_path / "style"), "a": "a", "b": "b", "split": SPLIT}
        return folders(split=SPLIT, target=target)

    kept = begun(make(20), tmp_path / "kept.json")
    data = make(30)
    data.kept = kept
    data.setup()
    data.write_splits(tmp_path / "now.json")
    now = json.loads((tmp_path / "now.json").read_text())
    assert {split: now["target"][split] for split in ("train", "test")} == {
        split: kept.content["target"][split] for split in ("train", "test")
    }
    assert len(now["target"]["in_no_split"]) == 12


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null"])
def test_a_damaged_file_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "splits.json").write_text(content)
    with pytest.raises(UserError, match=r"splits\.json is damaged"):
        KeptSplits.read(tmp_path / "splits.json", (), resumed=False)
