"""The network of convolutional sketch inversion (Güçlütürk 2016)."""

from torch import Tensor, nn

from suite.networks.contract import Generator
from suite.networks.layers import Norm, Width, init_normal, norm_layer


class SketchInversionNetwork(Generator):
    """Sketch to photo: two halvings, five residual blocks, two transposed convolutions, tanh.

    (B, in_channels, H, W) -> (B, out_channels, H, W) in [-1, 1]; H and W multiples of 4. Normalised before the tanh,
    too, as published: in training a picture's colours depend on those beside it. 1,670,851 parameters with one input
    channel at width 32 in the convolutions, which keep their biases; 1,674,057 with BatchNorm's.
    """

    divisor = 4

    def __init__(self, in_channels: int, out_channels: int, width: Width, norm: Norm) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, width, 9, padding=4),
            *_normalised(width, norm),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            *_normalised(2 * width, norm),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
            *_normalised(4 * width, norm),
            *(_Residual(4 * width, norm) for _ in range(5)),
            nn.ConvTranspose2d(4 * width, 2 * width, 3, stride=2, padding=1, output_padding=1),
            *_normalised(2 * width, norm),
            nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1),
            *_normalised(width, norm),
            nn.Conv2d(width, out_channels, 9, padding=4),
            norm_layer(norm, out_channels),
            nn.Tanh(),
        )
        init_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class _Residual(nn.Module):
    """x + F(x), F two 3x3 convolutions; nothing is rectified behind the sum."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            *_normalised(channels, norm),
            nn.Conv2d(channels, channels, 3, padding=1),
            norm_layer(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)


def _normalised(channels: int, norm: Norm) -> list[nn.Module]:
    return [norm_layer(norm, channels), nn.ReLU(inplace=True)]
