"""Training batches without pictures, for a paper that trains on none."""

import json

import pytest
import torch

from suite.data.module import PictureData
from suite.errors import UserError


@pytest.fixture
def people(tmp_path, picture):
    """people(**arguments): identities whose training pictures are no pictures, with good ones to validate on."""
    for name, count in (("ann", 5), ("bob", 3)):
        for number in range(2):
            picture(f"set/val/{name}/{number}.png", seed=number + count)
        (tmp_path / "set/train" / name).mkdir(parents=True)
        for number in range(count):
            (tmp_path / f"set/train/{name}/{number}.png").write_bytes(b"no picture")

    def make(**arguments):
        where = {"root": str(tmp_path / "set"), "cache_dir": str(tmp_path / "cache")}
        settings = {"task": "labelled", "size": 8, "load_size": 10, "workers": 0, "batch_size": 2}
        return PictureData(source="identity_folders", **where, **(settings | arguments))

    return make


def without(data):
    data.with_pictures = False
    return data


@pytest.mark.parametrize("cache", [True, False])
def test_no_training_picture_is_read(people, cache):
    data = without(people(cache=cache))
    data.prepare_data()
    batches = list(data.train_dataloader())
    assert len(batches) == 4
    assert all(set(batch) == {"index", "paired"} and batch["paired"] is False for batch in batches)
    assert sorted(torch.cat([batch["index"] for batch in batches]).tolist()) == list(range(8))
    assert data.finish(batches[0]) == batches[0]
    (batch,) = data.val_dataloader()
    assert batch["a"].shape == (4, 3, 8, 8)
    if cache:
        with pytest.raises(UserError, match="no readable picture"):
            people().prepare_data()


def test_with_skip_broken_those_of_train_are_no_more_than_listed(people):
    data = without(people(on_broken="skip"))
    data.prepare_data()
    assert not data.catalog.warnings
    assert len(data.train_dataloader().dataset) == 8


@pytest.mark.parametrize("arguments", [{"balanced": True}, {"epoch_length": 6}, {}])
def test_an_epoch_is_as_long_as_with_pictures(people, arguments):
    data, with_them = without(people(**arguments)), people(cache=False, **arguments)
    for one in (data, with_them):
        one.rounds = 3
    assert len(data.train_dataloader()) == len(with_them.train_dataloader())
    assert list(data.train_dataloader().sampler) == list(with_them.train_dataloader().sampler)


def test_splits_are_written(people, tmp_path):
    data = without(people())
    data.write_splits(tmp_path / "splits.json")
    written = json.loads((tmp_path / "splits.json").read_text())
    assert [len(written[split]["a"]) for split in ("train", "val")] == [8, 4]


def test_names_of_labels_need_no_picture(people, tmp_path):
    data = people()
    assert data.label_names == ("ann", "bob")
    assert len(data.catalog.records) == 12
    assert not (tmp_path / "cache").exists()


def test_unpaired_pictures_too(unpaired):
    data = without(unpaired(photos=5, drawings=7))
    assert len(data.train_dataloader().dataset) == 7
    assert set(next(iter(data.train_dataloader()))) == {"index", "paired"}
