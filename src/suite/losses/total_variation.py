"""Total variation: how much a picture changes from pixel to pixel."""

from torch import Tensor

from suite.losses.reduction import Reduction, reduced

_EPSILON = 1e-8  # the gradient of a root is infinite at 0, where a picture is flat


def total_variation(pictures: Tensor, reduction: Reduction = "sum") -> Tensor:
    """Of each picture the sum, or mean, of gradient lengths over pixels and channels, and then their mean.

    pictures: (B, C, H, W). A pixel's gradient is to the one below and to the one at its right, so the last row and
    column have none. In fp32. Source: Mahendran & Vedaldi 2015, with beta 1; Liu 2018 (DA-GAN), Eq. 5.
    """
    x = pictures.float()
    down, across = x[..., 1:, :-1] - x[..., :-1, :-1], x[..., :-1, 1:] - x[..., :-1, :-1]
    return reduced((down.square() + across.square() + _EPSILON).sqrt(), reduction)
