"""VGG up to one of its layers, frozen: what perceptual losses and L_p compare pictures by."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from suite.images import signed_to_unit, to_rgb

MEAN, DEVIATION = 0.8, 0.6  # of every channel of random weights, before its ReLU
VGG_WIDTH = 64  # channels of VGG's first block; those of the others are multiples of it
_CONVOLUTIONS = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}  # of each block, by how many weight layers there are
_MULTIPLES = (1, 2, 4, 8, 8)


class VGG(nn.Module):
    """VGG-16 or VGG-19 up to a layer, its weights torchvision's, or random ones that need no file.

    (B, 1 or 3, H, W) in [-1, 1] to float32 (B, C, H', W'), under any autocast. Frozen, but gradients reach the
    pictures. `identity` says in words which network it is. Layers are called as in conv3_4, before its ReLU, relu3_4,
    behind it, and pool3.

    Random weights depend on `seed` alone. They are normal, and in each layer scaled and shifted so that every channel
    has the mean MEAN and the deviation DEVIATION on noise, a root mean square of 1: losses keep their size beside other
    terms, whatever the layer, and most of a channel passes its ReLU. Centred at 0 instead, eight layers fold so much
    that quite other pictures have the same features; for the same reason pooling is average, not maximum. `width`:
    channels of the first block; fewer than VGG's own are faster.

    Source: Simonyan & Zisserman 2015, configurations D and E; the pictures' mean and deviation are torchvision's.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, depth: Literal[16, 19], layer: str, weights: Path | None, width: int = VGG_WIDTH, seed: int = 0
    ) -> None:
        super().__init__()
        self.names = _names(depth, layer)
        # On the meta device neither memory nor random numbers are spent on weights that will be others.
        with torch.device("meta"):
            layers = _layers(self.names, width, nn.AvgPool2d(2) if weights is None else nn.MaxPool2d(2))
        self.layers = layers.to_empty(device="cpu")
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()
        self.identity = _identity(depth, layer, weights, width, seed)
        if weights is None:
            self._draw(torch.Generator().manual_seed(seed))
        else:
            published = torch.load(weights, map_location="cpu", weights_only=True)
            self.layers.load_state_dict({name: published[f"features.{name}"] for name in self.layers.state_dict()})

    def train(self, mode: bool = True) -> "VGG":
        return super().train(False)

    def forward(self, pictures: Tensor) -> Tensor:
        with torch.autocast(pictures.device.type, enabled=False):
            return self.layers(self._normalised(pictures))

    def taps(self, pictures: Tensor, names: Sequence[str]) -> list[Tensor]:
        """The features of several of its layers, in the order of their names, from one pass."""
        assert set(names) <= set(self.names), f"{names}: of this VGG, there are {', '.join(self.names)}"
        found: dict[str, Tensor] = {}
        with torch.autocast(pictures.device.type, enabled=False):
            x = self._normalised(pictures)
            for name, layer in zip(self.names, self.layers, strict=True):
                # A ReLU that works in place would change what has been found before it.
                x = F.relu(x) if isinstance(layer, nn.ReLU) else layer(x)
                if name in names:
                    found[name] = x
                if len(found) == len(set(names)):
                    break
        return [found[name] for name in names]

    def _normalised(self, pictures: Tensor) -> Tensor:
        return (to_rgb(signed_to_unit(pictures)) - self.mean) / self.std

    @torch.no_grad()
    def _draw(self, generator: torch.Generator) -> None:
        x = (calibration(generator) - self.mean) / self.std
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                assert layer.bias is not None
                layer.weight.normal_(generator=generator)
                layer.bias.zero_()
                seen = layer(x)
                scale = DEVIATION / seen.std(dim=(0, 2, 3), correction=0)
                layer.weight *= scale[:, None, None, None]
                layer.bias += MEAN - scale * seen.mean(dim=(0, 2, 3))
            x = layer(x)


def calibration(generator: torch.Generator) -> Tensor:
    """Coloured clouds and a little noise, (8, 3, 64, 64) in [0, 1]: what random weights are scaled on."""
    clouds = F.interpolate(torch.rand(8, 3, 8, 8, generator=generator), scale_factor=8, mode="bilinear")
    return 0.8 * clouds + 0.2 * torch.rand(8, 3, 64, 64, generator=generator)


def _identity(depth: int, layer: str, weights: Path | None, width: int = VGG_WIDTH, seed: int = 0) -> str:
    """In words, which network it is: by the bytes of its file, or by what its weights are drawn from."""
    if weights is None:
        return f"random vgg{depth} {layer}, width {width}, seed {seed}"
    with weights.open("rb") as file:
        return f"vgg{depth} {layer}, sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}"


def _names(depth: Literal[16, 19], last: str) -> list[str]:
    """Of the layers from conv1_1 to that one, in torchvision's order: their numbers are those of its weights."""
    names: list[str] = []
    for block, count in enumerate(_CONVOLUTIONS[depth], start=1):
        for number in range(1, count + 1):
            names += [f"conv{block}_{number}", f"relu{block}_{number}"]
        names.append(f"pool{block}")
    assert last in names, f"{last}: VGG-{depth} has {', '.join(names)}"
    return names[: names.index(last) + 1]


def _layers(names: Sequence[str], width: int, pool: nn.Module) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for name in names:
        if name.startswith("conv"):
            block = int(name.removeprefix("conv").partition("_")[0])
            layers.append(nn.Conv2d(channels, channels := _MULTIPLES[block - 1] * width, 3, padding=1))
        else:
            layers.append(pool if name.startswith("pool") else nn.ReLU(inplace=name != names[-1]))
    return nn.Sequential(*layers)
