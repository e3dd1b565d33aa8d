"""How Liu 2021 bring sketch and style into feature maps: dual mask injection, and gates of the channels."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import instance_norm
from torch.nn.utils.parametrizations import spectral_norm

MaskBias = Literal["shared", "masked"]
StyleKind = Literal["sigmoid", "batch", "add", "adain"]


class DualMaskInjection(nn.Module):
    """DMI: lines and areas of a map x (B, channels, H, W) are scaled and shifted apart, by a mask m of them.

    m: (B, channels or 1, H, W), a sketch in [0, 1] or a map of features of any range. w_a, w_b, b_a, b_b are learnt, a
    value each a channel, and begin at 1.01, 0.99, 0.01 and -0.01. bias:
    shared: x m w_a + b_a + x (1 - m) w_b + b_b, the authors' code, in which both biases are one;
    masked: m (x w_a + b_a) + (1 - m) (x w_b + b_b), two affine transforms, the paper's words.
    """

    def __init__(self, channels: int, bias: MaskBias) -> None:
        super().__init__()
        self.bias = bias
        self.w_a, self.w_b, self.b_a, self.b_b = (
            nn.Parameter(torch.full((channels, 1, 1), start)) for start in (1.01, 0.99, 0.01, -0.01)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        scale = self.w_b + (self.w_a - self.w_b) * mask
        if self.bias == "masked":
            return x * scale + self.b_b + (self.b_a - self.b_b) * mask
        return x * scale + self.b_a + self.b_b


class StyleGate(nn.Module):
    """A map x (B, channels, H, W) changed channel by channel by a style vector (B, features).

    kind: sigmoid: times a share in (0, 1), of two linear layers, the paper's multiplication; batch: times what
    BatchNorm makes of these layers, of any sign, which takes more than one picture to train; add: plus a linear layer;
    adain: normalised, then scaled and shifted by linear layers (Huang & Belongie 2017), the scales around 1.
    """

    def __init__(self, features: int, channels: int, kind: StyleKind, spectral: bool = False) -> None:
        super().__init__()
        self.kind = kind
        first = nn.Linear(features, 2 * channels if kind == "adain" else channels)
        layers: list[nn.Module] = [spectral_norm(first) if spectral else first]
        if kind in ("sigmoid", "batch"):
            layers += [nn.ReLU(True), nn.Linear(channels, channels)]
            layers.append(nn.Sigmoid() if kind == "sigmoid" else nn.BatchNorm1d(channels))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        of_style = self.layers(style)[:, :, None, None]
        match self.kind:
            case "sigmoid" | "batch":
                return x * of_style
            case "add":
                return x + of_style
            case "adain":
                scale, shift = of_style.chunk(2, dim=1)
                return instance_norm(x) * (1 + scale) + shift
