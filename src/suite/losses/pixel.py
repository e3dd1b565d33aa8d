"""Distances between pictures, pixel by pixel; in fp32 whatever the precision of the run."""

import torch
from torch import Tensor

_EPSILON = 1e-12  # the gradient of a root is infinite at 0


def l1(x: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference of two batches of one shape."""
    return torch.nn.functional.l1_loss(x.float(), y.float())


def rmse(x: Tensor, y: Tensor) -> Tensor:
    """Root of the mean squared difference of two batches of one shape, of all pictures together."""
    return ((x.float() - y.float()).square().mean() + _EPSILON).sqrt()


def closest_l1(fakes: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference to the closest drawing of each picture as a whole, averaged over heads and pictures.

    fakes: (heads, B, C, H, W), y: (B, K, C, H, W), both in [-1, 1]. Source: Gao 2020, section 6.1.
    """
    distances = (fakes.float()[:, :, None] - y.float()).abs().mean(dim=(3, 4, 5))  # (heads, B, K)
    return distances.amin(dim=2).mean()
