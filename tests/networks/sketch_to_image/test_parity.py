"""Counts of the authors' layout at full width, on the meta device, where nothing is computed."""

from typing import Any

import pytest
import torch
from torch import nn

from suite.errors import UserError
from suite.networks.sketch_to_image.decoder import StyledDecoder
from suite.networks.sketch_to_image.discriminator import RefineDiscriminator
from suite.networks.sketch_to_image.encoders import ContentEncoder, StyleEncoder, StyleHead
from suite.networks.sketch_to_image.refiner import ArtRefiner
from suite.networks.sketch_to_image.refiner_face import FaceRefiner
from suite.networks.sketch_to_image.tom import GramDiscriminator, SketchGenerator

FEATURE = {"dmi": "feature", "dmi_bias": "shared", "style": "multiply", "norm": "instance", "spectral_bn": False}

COUNTS: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any], int]] = {
    "T": (SketchGenerator, (256,), {}, 4_729_347),
    "D_T": (GramDiscriminator, (), {}, 831_841),
    "style": (StyleEncoder, (3, 512, 64, False), {}, 14_795_700 - 256_500),
    "head": (StyleHead, (512, 500), {}, 256_500),
    "content": (ContentEncoder, (1, 512, 64, False), {}, 9_033_664),
    "content, spectral": (ContentEncoder, (1, 512, 64, True), {}, 9_033_664),
    "decoder": (StyledDecoder, (3, 512, 64), FEATURE | {"gate_8": "sigmoid"}, 18_994_616),
    "decoder, BatchNorm": (StyledDecoder, (3, 512, 64), FEATURE | {"gate_8": "batch"}, 18_995_640),
    "decoder, spectral": (StyledDecoder, (3, 512, 64), FEATURE | {"gate_8": "batch", "spectral_bn": True}, 18_995_640),
    "art": (ArtRefiner, (3, 512, 512, 64, True), {}, 49_818_336),
    "art, spectral": (ArtRefiner, (3, 512, 512, 64, True), {"spectral_bn": True}, 49_818_336),
    "art to 1024": (ArtRefiner, (3, 512, 1024, 64, True), {}, 49_827_216),
    "face": (FaceRefiner, (3, 512, 512, 64), {}, 5_659_328),
    "face to 1024": (FaceRefiner, (3, 512, 1024, 64), {}, 5_676_688),
    "D": (RefineDiscriminator, (3, 512, 64), {}, 16_863_360),
    "D at 1024": (RefineDiscriminator, (3, 1024, 64), {}, 16_863_360),
}


@pytest.fixture(autouse=True)
def _without_power_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds a network on the meta device, for numbers that aren't there."""
    monkeypatch.setattr("torch.nn.utils.parametrizations._SpectralNorm._power_method", lambda *_: None)


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(("build", "sizes", "options", "expected"), COUNTS.values(), ids=COUNTS.keys())
def test_counts_are_those_of_the_authors_code(build, sizes, options, expected) -> None:
    with torch.device("meta"):
        assert count(build(*sizes, **options)) == expected


def test_activations_at_full_width_are_those_of_the_authors_code() -> None:
    with torch.device("meta"):
        contents = ContentEncoder(1, 512, 64, False)(torch.empty(2, 1, 512, 512))
        styles = StyleEncoder(3, 512, 64, False)(torch.empty(2, 3, 512, 512))
        decoder = StyledDecoder(3, 512, 64, gate_8="sigmoid", **FEATURE)
        seen: list[tuple[int, ...]] = []
        for layer in decoder.outer.values():
            layer.register_forward_hook(lambda _, __, out: seen.append(tuple(out.shape[1:])))
        picture = decoder(contents, styles)
    assert [tuple(x.shape[1:]) for x in contents] == [(128, 32, 32), (256, 16, 16), (512, 8, 8)]
    assert [tuple(x.shape) for x in styles] == [(2, 128), (2, 256), (2, 512)]
    assert seen == [(64, 64, 64), (32, 128, 128), (16, 256, 256), (8, 512, 512)]
    assert picture.shape == (2, 3, 512, 512)


def test_below_512_outer_levels_are_dropped_and_the_others_keep_their_widths() -> None:
    def channels(size: int) -> list[int]:
        convolutions = [m for m in ContentEncoder(1, size, 64, False).modules() if isinstance(m, nn.Conv2d)]
        return [m.out_channels for m in convolutions if m.stride == (2, 2)]

    with torch.device("meta"):
        assert [channels(size) for size in (64, 128, 256, 512)] == [
            [128, 256, 512],
            [64, 128, 256, 512],
            [32, 64, 128, 256, 512],
            [16, 32, 64, 128, 256, 512],
        ]
        decoder = StyledDecoder(3, 256, 64, gate_8="sigmoid", **FEATURE)
        assert decoder.picture[0].in_channels == 16
        # The last level, of 16 to 16 channels, and a last convolution that reads 8 instead of 16.
        assert count(decoder) == 18_994_616 - 16 * 16 * 9 + (16 - 8) * 3 * 9


@pytest.mark.parametrize("size", [32, 96, 1024])
def test_other_sizes_are_refused_with_those_that_are_read(size: int) -> None:
    with pytest.raises(UserError, match=f"data.size={size}: these networks read 64, 128, 256, 512 pixels"):
        ContentEncoder(1, size, 4, False)


def test_at_1024_and_width_64_there_are_the_noises_of_the_authors_code() -> None:
    with torch.device("meta"):
        art, face = ArtRefiner(3, 512, 1024, 64, True), FaceRefiner(3, 512, 1024, 64)
    outer = [(1, side, side) for side in (64, 128, 256, 512, 1024)]
    maps = [(1, side, side) for side in (8, 16, 32)]
    assert art.noise_shapes == [(512,), (1, 8, 8), *maps, (1, 32, 32), *outer]
    assert face.noise_shapes == [(2,), *maps, *outer]  # the first for what is mirrored
