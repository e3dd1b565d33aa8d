"""DA-GAN's networks (Liu 2018, Table 1): the inversion network, a variational auto-encoder, and the domain
adversarial network, which tells whose latent codes it sees.

Sizes of 96x96 pictures at width 16, the paper's. What the table leaves open is an argument.
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from suite.networks.contract import Generator, PictureNetwork
from suite.networks.layers import Norm, Width, norm_layer

SLOPE = 0.2  # of every LeakyReLU (section 3.1)
Upsampling = Literal["nearest", "transposed"]
LatentHeads = Literal["split", "heads"]


class InversionNetwork(Generator):
    """Sketch to photo through a latent code: Inv-Net, (B, in_channels, H, W) -> (B, out_channels, H, W) in [-1, 1].

    H and W multiples of 16. Deterministic: the code is the mean of the encoder's distribution. 17,674,403 parameters
    with one input channel at width 16.
    """

    divisor = 16

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: Width,
        norm: Norm,
        upsampling: Upsampling,
        latent_heads: LatentHeads,
        hidden: Literal[1, 2],
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.encoder = Encoder(in_channels, width, norm, latent_heads)
        self.decoder = Decoder(out_channels, width, norm, upsampling, hidden)
        init_he(self)

    def forward(self, x: Tensor) -> Tensor:
        mean, _ = self.encoder(x)
        return self.decoder(mean)


class Encoder(PictureNetwork):
    """Sketches to the mean and log-variance of their codes, (B, 16 width, H/16, W/16) each.

    split: the last map of 32 width channels is halved, so that both rows of Table 1, 512 and 256 channels, hold as they
    stand; heads: two 1x1 convolutions read it. Behind the last sum nothing is rectified: a mean may be negative.
    """

    divisor = 16

    def __init__(self, in_channels: int, width: Width, norm: Norm, latent_heads: LatentHeads) -> None:
        super().__init__()
        self.in_channels, self.latent_channels = in_channels, 16 * width
        self.layers = nn.Sequential(
            *_convolution(in_channels, width, 9, 1, norm),  # 16 x 96 x 96
            *_convolution(width, 2 * width, 5, 2, norm),  # 32 x 48 x 48
            *_convolution(2 * width, 4 * width, 3, 2, norm),  # 64 x 24 x 24
            *_convolution(4 * width, 8 * width, 3, 2, norm),  # 128 x 12 x 12
            Residual(8 * width, 32 * width, 32 * width, norm, stride=2),  # 512 x 6 x 6
            nn.LeakyReLU(SLOPE, inplace=True),
            Residual(32 * width, 32 * width, 32 * width, norm),
            nn.LeakyReLU(SLOPE, inplace=True),
            Residual(32 * width, 32 * width, 32 * width, norm),
        )
        self.heads = nn.Conv2d(32 * width, 32 * width, 1) if latent_heads == "heads" else nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.heads(self.layers(x)).chunk(2, dim=1)
        return mean, log_variance


class Decoder(nn.Module):
    """Codes (B, 16 width, h, w) to pictures (B, out_channels, 16 h, 16 w) in [-1, 1].

    hidden: channels inside its residual blocks, in multiples of the code's: 2 is the "Res. 512" of Table 1, whose
    activations have 256 channels; 1 takes the label for a slip. nearest: pictures are enlarged, then convolved, as the
    table says "Conv."; transposed: transposed convolutions.
    """

    def __init__(
        self, out_channels: int, width: Width, norm: Norm, upsampling: Upsampling, hidden: Literal[1, 2]
    ) -> None:
        super().__init__()
        code = 16 * width
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [Residual(code, hidden * code, code, norm), nn.LeakyReLU(SLOPE, inplace=True)]  # 256 x 6 x 6
        for channels in (code, code // 2, code // 4, code // 8):  # to 128 x 12 x 12, … 16 x 96 x 96
            layers += _enlarging(channels, channels // 2, norm, upsampling)
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, out_channels, 3, padding=1), nn.Tanh())

    def forward(self, code: Tensor) -> Tensor:
        return self.layers(code)


class DomainNetwork(nn.Module):
    """Codes (B, 16 width, h, w) to the logit of their being of the target domain, (B, 1): DA-Net.

    2,995,345 parameters at width 16 for 6x6 codes. first: the first row of Table 1 is a convolution like the others;
    without it, it is taken for the input.
    """

    def __init__(self, width: Width, side: int, first: bool) -> None:
        super().__init__()
        code = 16 * width
        channels = [code, *([code] if first else []), width, width, 2 * width, 4 * width, 4 * width]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.LeakyReLU(SLOPE, inplace=True)]
        layers += [nn.Flatten(), nn.Linear(4 * width * side * side, 1000), nn.LeakyReLU(SLOPE, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Linear(1000, 1))
        init_he(self)

    def forward(self, code: Tensor) -> Tensor:
        return self.layers(code)


class Residual(nn.Module):
    """x + F(x), F two 3x3 convolutions (He 2016); where it changes the shape, x is projected by a 1x1 convolution."""

    def __init__(self, before: int, hidden: int, after: int, norm: Norm, stride: int = 1) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_convolution(before, hidden, 3, stride, norm),
            nn.Conv2d(hidden, after, 3, padding=1),
            norm_layer(norm, after),
        )
        self.shortcut = nn.Identity() if before == after and stride == 1 else nn.Conv2d(before, after, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.residual(x)


def init_he(network: nn.Module) -> None:
    """Draw every weight as He 2015 for these LeakyReLUs, biases 0: what goes through keeps its size.

    The paper says nothing. Without normalisation N(0, 0.02) would send next to nothing through eleven layers, and from
    codes far smaller than their noise DA-Net learns nothing.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, a=SLOPE)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _convolution(before: int, after: int, kernel: int, stride: int, norm: Norm) -> list[nn.Module]:
    """To the side divided by `stride`; with its bias whatever the norm, so that weights count as in Table 1."""
    return [
        nn.Conv2d(before, after, kernel, stride, padding=kernel // 2),
        norm_layer(norm, after),
        nn.LeakyReLU(SLOPE, inplace=True),
    ]


def _enlarging(before: int, after: int, norm: Norm, upsampling: Upsampling) -> list[nn.Module]:
    if upsampling == "nearest":
        return [nn.UpsamplingNearest2d(scale_factor=2), *_convolution(before, after, 3, 1, norm)]
    enlarge = nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)
    return [enlarge, norm_layer(norm, after), nn.LeakyReLU(SLOPE, inplace=True)]
