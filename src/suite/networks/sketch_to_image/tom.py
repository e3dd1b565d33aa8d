"""TOM of Liu 2021, which makes sketches of photos: a decoder of VGG's features, a discriminator of Gram matrices."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from torch.nn.utils.parametrizations import spectral_norm

from suite.arguments import Positive
from suite.networks.layers import Width

_SIDE = 16  # of the map that each Gram matrix is laid out as


class SketchGenerator(nn.Module):
    """T: VGG's features of a photo, (B, in_channels, H / 2^ups, W / 2^ups), to its sketch (B, 3, H, W) in [-1, 1].

    The authors read the 256 channels of VGG-16's third pooling: 4,729,347 parameters with those, three doublings and
    width 256.
    """

    out_channels = 3

    def __init__(self, in_channels: Positive, width: Width = 256, ups: Positive = 3) -> None:
        super().__init__()
        channels = [in_channels, *[2 * width] * (ups - 1), width]
        self.layers = nn.Sequential(
            *(layer for before, after in pairwise(channels) for layer in _doubling(before, after)),
            spectral_norm(nn.Conv2d(width, self.out_channels, 3, padding=1)),
            nn.Tanh(),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)


class GramDiscriminator(nn.Module):
    """D_T: Gram matrices of `grams` layers, (B, C, C) each, to logits (B, 1, 3, 3) of being a drawing's.

    Each matrix is averaged, or stretched, to `width` rows of 16 x 16 numbers. 831,841 parameters
    of three at width 128.
    """

    def __init__(self, width: Width = 128, grams: Positive = 3) -> None:
        super().__init__()
        self.width = width
        whole = grams * width
        half, quarter = max(1, whole // 2), max(1, whole // 4)
        self.layers = nn.Sequential(
            spectral_norm(nn.Conv2d(whole, half, 3, padding=1)),
            nn.BatchNorm2d(half),
            nn.LeakyReLU(0.1, True),
            spectral_norm(nn.Conv2d(half, quarter, 3, padding=1)),
            nn.BatchNorm2d(quarter),
            nn.LeakyReLU(0.1, True),
            nn.AvgPool2d(2),
            spectral_norm(nn.Conv2d(quarter, 1, 4, stride=2)),
        )

    def forward(self, grams: Sequence[Tensor]) -> Tensor:
        maps = [adaptive_avg_pool2d(gram, (self.width, _SIDE**2)).unflatten(2, (_SIDE, _SIDE)) for gram in grams]
        return self.layers(torch.cat(maps, dim=1))


def _doubling(before: int, after: int) -> list[nn.Module]:
    convolution = nn.Conv2d(before, after, 3, padding=1, padding_mode="reflect")
    return [
        nn.UpsamplingNearest2d(scale_factor=2),
        spectral_norm(convolution),
        nn.BatchNorm2d(after),
        nn.LeakyReLU(0.01, True),
    ]
