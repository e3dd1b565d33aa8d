"""How much memory training takes, by calculation: steps are made with tensors that have a shape and no content."""

import copy
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from suite.data.batch import Batch
from suite.updates.alternating import AlternatingUpdates


class Memory(NamedTuple):
    """Bytes: what is there all along, and the most that a step has beside it at one time."""

    weights: int  # and buffers, of resting and of feature networks, too
    average: int
    gradients: int
    optimizers: int
    step: int  # the batch, what autograd keeps for the way back, and what the way back makes

    @property
    def total(self) -> int:
        return sum(self)


def memory_of(model: AlternatingUpdates, batch: Callable[[], Batch], half: bool) -> Memory:
    """Of two steps of a model as it stands before its run, which is left as it is.

    batch: makes one, of whatever content. half: under autocast to bfloat16. The numbers are those of tensors: what
    kernels need to work in, what an allocator rounds up or leaves unused, and what a GPU's driver takes, come on top.
    """
    from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode  # seconds, which no other run should wait

    mode = FakeTensorMode()
    with FakeCopyMode(mode):
        twin = copy.deepcopy(model)
    alive = _Alive(besides=_weights(twin))
    with torch.random.fork_rng(devices=[]), mode, alive:
        for _ in range(2):  # gradients and optimizers have their places from the second on
            alive.most = alive.now
            with torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
                twin.train().training_step(batch(), 0)
    gradients = [w.grad for network in twin.networks().values() for w in network.parameters() if w.grad is not None]
    known = [value for of in twin.optimizers() for state in of.state.values() for value in state.values()]
    average = 0 if model.ema is None else _bytes(_tensors(model.ema))
    lasting = _bytes(gradients) + _bytes(known)
    weights = _bytes(_weights(model)) - average
    return Memory(weights, average, _bytes(gradients), _bytes(known), step=alive.most - lasting)


class _Alive(TorchDispatchMode):
    """Inside, counts the bytes of all tensors that are made, for as long as they are there; not of views of others."""

    def __init__(self, besides: list[Tensor]) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known = {tensor.untyped_storage()._cdata: 0 for tensor in besides}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for value in tree_leaves(made):
            if isinstance(value, Tensor):
                self._note(value.untyped_storage())
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        name = storage._cdata
        if name not in self._known:
            self._known[name] = storage.nbytes()
            self.now += storage.nbytes()
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._forget, name)

    def _forget(self, name: int) -> None:
        self.now -= self._known.pop(name)


def _weights(model: AlternatingUpdates) -> list[Tensor]:
    return [tensor for network in (model, *model.held.values()) for tensor in _tensors(network)]


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _bytes(tensors: list[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
