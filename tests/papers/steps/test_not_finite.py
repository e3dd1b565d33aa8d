"""A loss or gradient that is not finite reaches nothing that a step changes, in its step or any later one."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from suite.errors import UserError

NOT_FINITE = [
    "cyclegan, pool full",
    "cyclegan, penalty",
    "cyclegan, sgd",
    "cyclegan, BatchNorm",
    "pix2pix, heads",
    "dagan, counts",
    "dagan, BatchNorm",
    "two_step, twice",
    "two_step, encoder",
    "sketch_to_image, tom",
    "sketch_to_image, as coded",
    "sketch_to_image, joint",
    "csi, average",
]


def state(memory: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies of what lasts: not of gradients, nor of a pool's place for what it does not keep."""
    lasting = {name: value for name, value in memory.items() if not name.endswith(".grad")}
    return {name: (value[:-1] if name.endswith(".stored") else value).clone() for name, value in lasting.items()}


def spoilt(values: dict[str, Any]) -> dict[str, Any]:
    """What is no whole number in it is no number at all."""
    return {
        name: value * torch.nan if isinstance(value, Tensor) and value.is_floating_point() else value
        for name, value in values.items()
    }


@pytest.mark.parametrize("case", NOT_FINITE, indirect=True)
def test_it_changes_nothing(case: tuple, memory_of: Callable) -> None:
    make, batches = case
    model = make()
    several = 2 * model.batches_per_step
    for batch in batches[:several]:
        model.training_step(batch, 0)
    before = state(memory_of(model))
    draw = model.draw
    model.draw = lambda batch: spoilt(draw(batch))  # what a stage without pictures learns from
    model.training_step(spoilt(batches[several]), 0)
    model.draw = draw
    for batch in batches[several - 1 : several + 1]:  # of the same subset, where a new one begins with new heads
        model.training_step(batch, 0)
    after = state(memory_of(model))
    assert before.keys() == after.keys()
    assert [name for name, value in before.items() if not torch.equal(value, after[name])] == []
    with pytest.raises(UserError, match=f"was not finite in batch {several + 1}: "):
        model._losses.check(lambda value: value, gradients=True)


@pytest.fixture
def steep(make_cyclegan: Callable) -> Iterator[nn.Module]:
    """A model whose losses are finite, and the gradient of one of its weights is not, once `armed`."""
    model = make_cyclegan(clip_norm=0.1, ema_decay=0.9)
    model.armed = False
    weight = next(model.G.parameters())
    handle = weight.register_hook(lambda gradient: gradient.fill_(torch.inf) if model.armed else gradient)
    yield model
    handle.remove()


def test_clipping_does_not_hide_a_gradient(steep: nn.Module, make_batches: Callable, memory_of: Callable) -> None:
    """Divided by a norm without end, all other gradients would be 0, and Adam would go on as it came."""
    batches = make_batches(3)
    steep.training_step(batches[0], 0)
    before = state(memory_of(steep))
    steep.armed = True
    steep.training_step(batches[1], 0)
    steep.armed = False
    steep.training_step(batches[2], 0)
    assert [name for name, value in state(memory_of(steep)).items() if not torch.equal(value, before[name])] == []
    with pytest.raises(UserError, match="the gradient of G was not finite in batch 2: "):
        steep._losses.check(lambda value: value, gradients=True)
