"""What papers and the data may ask of any network, by whatever name it is built."""

from collections.abc import Callable

import pytest
import torch

from suite.networks.build import DISCRIMINATORS, GENERATORS, build_discriminator, build_generator
from suite.networks.contract import Discriminator, Generator
from suite.networks.csi import SketchInversionNetwork
from suite.networks.inversion import InversionNetwork

# Small ones, without the normalisation that needs several pixels.
SMALL_GENERATORS = {
    "resnet": {"blocks": 1, "width": 4, "norm": "none"},
    "unet": {"downs": 4, "width": 4, "norm": "none"},
    "unetpp": {"depth": 2, "width": 4, "norm": "none"},
}
SMALL_DISCRIMINATORS = {
    "patch": {"downs": 2, "width": 4, "norm": "none"},
    "pixel": {"width": 4, "norm": "none"},
    "global": {"size": 20, "width": 4, "norm": "none"},
}


# A paper's own, which no name builds.
OWN_GENERATORS: dict[str, Callable[[int, int], Generator]] = {
    "dagan": lambda a, b: InversionNetwork(a, b, 2, "none", "nearest", "split", 2),
    "csi": lambda a, b: SketchInversionNetwork(a, b, 4, "none"),
}


@pytest.mark.parametrize("name", [*GENERATORS, *OWN_GENERATORS])
def test_a_generator_says_its_channels_and_what_sides_it_keeps(name: str) -> None:
    build = OWN_GENERATORS.get(name, lambda a, b: build_generator({"name": name, **SMALL_GENERATORS[name]}, a, b))
    network = build(1, 3)
    assert isinstance(network, Generator)
    assert (network.in_channels, network.out_channels) == (1, 3)
    side = network.divisor
    assert network(torch.rand(2, 1, 3 * side, 2 * side)).shape == (2, 3, 3 * side, 2 * side)
    between = 3 * side - side // 2
    try:
        shape = network(torch.rand(2, 1, between, between)).shape
    except RuntimeError:
        shape = None
    assert shape != (2, 3, between, between)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_discriminator_says_its_channels_and_the_shortest_side_it_judges(name: str) -> None:
    network = build_discriminator({"name": name, **SMALL_DISCRIMINATORS[name]}, 2)
    assert isinstance(network, Discriminator)
    assert network.in_channels == 2
    side = network.smallest
    assert network(torch.rand(3, 2, side, side)).shape == (3, 1, 1, 1)
    with pytest.raises(RuntimeError):
        network(torch.rand(3, 2, side - 1, side - 1))
