"""What a paper, and the data, may ask of any network that reads pictures."""

from torch import nn


class PictureNetwork(nn.Module):
    """A network that reads pictures (B, in_channels, H, W); its class says what pictures it can read."""

    in_channels: int
    divisor: int = 1  # both sides are multiples of it
    smallest: int = 1  # pixels: the shortest side


class Generator(PictureNetwork):
    """Pictures to pictures: (B, in_channels, H, W) -> (B, out_channels, H, W) in [-1, 1]."""

    out_channels: int


class Discriminator(PictureNetwork):
    """Pictures to logits, each of one receptive field: (B, in_channels, H, W) -> (B, 1, H', W'); no sigmoid."""


class Encoder(PictureNetwork):
    """Pictures to vectors: (B, in_channels, H, W) -> (B, out_features)."""

    out_features: int
