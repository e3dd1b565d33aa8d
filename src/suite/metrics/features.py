"""The frozen networks whose features compare two sets of pictures (FID, KID)."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


class Features(nn.Module):
    """Base of the feature networks: frozen, always in eval mode, float32 under any autocast.

    uint8 RGB (B, 3, H, W) of any size to float32 (B, `num_features`). `key` names network and weights in file names.
    On CUDA, convolutions obey torch's own TF32 switch like everything else in the process.
    """

    key: str
    num_features: int

    def freeze(self) -> None:
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Features":
        return super().train(False)

    def forward(self, pictures: Tensor) -> Tensor:
        with torch.autocast(pictures.device.type, enabled=False):
            return self.extract(pictures).float()

    def extract(self, pictures: Tensor) -> Tensor:
        raise NotImplementedError


class Inception(Features):
    """Inception-v3 with the 2015-12-05 weights: the 2048 pooled features that FID is defined by (Heusel et al. 2017).

    Pictures are resized to 299 as in the original TensorFlow graph, without anti-aliasing, as torch-fidelity and
    pytorch-fid do; torchmetrics' own default anti-aliases and gives other figures for pictures larger than 299.
    """

    num_features = 2048

    def __init__(self, path: str | Path) -> None:
        from torchmetrics.image.fid import NoTrainInceptionV3

        from suite.networks.weights import WEIGHTS

        super().__init__()
        self.key = f"inception_{WEIGHTS['inception'].sha256}"
        # Layers draw an initialisation before the weights are loaded over it; the training's generator stays as it was.
        with torch.random.fork_rng(devices=[]):
            self.network = NoTrainInceptionV3(
                name="inception-v3-compat",
                features_list=["2048"],
                feature_extractor_weights_path=str(path),
                antialias=False,
            )
        self.freeze()

    def extract(self, pictures: Tensor) -> Tensor:
        return self.network(pictures)


class RandomVGG(Features):
    """VGG-16 up to relu3_3 with seeded random weights: features that need no download.

    Weights are He-normal and biases zero, drawn on the CPU from a generator of their own, so they depend on `seed`
    alone. The features are the spatial means of relu1_2, relu2_2 and relu3_3, 64 + 128 + 256 = 448 figures. They tell
    sets of pictures apart by colour and texture; they know nothing of what is shown.
    """

    num_features = 448
    taps = (3, 8, 15)  # relu1_2, relu2_2, relu3_3 in torchvision's numbering

    def __init__(self, seed: int = 0) -> None:
        from torchvision.models import vgg16

        super().__init__()
        self.key = f"random_vgg_seed{seed}"
        # On the meta device neither memory nor random numbers are spent on the layers that are dropped.
        with torch.device("meta"):
            layers = vgg16(weights=None, init_weights=False).features[: self.taps[-1] + 1]
        self.layers = layers.to_empty(device="cpu")
        generator = torch.Generator().manual_seed(seed)
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
                nn.init.zeros_(layer.bias)
        self.freeze()

    def extract(self, pictures: Tensor) -> Tensor:
        from suite.images import uint8_to_unit, unit_to_signed

        x = unit_to_signed(uint8_to_unit(pictures))
        means: list[Tensor] = []
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in self.taps:
                means.append(x.mean(dim=(2, 3)))
        return torch.cat(means, dim=1)


class Precomputed(nn.Module):
    """Hands on features that are already there, where torchmetrics expects a network."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Any) -> Any:
        return features
