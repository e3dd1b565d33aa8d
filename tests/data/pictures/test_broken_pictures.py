"""Pictures that can't be decoded: named, or skipped and counted."""

import json
import logging

import pytest

from suite.data.module import PictureData
from suite.errors import UserError


def ready(data):
    data.prepare_data()
    data.setup("fit")
    return data


def epoch(loader, number=0):
    loader.sampler.set_epoch(number)
    return list(loader)


def broken_file(data, name, kind="text"):
    """Spoil one file of the data set; the root is known before anything is listed."""
    path = f"{data.root}/{name}"
    with open(path, "r+b") as file:
        content = file.read()
        file.seek(0)
        file.truncate()
        file.write({"text": b"not a picture", "truncated": content[: len(content) // 2], "empty": b""}[kind])
    return path


@pytest.mark.parametrize("kind", ["text", "truncated", "empty"])
@pytest.mark.parametrize("cache", [True, False])
def test_a_broken_file_is_named_in_one_line(unpaired, cache, kind):
    data = unpaired(cache=cache, workers=1)
    path = broken_file(data, "trainB/3.png", kind)

    def read():
        for number in range(9):  # without a cache the file is only read when its turn comes
            epoch(ready(data).train_dataloader(), number)

    with pytest.raises(UserError) as error:
        read()
    assert str(error.value).startswith(f"{path}: no readable picture (")
    assert "\n" not in str(error.value)


def test_few_broken_files_are_skipped_counted_and_reported(unpaired, caplog, tmp_path):
    data = unpaired(photos=120, drawings=90, on_broken="skip")
    paths = [broken_file(data, "trainA/17.png"), broken_file(data, "trainB/3.png", "truncated")]
    with caplog.at_level(logging.WARNING):
        ready(data)
    (message,) = [line for line in data.catalog.warnings if "broken" in line]
    assert message == f"2 of 217 pictures are broken and skipped: {paths[0]}, {paths[1]}"
    assert message in caplog.text
    batches = epoch(data.train_dataloader())
    assert "17" not in {key for batch in batches for key in batch["key"]}
    assert len(data.splits["train"]) == 120 + 90 - 2
    data.write_splits(tmp_path / "splits.json")
    trained = json.loads((tmp_path / "splits.json").read_text())["train"]["a"]
    assert "18.png" in trained
    assert "17.png" not in trained
    assert len(data.reals("train", "a").dataset) == 119
    assert len(data.reals("all", "b").dataset) == 89 + 4


def test_many_broken_files_are_refused(unpaired):
    data = unpaired(photos=50, drawings=40, on_broken="skip")
    path = broken_file(data, "trainA/1.png")
    with pytest.raises(UserError, match=r"1 of 97 pictures are broken, more than 1 %: .*trainA/1\.png") as error:
        ready(data)
    assert path in str(error.value)


def test_a_pair_with_a_broken_half_is_left_out(paired):
    data = paired(pairs=120, on_broken="skip", split={"train": 110, "test": 10})
    broken_file(data, "photos/5.png")
    ready(data)
    assert "5" not in {record.key for split in data.splits.values() for record in split}
    assert sum(len(records) for records in data.splits.values()) == 119
    batches = [*epoch(data.train_dataloader()), *data.test_dataloader()]
    assert all(batch["key"] == batch["key_b"] and "5" not in batch["key"] for batch in batches)


@pytest.mark.parametrize("on_broken", ["skip", "error"])
def test_an_empty_file_is_called_so_and_counted_once_where_sketches_are_made_of_photos(picture, tmp_path, on_broken):
    for number in range(12):
        picture(f"set/{'ann' if number % 2 else 'bob'}/{number}.png", seed=number)
    for name in ("ann/1.png", "bob/2.png"):
        (tmp_path / "set" / name).write_bytes(b"")
    where = {"root": str(tmp_path / "set"), "cache_dir": str(tmp_path / "cache"), "on_broken": on_broken}
    sizes = {"size": 8, "load_size": 8, "workers": 0}
    data = PictureData(source="identity_folders", task="paired", sketch="sobel", **where, **sizes)
    reasons = {"skip": "2 of 12 pictures are broken, more than 1 %", "error": r"picture \(it is empty, 0 bytes\)"}
    with pytest.raises(UserError, match=reasons[on_broken]):
        data.prepare_data()
