"""Optimizers whose step can be recorded: one kernel for all weights, a learning rate that keeps its place."""

from typing import Any, Literal

import torch
from torch import nn
from torch.optim import SGD, Adam

OptimizerName = Literal["adam", "sgd"]


def make_optimizer(
    name: OptimizerName, weights: list[nn.Parameter], lr: float, betas: tuple[float, float], scaled: bool
) -> Adam | SGD:
    """Adam, or SGD without momentum; its learning rate is a tensor, to be filled and not replaced.

    scaled: whether gradients are scaled, as in 16-mixed. A fused step would unscale them itself, which leaves no moment
    to look at them in between.
    """
    device = weights[0].device
    # The kernels of accelerators take no other type than fp32, those of a CPU any.
    rate = torch.tensor(lr, dtype=torch.float64 if device.type == "cpu" else torch.float32, device=device)
    if name == "sgd":
        return SGD(weights, lr=rate, fused=not scaled)
    how: dict[str, Any] = {"capturable": device.type == "cuda"} if scaled else {"fused": True}
    return Adam(weights, lr=rate, betas=betas, **how)
