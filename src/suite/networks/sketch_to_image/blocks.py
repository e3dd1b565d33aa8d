"""What the networks of Liu 2021 are made of: residual blocks with squeeze and excitation, under spectral norm."""

from collections.abc import Collection

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from suite.errors import UserError

SIZES = (64, 128, 256, 512)  # pixels, of the auto-encoder
_REDUCTION = 16  # of the channels that squeeze and excitation sees them through


class SqueezeExcite(nn.Module):
    """x times a share of each channel in (0, 1), which follows from the means of all (Hu 2018). Any (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, channels // _REDUCTION)
        self.share = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            spectral_norm(nn.Linear(channels, hidden, bias=False)),
            nn.ReLU(),
            spectral_norm(nn.Linear(hidden, channels, bias=False)),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.share(x)[:, :, None, None]


class ResBlkE(nn.Module):
    """x + F(x), F two 3x3 convolutions: the residual block of the encoders. (B, channels, H, W) to the same.

    spectral_bn: BatchNorm's scales, too, are under spectral norm, so of length 1, which leaves F(x) at a few per cent
    of x, as in the authors' code. Without it the last ones begin at 0: F(x) is 0 before the first step.
    """

    def __init__(self, channels: int, spectral_bn: bool) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            batch_norm(channels, spectral_bn),
            nn.SiLU(),
            spectral_norm(nn.Conv2d(channels, channels, 3, padding=1, bias=False)),
            batch_norm(channels, spectral_bn, last=True),
            nn.SiLU(),
            spectral_norm(nn.Conv2d(channels, channels, 3, padding=1, bias=False)),
            SqueezeExcite(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)


class ResBlkG(nn.Module):
    """x + F(x), F an inverted bottleneck of four times the channels: the residual block of the generators.

    (B, channels, H, W) to the same. spectral_bn: as in `ResBlkE`.
    """

    def __init__(self, channels: int, spectral_bn: bool) -> None:
        super().__init__()
        hidden = 4 * channels
        self.residual = nn.Sequential(
            batch_norm(channels, spectral_bn),
            spectral_norm(nn.Conv2d(channels, hidden, 1, bias=False)),
            batch_norm(hidden, spectral_bn),
            nn.SiLU(),
            spectral_norm(nn.Conv2d(hidden, hidden, 5, padding=2, groups=hidden)),
            batch_norm(hidden, spectral_bn),
            nn.SiLU(),
            spectral_norm(nn.Conv2d(hidden, channels, 1, bias=False)),
            batch_norm(channels, spectral_bn, last=True),
            SqueezeExcite(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)


def batch_norm(channels: int, spectral: bool, last: bool = False) -> nn.Module:
    """BatchNorm; `spectral`: its scales divided by their length. The `last` of a residual branch else begins at 0."""
    norm = nn.BatchNorm2d(channels)
    if spectral:
        return spectral_norm(norm)
    if last:
        nn.init.zeros_(norm.weight)
    return norm


def sides_below(size: int, last: int, sizes: Collection[int] = SIZES) -> list[int]:
    """The sides after each halving of `size` down to `last`. Raises UserError for a size that is not in `sizes`."""
    if size not in sizes:
        raise UserError(f"data.size={size}: these networks read {', '.join(map(str, sizes))} pixels; use one of them")
    sides = []
    while size > last:
        sides.append(size := size // 2)
    return sides
