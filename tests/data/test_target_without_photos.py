"""A target of semi_supervised some of whose sketches have no photo: all are learnt from, and a photo moves none."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from suite.data.catalog import Catalog, PictureFile, Record
from suite.data.module import PictureData
from suite.data.sources.cufs import cufs
from suite.data.splits import Needs, ServedSplits
from suite.data.tools.packing import pack

Make = Callable[..., PictureData]
NEEDS = Needs("data.target", ("drawing",), truth="photo")
COUNTS, SHARES = {"train": 24, "test": 8}, {"train": 0.6, "val": 0.2, "test": 0.2}
NUMBERS = range(1, 41)
FACES: dict[str, Any] = {"source": "faces", "count": {"train": 4, "test": 2}, "size": 32, "load_size": 32}
SEMI: dict[str, Any] = {"task": "semi_supervised", "direction": "b2a"}


@pytest.fixture
def sketches(tmp_path: Path, picture: Callable[..., Path]) -> Make:
    """sketches(photos=numbers, split=…): 40 sketches of CUFSF as target, those of these numbers with photo.

    The sketch of person n has the grey level 2 n, its photo the level 2 n + 1.
    """

    def make(photos: Any, split: Any = COUNTS, **arguments: Any) -> PictureData:
        root = tmp_path / f"cufsf{len(photos)}"
        for number in NUMBERS:
            picture(f"{root.name}/sketches/{number:05d}.png", level=2 * number)
        for number in photos:
            picture(f"{root.name}/photos/{number:05d}.png", level=2 * number + 1)
        settings = FACES | SEMI | {"flip": 0.0, "workers": 0, "cache_dir": str(tmp_path / "cache")}
        settings |= {"target": {"source": "cufsf", "root": str(root), "split": split}, "eval_batch_size": 50}
        return PictureData(**(settings | arguments))

    return make


def splits_of(data: PictureData) -> dict[str, list[str]]:
    """The keys of each split of the target, in the order of the keys."""
    target = data._served[1]
    assert target is not None
    return {split: sorted(record.key for record in records) for split, records in target.records.items()}


@pytest.mark.parametrize("split", [COUNTS, SHARES, None])
def test_photos_move_no_sketch(sketches: Make, split: Any) -> None:
    bare = splits_of(sketches((), split))
    assert all(bare.values())
    for count in (8, 30, 40):
        assert splits_of(sketches(NUMBERS[:count], split)) == bare


@pytest.mark.parametrize("split", [COUNTS, SHARES])
def test_pairs_in_folders_keep_their_splits_when_photos_come(
    picture: Callable[..., Path], tmp_path: Path, split: Any
) -> None:
    drawn = []
    for count in (8, 30, 40):
        for number in NUMBERS:
            picture(f"set{count}/b/{number}.png")
        for number in NUMBERS[:count]:
            picture(f"set{count}/a/{number}.png")
        target = {"source": "paired_folders", "root": str(tmp_path / f"set{count}"), "a": "a", "b": "b", "split": split}
        drawn.append(splits_of(PictureData(target=target, **FACES, **SEMI)))
    assert drawn[0] == drawn[1] == drawn[2]
    assert sum(map(len, drawn[0].values())) == (32 if split is COUNTS else 40)


def test_training_has_every_sketch_and_evaluation_those_with_photo(
    sketches: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train, test = (splits_of(sketches(()))[split] for split in ("train", "test"))
    with caplog.at_level(logging.INFO, logger="suite"):
        data = sketches([int(key) for key in (*test[:3], *train[:5])])
        data.setup()
    assert "data.target: 5 of 8 drawings of test have no photo and are left out of it" in caplog.text

    data.write_splits(tmp_path / "splits.json")
    written = json.loads((tmp_path / "splits.json").read_text())["target"]
    assert [Path(name).stem for name in written["train"]] == train
    assert [Path(name).stem for name in written["test"]] == test[:3]
    (batch,) = data.test_dataloader()
    assert batch["key_target"] == test[:3]
    assert torch.equal(batch["target_truth"].float(), batch["target"].float() + 1)
    for name in ("target", "target_truth"):  # what the translations are compared with is of the same people
        assert sum(len(one["picture"]) for one in data.reals("test", name)) == 3
    assert sum(len(one["picture"]) for one in data.reals("all", "target")) == 40
    assert len(data._pictures("target", "train", training=True)) == 24
    (batch,) = data.eval_dataloader("train")
    assert batch["key_target"] == train[:5]


def test_without_any_photo_in_a_split_all_its_sketches_are_shown(
    sketches: Make, caplog: pytest.LogCaptureFixture
) -> None:
    test = splits_of(sketches(()))["test"]
    with caplog.at_level(logging.INFO, logger="suite"):
        data = sketches([number for number in NUMBERS if f"{number:05d}" not in test][:8])
        data.setup()
    (batch,) = data.test_dataloader()
    assert batch["key_target"] == test
    assert "target_truth" not in batch
    assert "left out of it" not in caplog.text


def test_cufs_with_photos_of_one_part_trains_on_the_sketches_of_all(picture: Callable[..., Path], tmp_path: Path):
    parts = {"cuhk": [f"f-{n:03d}-01" for n in range(31, 43)], "ar": [f"m-{n:03d}-1" for n in range(1, 13)]}
    parts["xm2vts"] = [f"{n:03d}_1_1" for n in range(12)]
    for part, names in parts.items():
        for name in names:
            sketch = name.replace("f-", "f2-", 1) if int(name[2:5]) < 39 else f"{name}-sz1"
            picture(f"{part}/sketches/{sketch if part == 'cuhk' else name}.jpg")
    bare = cufs(root=str(tmp_path))
    for name in parts["cuhk"]:
        picture(f"cuhk/photos/{name}.jpg")
    paired = cufs(root=str(tmp_path))
    assert (len(bare.records), len(paired.records), len(paired.orphans), len(paired.orphan_drawings)) == (
        36,
        12,
        24,
        24,
    )

    target = {"source": "cufs", "root": str(tmp_path)}
    data = PictureData(target=target, **FACES, **SEMI)
    official = {split: sorted(one.key for one in bare.of_split(split)) for split in ("train", "test")}
    assert splits_of(data) == official
    served = data._served[1]
    assert served is not None
    assert len(served.pictures("train", "drawing", training=True)) == len(official["train"])
    assert {shown.key.split("/")[0] for shown in served.pictures("test", "drawing")} == {"cuhk"}
    assert served.catalog.summary() == "cufs: 12 photos, 36 drawings, 12 pairs"
    unpaired = PictureData(target=target, **FACES, direction="b2a").list_target()
    assert unpaired is not None
    assert unpaired.summary() == paired.summary() == "cufs: 12 photos, 12 drawings, 12 pairs, 24 orphan drawings"


def test_a_packed_target_has_the_sketches_without_photo(sketches: Make, tmp_path: Path) -> None:
    files = sketches(NUMBERS[:8])
    target = files.target_set
    assert target is not None
    listed = PictureData(source="cufsf", root=target.root).list_pictures()
    pack(listed, "cufsf", {}, 32, tmp_path / "shards", 10_000_000, skip_broken=False)
    streaming = {"source": "cufsf", "streaming": str(tmp_path / "shards"), "split": COUNTS}
    streamed = sketches(NUMBERS[:8], target=streaming)
    for data in (files, streamed):
        data.setup()
    assert splits_of(streamed) == splits_of(files)
    for ours, theirs in zip(streamed.train_dataloader(), files.train_dataloader(), strict=True):
        assert ours["key_target"] == theirs["key_target"]
        assert torch.equal(ours["target"], theirs["target"])


def test_photos_are_the_style_to_learn_where_they_are_the_input(picture: Callable[..., Path], tmp_path: Path) -> None:
    for number in range(10):
        picture(f"set/a/{number}.png")
    for number in (2, 5):
        picture(f"set/b/{number}.png")
    target = {"source": "paired_folders", "root": str(tmp_path / "set"), "a": "a", "b": "b"}
    data = PictureData(target=target | {"split": {"train": 7, "test": 3}}, **FACES, task="semi_supervised")
    assert {split: len(keys) for split, keys in splits_of(data).items()} == {"train": 7, "test": 3}


def test_a_set_of_its_own_is_divided_by_what_its_records_have(picture: Callable[..., Path]) -> None:
    one = PictureFile(picture("one.png"))
    records = [Record(f"{n}", one if n < 8 else None, (one,)) for n in range(40)]
    own = ServedSplits(
        Catalog("test", None, records), {"test": 4}, 0, "data", Needs("data.task=unpaired", ("drawing",))
    )
    assert len(own.pictures("test", "drawing")) == 4 + 4  # of the pairs, and of the others
    target = ServedSplits(Catalog("test", None, records), {"test": 4}, 0, "data.target", NEEDS)
    assert len(target.records["test"]) == 4
