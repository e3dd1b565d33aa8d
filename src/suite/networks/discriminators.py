"""Discriminators that judge patches: every output is one logit for one receptive field of the input."""

from torch import Tensor, nn

from suite.networks.layers import Norm, has_bias, norm_layer


class PatchDiscriminator(nn.Module):
    """PatchGAN (Isola 2017, appendix 6.1.2): `downs` strided and two plain 4x4 convolutions, no sigmoid.

    (B, in_channels, H, W) -> (B, 1, H', W') logits; 30x30 at 256 with 3 downs, each seeing 70x70 pixels.
    2,764,737 parameters with 3 channels and InstanceNorm.
    """

    def __init__(self, in_channels: int, downs: int = 3, width: int = 64, norm: Norm = "instance") -> None:
        super().__init__()
        self.smallest = 3 * 2**downs  # the shortest side that still leaves one logit
        bias = has_bias(norm)
        widths = [min(2**level, 8) * width for level in range(downs + 1)]
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
        for level in range(1, downs + 1):
            stride = 2 if level < downs else 1
            layers += [
                nn.Conv2d(widths[level - 1], widths[level], 4, stride=stride, padding=1, bias=bias),
                norm_layer(norm, widths[level]),
                nn.LeakyReLU(0.2, True),
            ]
        layers.append(nn.Conv2d(widths[-1], 1, 4, stride=1, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class PixelDiscriminator(nn.Module):
    """PixelGAN (Isola 2017, section 4.4): three 1x1 convolutions judge every pixel by its colour alone.

    (B, in_channels, H, W) -> (B, 1, H, W) logits. 8,705 parameters with 3 channels and InstanceNorm.
    """

    def __init__(self, in_channels: int, width: int = 64, norm: Norm = "instance") -> None:
        super().__init__()
        self.smallest = 1
        bias = has_bias(norm)
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, width, 1),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(width, 2 * width, 1, bias=bias),
            norm_layer(norm, 2 * width),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(2 * width, 1, 1, bias=bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
