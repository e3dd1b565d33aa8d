"""The residual generator of CycleGAN (Zhu 2017, appendix 7.2, after Johnson 2016)."""

from typing import Annotated

from torch import Tensor, nn

from suite.arguments import Range, ShareBelowOne
from suite.networks.contract import Generator
from suite.networks.layers import Norm, Upsample, Width, changed, double, has_bias, norm_layer


class ResNetGenerator(Generator):
    """c7s1-64, d128, d256, `blocks` x R256, u128, u64, c7s1-out, tanh.

    (B, in_channels, H, W) -> (B, out_channels, H, W) in [-1, 1]; H and W multiples of 4.
    Reflection padding everywhere. 11,378,179 parameters with 9 blocks, 3 channels and InstanceNorm.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        blocks: Annotated[int, Range(least=1, most=100)] = 9,
        width: Width = 64,  # channels after the first layer
        norm: Norm = "instance",
        dropout: ShareBelowOne = 0.0,  # inside each block; pix2pix's ResNet uses 0.5
        upsample: Upsample = "transpose",
        residual: bool = False,  # draws what changes of the picture
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.residual = residual
        self.divisor = 4
        bias = has_bias(norm)
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(in_channels, width, 7, bias=bias),
            norm_layer(norm, width),
            nn.ReLU(inplace=True),
        ]
        for channels in (width, 2 * width):
            layers += [
                nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1, bias=bias),
                norm_layer(norm, 2 * channels),
                nn.ReLU(inplace=True),
            ]
        layers += [ResidualBlock(4 * width, norm, dropout) for _ in range(blocks)]
        for channels in (4 * width, 2 * width):
            layers += [
                double(upsample, channels, channels // 2, kernel=3, bias=bias),
                norm_layer(norm, channels // 2),
                nn.ReLU(inplace=True),
            ]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, out_channels, 7), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        drawn = self.layers(x)
        return changed(x, drawn) if self.residual else drawn


class ResidualBlock(nn.Module):
    """x + F(x), F two reflection-padded 3x3 convolutions; no activation after the sum."""

    def __init__(self, channels: int, norm: Norm, dropout: float) -> None:
        super().__init__()
        bias = has_bias(norm)
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(norm, channels),
            nn.ReLU(inplace=True),
        ]
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), norm_layer(norm, channels)]
        self.residual = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)
