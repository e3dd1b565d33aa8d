"""Three ways from a photo to a sketch. Each takes floats in [0, 1], (B, 1 or 3, H, W), to float32, (B, 1, H, W)."""

import math
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from suite.arguments import Range, ShareBelowOne
from suite.images import luma

# What the options may be. Widths are in pixels, at 256.
Sigma = Annotated[float, Range(least=0, below=65)]
Percentile = Annotated[float, Range(least=50, below=100)]
Gamma = Annotated[float, Range(least=0.1, below=10)]
Contrast = Annotated[float, Range(least=0.1, below=20)]
Ratio = Annotated[float, Range(least=1.05, below=10)]
Steepness = Annotated[float, Range(least=0, below=1000)]
Tone = Annotated[float, Range(least=0, below=10)]

_FAINTEST_EDGE = 0.03  # brightness a pixel, at 256: below it is grain, which a flat photo should not be stretched to
_DARKEST = 0.05  # brightness: keeps the grain of what is nearly black from being divided by nearly nothing


def scale(pictures: Tensor) -> float:
    """By how much widths stated at 256 pixels grow in pictures of this size: their shorter side decides."""
    return min(pictures.shape[-2:]) / 256


def sobel(
    photo: Tensor, sigma: Sigma = 0.8, percentile: Percentile = 99.0, paper: ShareBelowOne = 0.1, gamma: Gamma = 1.0
) -> Tensor:
    """Sobel edges with their contrast enhanced, DA-GAN's simulated sketch (Liu et al. 2018, section 4).

    The paper names the two steps and no figures, these are ours: luma, smoothed by a Gaussian of `sigma` pixels (at
    256); Sobel's gradient magnitude, as a share of its `percentile` in that picture; shares up to `paper` are left
    white, the rest is stretched over the whole range and raised to `gamma` (above 1: faint lines fade). Scaling a
    photo's brightness changes nothing, unless it has no edge worth the name.
    """
    grey = _blur(luma(photo), sigma * scale(photo))
    # kornia's spatial_gradient copies its kernels from the host, which waits for the device, and is slower on a CPU.
    padded = F.pad(grey, (1, 1, 1, 1), "replicate")
    across, down = padded[..., 2:] - padded[..., :-2], padded[..., 2:, :] - padded[..., :-2, :]
    across = (across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]) / 8
    down = (down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]) / 8
    magnitude = (across.square() + down.square() + 1e-12).sqrt()
    # torch.quantile stops at 16 million numbers.
    steepest = max(1, round(magnitude[0].numel() * (1 - percentile / 100)))
    top = magnitude.flatten(1).topk(steepest, sorted=False).values.amin(1)
    share = magnitude / top.clamp_min(_FAINTEST_EDGE / max(1, scale(photo)))[:, None, None, None]
    return 1 - _power(((share - paper) / (1 - paper)).clamp(0, 1), gamma)


def dodge(photo: Tensor, sigma: Sigma = 3.5, paper: ShareBelowOne = 0.04, contrast: Contrast = 3.0) -> Tensor:
    """Colour dodge, a soft pencil: luma divided by its own blur (Convolutional Sketch Inversion, Gucluturk 2016).

    `sigma`, in pixels at 256 and at least 1 pixel, is that of the 21 x 21 window in public recipes. What is darker
    than its surroundings by a share of up to `paper` is left white; `contrast`, an exponent, darkens the lines. Those
    two are ours: the plain recipe, `paper=0 contrast=1`, is faint and shows the grain of the photo.
    """
    grey = luma(photo)
    ratio = (grey + _DARKEST) / (_blur(grey, max(sigma * scale(photo), 1.0)) + _DARKEST)
    return _power((ratio / (1 - paper)).clamp(0, 1), contrast)


def xdog(
    photo: Tensor,
    sigma: Sigma = 1.0,
    ratio: Ratio = 1.6,
    sharpness: Steepness = 16.0,
    threshold: ShareBelowOne = 0.7,
    steepness: Steepness = 3.0,
    tone: Tone = 0.0,
) -> Tensor:
    """Extended difference of Gaussians, ink lines (XDoG, Winnemoeller et al. 2012), as in Scribbler's sketches.

    The symbols of the paper: `sigma` (pixels at 256, at least 0.6 pixels) and k (`ratio`, 1.6 there) of the Gaussians,
    p (`sharpness`, about 20 there), and of the soft threshold 1 + tanh(phi * (u - epsilon)) below epsilon
    (`threshold`) its slope phi (`steepness`). Ours is that u is in units of the photo's mean brightness, so that one
    threshold fits all exposures, and `tone`: 1 is the published filter, which fills what is darker than `threshold`
    times the mean with black, 0 draws lines alone.
    """
    grey, fine = luma(photo), max(sigma * scale(photo), 0.6)
    narrow, wide = _blur(grey, fine), _blur(grey, fine * ratio)
    # One by one: how a sum is shared out among threads depends on how many sums there are.
    mean = torch.stack([picture.mean() for picture in grey])[:, None, None, None]
    u = 1 + (tone * (narrow - mean) + sharpness * (narrow - wide)) / mean.clamp_min(_DARKEST)
    return torch.where(u >= threshold, 1.0, 1 + torch.tanh(steepness * (u - threshold)))


def _power(share: Tensor, exponent: float) -> Tensor:
    """Of [0, 1]. torch.pow rounds otherwise where the last pixels of a batch fill no vector of the processor."""
    return share**exponent if exponent in (1, 2, 3) else (share.log() * exponent).exp()


def _blur(grey: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of `sigma` pixels, cut off at 3 sigma; mirrored at the rim, where zeros would draw a frame."""
    radius = min(math.ceil(3 * sigma), min(grey.shape[-2:]) - 1)
    if radius < 1:
        return grey
    bell = [math.exp(-((offset / sigma) ** 2) / 2) for offset in range(radius + 1)]
    total = bell[0] + 2 * sum(bell[1:])
    weights = [value / total for value in bell]
    down = _weighted(F.pad(grey, (0, 0, radius, radius), "reflect"), weights, -2)
    return _weighted(F.pad(down, (radius, radius, 0, 0), "reflect"), weights, -1)


def _weighted(padded: Tensor, weights: list[float], axis: int) -> Tensor:
    """Sums along an axis: of the pixel itself by the first weight, of its two neighbours n pixels away by the nth.

    Shifted copies, multiplied and added in a fixed order: each pixel is rounded alike whatever batch it is in. A
    convolution is computed in another order for another number of pictures, and in TF32 on a GPU, of which xdog's
    sharpness and steepness make differences that can be seen.
    """
    radius = len(weights) - 1
    size = padded.shape[axis] - 2 * radius
    out = padded.narrow(axis, radius, size) * weights[0]
    both = torch.empty_like(out)
    for offset, weight in enumerate(weights[1:], 1):
        torch.add(padded.narrow(axis, radius - offset, size), padded.narrow(axis, radius + offset, size), out=both)
        out += both.mul_(weight)  # not add(alpha=...), which rounds once or twice by the processor
    return out
