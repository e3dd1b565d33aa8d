"""The network of convolutional sketch inversion, held to the layer table of its public re-implementations."""

import pytest
import torch
from torch import nn

from suite.networks.csi import SketchInversionNetwork


def count(network: nn.Module, *kinds: type[nn.Module]) -> int:
    return sum(w.numel() for module in network.modules() if isinstance(module, kinds) for w in module.parameters())


def test_weights_and_activations_at_96() -> None:
    with torch.device("meta"):
        network, x = SketchInversionNetwork(1, 3, 32, "batch"), torch.empty(2, 1, 96, 96)
    assert count(network, nn.Conv2d, nn.ConvTranspose2d) == 1_670_851
    assert sum(weight.numel() for weight in network.parameters()) == 1_674_057
    seen = []
    for layer in network.layers:
        x = layer(x)
        if not isinstance(layer, nn.BatchNorm2d | nn.ReLU | nn.Tanh):
            seen.append(tuple(x.shape[1:]))
    down, up = [(32, 96, 96), (64, 48, 48), (128, 24, 24)], [(64, 48, 48), (32, 96, 96), (3, 96, 96)]
    assert seen == [*down, *[(128, 24, 24)] * 5, *up]


@pytest.mark.parametrize(("norm", "kind"), [("batch", nn.BatchNorm2d), ("instance", nn.InstanceNorm2d), ("none", None)])
def test_norms_are_behind_every_convolution_also_in_front_of_tanh(norm: str, kind: type | None) -> None:
    network = SketchInversionNetwork(1, 3, 4, norm)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d)]
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
    assert [type(module) for module in norms] == ([] if kind is None else [kind] * len(convolutions))
    assert all(module.bias is not None for module in convolutions)
    assert kind is None or isinstance(network.layers[-2], kind)


def test_pictures_keep_their_sides_and_a_residual_block_may_be_negative() -> None:
    torch.manual_seed(0)
    network, x = SketchInversionNetwork(1, 3, 4, "batch"), torch.rand(2, 1, 32, 48) * 2 - 1
    pictures = network(x)
    assert pictures.shape == (2, 3, 32, 48)
    assert pictures.abs().max() <= 1
    assert pictures.std() > 0.3  # BatchNorm gives tanh its whole range, from the first step on
    inside = network.layers[:10](x)  # the first of the blocks
    assert inside.min() < -0.1
