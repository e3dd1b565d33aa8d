"""Distances between a picture and its true counterpart, or the closest of several, one figure a picture.

Both are float32 (B, C, H, W) in [-1, 1] (values outside are clamped by the caller); every function returns (B,).
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from suite.images import signed_to_unit
from suite.networks.vgg import VGG

SIGNED_RANGE = (-1.0, 1.0)
# Equal pictures have infinite PSNR, and one of them would make the mean of a set infinite. A single 8-bit step in one
# value of a 256 x 256 RGB picture already lies at 101 dB.
PSNR_CEILING = 100.0


def psnr(fake: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB over all channels, at most `PSNR_CEILING`. Higher is better."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    values = peak_signal_noise_ratio(fake, truth, data_range=SIGNED_RANGE, reduction="none", dim=(1, 2, 3))
    return values.clamp(max=PSNR_CEILING)


def ssim(fake: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004, Eq. 13), the mean over pixels and channels: 1 for equal pictures.

    On [0, 1] with range 1, K1 = 0.01, K2 = 0.03 and Gaussian windows of 11 x 11 with sigma 1.5, as in the paper. Every
    pixel counts: at the border the window sees the picture mirrored, as in torchmetrics. Wang's own code and
    scikit-image leave the outer five pixels out; at 64 pixels a side that can change the second digit. Pictures of
    less than six pixels a side can't be mirrored that far.
    """
    # A variance is a difference of squares: in fp32 its rounding shows beside K2^2 in flat pictures.
    wide = torch.float32 if fake.device.type == "mps" else torch.float64  # Apple's GPUs have no fp64
    x, y = signed_to_unit(fake).to(wide), signed_to_unit(truth).to(wide)
    rows, columns = (_gaussian_windows(side).to(x) for side in x.shape[-2:])

    def local_mean(values: Tensor) -> Tensor:
        return rows @ values @ columns.T

    mean_x, mean_y = local_mean(x), local_mean(y)
    variances = local_mean(x * x) - mean_x**2 + local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return (luminance * (2 * covariance + c2) / (variances + c2)).mean(dim=(1, 2, 3)).float()


def _gaussian_windows(side: int) -> Tensor:
    """(side, side) fp64: in row i the weights with which the pixels of a line are averaged around pixel i."""
    offsets = torch.arange(-5, 6, dtype=torch.float64)
    weights = torch.softmax(-(offsets**2) / (2 * 1.5**2), dim=0)
    pixels = torch.arange(side)
    seen = F.pad(pixels.double()[None], (5, 5), mode="reflect")[0].long()
    windows = torch.zeros(side, side, dtype=torch.float64)
    for offset, weight in enumerate(weights):
        windows[pixels, seen[offset : offset + side]] += weight
    return windows


def l1(fake: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference on the scale of the training losses: 0 for equal pictures, 2 for black to white."""
    return (fake - truth).abs().mean(dim=(1, 2, 3))


class LP(nn.Module):
    """L_p of Liu 2018 (DA-GAN), Eq. 4: how far the features of VGG-19's conv3_4, before its ReLU, lie apart.

    vgg19: torchvision's file; None is a VGG-19 of random weights. The paper does not say which of three figures its
    own are, so all are given: `lp_sum`, the squared Frobenius norm of the difference, as Eq. 4 is written; `lp_mean`,
    that over the number of features; `lp_norm`, its root. 0 for equal pictures.
    """

    def __init__(self, vgg19: Path | None) -> None:
        super().__init__()
        self.network = VGG(19, "conv3_4", vgg19)

    def forward(self, fake: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """(B, 1 or 3, H, W) in [-1, 1], at least 4 pixels a side, to three (B,), float32 under any autocast."""
        squares = (self.network(fake) - self.network(truth)).square().flatten(1)
        total = squares.sum(dim=1)
        return {"lp_sum": total, "lp_mean": total / squares.shape[1], "lp_norm": total.sqrt()}


def l1_closest(fake: Tensor, drawings: Tensor, count: Tensor) -> Tensor:
    """`l1` to the closest of several drawings, each as a whole picture (Gao 2020, section 6.1).

    `drawings` is (B, K, C, H, W), of which the first `count` (B,), at least one, are there; the others are padding.
    """
    distances = (fake[:, None] - drawings).abs().mean(dim=(2, 3, 4))  # (B, K)
    padding = torch.arange(drawings.shape[1], device=count.device) >= count[:, None]
    return distances.masked_fill(padding, torch.inf).amin(dim=1)
