"""What share of a training step each network takes, forward and backward."""

from typing import Any

import torch

from suite.bench.trace import STEP, Trace, is_way_back

_FORWARD = 0  # scope of an event: an operation, not a node of the way back


def shares_of_networks(trace: Trace) -> dict[str, float]:
    """By network the share of a step's time: of a CPU, or of what a GPU was at work. The rest is all else that it does.

    A network that another one calls counts for that other.
    """
    # What a range on the CPU has started on the GPU counts for it; the GPU's own events would count twice.
    here = sorted(
        (e for e in trace.events if e.device_type == torch.autograd.DeviceType.CPU), key=lambda e: e.time_range.start
    )

    def seconds(event: Any) -> float:
        return event.device_time_total if trace.on_gpu else event.cpu_time_total

    of: dict[str, float] = dict.fromkeys(trace.networks, 0.0)
    owners: dict[int, str] = {}  # by the number that autograd gives an operation, and its way back
    until, owner = -1.0, ""
    for event in here:
        if event.name in of:
            if event.time_range.start >= until:
                until, owner = event.time_range.end, event.name
                of[event.name] += seconds(event)
        elif event.scope == _FORWARD and event.sequence_nr >= 0 and not is_way_back(event):
            # The last operation with a number is the one that has it: earlier ones had no way back.
            owners[event.sequence_nr] = owner if event.time_range.start < until else ""
    total = sum(seconds(event) for event in here if event.name == STEP)
    for event in here:
        if is_way_back(event):
            if found := owners.get(event.sequence_nr):
                of[found] += seconds(event)
            if trace.on_gpu:  # another thread's, which the step's own range does not hold
                total += seconds(event)
    return {name.removeprefix("suite/"): of_one / total for name, of_one in of.items() if of_one}
