"""LPIPS: how different two pictures look, learnt from what people said of pairs (Zhang et al. 2018)."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from suite.images import signed_to_unit, to_rgb
from suite.networks.vgg import VGG

_EPSILON = 1e-8  # of a squared length: the gradient of a root is infinite at 0, and features can all be 0
_ALEX = {"relu1": 1, "relu2": 4, "relu3": 7, "relu4": 9, "relu5": 11}  # torchvision's numbers
_VGG = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")


class LPIPS(nn.Module):
    """Learned perceptual distance, version 0.1, by AlexNet or VGG-16: 0 for equal pictures.

    Of the two pictures' features in five layers, each place's vector brought to length 1, the squared differences,
    summed over channels with learnt weights, as means over the places. weights: torchvision's file; None, for vgg
    alone: random ones, see `VGG`. The learnt weights come with the lpips package. Frozen, but gradients reach the
    pictures.
    """

    def __init__(self, net: Literal["alex", "vgg"], weights: str | Path | None) -> None:
        super().__init__()
        if net == "alex":
            assert weights is not None, "AlexNet's weights are read from a file"
            self.network: _AlexNet | VGG = _AlexNet(weights)
            self.names: Sequence[str] = tuple(_ALEX)
        else:
            self.network = VGG(16, _VGG[-1], None if weights is None else Path(weights))
            self.names = _VGG
        with files("lpips").joinpath("weights", "v0.1", f"{net}.pth").open("rb") as file:
            heads = torch.load(file, map_location="cpu", weights_only=True)
        for number in range(len(self.names)):
            self.register_buffer(f"head_{number}", heads[f"lin{number}.model.1.weight"], persistent=False)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "LPIPS":
        return super().train(False)

    def forward(self, fake: Tensor, truth: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) in [-1, 1], at least 32 pixels a side, to (B,) float32 under any autocast."""
        with torch.autocast(fake.device.type, enabled=False):
            distances = []
            of_fake, of_truth = (self.network.taps(pictures, self.names) for pictures in (fake, truth))
            for number, (x, y) in enumerate(zip(of_fake, of_truth, strict=True)):
                squares = (_unit(x) - _unit(y)).square()
                head: Tensor = getattr(self, f"head_{number}")  # (1, C, 1, 1)
                distances.append((squares * head).sum(dim=1).mean(dim=(1, 2)))
            return torch.stack(distances).sum(dim=0)


class _AlexNet(nn.Module):
    """AlexNet's convolutions, torchvision's, frozen: (B, 1 or 3, H, W) in [-1, 1] to features behind each ReLU."""

    mean: Tensor
    std: Tensor

    def __init__(self, weights: str | Path) -> None:
        from torchvision.models import alexnet

        super().__init__()
        # On the meta device neither memory nor random numbers are spent on weights that will be others.
        with torch.device("meta"):
            layers = alexnet(weights=None).features[: _ALEX["relu5"] + 1]
        self.layers = layers.to_empty(device="cpu")
        published = torch.load(weights, map_location="cpu", weights_only=True)
        self.layers.load_state_dict({name: published[f"features.{name}"] for name in self.layers.state_dict()})
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)

    def taps(self, pictures: Tensor, names: Sequence[str]) -> list[Tensor]:
        x, found = (to_rgb(signed_to_unit(pictures)) - self.mean) / self.std, {}
        for number, layer in enumerate(self.layers):
            found[number] = x = layer(x)
        return [found[_ALEX[name]] for name in names]


def _unit(features: Tensor) -> Tensor:
    """Each place's vector over its length."""
    return features / (features.square().sum(dim=1, keepdim=True) + _EPSILON).sqrt()
