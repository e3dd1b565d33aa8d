"""DINOv2's ViT-L/14 (Oquab et al. 2024): the features of `fd_dinov2`.

Written out here, under the names of the published file: torch.hub would run code that it fetches.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from suite.metrics.features import Features

SIDE = 224  # pixels that Stein 2023 shows the network
PATCH = 14
GRID_OF_TRAINING = 37  # patches a side in the published file: it was trained last at 518 pixels
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of pictures in [0, 1]


class DINOv2(Features):
    """The class token of ViT-L/14, 1024 features, behind its last norm. Of the encoders of Stein et al. 2023 it is the
    one they propose, closest to what people say of generative models. Their FD-DINOv2 is `frechet_distance` of these;
    the network is torch-fidelity's dinov2-vit-l-14.

    Pictures are brought to 224 pixels a side as their code does by default, with Pillow's bicubic filter.
    (torch-fidelity's way is bilinear and not anti-aliased, and gives other figures.)

    path: dinov2_vitl14_pretrain.pth.
    """

    num_features = 1024

    def __init__(self, path: str | Path) -> None:
        from suite.networks.weights import WEIGHTS

        super().__init__()
        self.key = f"dinov2_vitl14_{WEIGHTS['dinov2'].sha256[:8]}"
        with torch.device("meta"):  # neither memory nor random numbers for weights that will be others
            self.network = VisionTransformer(width=1024, depth=24, heads=16)
        self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), assign=True)
        self.freeze()

    def extract(self, pictures: Tensor) -> Tensor:
        return self.network(as_shown(pictures))


def as_shown(pictures: Tensor) -> Tensor:
    """uint8 (B, 3, H, W) of any size as DINOv2 sees them, (B, 3, 224, 224) float32."""
    shown = pictures.float()
    for size in ((shown.shape[2], SIDE), (SIDE, SIDE)):  # rows first, each to 8 bits, as Pillow does
        shown = F.interpolate(shown, size=size, mode="bicubic", antialias=True).round().clamp(0, 255)
    unit = shown / 255
    mean, std = (unit.new_tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    return (unit - mean) / std


class VisionTransformer(nn.Module):
    """A pre-norm vision transformer with layer scale (Dosovitskiy 2021, Touvron 2021), as DINOv2 has it: GELU,
    hidden layers four times as wide, norms with an epsilon of 1e-6.

    (B, 3, H, W), sides multiples of 14, to the class token (B, width). `grid`: patches a side that positions are of;
    those of other sizes are interpolated.
    """

    def __init__(self, width: int, depth: int, heads: int, grid: int = GRID_OF_TRAINING) -> None:
        super().__init__()
        self.grid = grid
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + grid * grid, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))  # of its training alone; the file holds it
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, PATCH, stride=PATCH)})
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, pictures: Tensor) -> Tensor:
        patches = self.patch_embed["proj"](pictures)
        positions = self._positions(patches.shape[-2], patches.shape[-1])
        tokens = torch.cat([self.cls_token.expand(len(pictures), -1, -1), patches.flatten(2).mT], dim=1)
        return self.norm(self.blocks(tokens + positions))[:, 0]

    def _positions(self, rows: int, columns: int) -> Tensor:
        """(1, 1 + rows * columns, width): the class token's, and those of the patches, bicubic."""
        if (rows, columns) == (self.grid, self.grid):
            return self.pos_embed
        of_class, of_patches = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        square = of_patches.mT.unflatten(2, (self.grid, self.grid))
        # DINOv2 scales by a tenth of a patch more than asked for, which the sampling points follow.
        scale = tuple((side + 0.1) / self.grid for side in (rows, columns))
        return torch.cat([of_class, F.interpolate(square, scale_factor=scale, mode="bicubic").flatten(2).mT], dim=1)


class Block(nn.Module):
    """Attention, then two layers, each behind a norm and added with a weight for every feature."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.ls1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})
        self.ls2 = LayerScale(width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens)))
        return tokens + self.ls2(self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(tokens)))))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.qkv(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class LayerScale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens * self.gamma
