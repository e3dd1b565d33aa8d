"""The encoders of Liu 2021: of the style of a photo, of the content of a sketch; and the classifier of styles."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from suite.arguments import Positive
from suite.networks.contract import PictureNetwork
from suite.networks.layers import Width
from suite.networks.sketch_to_image.blocks import ResBlkE, sides_below

Codes = Literal["all", "last"]

SLOPE = 0.1  # of LeakyReLU, but behind the first convolution


class ContentEncoder(PictureNetwork):
    """E_content: sketches (B, in_channels, size, size) to maps of 32, 16 and 8 pixels a side.

    They have 2, 4 and 8 times `width` channels. 9,033,664 parameters with one input channel at 512 pixels and width 64.
    """

    def __init__(self, in_channels: int, size: Positive, width: Width, spectral_bn: bool) -> None:
        super().__init__()
        self.in_channels, self.divisor, self.smallest = in_channels, size // 8, size  # the decoder's constant is 8 x 8
        self.trunk = _Trunk(in_channels, size, width, spectral_bn)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.trunk(x)


class StyleEncoder(PictureNetwork):
    """E_style: photos (B, in_channels, size, size) to three vectors (B, `features[i]`): 2, 4 and 8 times `width`.

    Each is of another map of the trunk, averaged to 4 x 4 places that a convolution reads: where in the picture a
    colour is, is part of the style. codes: all, or the last in place of each (section 4.1 has no other). 14,539,200
    parameters with three channels at 512 pixels and width 64.
    """

    def __init__(self, in_channels: int, size: Positive, width: Width, spectral_bn: bool, codes: Codes = "all") -> None:
        super().__init__()
        self.in_channels, self.divisor, self.smallest = in_channels, size // 8, size
        self.trunk = _Trunk(in_channels, size, width, spectral_bn)
        self.codes, self.features = codes, style_features(width, codes)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Conv2d(channels, channels, 4, bias=False), nn.Flatten())
            for channels in (self.features if codes == "all" else self.features[-1:])
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps = self.trunk(x)
        if self.codes == "last":
            high = self.heads[0](maps[-1])
            return high, high, high
        low, middle, high = (head(of_side) for head, of_side in zip(self.heads, maps, strict=True))
        return low, middle, high


class StyleHead(nn.Module):
    """The classifier behind E_style's last vector: (B, features) to logits (B, classes), a class a photo.

    256,500 parameters with 512 features and 500 classes.
    """

    def __init__(self, features: Positive, classes: Positive) -> None:
        super().__init__()
        self.linear = nn.Linear(features, classes)

    def forward(self, vector: Tensor, detached: bool = False) -> Tensor:
        """detached: gradients reach the vectors and not this network's weights."""
        weights: list[Tensor] = [self.linear.weight, self.linear.bias]
        if detached:
            weights = [weight.detach() for weight in weights]
        return F.linear(F.leaky_relu(vector, SLOPE), *weights)

    @torch.no_grad()
    def renew(self, generator: torch.Generator | None = None) -> None:
        """Forget every class: other photos will take the labels. In place; the generator is on the weights' device."""
        limit = self.linear.in_features**-0.5
        self.linear.weight.uniform_(-limit, limit, generator=generator)
        self.linear.bias.uniform_(-0.1 * limit, 0.1 * limit, generator=generator)


def style_features(width: int, codes: Codes = "all") -> tuple[int, int, int]:
    """How long the three style vectors are."""
    return (8 * width, 8 * width, 8 * width) if codes == "last" else (2 * width, 4 * width, 8 * width)


def distinct(styles: tuple[Tensor, Tensor, Tensor], codes: Codes) -> list[Tensor]:
    """The style vectors, each once."""
    return list(styles) if codes == "all" else [styles[-1]]


class _Trunk(nn.Module):
    """Strided convolutions from `size` to 8 pixels, with a residual block each at 32, 16 and 8: maps of those three."""

    def __init__(self, in_channels: int, size: int, width: int, spectral_bn: bool) -> None:
        super().__init__()
        channels = {256: width // 4, 128: width // 2, 64: width, 32: 2 * width, 16: 4 * width, 8: 8 * width}
        outer: list[nn.Module] = []
        before = in_channels
        for side in sides_below(size, 64):
            after = max(1, channels[side])
            outer.append(_halving(before, after))
            outer += [nn.BatchNorm2d(after), nn.LeakyReLU(SLOPE, True)] if len(outer) > 1 else [nn.LeakyReLU(0.2, True)]
            before = after
        self.to_32 = nn.Sequential(*outer, _halving(before, 2 * width), ResBlkE(2 * width, spectral_bn))
        self.to_16 = _inner(2 * width, spectral_bn)
        self.to_8 = _inner(4 * width, spectral_bn)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        of_32 = self.to_32(x)
        of_16 = self.to_16(of_32)
        return of_32, of_16, self.to_8(of_16)


def _inner(before: int, spectral_bn: bool) -> nn.Sequential:
    # Not in place: the map that it reads is an output, too.
    return nn.Sequential(nn.LeakyReLU(SLOPE), _halving(before, 2 * before), ResBlkE(2 * before, spectral_bn))


def _halving(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False)
