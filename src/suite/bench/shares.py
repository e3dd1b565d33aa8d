"""What share of a training step each network takes, forward and backward."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from suite.bench.timing import Step, wait_for_device
from suite.data.batch import Batch
from suite.papers.base import Paper

_STEP = "suite/step"
_FORWARD = 0  # scope of an event: an operation, not a node of the way back


def shares_of_networks(model: Paper, step: Step, batch: Batch, autocast: torch.autocast) -> dict[str, float]:
    """By network the share of a step's time: of a CPU, or of what a GPU was at work. The rest is all else that it does.

    Of those that a model trains or rests on, and of those that it holds for its losses; they are left as they are,
    but for the step, and for who calls them: they are not to be timed any more.
    """
    there = [*model.named_children(), *model.held.items()]
    networks = {name: one for name, one in there if name != "ema" and any(True for _ in one.parameters())}
    for name, network in networks.items():
        for called in ("forward", "taps"):
            if hasattr(network, called):
                setattr(network, called, _noted(getattr(network, called), f"suite/{name}"))
    on_gpu = next(model.parameters()).device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as profiler, autocast, record_function(_STEP):
        step(batch)
        wait_for_device()
    return _shares([f"suite/{name}" for name in networks], profiler.events(), on_gpu)


def _noted(call: Callable[..., Any], name: str) -> Callable[..., Any]:
    @wraps(call)
    def noted(*args: Any, **kwargs: Any) -> Any:
        with record_function(name):
            return call(*args, **kwargs)

    return noted


def _shares(networks: list[str], events: Any, on_gpu: bool) -> dict[str, float]:
    # What a range on the CPU has started on the GPU counts for it; the GPU's own events would count twice.
    here = sorted(
        (e for e in events if e.device_type == torch.autograd.DeviceType.CPU), key=lambda e: e.time_range.start
    )

    def seconds(event: Any) -> float:
        return event.device_time_total if on_gpu else event.cpu_time_total

    of: dict[str, float] = dict.fromkeys(networks, 0.0)
    owners: dict[int, str] = {}  # by the number that autograd gives an operation, and its way back
    until, owner = -1.0, ""
    for event in here:
        if event.name in of:
            of[event.name] += seconds(event)
            if event.time_range.start >= until:
                until, owner = event.time_range.end, event.name
        elif event.scope == _FORWARD and event.sequence_nr >= 0 and not _is_way_back(event):
            # The last operation with a number is the one that has it: earlier ones had no way back.
            owners[event.sequence_nr] = owner if event.time_range.start < until else ""
    total = sum(seconds(event) for event in here if event.name == _STEP)
    for event in here:
        if _is_way_back(event):
            if found := owners.get(event.sequence_nr):
                of[found] += seconds(event)
            if on_gpu:  # another thread's, which the step's own range does not hold
                total += seconds(event)
    return {name.removeprefix("suite/"): of_one / total for name, of_one in of.items() if of_one}


def _is_way_back(event: Any) -> bool:
    return bool(event.name.startswith("autograd::engine::evaluate_function"))
