"""The U-Net generator of pix2pix (Isola 2017, appendix 6.1.1), with and without its skip connections."""

import torch
from torch import Tensor, nn

from suite.arguments import ShareBelowOne
from suite.networks.contract import Generator
from suite.networks.layers import Halvings, Norm, Upsample, Width, changed, double, has_bias, norm_layer


class UNetGenerator(Generator):
    """`downs` halvings to a bottleneck and as many doublings, each level joined to its mirror image.

    (B, in_channels, H, W) -> (B, out_channels, H, W) in [-1, 1]; H and W multiples of 2**downs.
    54,413,955 parameters with 8 downs, 3 channels and BatchNorm. `skip=False` keeps the same blocks and leaves
    the concatenations out, so that each decoder block reads half as many channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        downs: Halvings = 8,  # 8 makes a 1x1 bottleneck at 256
        width: Width = 64,  # channels of the outermost level; doubled per level up to 8x
        norm: Norm = "batch",
        dropout: ShareBelowOne = 0.5,  # in the widest inner levels only
        skip: bool = True,
        upsample: Upsample = "transpose",
        residual: bool = False,  # draws what changes of the picture
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.divisor = 2**downs
        self.skip, self.residual = skip, residual
        bias = has_bias(norm)
        widths = [min(2**level, 8) * width for level in range(downs)]

        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for level, channels in enumerate(widths):
            outermost, innermost = level == 0, level == downs - 1
            # Encoder: (LeakyReLU) convolution (norm); the first level has no activation, the first and last no norm.
            down: list[nn.Module] = [] if outermost else [nn.LeakyReLU(0.2)]
            before = in_channels if outermost else widths[level - 1]
            down.append(nn.Conv2d(before, channels, 4, stride=2, padding=1, bias=bias))
            if not (outermost or innermost):
                down.append(norm_layer(norm, channels))
            self.down.append(nn.Sequential(*down))

            # Decoder: ReLU, doubling, norm (dropout); the last level ends in tanh.
            inputs = channels if innermost or not skip else 2 * channels
            up: list[nn.Module] = [nn.ReLU()]
            if outermost:
                up += [double(upsample, inputs, out_channels, kernel=4), nn.Tanh()]
            else:
                after = widths[level - 1]
                up += [double(upsample, inputs, after, kernel=4, bias=bias), norm_layer(norm, after)]
                if dropout > 0 and 4 <= level < downs - 1:
                    up.append(nn.Dropout(dropout))
            self.up.append(nn.Sequential(*up))

    def forward(self, picture: Tensor) -> Tensor:
        x = picture
        encoded: list[Tensor] = []
        for down in self.down:
            x = down(x)
            encoded.append(x)
        for level in reversed(range(len(self.up))):
            if self.skip and level < len(self.up) - 1:
                x = torch.cat([encoded[level], x], dim=1)
            x = self.up[level](x)
        return changed(picture, x) if self.residual else x
