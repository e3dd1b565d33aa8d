"""Optimizers whose step can be recorded: one kernel for all weights, learning rates that keep their places."""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from suite.updates.freezing import learnt

OptimizerName = Literal["adam", "sgd"]


def in_groups(networks: Mapping[str, nn.Module], apart: Collection[str]) -> dict[str, list[nn.Parameter]]:
    """The weights of networks that learn: of those `apart` by their names, of all others together, as ""."""
    groups: dict[str, list[nn.Parameter]] = {}
    for name, network in networks.items():
        if weights := learnt(network):
            groups.setdefault(name if name in apart else "", []).extend(weights)
    return groups


def make_optimizer(
    name: OptimizerName,
    groups: Mapping[str, list[nn.Parameter]],
    lr: float,
    betas: tuple[float, float],
    scaled: bool,
) -> Adam | SGD:
    """Adam, or SGD without momentum; its learning rates are tensors, to be filled and not replaced.

    groups: as `in_groups` makes them, each with a learning rate of its own.
    scaled: whether gradients are scaled, as in 16-mixed. A fused step would unscale them itself, which leaves no moment
    to look at them in between.
    """
    device = next(iter(groups.values()))[0].device
    # The kernels of accelerators take no other type than fp32, those of a CPU any.
    dtype = torch.float64 if device.type == "cpu" else torch.float32

    def rate() -> Tensor:
        return torch.tensor(lr, dtype=dtype, device=device)

    parts = [{"params": weights, "lr": rate(), "network": network} for network, weights in groups.items()]
    if name == "sgd":
        return SGD(parts, lr=rate(), fused=not scaled)
    how = {"capturable": device.type == "cuda"} | ({} if scaled else {"fused": True})  # else it refuses to be recorded
    return Adam(parts, lr=rate(), betas=betas, **how)


def norm_of_gradients(optimizer: Optimizer, clip_norm: float) -> Tensor:
    """The norm of all gradients that a step of the optimizer sees, as it was before `clip_norm` clips it; 0: any."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"] if weight.grad is not None]
    if clip_norm > 0:
        return nn.utils.clip_grad_norm_(weights, clip_norm)
    return nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])


def forget(optimizer: Optimizer, weights: Iterable[nn.Parameter]) -> None:
    """Set what it remembers of some weights to what it knew before their first step, in place."""
    for weight in weights:
        for value in optimizer.state.get(weight, {}).values():
            value.zero_()
