"""data.balanced: batches with as many pictures of each label."""

from collections import Counter
from types import SimpleNamespace

import pytest
import torch

from suite.data.module import PictureData
from suite.errors import UserError

COUNTS = {"ann": 7, "bob": 3, "cat": 5}  # training pictures


@pytest.fixture
def people(tmp_path, picture):
    """people(counts=COUNTS, **arguments): identity folders of noise, two test pictures of each."""

    def make(counts=COUNTS, **arguments):
        for split, of_split in (("train", counts), ("test", dict.fromkeys(counts, 2))):
            (tmp_path / "set" / split).mkdir(parents=True, exist_ok=True)
            for name, count in of_split.items():
                for number in range(count):
                    picture(f"set/{split}/{name}/{number}.png", seed=number)
        where = {"root": str(tmp_path / "set"), "cache_dir": str(tmp_path / "cache")}
        settings = {"task": "labelled", "balanced": True, "size": 8, "load_size": 10, "workers": 0, "batch_size": 6}
        return PictureData(source="identity_folders", **where, **(settings | arguments))

    return make


def batches(data, epoch=0, rank=0, world=1, done=0, rounds=1):
    data.rounds = rounds
    data._rank_and_world, data._samples_done = lambda: (rank, world), lambda: done
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_batch_of_every_rank_has_as_many_of_each_label(people, world):
    data = people({"ann": 13, "bob": 3, "cat": 5})
    ranks = [batches(data, 1, rank, world) for rank in range(world)]
    assert [len(of_rank) for of_rank in ranks] == [13 // world // 2] * world
    for batch in (batch for of_rank in ranks for batch in of_rank):
        assert Counter(batch["label"].tolist()) == {0: 2, 1: 2, 2: 2}
        assert [key.split("/")[-2] for key in batch["key"]] == [data.label_names[label] for label in batch["label"]]
    indices = [index for of_rank in ranks for batch in of_rank for index in batch["index"].tolist()]
    assert len(set(indices)) == len(indices)


def test_an_epoch_shows_the_largest_label_once_and_the_first_of_the_others(people):
    data = people(batch_size=3)
    epoch = batches(data)
    assert len(epoch) == 7
    seen = Counter(key for batch in epoch for key in batch["key"])
    of_split = {record.key: data.label_names[record.label] for record in data.splits["train"]}
    assert seen.keys() == of_split.keys()
    assert Counter(of_split[key] for key in seen.elements()) == dict.fromkeys(COUNTS, 7)
    assert all(seen[key] == 1 for key, name in of_split.items() if name == "ann")


def test_the_length_of_an_epoch_may_be_said(people):
    assert len(people(epoch_length=31, batch_size=3).train_dataloader().dataset) == 30
    short = people(epoch_length=9, batch_size=3)
    shown = {key for epoch in range(20) for batch in batches(short, epoch) for key in batch["key"]}
    assert len(shown) == sum(COUNTS.values())


def test_a_sample_follows_from_seed_epoch_and_index(people):
    data = people()
    once, again = data.train_dataloader().dataset, people().train_dataloader().dataset
    for index in reversed(range(len(once))):
        assert torch.equal(once[4, index]["a"], again[4, index]["a"])
        assert once[4, index]["label"] == index % 3
    others = people(seed=1).train_dataloader().dataset
    sources = ((once, 4), (once, 5), (others, 4))
    keys = [[one[epoch, index]["key"] for index in range(len(one))] for one, epoch in sources]
    assert keys[0] != keys[1]
    assert keys[0] != keys[2]


@pytest.mark.parametrize("done", [6, 12, 18, 30])
def test_an_epoch_is_gone_on_with(people, done):
    whole = batches(people(), 2, rounds=2)
    rest = batches(people(), 2, done=done, rounds=2)
    assert [batch["key"] for batch in rest] == [batch["key"] for batch in whole][done // 6 :]
    assert len(whole) == 6


def test_evaluation_is_as_ever(people):
    plain = people(balanced=False)
    for split in ("train", "test"):
        keys = [[key for batch in data.eval_dataloader(split) for key in batch["key"]] for data in (people(), plain)]
        assert keys[0] == keys[1]


@pytest.mark.parametrize(("size", "nearest"), [(1, 3), (4, 3), (5, 6), (64, 63)])
def test_a_batch_that_can_not_be_shared_out_is_refused(people, size, nearest):
    data = people(batch_size=size)
    data.setup()
    wrong = rf"data\.batch_size={size} is not a multiple of the 3 labels.*use data\.batch_size={nearest}$"
    for refuses in (data.check_training, data.train_dataloader):
        with pytest.raises(UserError, match=wrong):
            refuses()


def test_a_label_without_a_training_picture_is_refused(people):
    data = people({"ann": 3, "bob": 0, "cat": 2})
    with pytest.raises(UserError, match=r"data has no training picture of label bob: .*add some"):
        data.train_dataloader()
    assert len(data.test_dataloader().dataset) == 6


def test_other_tasks_are_refused(unpaired):
    with pytest.raises(UserError, match=r"data\.balanced=true is for data\.task=labelled, not unpaired"):
        unpaired(balanced=True)


def test_a_batch_larger_than_an_epoch_is_refused(people):
    with pytest.raises(UserError, match=r"an epoch has only 21 samples"):
        people(batch_size=24).train_dataloader()


def test_rows_go_to_ranks_whole(people):
    """With a trainer of two devices as Lightning tells of it."""
    data = people(batch_size=3)
    data.trainer = SimpleNamespace(
        global_rank=1, world_size=2, training=False, strategy=SimpleNamespace(root_device=torch.device("cpu"))
    )
    assert all(sorted(batch["label"].tolist()) == [0, 1, 2] for batch in data.train_dataloader())
