"""The refiner of Liu 2021, G_2, for paintings and whatever is no face."""

from collections.abc import Iterator

from torch import Tensor, cat, nn

from suite.arguments import Positive
from suite.networks.layers import Width
from suite.networks.sketch_to_image.blocks import ResBlkG, sides_below
from suite.networks.sketch_to_image.encoders import Codes, distinct, style_features
from suite.networks.sketch_to_image.injection import StyleGate
from suite.networks.sketch_to_image.refiner_blocks import SIZES_OUT, Doubling, Refiner, halving, strided, to_4x4

_STYLE_OF = {64: 2, 128: 2, 256: 1, 512: 0}  # which style vector gates the channels at that side


class ArtRefiner(Refiner):
    """G_2: pictures (B, channels, size_in, size_in) to sharper ones of size_out, in [-1, 1].

    styles: the three vectors of the style encoder; noise: standard normal, of `noise_shapes`, in that order. Without
    `styled` it reads pictures and noise alone, as the main text has it. spectral_bn: see `ResBlkE`. Parameters with
    three channels at width 64: 49,818,336 from 512 to 512 pixels, 49,827,216 from 512 to 1024.
    """

    def __init__(
        self,
        channels: int,
        size_in: Positive,
        size_out: Positive,
        width: Width,
        styled: bool,
        spectral_bn: bool = False,
        codes: Codes = "all",
    ) -> None:
        super().__init__()
        self.in_channels = self.out_channels = channels
        self.divisor, self.smallest = size_in // 16, size_in
        self.styled = styled
        features, self.codes = style_features(width, codes), codes

        of_side = {256: width, 128: 2 * width, 64: 4 * width, 32: 8 * width, 16: 8 * width}
        self.sides = sides_below(size_in, 16)
        self.encoder = nn.ModuleList()
        before = channels
        for side in self.sides:
            after = of_side[side]
            first = nn.Sequential(strided(before, after), nn.LeakyReLU(0.2, True))
            self.encoder.append(halving(before, after) if len(self.encoder) else first)
            before = after

        noise_sides = []
        if styled:
            self.style_to_4 = to_4x4(sum(features) if codes == "all" else features[-1], 8 * width)
            self.style_to_8 = Doubling(8 * width, 4 * width)
            before += 4 * width
            noise_sides.append(8)
        self.bottom = nn.Sequential(
            ResBlkG(before, spectral_bn), nn.SiLU(True), ResBlkG(before, spectral_bn), nn.SiLU(True)
        )

        self.noise_to_4 = to_4x4(8 * width, 4 * width)
        self.noise_to_32 = nn.ModuleList(
            [Doubling(4 * width, 2 * width), Doubling(2 * width, 2 * width), Doubling(2 * width, width)]
        )
        noise_sides += [8, 16, 32]

        self.sides_out = [*reversed(sides_below(size_out, 32, SIZES_OUT)), size_out]
        self.decoder, self.gates = nn.ModuleList(), nn.ModuleDict()
        for side in self.sides_out:
            after = max(1, width * 256 // side)
            self.decoder.append(Doubling(before + (width if side == 64 else 0), after))
            if styled and side in _STYLE_OF:
                self.gates[str(side)] = StyleGate(features[_STYLE_OF[side]], after, "sigmoid", spectral=True)
            before = after
        self.picture = nn.Sequential(nn.Conv2d(before, channels, 3, padding=1, bias=False), nn.Tanh())
        self.noise_shapes = [(8 * width,), *((1, side, side) for side in [*noise_sides, *self.sides_out])]

    def forward(self, pictures: Tensor, styles: tuple[Tensor, Tensor, Tensor], noise: list[Tensor]) -> Tensor:
        vector, *spatial = noise
        left = iter(spatial)
        encoded: dict[int, Tensor] = {}
        x = pictures
        for side, layer in zip(self.sides, self.encoder, strict=True):
            encoded[side] = x = layer(x)
        if self.styled:
            x = cat([x, self._style_map(styles, left)], dim=1)
        x = self.bottom(x)

        of_noise = self.noise_to_4(vector[:, :, None, None])
        for layer in self.noise_to_32:
            of_noise = layer(of_noise, next(left))

        for side, layer in zip(self.sides_out, self.decoder, strict=True):
            x = self.doubled(layer, cat([x, of_noise], dim=1) if side == 64 else x, next(left))
            if str(side) in self.gates:
                x = self.gates[str(side)](x, styles[_STYLE_OF[side]])
            if side >= 64 and side in encoded:
                x = x + encoded[side]
        return self.picture(x)

    def _style_map(self, styles: tuple[Tensor, Tensor, Tensor], noise: Iterator[Tensor]) -> Tensor:
        """Of 8 x 8 places, side by side to 16 x 16."""
        of_style = self.style_to_4(cat(distinct(styles, self.codes), dim=1)[:, :, None, None])
        return self.style_to_8(of_style, next(noise)).repeat(1, 1, 2, 2)
