"""The photos of target sketches: there in evaluation where a split has them all, and never in training."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import suite.data.keys
from suite.data.catalog import Catalog
from suite.data.listing import SetKeys, list_source
from suite.data.module import PictureData
from suite.errors import UserError

Make = Callable[..., PictureData]


@pytest.fixture
def faces(tmp_path: Path) -> Make:
    """faces(target=(train, val, test), **arguments): contours of 40 pixels to photos, loose sketches as target."""

    def make(target: tuple[int, int, int] = (5, 0, 6), direction: str = "b2a", **arguments: Any) -> PictureData:
        of_target = {"source": "faces", "style": "loose", "seed": 9}
        count = dict(zip(("train", "val", "test"), target, strict=True))
        settings: dict[str, Any] = {"size": 32, "load_size": 40, "workers": 0, "cache_dir": str(tmp_path)}
        settings |= {"task": "semi_supervised", "style": "contour", "count": {"train": 8, "val": 3, "test": 4}}
        settings |= {"channels_a": 1, "channels_b": 3} if direction == "b2a" else {"channels_a": 3, "channels_b": 1}
        settings |= {"target": of_target | {"count": count}, "eval_batch_size": 8, "direction": direction}
        data = PictureData(**({"source": "faces"} | settings | arguments))
        data.setup()
        return data

    return make


@pytest.fixture
def folders(tmp_path: Path, picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Make:
    """folders(lack=splits, **arguments): target pairs in folders, 6 of train, 3 of val and 4 of test.

    The sketch of pair n has the grey level 2 n, its photo the level 2 n + 1. Of the splits in `lack` all sketches
    are without photo.
    """
    number = 0
    for split, count in (("train", 6), ("val", 3), ("test", 4)):
        for _ in range(count):
            picture(f"other/{split}A/{number:02d}.png", level=2 * number + 1)
            picture(f"other/{split}B/{number:02d}.png", level=2 * number)
            number += 1

    def make(lack: tuple[str, ...] = (), **arguments: Any) -> PictureData:
        def listed(wanted: SetKeys, size: int) -> Catalog:
            catalog = list_source(wanted, size)
            if wanted.key == "data.target":
                catalog.records = [replace(one, photo=None) if one.split in lack else one for one in catalog.records]
            return catalog

        monkeypatch.setattr(suite.data.keys, "list_source", listed)
        settings: dict[str, Any] = {"size": 32, "load_size": 32, "workers": 0, "cache_dir": str(tmp_path / "cache")}
        settings |= {"task": "semi_supervised", "direction": "b2a", "count": {"train": 8, "val": 2, "test": 2}}
        settings |= {"target": {"source": "paired_folders", "root": str(tmp_path / "other")}, "eval_batch_size": 8}
        data = PictureData(**({"source": "faces", "flip": 0.0} | settings | arguments))
        data.setup()
        return data

    return make


def joined(batches: Any, key: str) -> torch.Tensor:
    return torch.cat([batch[key] for batch in batches])


@pytest.mark.parametrize("direction", ["b2a", "a2b"])
def test_evaluation_has_the_truth_of_each_target_and_training_none(faces: Make, direction: str) -> None:
    data = faces(direction=direction)
    for split, count in (("train", 5), ("val", 6), ("test", 6)):  # the target has no val
        batches = list(data.eval_dataloader(split))
        fresh = joined(batches, "fresh_target")
        assert fresh.sum() == count
        truth = joined(batches, "target_truth")[fresh]
        assert truth.shape == (count, 3 if direction == "b2a" else 1, 32, 32)
        assert torch.equal(truth, joined(data.reals(split, "target_truth"), "picture"))
        assert torch.equal(joined(batches, "target")[fresh], joined(data.reals(split, "target"), "picture"))
        keys = [key for batch in batches for key in batch["key_target"]][:count]
        of_record = {record.key: record for record in data.list_target().records}  # type: ignore[union-attr]
        counterpart = of_record[keys[1]].photo if direction == "b2a" else of_record[keys[1]].drawings[0]
        assert counterpart is not None
        expected = data.fit("photo" if direction == "b2a" else "drawing", False, of_target=True).decode(counterpart)
        np.testing.assert_array_equal(truth[1], expected)
    for batch in data.train_dataloader():
        assert "target_truth" not in batch
        assert batch["fresh_target"].all()
    assert data.has_truth


def test_the_truth_reaches_the_network_in_its_range(faces: Make) -> None:
    data = faces(sketch="sobel")
    (batch,) = data.test_dataloader()
    finished = data.on_after_batch_transfer(dict(batch), 0)
    torch.testing.assert_close(finished["target_truth"], batch["target_truth"].float() / 127.5 - 1)


def test_the_shorter_of_pairs_and_targets_comes_round_again(faces: Make) -> None:
    more = faces(target=(5, 2, 6))
    (val,), (test,) = more.val_dataloader(), more.test_dataloader()
    assert test["index"].tolist() == list(range(6))
    assert test["fresh_a"].tolist() == test["fresh_b"].tolist() == [True] * 4 + [False] * 2
    assert test["fresh_target"].all()
    assert torch.equal(test["a"][4], test["a"][0])
    assert test["key"][4:] == test["key"][:2]
    assert val["index"].tolist() == [0, 1, 2]
    assert (val["fresh_a"].tolist(), val["fresh_target"].tolist()) == ([True] * 3, [True, True, False])
    assert torch.equal(val["target_truth"][2], val["target_truth"][0])


def test_each_split_has_its_truth_or_not(folders: Make) -> None:
    data = folders(lack=("val",))
    assert data.real_names == ("a", "b", "target", "target_truth")
    for split, complete in (("train", True), ("val", False), ("test", True)):
        (batch,) = data.eval_dataloader(split)
        assert ("target_truth" in batch) is complete
        assert batch["key_target"][0] == {"train": "00", "val": "06", "test": "09"}[split]
        if complete:
            assert torch.equal(batch["target_truth"].float(), batch["target"].float() + 1)
    with pytest.raises(UserError, match=r"^no target_truth: no drawing of data\.target's split val has one$"):
        data.reals("val", "target_truth")
    assert len(joined(data.reals("all", "target_truth"), "picture")) == 6 + 4
    assert len(joined(data.reals("all", "target"), "picture")) == 6 + 3 + 4
    assert folders(lack=("train", "val", "test")).real_names == ("a", "b", "target")


def test_the_fingerprint_follows_the_truth(folders: Make, picture: Callable[..., Path], tmp_path: Path) -> None:
    data = folders()
    before = {split: data.fingerprint(split) for split in ("train", "val", "test", "all")}
    (tmp_path / "other" / "testA" / "10.png").unlink()
    picture("other/testA/10.png", level=99)
    anew = folders()
    changed = {split for split in before if anew.fingerprint(split) != before[split]}
    assert changed == {"test", "all"}
    assert folders(lack=("train", "val")).fingerprint("train") != before["train"]


def test_training_never_opens_the_photos_of_its_targets(folders: Make, tmp_path: Path) -> None:
    for photo in (tmp_path / "other" / "trainA").iterdir():
        photo.write_bytes(b"no picture")
    data = folders()
    assert sum(len(list(loader)) for loader in (data.train_dataloader(), data.val_dataloader())) == 8 + 1
    with pytest.raises(UserError, match=r"trainA.00\.png"):
        list(data.eval_dataloader("train"))


def test_a_broken_photo_takes_its_sketch_out_of_the_evaluation(
    folders: Make, picture: Callable[..., Path], tmp_path: Path
) -> None:
    for number in range(13, 130):
        picture(f"other/testA/{number}.png", level=2 * number % 256)
        picture(f"other/testB/{number}.png", level=2 * number % 256)
    (tmp_path / "other" / "testA" / "11.png").write_bytes(b"no picture")
    data = folders(on_broken="skip", eval_batch_size=200)
    (batch,) = data.test_dataloader()
    assert len(batch["key_target"]) == 4 + 117 - 1
    assert "11" not in batch["key_target"]
    assert "target_truth" in batch


def test_what_is_written_of_the_splits_is_the_targets_alone(folders: Make, tmp_path: Path) -> None:
    data = folders()
    data.write_splits(tmp_path / "splits.json")
    written = json.loads((tmp_path / "splits.json").read_text())["target"]
    assert written["val"] == ["06.png", "07.png", "08.png"]
