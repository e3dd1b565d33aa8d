"""The refiner of Liu 2021, G_2, for faces: a ninth of the weights of the other one."""

import torch
from torch import Tensor, cat, nn
from torch.nn.utils.parametrizations import spectral_norm

from suite.arguments import Positive
from suite.networks.layers import Width
from suite.networks.sketch_to_image.blocks import sides_below
from suite.networks.sketch_to_image.encoders import SLOPE, Codes, distinct, style_features
from suite.networks.sketch_to_image.injection import StyleGate
from suite.networks.sketch_to_image.refiner_blocks import SIZES_OUT, Doubling, Refiner, halving, to_4x4


class FaceRefiner(Refiner):
    """G_2: pictures (B, channels, size_in, size_in) to sharper ones of size_out, in [-1, 1].

    styles: the three vectors of the style encoder; noise: standard normal, of `noise_shapes`, in that order. In
    training each picture's map of the style is mirrored by chance in either direction, as the signs of the first two
    numbers say; the authors do so in tests, too. Parameters with three channels at width 64: 5,659,328 from 512 to 512
    pixels, 5,676,688 to 1024.
    """

    def __init__(
        self, channels: int, size_in: Positive, size_out: Positive, width: Width, codes: Codes = "all"
    ) -> None:
        super().__init__()
        self.in_channels = self.out_channels = channels
        self.divisor, self.smallest = size_in // 32, size_in
        features, self.codes = style_features(width, codes), codes

        self.sides = sides_below(size_in, 32)
        of_side = {side: max(1, width * 64 // side) for side in self.sides}
        self.encoder = nn.ModuleList(
            halving(before, after)
            for before, after in zip([channels, *of_side.values()], of_side.values(), strict=False)
        )

        of_styles = sum(features) if codes == "all" else features[-1]
        self.style = nn.Sequential(nn.Linear(of_styles, 8 * width), nn.LeakyReLU(SLOPE, True))
        self.style_to_4 = to_4x4(8 * width, 2 * width)
        self.style_to_32 = nn.ModuleList(
            [Doubling(2 * width, 2 * width), Doubling(2 * width, 2 * width), Doubling(2 * width, width)]
        )

        self.sides_out = [*reversed(sides_below(size_out, 64, SIZES_OUT)), size_out]
        self.decoder, self.gates = nn.ModuleList(), nn.ModuleList()
        before = width
        for side in self.sides_out:
            after = max(1, width * 256 // side)
            self.decoder.append(Doubling(before + of_side.get(side // 2, 0), after))
            self.gates.append(StyleGate(features[2], after, "sigmoid", spectral=True))
            before = after
        last = spectral_norm(nn.Conv2d(before, channels, 3, padding=1, bias=False))
        self.picture = nn.Sequential(last, nn.Tanh())
        self.noise_shapes = [(2,), *((1, side, side) for side in [8, 16, 32, *self.sides_out])]

    def forward(self, pictures: Tensor, styles: tuple[Tensor, Tensor, Tensor], noise: list[Tensor]) -> Tensor:
        signs, *spatial = noise
        left = iter(spatial)
        encoded: dict[int, Tensor] = {}
        x = pictures
        for side, layer in zip(self.sides, self.encoder, strict=True):
            encoded[side] = x = layer(x)

        x = self.style_to_4(self.style(cat(distinct(styles, self.codes), dim=1))[:, :, None, None])
        for layer in self.style_to_32:
            x = layer(x, next(left))
        if self.training:
            x = _mirrored(x, signs > 0)

        for side, layer, gate in zip(self.sides_out, self.decoder, self.gates, strict=True):
            if side // 2 in encoded:
                x = cat([encoded[side // 2], x], dim=1)
            x = gate(self.doubled(layer, x, next(left)), styles[2])
        return self.picture(x)


def _mirrored(x: Tensor, which: Tensor) -> Tensor:
    """(B, C, H, W), each mirrored in H and in W where `which` (B, 2) says so."""
    down, across = which[:, :, None, None, None].unbind(1)
    x = torch.where(down, x.flip(2), x)
    return torch.where(across, x.flip(3), x)
