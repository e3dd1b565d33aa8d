import pickle

import pytest
import torch
from torch.utils.data import Dataset
from torch.utils.data._utils.pin_memory import pin_memory

from suite.data.pictures import packed
from suite.data.pictures.loading import EvalSampler, make_loader
from suite.data.pictures.packed import Packed, collate


class Samples(Dataset):
    """Of everything that stands in batches: pictures, other tensors, numbers, words, what a batch has one of."""

    def __getitem__(self, place):
        index = place[1]
        picture = torch.randint(256, (3, 5, 7), generator=torch.Generator().manual_seed(index), dtype=torch.uint8)
        sample = {"a": picture, "paired": index < 0, "index": index, "fresh_a": index != 1, "key": f"number {index}"}
        return sample | {"erased": torch.arange(4) * index, "view": torch.tensor([0.5, index]), "drawing_side": "b"}


def batches(workers):
    return list(make_loader(Samples(), EvalSampler(5), 2, workers, drop_last=False, pin_memory=False))


def same(one, other):
    assert list(one) == list(other)
    for key, value in one.items():
        assert type(value) is type(other[key])
        assert value.dtype == other[key].dtype if isinstance(value, torch.Tensor) else value == other[key]
        assert not isinstance(value, torch.Tensor) or torch.equal(value, other[key])


@pytest.mark.parametrize("in_message", [0, 1 << 20])
def test_a_worker_sends_the_batches_that_are_made_here(in_message, monkeypatch):
    monkeypatch.setattr(packed, "_IN_MESSAGE", in_message)  # 0: through shared memory
    here, sent = batches(0), batches(1)
    assert len(here) == len(sent) == 3
    for one, other in zip(here, sent, strict=True):
        same(one, other)
        assert other["a"].is_shared() == (in_message == 0)
    assert here[0]["index"].tolist() == [0, 1]
    assert here[0]["fresh_a"].dtype == torch.bool
    assert (here[0]["paired"], here[0]["drawing_side"], here[0]["key"]) == (False, "b", ["number 0", "number 1"])
    assert [len(batch["a"]) for batch in sent] == [2, 2, 1]


def test_what_came_in_a_message_can_be_written_to(monkeypatch):
    monkeypatch.setattr(packed, "get_worker_info", lambda: "some")
    sent = packed.collate_to_send([Samples()[0, 1]])
    assert isinstance(sent, Packed)
    there = pickle.loads(pickle.dumps(sent)).unpacked()
    same(there, collate([Samples()[0, 1]]))
    there["a"] += 1
    assert not torch.equal(there["a"], sent.unpacked()["a"])
    assert there["index"].tolist() == [1]  # no tensor reaches into another


def test_the_loader_pins_a_batch_for_a_gpu_in_one_piece(monkeypatch):
    monkeypatch.setattr(packed, "get_worker_info", lambda: "some")
    pinned = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor.clone())
    sent = packed.collate_to_send([Samples()[0, 1], Samples()[0, 2]])
    same(pin_memory(sent).unpacked(), sent.unpacked())
    assert [tensor.data_ptr() for tensor in pinned] == [sent.memory.data_ptr()]
