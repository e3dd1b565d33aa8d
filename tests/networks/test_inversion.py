"""DA-GAN's networks, held to Table 1 of Liu 2018; those of full width on the meta device, where nothing is computed."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from suite.networks.inversion import DomainNetwork, InversionNetwork, Residual
from suite.networks.layers import init_normal

LAYERS = nn.Conv2d | nn.ConvTranspose2d | nn.Linear | Residual  # the rows of the table


def inversion(**changes: Any) -> InversionNetwork:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"in_channels": 1, "out_channels": 3, "width": 16, "norm": "none"}
    settings |= {"upsampling": "nearest", "latent_heads": "split", "hidden": 2}
    return InversionNetwork(**settings | changes)


def small(**changes: Any) -> InversionNetwork:
    return inversion(width=2, **changes)


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def sizes(layers: nn.Module, x: Tensor) -> list[tuple[int, ...]]:
    """What comes out of each row of the table for one input, without the batch."""
    seen: list[tuple[int, ...]] = []
    for layer in layers.children():
        x = layer(x)
        if isinstance(layer, LAYERS):
            seen.append(tuple(x.shape[1:]))
    return seen


# Table 1 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hidden", "of_decoder"), [(2, 5_112_483), (1, 2_752_675)])
def test_weights_of_the_inversion_network(hidden: int, of_decoder: int) -> None:
    with torch.device("meta"):
        network = inversion(hidden=hidden)
    assert count(network.encoder) == 12_561_920
    assert count(network.decoder) == of_decoder
    assert count(network) == 12_561_920 + of_decoder


@pytest.mark.parametrize(("side", "weights"), [(6, 2_995_345), (4, 1_715_345)])
def test_weights_of_the_domain_network(side: int, weights: int) -> None:
    with torch.device("meta"):
        assert count(DomainNetwork(16, side, first=True)) == weights
        # Its first row as no more than the input: a convolution of 256 channels less.
        assert count(DomainNetwork(16, side, first=False)) == weights - (256 * 256 * 9 + 256)


@pytest.mark.parametrize("upsampling", ["nearest", "transposed"])
def test_activations_at_96_are_those_of_the_table(upsampling: str) -> None:
    with torch.device("meta"):
        network, domain = inversion(upsampling=upsampling), DomainNetwork(16, 6, first=True)
        sketches, codes = torch.empty(2, 1, 96, 96), torch.empty(2, 256, 6, 6)
    halvings = [(16, 96, 96), (32, 48, 48), (64, 24, 24), (128, 12, 12)]
    assert sizes(network.encoder.layers, sketches) == [*halvings, *[(512, 6, 6)] * 3]
    assert [part.shape for part in network.encoder(sketches)] == [codes.shape] * 2
    assert sizes(network.decoder.layers, codes) == [*[(256, 6, 6)] * 2, *halvings[::-1], (3, 96, 96)]
    of_domain = [(channels, 6, 6) for channels in (256, 16, 16, 32, 64, 64)]
    assert sizes(domain.layers, codes) == [*of_domain, (1000,), (1,)]


def test_kernels_are_those_of_the_table() -> None:
    network = small()
    of_encoder = [layer.kernel_size for layer in network.encoder.layers if isinstance(layer, nn.Conv2d)]
    assert of_encoder == [(9, 9), (5, 5), (3, 3), (3, 3)]
    others = [*network.decoder.modules(), *DomainNetwork(2, 2, True).modules()]
    assert {layer.kernel_size for layer in others if isinstance(layer, nn.Conv2d)} == {(3, 3)}
    slopes = [layer.negative_slope for layer in [*network.modules(), *others] if isinstance(layer, nn.LeakyReLU)]
    assert set(slopes) == {0.2}


# Options --------------------------------------------------------------------------------------------------------------


def test_heads_are_a_convolution_more_and_split_is_the_last_map_itself() -> None:
    x = torch.rand(2, 1, 32, 32)
    split, heads = small(), small(latent_heads="heads")
    assert torch.equal(torch.cat(split.encoder(x), dim=1), split.encoder.layers(x))
    assert count(heads) == count(split) + 64 * 64 + 64
    mean, log_variance = heads.encoder(x)
    assert torch.equal(torch.cat([mean, log_variance], dim=1), heads.encoder.heads(heads.encoder.layers(x)))


def test_norms_are_where_they_are_asked_for_and_take_no_bias_away() -> None:
    plain, batch = small(), small(norm="batch")
    norms = [module for module in batch.modules() if isinstance(module, nn.BatchNorm2d)]
    # Behind every convolution of both but the shortcut, the one to the picture, and none of a domain network.
    convolutions = [module for module in plain.modules() if isinstance(module, nn.Conv2d)]
    assert len(norms) == len(convolutions) - 2
    assert count(batch) == count(plain) + sum(2 * norm.num_features for norm in norms)
    assert not any(isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d) for module in plain.modules())
    assert any(isinstance(module, nn.InstanceNorm2d) for module in small(norm="instance").modules())


def test_pictures_are_enlarged_as_chosen() -> None:
    def enlarging(upsampling: str) -> tuple[int, int]:
        modules = list(small(upsampling=upsampling).decoder.modules())
        return tuple(sum(isinstance(m, kind) for m in modules) for kind in (nn.UpsamplingNearest2d, nn.ConvTranspose2d))

    assert enlarging("nearest") == (4, 0)
    assert enlarging("transposed") == (0, 4)


def test_a_picture_is_that_of_the_codes_mean() -> None:
    network, x = small(), torch.rand(2, 1, 32, 48)
    pictures = network(x)
    assert torch.equal(pictures, network.decoder(network.encoder(x)[0]))
    assert pictures.shape == (2, 3, 32, 48)
    assert pictures.abs().max() < 1


# Codes ----------------------------------------------------------------------------------------------------------------


def test_codes_may_be_negative_and_nothing_makes_them_smaller() -> None:
    # Behind a LeakyReLU, a constant of -3 would come out as -0.6.
    network = small()
    last, sketches = network.encoder.layers[-1], torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        for weight in last.residual[-2].parameters():
            weight.zero_()
        before = network.encoder(sketches)[0]
        last.residual[-2].bias.fill_(-3)
        after = network.encoder(sketches)[0]
    assert after.mean().item() == pytest.approx(-3 + before.mean().item(), abs=1e-4)


def test_codes_before_the_first_step_neither_explode_nor_vanish() -> None:
    sketches = (torch.rand(2, 1, 96, 96) > 0.1) * 2.0 - 1  # dark strokes on white
    network = inversion()
    with torch.no_grad():
        for part in network.encoder(sketches):
            assert 0.3 < part.std() < 3
        init_normal(network)  # N(0, 0.02), what other networks begin with
        assert network.encoder(sketches)[0].std() < 5e-3
