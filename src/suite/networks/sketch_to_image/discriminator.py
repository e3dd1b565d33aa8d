"""The discriminator of Liu 2021's refiner: a light FastGAN's (Liu 2021, Towards Faster and Stabilized GAN Training)."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d
from torch.nn.utils.parametrizations import spectral_norm

from suite.arguments import Positive
from suite.networks.contract import Discriminator
from suite.networks.layers import Width, init_normal
from suite.networks.sketch_to_image.blocks import sides_below
from suite.networks.sketch_to_image.refiner_blocks import SIZES_OUT


class RefineDiscriminator(Discriminator):
    """D: pictures (B, in_channels, size, size) to logits (B, 1, h, w): 1x1 to 256 pixels, 5x5 at 512, 13x13 at 1024.

    The networks of 256 pixels and more are the same; below, outer halvings are left out. The first two maps say, place
    by place of 4x4, which channels of the last two count. Weights begin as N(0, 0.02), then comes the spectral norm.
    16,863,360 parameters with three channels at width 64.
    """

    def __init__(self, in_channels: int, size: Positive, width: Width) -> None:
        super().__init__()
        self.in_channels = in_channels
        widths = [max(1, width // 4), max(1, width // 2), width, 2 * width, 4 * width, 16 * width]
        halvings = min(len(widths), len(sides_below(size, 4, SIZES_OUT)))
        widths = widths[-halvings:]
        self.smallest = 2 * (3 * 2 ** (halvings - 1) + 1)  # the shortest side that leaves 4 pixels
        first = nn.Conv2d(in_channels, widths[0], 4, stride=2, padding=1, bias=False)
        self.first = nn.Sequential(first, nn.LeakyReLU(0.2, True))
        self.blocks = nn.ModuleList(_halving(before, after) for before, after in pairwise(widths))
        self.modulations = nn.ModuleList([_Modulation(widths[0], widths[-2]), _Modulation(widths[1], widths[-1])])
        self.judge = nn.Sequential(
            nn.Conv2d(widths[-1], widths[-1], 1, bias=False),
            nn.BatchNorm2d(widths[-1]),
            nn.LeakyReLU(0.2, True),
            nn.Conv2d(widths[-1], 1, 4, bias=False),
        )
        init_normal(self)
        for module in list(self.modules()):
            if isinstance(module, nn.Conv2d):
                spectral_norm(module)

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.first(x)]
        for block in self.blocks[:-2]:
            maps.append(block(maps[-1]))
        x = maps[-1]
        for block, modulation, seen in zip(self.blocks[-2:], self.modulations, maps, strict=False):
            x = modulation(block(x), seen)
        return self.judge(x)


class _Modulation(nn.Module):
    """A late map x times a share of each channel, plus a shift, which both follow from an early map."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(before, channels, 4, bias=False), nn.ReLU(True), nn.Conv2d(channels, 2 * channels, 1, bias=False)
        )

    def forward(self, x: Tensor, early: Tensor) -> Tensor:
        share, shift = self.layers(adaptive_avg_pool2d(early, 4)).chunk(2, dim=1)
        return x * share.sigmoid() + shift.tanh()


def _halving(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.LeakyReLU(0.2, True),
        nn.Conv2d(after, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.LeakyReLU(0.2, True),
    )
