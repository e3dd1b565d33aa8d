"""Adaptive instance normalisation (Huang & Belongie 2017)."""

from torch import Tensor

_EPSILON = 1e-5  # of a variance


def adain(content: Tensor, style: Tensor) -> Tensor:
    """The content's features, with mean and deviation of the style's in each channel: Liu 2021, Eq. 4.

    content: (B, C, H, W), style: (B, C, H', W'); to (B, C, H, W), in fp32.
    """
    (mean, deviation), (of_style, deviation_of_style) = _statistics(content), _statistics(style)
    return deviation_of_style * (content.float() - mean) / deviation + of_style


def _statistics(features: Tensor) -> tuple[Tensor, Tensor]:
    f = features.float()
    return f.mean(dim=(2, 3), keepdim=True), (f.var(dim=(2, 3), keepdim=True) + _EPSILON).sqrt()
