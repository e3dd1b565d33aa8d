"""A profiled training step: what ran in it, and inside of which network or phase."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

from suite.bench.timing import Step, wait_for_device
from suite.data.batch import Batch
from suite.papers.base import Paper

STEP = "suite/step"


@dataclass(frozen=True)
class Trace:
    """What torch's profiler saw of some steps. Ranges are called `suite/<network>` and `suite/<phase>`."""

    networks: list[str]  # names of their ranges
    events: Any
    on_gpu: bool
    steps: int


def trace_steps(model: Paper, step: Step, batch: Batch, autocast: torch.autocast, steps: int = 1) -> Trace:
    """Profile some steps on one batch, each network named.

    Of those that a model trains or rests on, and of those that it holds for its losses; they are left as they are,
    but for the steps, and for who calls them: they are not to be timed any more.
    """
    there = [*model.named_children(), *model.held.items()]
    networks = {name: one for name, one in there if name != "ema" and any(True for _ in one.parameters())}
    for name, network in networks.items():
        _name_calls(network, f"suite/{name}")
        for part in network.children():  # a step may call these, and never the whole
            _name_calls(part, f"suite/{name}")
    on_gpu = next(model.parameters()).device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as profiler, autocast, record_function(STEP):
        for _ in range(steps):
            step(batch)
        wait_for_device()
    return Trace([f"suite/{name}" for name in networks], profiler.events(), on_gpu, steps)


def is_way_back(event: Any) -> bool:
    """Whether it is one operation's way back: of a CPU within the range that asked for it, of a GPU in a thread."""
    return bool(event.name.startswith("autograd::engine::evaluate_function"))


def _name_calls(network: nn.Module, name: str) -> None:
    if network._compiled_call_impl is not None:  # a name within would be compiled, and lost
        network._compiled_call_impl = _noted(network._compiled_call_impl, name)
        return
    for called in ("forward", "taps"):
        if hasattr(network, called):
            setattr(network, called, _noted(getattr(network, called), name))


def _noted(call: Callable[..., Any], name: str) -> Callable[..., Any]:
    @wraps(call)
    def noted(*args: Any, **kwargs: Any) -> Any:
        with record_function(name):
            return call(*args, **kwargs)

    return noted
