import multiprocessing
import threading

import pytest
import torch
from torch.utils.data import Dataset

from suite.data.pictures.loading import AtOnce, EvalSampler, TrainSampler, make_loader
from suite.errors import UserError


class Places(Dataset):
    """Gives back the place it is asked for; 7 is broken."""

    def __getitem__(self, place):
        if place[1] == 7:
            raise UserError("seven: is broken")
        return {"epoch": place[0], "index": place[1], "paired": False}


def order(epoch, **changes):
    arguments = {"length": 20, "population": 20, "seed": 0} | changes
    sampler = TrainSampler(**arguments)
    sampler.set_epoch(epoch)
    return list(sampler)


def test_an_epoch_is_a_new_order_of_everything():
    assert sorted(order(3)) == [(3, index) for index in range(20)]
    assert [index for _, index in order(3)] != [index for _, index in order(4)]
    assert order(3) == order(3) != order(3, seed=1)


def test_a_short_epoch_takes_others_each_time():
    seen = [{index for _, index in order(epoch, length=5)} for epoch in range(30)]
    assert all(len(indices) == 5 for indices in seen)
    assert set().union(*seen) == set(range(20))


@pytest.mark.parametrize("length", [20, 21, 22])
def test_ranks_share_nothing_in_training_and_get_equally_many(length):
    ranks = [order(2, length=length, population=length, rank=rank, world=3) for rank in range(3)]
    assert [len(places) for places in ranks] == [length // 3] * 3
    assert len(set().union(*ranks)) == length // 3 * 3


def test_rounds_are_the_orders_of_other_epochs_one_after_the_other():
    one = [order(epoch) for epoch in range(6)]
    assert order(2, rounds=1) == one[2]
    assert order(0, rounds=3) == one[0] + one[1] + one[2]
    assert order(1, rounds=3) == one[3] + one[4] + one[5]
    assert len(TrainSampler(length=20, population=20, seed=0, rounds=3)) == 60


@pytest.mark.parametrize("world", [1, 2, 3])
def test_no_batch_lies_in_two_rounds(world):
    whole = 23 // world // 3  # batches of a round and rank
    for rank in range(world):
        of_rank = {"length": 23, "population": 23, "rank": rank, "world": world, "batch_size": 3}
        places = order(2, rounds=4, **of_rank)
        batches = [places[start : start + 3] for start in range(0, len(places), 3)]
        epochs = [{epoch for epoch, _ in batch} for batch in batches]
        assert epochs == [{8 + number} for number in range(4) for _ in range(whole)]
        assert order(2, **of_rank) == order(2, **of_rank | {"batch_size": 1})[: 3 * whole]


@pytest.mark.parametrize("done", [0, 3, 18, 21, 36, 51, 54])
def test_an_epoch_is_gone_on_with_in_any_of_its_rounds(done):
    arguments = {"rounds": 3, "batch_size": 3}
    assert order(1, done=lambda: done, **arguments) == order(1, **arguments)[done:]


@pytest.mark.parametrize("length", [1, 2, 9, 10, 11])
def test_ranks_see_everything_in_evaluation_and_repeats_tell_themselves(length):
    ranks = [list(EvalSampler(length, rank, 3)) for rank in range(3)]
    assert len({len(places) for places in ranks}) == 1
    assert {index for places in ranks for _, index in places} == set(range(length))
    assert list(EvalSampler(length)) == [(0, index) for index in range(length)]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_epoch_that_counts_is_the_one_at_the_first_batch(workers):
    sampler = TrainSampler(6, 6, seed=0)
    loader = make_loader(Places(), sampler, 2, workers, drop_last=True, pin_memory=False)
    for epoch in (5, 6):
        batches = iter(loader)
        sampler.set_epoch(epoch)  # Lightning does it this late
        assert {int(number) for batch in batches for number in batch["epoch"]} == {epoch}


def test_making_an_iterator_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    list(make_loader(Places(), EvalSampler(6), 2, 0, drop_last=False, pin_memory=False))
    assert torch.equal(torch.get_rng_state(), before)


def test_paired_is_one_word_a_batch():
    (batch,) = make_loader(Places(), EvalSampler(2), 2, 0, drop_last=False, pin_memory=False)
    assert batch["paired"] is False


@pytest.mark.parametrize("workers", [0, 1])
def test_a_workers_user_error_stays_one_line(workers):
    with pytest.raises(UserError) as error:
        list(make_loader(Places(), EvalSampler(8), 2, workers, drop_last=False, pin_memory=False))
    assert str(error.value) == "seven: is broken"
    assert multiprocessing.active_children() == []  # the traceback would keep them for seconds


class Waiting(Places):
    """A sample comes once three others of its batch are asked for as well."""

    def __init__(self):
        self.four = threading.Barrier(4, timeout=10)

    def __getitem__(self, place):
        self.four.wait()
        return super().__getitem__(place)


def test_samples_of_a_batch_are_fetched_at_once_and_keep_their_order():
    (batch,) = make_loader(AtOnce(Waiting()), EvalSampler(4), 4, 0, drop_last=False, pin_memory=False)
    assert batch["index"].tolist() == [0, 1, 2, 3]


def test_what_is_wrong_with_one_of_them_stays_one_line():
    with pytest.raises(UserError) as error:
        list(make_loader(AtOnce(Places()), EvalSampler(8), 8, 1, drop_last=False, pin_memory=False))
    assert str(error.value) == "seven: is broken"


def turns(epoch, **changes):
    """The turn of each batch; fails where a batch has two."""
    arguments = {"length": 26, "population": 26, "batch_size": 3, "world": 2, "rounds": 2, "batches_per_turn": 3}
    places = order(epoch, **arguments | changes)
    batches = [places[start : start + 3] for start in range(0, len(places), 3)]
    assert all(len({turn for *_, turn in batch}) == 1 for batch in batches)
    assert [place[:2] for place in places] == order(epoch, **arguments | changes | {"batches_per_turn": None})
    return [batch[0][2] for batch in batches]


def test_turns_are_counted_over_the_epochs_and_are_the_same_on_all_ranks():
    # 26 samples of two ranks: 13 each, 4 batches, 8 in the two rounds of an epoch
    assert [turn for epoch in range(3) for turn in turns(epoch)] == [batch // 3 for batch in range(24)]
    assert turns(1, rank=1) == turns(1)


@pytest.mark.parametrize("done", [3, 12, 15, 21])
def test_a_turn_is_gone_on_with(done):
    assert turns(2, done=lambda: done) == turns(2)[done // 3 :]
