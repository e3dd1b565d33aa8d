"""Gram matrices: which channels of a feature map go together, wherever in the picture; the style of Gatys 2016."""

import torch
from torch import Tensor


def gram(features: Tensor) -> Tensor:
    """Of each picture F F^T / (C H W), F its features as (C, H W): (B, C, H, W) to (B, C, C), in fp32."""
    with torch.autocast(features.device.type, enabled=False):  # matrix products are what it would make coarse
        f = features.float().flatten(2)
        return f @ f.mT / (f.shape[1] * f.shape[2])


def joint_gram(features: Tensor) -> Tensor:
    """Of the whole batch as if it were one picture of B C channels: (B, C, H, W) to (B C, B C), in fp32.

    F F^T / (B C H W) with F (B C, H W), which holds the products between pictures, too. Source: the code of Liu 2021.
    """
    return gram(features.flatten(0, 1)[None])[0]
