"""Where the time of a training step goes: by the phases of the algorithm, and by kinds of kernels."""

from collections.abc import Iterator
from typing import Any

import torch

from suite.bench.trace import STEP, Trace, is_way_back

Times = dict[tuple[str, str], float]  # milliseconds of a step, by phase and kind

OTHER = "other"
# Parts of the names of CUDA's kernels and of torch's operations, in small letters: the first that is found counts.
# Names of templates hold those of others, so that the order matters: a copy is an elementwise kernel, too. Products of
# matrices go with the convolutions, whose kernels they are.
KINDS: dict[str, tuple[str, ...]] = {
    "optimizer": ("adam", "sgd"),
    "padding": ("reflection_pad", "replication_pad", "constant_pad"),
    "norms": ("batch_norm", "batchnorm", "instance_norm", "layer_norm", "bn_fw", "bn_bw", "cudnn::bn"),
    "copies": ("memcpy", "memset", "copy", "catarray", "aten::cat", "tonhwc", "tonchw", "aten::to", "aten::clone"),
    "convolutions": (
        "conv", "gemm", "gemv", "cutlass", "xmma", "winograd", "fprop", "dgrad", "wgrad", "nvjet", "splitk", "im2col",
        "col2im", "scudnn", "cudnn", "aten::mm", "aten::bmm", "addmm", "matmul", "aten::linear",
    ),
    "reductions": ("reduce", "lpnorm", "triton_red", "triton_per", "aten::sum", "aten::mean", "norm"),
    "pointwise": (
        "elementwise", "multi_tensor_apply", "triton_poi", "cpp_fused", "_foreach", "relu", "tanh", "sigmoid", "_loss",
        "aten::add", "aten::sub", "aten::rsub", "aten::mul", "aten::div", "aten::abs", "aten::sgn", "aten::neg",
        "aten::where", "aten::clamp", "aten::threshold", "aten::lerp", "aten::fill", "aten::zero_", "aten::pow",
        "aten::sqrt", "aten::exp", "aten::log", "aten::gt", "aten::eq", "dropout", "softplus",
    ),
}  # fmt: skip


def kind_of(name: str) -> str:
    """The kind of a CUDA kernel, or of an operation on a CPU, by its name."""
    if name.startswith("suite/"):
        return OTHER  # Python between the operations of a range
    small = name.lower()
    return next((kind for kind, parts in KINDS.items() if any(part in small for part in parts)), OTHER)


def times_of(trace: Trace) -> Times:
    """Of a GPU the time of its kernels, of a CPU that of operations without those they call: each counted once."""
    times: Times = {}
    for event in trace.events:
        if event.device_type != torch.autograd.DeviceType.CPU:
            continue  # a kernel is counted where it was launched: there its phase is known
        for name, microseconds in _work(event, trace.on_gpu):
            if microseconds > 0:
                place = phase_of(event, trace.networks), kind_of(name)
                times[place] = times.get(place, 0.0) + microseconds / 1e3 / trace.steps
    return times


def _work(event: Any, on_gpu: bool) -> Iterator[tuple[str, float]]:
    if not on_gpu:
        yield event.name, event.self_cpu_time_total
        return
    for kernel in event.kernels:
        if kernel.name != event.name:  # else a range, which the profiler draws on the GPU, too
            yield kernel.name, kernel.duration


def phase_of(event: Any, networks: list[str]) -> str:
    """The innermost range that it lies in, or the way back; what lies in none belongs to the losses."""
    while event is not None and event.name != STEP:
        if event.name in networks:
            return f"forward {event.name.removeprefix('suite/')}"
        if event.name.startswith("suite/"):
            return event.name.removeprefix("suite/")
        if is_way_back(event):
            return "backward"
        event = event.cpu_parent
    return "losses"


def shares_by(times: Times, which: int) -> dict[str, float]:
    """The shares by phase (0) or by kind (1), the largest first: together 1."""
    found: dict[str, float] = {}
    for place, time in times.items():
        found[place[which]] = found.get(place[which], 0.0) + time
    total = sum(found.values())
    return {name: found[name] / total for name in sorted(found, key=lambda name: -found[name])}


def table_of(times: Times) -> str:
    """Milliseconds, a row each phase and a column each kind, the largest first."""
    phases, kinds = list(shares_by(times, 0)), list(shares_by(times, 1))
    wide = max(len(phase) for phase in [*phases, "ms of a step"])

    def row(title: str, cells: list[str]) -> str:
        return "  ".join([title.ljust(wide), *(f"{cell:>12}" for cell in cells)])

    rows = [row("ms of a step", [*kinds, "all"])]
    for phase in phases:
        of_kind = [times.get((phase, kind), 0.0) for kind in kinds]
        rows.append(row(phase, [f"{ms:.3f}" if ms else "" for ms in [*of_kind, sum(of_kind)]]))
    sums = [sum(ms for (_, of), ms in times.items() if of == kind) for kind in kinds]
    return "\n".join([*rows, row("all", [f"{ms:.3f}" for ms in [*sums, sum(sums)]])])
