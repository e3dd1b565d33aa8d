"""How much memory training takes, by calculation: steps are made with tensors that have a shape and no content."""

import copy
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from suite.data.batch import Batch
from suite.updates.alternating import AlternatingUpdates
from suite.updates.freezing import learnt
from suite.updates.replay import ReplayPool


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
    """Of two rounds of steps of a model as it stands before its run, which is left as it is.

    batch: makes one, of whatever content. half: under autocast to bfloat16. The numbers are those of tensors: what
    kernels need to work in, what an allocator rounds up or leaves unused, and what a GPU's driver takes, come on top.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode  # seconds, which no other run should wait

    mode = FakeTensorMode()
    twin = _twin(model, mode)
    for part in twin.modules():
        if isinstance(part, ReplayPool):
            part.draw = partial(_not_drawn, part)  # type: ignore[method-assign]  # which reads its numbers
    alive = _Alive(besides=_weights(twin))
    with torch.random.fork_rng(devices=[]), mode, alive:
        for number in range(2 * twin.batches_per_step):
            if number == twin.batches_per_step:  # gradients and optimizers have their places from here on
                alive.most = alive.now
            with torch.autocast("cpu", torch.bfloat16) if half else nullcontext():
                twin.train().training_step(batch(), 0)
    trained = {
        id(w): w for network in twin.networks().values() for w in network.parameters()
    }  # E of two optimizers once
    gradients = [w.grad for w in trained.values() if w.grad is not None]
    known = [value for of in twin.optimizers() for state in of.state.values() for value in state.values()]
    weights, average = _weights_and_average(model)
    lasting = _bytes(gradients) + _bytes(known)
    return Memory(weights, average, _bytes(gradients), _bytes(known), step=alive.most - lasting)


def memory_of_pass(model: AlternatingUpdates, translate: Callable[[Any], object]) -> int:
    """Bytes that a model takes to translate, beside its weights, at one time; it is left as it is.

    translate: calls the model that it is given, with tensors that it makes itself. Counted as in `memory_of`.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    mode = FakeTensorMode()
    twin = _twin(model, mode)
    alive = _Alive(besides=_weights(twin))
    with torch.random.fork_rng(devices=[]), torch.no_grad(), mode, alive:
        translate(twin)
    return alive.most


def _twin(model: AlternatingUpdates, mode: Any) -> Any:
    """The model with weights that have no content, on the CPU, wherever the model is."""
    from torch._subclasses.fake_tensor import FakeCopyMode

    with mode:
        copies = {id(tensor): _without_content(tensor) for tensor in _weights(model)}
    with FakeCopyMode(mode):
        twin = copy.deepcopy(model, copies)
    twin._device = torch.device("cpu")  # what `device` says; `to` would not take its weights for there already
    return twin


def lasting_memory(model: AlternatingUpdates) -> Memory:
    """What is there all along, at once and without a step, which counts 0."""
    weights, average = _weights_and_average(model)
    by_optimizer = [
        {id(weight): weight for network in group.values() for weight in learnt(network)}
        for group in model.trained().values()
    ]
    gradients = {name: weight for group in by_optimizer for name, weight in group.items()}
    moments, counter = {"adam": (2, 4), "sgd": (0, 0)}[model.optimizer]
    of_optimizers = sum(moments * w.nbytes + counter for group in by_optimizer for w in group.values())
    return Memory(weights, average, _bytes(list(gradients.values())), of_optimizers, step=0)


def _weights_and_average(model: AlternatingUpdates) -> tuple[int, int]:
    average = 0 if model.ema is None else _bytes(_tensors(model.ema))
    return _bytes(_weights(model)) - average, average


def _not_drawn(pool: ReplayPool, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    if pool.size:
        pool.allocate(like)
    return torch.zeros(2, len(like), dtype=torch.int64)


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


def _without_content(tensor: Tensor) -> Tensor:
    empty = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)
    return nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty


def _weights(model: AlternatingUpdates) -> list[Tensor]:
    return [tensor for network in (model, *model.held.values()) for tensor in _tensors(network)]


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _bytes(tensors: list[Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
