"""Networks as published code has them."""

import torch
from torch import nn

NORMS = {
    "batch": nn.BatchNorm2d,
    "instance": nn.InstanceNorm2d,
    "old instance": lambda channels: nn.InstanceNorm2d(channels, track_running_stats=True),
    "affine instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "none": lambda channels: nn.Identity(),
}


def with_contrast(network: nn.Module) -> nn.Module:
    """Every weight and statistic drawn anew, so large that none is without effect."""
    torch.manual_seed(0)
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif value.is_floating_point():
            value.normal_(0, value[0].numel() ** -0.5 if value.ndim == 4 else 0.5)
    return network.eval()
