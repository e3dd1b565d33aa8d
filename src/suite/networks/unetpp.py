"""UNet++ (Zhou 2018) as a generator: a U-Net whose skip connections pass through convolutions of their own."""

from typing import Annotated

import torch
from torch import Tensor, nn

from suite.arguments import Range, ShareBelowOne
from suite.networks.contract import Generator
from suite.networks.layers import Norm, Upsample, Width, changed, double, has_bias, norm_layer


class UNetPlusPlusGenerator(Generator):
    """A triangle of nodes X(i, j): level i halves the picture i times, j counts the nodes to the left on that level.

    X(0, 0) = H(picture)   X(i, 0) = H(down X(i-1, 0))   X(i, j) = H([X(i, 0), ..., X(i, j-1), up X(i+1, j-1)])

    (B, in_channels, H, W) -> (B, out_channels, H, W) in [-1, 1]; H and W multiples of 2**depth. Down is a strided and
    up a transposed convolution, as Gao (2020, section 3.2) has them in place of pooling and interpolation; the rest is
    Zhou 2018, section 3: 15 nodes at depth 4, H two 3x3 convolutions, a 1x1 convolution as head. The report gives
    neither depth nor width: these are Zhou's. 10,439,011 parameters with 3 channels and BatchNorm.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        depth: Annotated[int, Range(least=1, most=8)] = 4,  # halvings; each doubles the channels
        width: Width = 32,  # channels of level 0; doubled per level
        norm: Norm = "batch",
        dropout: ShareBelowOne = 0.0,  # behind every node with j > 0
        deep_supervision: bool = False,  # a head for each of X(0, 1) ... X(0, depth), not for the last alone
        upsample: Upsample = "transpose",
        residual: bool = False,  # draws what changes of the picture
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.divisor = 2**depth
        self.depth = depth
        self.residual = residual
        widths = [2**level * width for level in range(depth + 1)]
        self.down = nn.ModuleList(nn.Conv2d(channels, channels, 4, stride=2, padding=1) for channels in widths[:-1])
        self.up = nn.ModuleDict()
        self.nodes = nn.ModuleDict()
        for level, channels in enumerate(widths):
            before = widths[level - 1] if level > 0 else in_channels
            self.nodes[f"{level}_0"] = _node(before, channels, norm, dropout=0.0)
            for j in range(1, depth - level + 1):
                self.up[f"{level}_{j}"] = double(upsample, widths[level + 1], channels, kernel=2)
                self.nodes[f"{level}_{j}"] = _node((j + 1) * channels, channels, norm, dropout)
        heads = depth if deep_supervision else 1
        self.heads = nn.ModuleList(nn.Sequential(nn.Conv2d(width, out_channels, 1), nn.Tanh()) for _ in range(heads))

    def forward(self, picture: Tensor, every_head: bool = False) -> Tensor:
        """The picture of the last head; with `every_head` all, stacked: (heads, B, C, H, W), the last one last."""
        x = [[self.nodes["0_0"](picture)]]  # x[i][j]
        for level, down in enumerate(self.down):
            x.append([self.nodes[f"{level + 1}_0"](down(x[level][0]))])
        for j in range(1, self.depth + 1):
            for level in range(self.depth - j + 1):
                up = self.up[f"{level}_{j}"](x[level + 1][j - 1])
                x[level].append(self.nodes[f"{level}_{j}"](torch.cat([*x[level], up], dim=1)))
        if every_head:
            supervised = x[0][-len(self.heads) :]
            drawn = torch.stack([head(node) for head, node in zip(self.heads, supervised, strict=True)])
        else:
            drawn = self.heads[-1](x[0][-1])
        return changed(picture, drawn) if self.residual else drawn


def _node(inputs: int, channels: int, norm: Norm, dropout: float) -> nn.Sequential:
    """H: twice convolution, norm, ReLU."""
    layers: list[nn.Module] = []
    for before in (inputs, channels):
        layers += [
            nn.Conv2d(before, channels, 3, padding=1, bias=has_bias(norm)),
            norm_layer(norm, channels),
            nn.ReLU(inplace=True),
        ]
    if dropout > 0:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)
