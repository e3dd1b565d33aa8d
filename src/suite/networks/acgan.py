"""The networks of Dong 2017: a generator of pictures from noise and a label, a discriminator, and an encoder.

All have kernels of 5x5 and halve or double the side with each layer, between `size` and 4x4 pixels; so the depth
follows the size, 4 levels at 64. Layers and counts are those of the authors' code. Its convolutions pad one pixel left
and two right; torch's pad two on both sides.
"""

from itertools import pairwise

from torch import Tensor, cat, nn
from torch.nn.functional import one_hot

from suite.arguments import Count, Positive
from suite.errors import UserError
from suite.networks.contract import Encoder, PictureNetwork
from suite.networks.layers import Width, init_normal

_SMALLEST = 4  # pixels, the side of the innermost feature map
SIZES = tuple(2**power for power in range(4, 10))  # pixels


def levels_of(size: int) -> int:
    """How often a side is halved down to 4 pixels. Raises UserError for a size that it isn't reached from."""
    if size not in SIZES:
        raise UserError(f"data.size={size}: these networks read {', '.join(map(str, SIZES))} pixels; use one of them")
    return (size // _SMALLEST).bit_length() - 1


class LabelGenerator(nn.Module):
    """G: noise (B, latent) and labels (B,) int64 to pictures (B, out_channels, size, size) in [-1, 1].

    The label joins the noise as `embedding` learnt values, or one-hot where that is 0. `width` is DCGAN's gf_dim: 8
    times as many channels at 4x4 pixels, half as many after each doubling. 18,936,963 parameters at 64 pixels with
    100 + 5 values and width 128, without the embedding's own 10.
    """

    def __init__(
        self, out_channels: int, size: Positive, labels: Positive, latent: Positive, embedding: Count, width: Width
    ) -> None:
        super().__init__()
        self.labels, self.width = labels, width
        self.embedding = nn.Embedding(labels, embedding) if embedding > 0 else None
        widths = [max(1, 8 * width >> level) for level in range(levels_of(size))]
        self.project = nn.Linear(latent + (embedding or labels), widths[0] * _SMALLEST**2, bias=False)
        layers: list[nn.Module] = [nn.Unflatten(1, (widths[0], _SMALLEST, _SMALLEST))]
        for before, after in pairwise(widths):
            layers += [nn.BatchNorm2d(before), nn.ReLU(True), _doubling(before, after, bias=False)]
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(True), _doubling(widths[-1], out_channels, bias=True), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        init_normal(self)

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        of_label = one_hot(c, self.labels).to(z.dtype) if self.embedding is None else self.embedding(c)
        return self.layers(self.project(cat([z, of_label], dim=1)))


class LabelDiscriminator(PictureNetwork):
    """D: pictures (B, in_channels, size, size) to logits of being real (B,) and of each label (B, labels).

    `width` channels after the first halving, twice as many after each further one. 4,332,035 parameters at 64 pixels
    with 2 labels and width 64.
    """

    def __init__(self, in_channels: int, size: Positive, labels: Positive, width: Width) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.trunk, features = _trunk(in_channels, size, width)
        self.source, self.label = nn.Linear(features, 1), nn.Linear(features, labels)
        init_normal(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.trunk(x)
        return self.source(features)[:, 0], self.label(features)


class LatentEncoder(Encoder):
    """E: pictures (B, in_channels, size, size) to noise (B, out_features); with `tanh` in (-1, 1).

    With `labels` above 0 it is told the label (B,) of each picture, too, one-hot beside the last features. 5,126,756
    parameters at 64 pixels with 100 features and width 64, without labels.
    """

    def __init__(
        self, in_channels: int, size: Positive, out_features: Positive, width: Width, tanh: bool, labels: Count = 0
    ) -> None:
        super().__init__()
        self.in_channels, self.out_features, self.labels = in_channels, out_features, labels
        self.trunk, features = _trunk(in_channels, size, width)
        self.latent = nn.Linear(features + labels, out_features)
        self.out = nn.Tanh() if tanh else nn.Identity()
        init_normal(self)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        features = self.trunk(x)
        if self.labels:
            assert c is not None, "an encoder that is told labels needs them"
            features = cat([features, one_hot(c, self.labels).to(features.dtype)], dim=1)
        return self.out(self.latent(features))


def _doubling(before: int, after: int, bias: bool) -> nn.Module:
    return nn.ConvTranspose2d(before, after, 5, stride=2, padding=2, output_padding=1, bias=bias)


def _trunk(in_channels: int, size: int, width: int) -> tuple[nn.Module, int]:
    """The layers from a picture to a vector, and how many values that has."""
    widths = [width << level for level in range(levels_of(size))]
    layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 5, stride=2, padding=2), nn.LeakyReLU(0.2, True)]
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(after)]
        layers += [nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Flatten()), widths[-1] * _SMALLEST**2
