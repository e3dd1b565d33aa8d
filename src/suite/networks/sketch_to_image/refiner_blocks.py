"""What both refiners of Liu 2021 are made of: halvings, and doublings with noise."""

import torch
from torch import Tensor, nn
from torch.nn.functional import glu, interpolate
from torch.nn.utils.parametrizations import spectral_norm

from suite.networks.contract import PictureNetwork
from suite.networks.sketch_to_image.recompute import recomputed

SIZES_OUT = (64, 128, 256, 512, 1024)  # pixels, of refined pictures


class Doubling(nn.Module):
    """Features (B, before, H, W) and noise (B, 1, 2H, 2W) to (B, after, 2H, 2W).

    Each channel has a strength of the noise of its own, 0 before the first step.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolution = spectral_norm(nn.Conv2d(before, 2 * after, 3, padding=1, bias=False))
        self.norm = nn.BatchNorm2d(2 * after)
        self.strength = nn.Parameter(torch.zeros(2 * after, 1, 1))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        x = self.norm(self.convolution(interpolate(x, scale_factor=2.0, mode="nearest")))
        return glu(x + (self.strength * noise).to(x.dtype), dim=1)  # a strength in fp32 would make the sum fp32


class Refiner(PictureNetwork):
    """G_2: pictures, their style vectors and noise to sharper pictures."""

    noise_shapes: list[tuple[int, ...]]  # of each noise, without the batch
    checkpointing = False  # in training, whether the maps of its doublings are computed anew on the way back

    def doubled(self, layer: nn.Module, x: Tensor, noise: Tensor) -> Tensor:
        """What a doubling of the decoder makes."""
        return recomputed(layer, x, noise) if self.checkpointing and self.training else layer(x, noise)


def halving(before: int, after: int) -> nn.Sequential:
    """Features to half their side."""
    return nn.Sequential(strided(before, after), nn.BatchNorm2d(after), nn.LeakyReLU(0.2, True))


def strided(before: int, after: int) -> nn.Module:
    """The 4x4 convolution of a halving."""
    return spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False))


def to_4x4(before: int, after: int) -> nn.Sequential:
    """A vector (B, before, 1, 1) to a map (B, after, 4, 4)."""
    enlarge = spectral_norm(nn.ConvTranspose2d(before, 2 * after, 4, bias=False))
    return nn.Sequential(enlarge, nn.BatchNorm2d(2 * after), nn.GLU(dim=1))
