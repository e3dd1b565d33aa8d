"""A batch on its way out of a worker: all of its tensors in one piece of memory.

Torch hands over each tensor by itself, as a file in shared memory whose descriptor goes through a new connection: for a
batch of one, that takes longer than all else. One piece is handed over once, and a small one in the message itself.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from suite.data.batch import Batch

# Bytes up to which the message carries the pixels: copied several times, and sooner there than a file is. A pair of RGB
# pictures of 256 pixels has 0.4 MB, and comes 2.7 times as often; on two cores both ways are even at about 0.8 MB.
_IN_MESSAGE = 1 << 19
_ALIGNED = 8  # bytes: no tensor's elements are larger

_OF_BATCH = ("paired", "drawing_side", "classes", "turn")


class _Place(NamedTuple):
    """Where a tensor lies in the piece of memory."""

    start: int  # bytes
    dtype: torch.dtype
    shape: tuple[int, ...]

    def of(self, memory: Tensor) -> Tensor:
        end = self.start + math.prod(self.shape) * self.dtype.itemsize
        return memory[self.start : end].view(self.dtype).view(self.shape)


class Packed:
    """A batch whose tensors lie in `memory`, uint8 (bytes,); in `batch` stand their places instead of them."""

    def __init__(self, memory: Tensor, batch: Batch) -> None:
        self.memory, self.batch = memory, batch

    def unpacked(self) -> Batch:
        return {key: one.of(self.memory) if isinstance(one, _Place) else one for key, one in self.batch.items()}

    def pin_memory(self) -> "Packed":
        """Called by torch's loader, where it pins batches for a GPU."""
        return Packed(self.memory.pin_memory(), self.batch)

    def __getstate__(self) -> tuple[bytearray | Tensor, Batch]:
        small = self.memory.numel() <= _IN_MESSAGE
        return bytearray(self.memory.numpy()) if small else self.memory, self.batch

    def __setstate__(self, state: tuple[bytearray | Tensor, Batch]) -> None:
        memory, self.batch = state
        self.memory = memory if isinstance(memory, Tensor) else torch.frombuffer(memory, dtype=torch.uint8)


def collate(samples: list[dict[str, Any]]) -> Batch:
    """Stacks the samples; what is one word or number for the whole batch stays one."""
    columns = _columns(samples)
    return {key: torch.stack(one) if _is_to_stack(one) else one for key, one in columns.items()}


def collate_to_send(samples: list[dict[str, Any]]) -> Batch | Packed:
    """What `collate` gives, in a worker as one piece."""
    if get_worker_info() is None:
        return collate(samples)
    columns = _columns(samples)
    places: dict[str, _Place] = {}
    size = 0
    for key, one in columns.items():
        if isinstance(one, Tensor) or _is_to_stack(one):
            places[key] = _Place(size, one[0].dtype, (len(one), *one[0].shape))
            size += -(-len(one) * one[0].nbytes // _ALIGNED) * _ALIGNED
    memory = torch.empty(size, dtype=torch.uint8) if size <= _IN_MESSAGE else _shared(size)
    for key, place in places.items():
        one, there = columns[key], place.of(memory)
        if isinstance(one, Tensor):
            there.copy_(one)
        else:
            torch.stack(one, out=there)
    return Packed(memory, columns | places)


def _columns(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """By key a list of the samples' tensors or words, their numbers as a tensor, or what the batch has one of."""
    columns: dict[str, Any] = {}
    for key, first in samples[0].items():
        column = [sample[key] for sample in samples]
        if key in _OF_BATCH:
            columns[key] = first
        elif isinstance(first, Tensor | str):
            columns[key] = column
        else:
            columns[key] = torch.tensor(column)
    return columns


def _is_to_stack(column: Any) -> bool:
    return isinstance(column, list) and isinstance(column[0], Tensor)


def _shared(size: int) -> Tensor:
    """Memory that is handed over without a copy, as torch's own collate takes it."""
    return torch.empty(0, dtype=torch.uint8).set_(torch.UntypedStorage._new_shared(size))
