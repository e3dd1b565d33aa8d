"""Splits as they are measured: uncropped, in order, each sample once, with the truth where there is one."""

import logging
from types import SimpleNamespace

import pytest
import torch

from suite.data.module import PictureData
from suite.data.pictures.store import CachedStore


@pytest.fixture
def faces(tmp_path):
    """faces(**arguments): eight built-in faces of 40 pixels to train on, cropped to 32, opened."""

    def make(**arguments):
        defaults = {"size": 32, "load_size": 40, "flip": 0.5, "workers": 0, "batch_size": 2, "eval_batch_size": 3}
        counts = {"count": {"train": 8, "test": 4}, "cache_dir": str(tmp_path), "style": "contour", "channels_b": 1}
        data = PictureData(source="faces", **(defaults | counts | arguments))
        data.setup()
        return data

    return make


def joined(batches, key):
    return torch.cat([batch[key] for batch in batches])


def reals(data, side):
    return joined(data.reals("train", side), "picture")


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_training_pairs_are_whole_and_in_order(faces, direction):
    channels = {"channels_a": 1, "channels_b": 3} if direction == "b2a" else {}
    data = faces(task="paired", direction=direction, **channels)
    batches = list(data.eval_dataloader("train"))
    assert joined(batches, "index").tolist() == list(range(8))
    assert [key for batch in batches for key in batch["key"]] == [record.key for record in data.splits["train"]]
    assert torch.equal(joined(batches, "a"), reals(data, "a"))
    assert torch.equal(joined(batches, "b"), reals(data, "b"))
    assert joined(batches, "a").shape[-2:] == (32, 32)
    assert next(iter(data.train_dataloader()))["a"].shape[-2:] == (32, 32)


def test_training_pairs_bring_all_their_drawings(faces):
    data = faces(task="paired", drawings="all", hands=3)
    batches = list(data.eval_dataloader("train"))
    assert joined(batches, "drawings").shape == (8, 3, 1, 32, 32)
    assert {batch["drawing_side"] for batch in batches} == {"b"}
    assert torch.equal(joined(batches, "drawings").flatten(0, 1), reals(data, "b"))


def test_each_process_measures_its_part_and_shows_the_same(faces):
    data = faces(task="paired")
    alone = joined(data.first_batches("train", 5), "a")
    device = SimpleNamespace(root_device=torch.device("cpu"))
    data.trainer = SimpleNamespace(global_rank=1, world_size=2, training=False, strategy=device)
    assert joined(data.eval_dataloader("train"), "index").tolist() == [1, 3, 5, 7]
    assert torch.equal(joined(data.first_batches("train", 5), "a"), alone)


@pytest.mark.parametrize(("count", "sizes"), [(2, [2]), (3, [3]), (7, [3, 3, 1]), (99, [3, 3, 2])])
def test_the_first_pictures_come_in_batches_of_evaluation(faces, count, sizes):
    data = faces(task="paired")
    batches = list(data.first_batches("train", count))
    assert [len(batch["index"]) for batch in batches] == sizes
    assert torch.equal(joined(batches, "a"), reals(data, "a")[:count])


def test_disjoint_sides_have_no_truth_in_training(faces):
    data = faces(task="unpaired", disjoint=True)
    batches = list(data.eval_dataloader("train"))
    assert not any(batch["paired"] for batch in batches)
    keys, other = ({key for batch in batches for key in batch[name]} for name in ("key", "key_b"))
    assert len(keys) == len(other) == 4
    assert not keys & other
    assert torch.equal(joined(batches, "a"), reals(data, "a"))
    assert torch.equal(joined(batches, "b"), reals(data, "b"))
    assert all(batch["paired"] for batch in data.eval_dataloader("test"))


def test_sides_that_share_their_faces_have_their_truth_in_training(faces):
    data = faces(task="unpaired")
    batches = list(data.eval_dataloader("train"))
    assert all(batch["paired"] and batch["key"] == batch["key_b"] for batch in batches)
    assert joined(batches, "index").tolist() == list(range(8))


def test_truth_is_known_where_the_tested_split_has_it(unpaired, faces):
    assert not unpaired().has_truth
    data = faces(task="unpaired", disjoint=True)
    assert data.has_truth
    data.test_split = "train"
    assert data.has_truth  # in validation


def test_every_task_has_its_training_pictures_whole(faces):
    target = {"source": "faces", "style": "loose", "count": {"train": 5, "test": 3}, "seed": 9}
    semi = faces(task="semi_supervised", direction="b2a", channels_a=1, channels_b=3, target=target)
    batches = list(semi.eval_dataloader("train"))
    assert joined(batches, "target").shape == (8, 1, 32, 32)
    assert torch.equal(joined(batches, "target")[0], joined(batches, "target")[5])
    assert joined(batches, "target_truth").shape == (8, 3, 32, 32)
    labelled = faces(task="labelled", channels_b=3)
    assert joined(labelled.eval_dataloader("train"), "a").shape == (8, 3, 32, 32)


def test_the_test_loader_gives_the_split_that_is_to_be_tested(faces):
    data = faces(task="paired")
    assert len(data.test_dataloader().dataset) == 4
    data.test_split = "train"
    assert len(data.test_dataloader().dataset) == 8
    assert len(data.val_dataloader().dataset) == 4


def test_measuring_the_training_pictures_stores_none_of_them_anew(faces, tmp_path, caplog):
    data = faces(task="paired")
    before = sorted(tmp_path.rglob("*"))
    with caplog.at_level(logging.INFO, logger="suite"):
        list(data.eval_dataloader("train"))
    assert sorted(tmp_path.rglob("*")) == before
    uncropped = faces(task="paired", load_size=32)
    assert isinstance(uncropped.eval_dataloader("train").dataset.photos.store, CachedStore)  # as it is trained on
