"""Discriminators that judge patches: every output is one logit for one receptive field of the input."""

from typing import Annotated

from torch import Tensor, nn

from suite.arguments import Positive, Range
from suite.errors import UserError
from suite.networks.contract import Discriminator
from suite.networks.layers import Halvings, Norm, Width, has_bias, norm_layer


class PatchDiscriminator(Discriminator):
    """PatchGAN (Isola 2017, appendix 6.1.2): `downs` strided and two plain 4x4 convolutions, no sigmoid.

    (B, in_channels, H, W) -> (B, 1, H', W') logits; 30x30 at 256 with 3 downs, each seeing 70x70 pixels.
    2,764,737 parameters with 3 channels and InstanceNorm, 2,768,705 with 6 and BatchNorm.
    """

    def __init__(
        self,
        in_channels: int,
        downs: Halvings = 3,
        width: Width = 64,
        norm: Norm = "instance",
        field: Positive | None = None,  # pixels that a logit sees, a side: instead of `downs`
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        if field is not None:
            downs = _downs_of(field)
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


def _downs_of(field: int) -> int:
    """How many halvings make a logit see `field` pixels: 9 * 2**downs - 2. Raises UserError where none do."""
    fields = [9 * 2**downs - 2 for downs in range(1, 8)]
    if field in fields:
        return 1 + fields.index(field)
    near = sorted(sorted(fields, key=lambda possible: abs(possible - field))[:2])
    raise UserError(
        f"model.discriminator.field={field}: no PatchGAN sees just that many pixels; "
        f"the nearest see {near[0]} and {near[1]}"
    )


class GlobalDiscriminator(Discriminator):
    """One logit for the whole picture: strided convolutions without padding, so that it sees `size` pixels exactly.

    (B, in_channels, size, size) -> (B, 1, 1, 1) logits; of larger pictures one for each place of that square. At 256
    the kernels are 8, 3, 4, 4, 4 and, not strided, 6: the discriminator of Li 2019 (Photo-Sketching), whose code Gao
    (2020, section 6.1.3) builds on. At other sizes too, kernels of 3 or 4 leave no pixel out on the way down to 6.
    2,721,638 parameters with 4 channels and BatchNorm.
    """

    def __init__(
        self,
        in_channels: int,
        size: Annotated[int, Range(least=20, most=2**13)] = 256,
        width: Width = 64,
        norm: Norm = "instance",
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.smallest = size
        kernels, side = [8 - size % 2], size  # an odd side wants an odd kernel, or its last pixel would be left out
        while (side := (side - kernels[-1]) // 2 + 1) > 6:
            kernels.append(4 - side % 2)
        widths = [min(2**level, 8) * width for level in range(len(kernels) - 1)]

        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, kernels[0], stride=2), nn.LeakyReLU(0.2, True)]
        for before, after, kernel in zip(widths, widths[1:], kernels[1:-1], strict=False):
            layers += [
                nn.Conv2d(before, after, kernel, stride=2, bias=has_bias(norm)),
                norm_layer(norm, after),
                nn.LeakyReLU(0.2, True),
            ]
        layers += [nn.Conv2d(widths[-1], 1, kernels[-1], stride=2), nn.Conv2d(1, 1, side)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class PixelDiscriminator(Discriminator):
    """PixelGAN (Isola 2017, section 4.4): three 1x1 convolutions judge every pixel by its colour alone.

    (B, in_channels, H, W) -> (B, 1, H, W) logits. 8,705 parameters with 3 channels and InstanceNorm.
    """

    def __init__(self, in_channels: int, width: Width = 64, norm: Norm = "instance") -> None:
        super().__init__()
        self.in_channels = in_channels
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
