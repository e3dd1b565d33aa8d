"""The decoder of Liu 2021's auto-encoder, G_1: a photo out of the content of a sketch and the style of a photo."""

from typing import Literal

import torch
from torch import Tensor, cat, nn
from torch.nn.functional import interpolate

from suite.arguments import Positive
from suite.images import signed_to_unit
from suite.networks.layers import Norm, Width, norm_layer
from suite.networks.sketch_to_image.blocks import ResBlkG, sides_below
from suite.networks.sketch_to_image.encoders import SLOPE, Codes, style_features
from suite.networks.sketch_to_image.injection import DualMaskInjection, MaskBias, StyleGate, StyleKind

Dmi = Literal["none", "sketch", "feature"]
Style = Literal["none", "adain", "add", "multiply"]
Gate8 = Literal["sigmoid", "batch"]


class StyledDecoder(nn.Module):
    """G_1: contents and styles, as their encoders give them, to pictures (B, out_channels, size, size) in [-1, 1].

    dmi: the mask that injects the sketch at 8 and 16 pixels a side: feature: the content map of that side; sketch: the
    sketch itself, averaged to it, so that thin lines remain; none. dmi_bias: see `DualMaskInjection`.
    style: how styles come in at 8, 64, 128 and 256 pixels, see `StyleGate`; none: the last vector stands at each of the
    8 x 8 places, beside the content. gate_8: what multiplies at 8 pixels.
    norm: behind the convolutions to 8, and to 64 pixels and more. spectral_bn: see `ResBlkE`.
    18,995,640 parameters at 512 pixels and width 64 with gate_8=batch, 18,994,616 with sigmoid.
    """

    def __init__(
        self,
        out_channels: int,
        size: Positive,
        width: Width,
        dmi: Dmi,
        dmi_bias: MaskBias,
        style: Style,
        norm: Norm,
        gate_8: Gate8,
        spectral_bn: bool,
        codes: Codes = "all",
    ) -> None:
        super().__init__()
        self.out_channels, self.dmi = out_channels, dmi
        low, middle, high = style_features(width)  # channels of the contents
        self.concatenates = style == "none"
        self.constant = nn.Parameter(torch.randn(high, 8, 8))

        bottom = 2 * high + (high if self.concatenates else 0)
        self.to_8 = nn.Sequential(
            ResBlkG(bottom, spectral_bn), nn.LeakyReLU(SLOPE, True), _convolution(bottom, high), norm_layer(norm, high)
        )
        self.of_8 = nn.Sequential(nn.LeakyReLU(SLOPE), ResBlkG(high, spectral_bn))
        self.to_16 = _inner(high, middle, spectral_bn)
        self.to_32 = _inner(2 * middle, low, spectral_bn)
        if dmi != "none":
            self.dmi_8, self.dmi_16 = DualMaskInjection(high, dmi_bias), DualMaskInjection(middle, dmi_bias)

        self.outer, self.gates = nn.ModuleDict(), nn.ModuleDict()
        before = 2 * low
        for side in reversed([size, *sides_below(size, 64)]):
            channels = max(1, width * 64 // side)
            self.outer[f"to_{side}"] = _enlarging(before, channels, norm, rectify=side == 64)
            before = channels
        self.picture = nn.Sequential(nn.Conv2d(before, out_channels, 3, padding=1, bias=False), nn.Tanh())

        if style != "none":
            kind: StyleKind = "sigmoid" if style == "multiply" else style
            self.gates["to_8"] = StyleGate(high, high, gate_8 if style == "multiply" else kind)
            for side, features in zip((256, 128, 64), style_features(width, codes), strict=True):
                if side <= size:
                    self.gates[f"to_{side}"] = StyleGate(features, max(1, width * 64 // side), kind)

    def forward(
        self,
        contents: tuple[Tensor, Tensor, Tensor],
        styles: tuple[Tensor, Tensor, Tensor],
        sketch: Tensor | None = None,
    ) -> Tensor:
        """sketch: (B, 1, H, W) in [-1, 1], white for paper; read with dmi=sketch alone."""
        content_32, content_16, content_8 = contents
        low, middle, high = styles
        of_name = {"to_8": high, "to_64": high, "to_128": middle, "to_256": low}

        bottom = [content_8, self.constant.expand(content_8.shape[0], -1, -1, -1)]
        if self.concatenates:
            bottom.append(high[:, :, None, None].expand(-1, -1, 8, 8))
        x = self.to_8(cat(bottom, dim=1))
        if self.dmi != "none":
            x = self.dmi_8(x, self._mask(content_8, sketch))
        if "to_8" in self.gates:
            x = self.gates["to_8"](x, high)
        x = self.to_16(self.of_8(x))
        if self.dmi != "none":
            x = self.dmi_16(x, self._mask(content_16, sketch))
        x = self.to_32(cat([x, content_16], dim=1))
        x = cat([x, content_32], dim=1)
        for name, layer in self.outer.items():
            x = layer(x)
            if name in self.gates:
                x = self.gates[name](x, of_name[name])
        return self.picture(x)

    def _mask(self, content: Tensor, sketch: Tensor | None) -> Tensor:
        if self.dmi == "feature":
            return content
        assert sketch is not None, "dmi=sketch needs the sketch"
        return interpolate(signed_to_unit(sketch), size=content.shape[-2:], mode="area")


def _convolution(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1, bias=False)


def _inner(before: int, after: int, spectral_bn: bool) -> nn.Sequential:
    enlarge = nn.UpsamplingNearest2d(scale_factor=2)
    return nn.Sequential(nn.LeakyReLU(SLOPE), enlarge, _convolution(before, after), ResBlkG(after, spectral_bn))


def _enlarging(before: int, after: int, norm: Norm, rectify: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.LeakyReLU(SLOPE, True)] if rectify else []  # a GLU needs none behind it
    layers += [nn.UpsamplingNearest2d(scale_factor=2), _convolution(before, 2 * after), norm_layer(norm, 2 * after)]
    return nn.Sequential(*layers, nn.GLU(dim=1))
