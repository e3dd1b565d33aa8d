"""The networks of Dong 2017: counts of the authors' layout, and a depth that follows the size."""

import pytest
import torch
from torch import nn

from suite.errors import UserError
from suite.networks.acgan import SIZES, LabelDiscriminator, LabelGenerator, LatentEncoder


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_counts_are_those_of_the_authors_layout() -> None:
    with torch.device("meta"):
        G = LabelGenerator(3, 64, labels=2, latent=100, embedding=5, width=128)
        assert count(G) - count(G.embedding) == 18_936_963
        assert count(G.embedding) == 10
        assert count(LabelDiscriminator(3, 64, labels=2, width=64)) == 4_332_035
        assert count(LatentEncoder(3, 64, out_features=100, width=64, tanh=True)) == 5_126_756


@pytest.mark.parametrize("size", SIZES)
def test_sides_are_doubled_and_halved_between_4_pixels_and_any_size(size: int) -> None:
    G, D = LabelGenerator(1, size, 3, 7, 0, width=2), LabelDiscriminator(1, size, 3, width=2)
    E = LatentEncoder(1, size, 7, width=2, tanh=False, labels=3)
    c = torch.tensor([0, 2])
    x = G(torch.zeros(2, 7), c)
    assert x.shape == (2, 1, size, size)
    assert [tuple(logits.shape) for logits in D(x)] == [(2,), (2, 3)]
    assert E(x, c).shape == (2, 7)


def test_an_outer_level_is_added_at_128_and_one_dropped_at_32() -> None:
    with torch.device("meta"):
        channels = {
            size: [m.in_channels for m in LabelGenerator(3, size, 2, 100, 5, 128).modules() if _doubles(m)]
            for size in (32, 64, 128)
        }
        out = {
            size: [m.out_channels for m in LabelDiscriminator(3, size, 2, 64).modules() if isinstance(m, nn.Conv2d)]
            for size in (32, 64, 128)
        }
    assert channels == {32: [1024, 512, 256], 64: [1024, 512, 256, 128], 128: [1024, 512, 256, 128, 64]}
    assert out == {32: [64, 128, 256], 64: [64, 128, 256, 512], 128: [64, 128, 256, 512, 1024]}


def _doubles(module: nn.Module) -> bool:
    return isinstance(module, nn.ConvTranspose2d)


@pytest.mark.parametrize("size", [96, 8, 0, 1024])
def test_other_sizes_are_refused_with_those_that_are_read(size: int) -> None:
    with pytest.raises(UserError, match=rf"data.size={size}: these networks read 16, 32, 64, 128, 256, 512 pixels"):
        LabelDiscriminator(3, size, 2, 4)


def test_weights_are_drawn_as_dcgan_s() -> None:
    G = LabelGenerator(3, 16, 2, 100, 5, width=32)
    assert float(G.project.weight.std()) == pytest.approx(0.02, rel=0.05)
    scales = torch.cat([m.weight for m in G.modules() if isinstance(m, nn.BatchNorm2d)])
    assert float(scales.mean()) == pytest.approx(1, abs=0.01)
    assert float(scales.std()) == pytest.approx(0.02, rel=0.3)
