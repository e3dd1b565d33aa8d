import pytest
import torch
from torch import nn

from suite.networks.build import build_generator
from suite.networks.resnet import ResNetGenerator
from suite.networks.unet import UNetGenerator

# The published sizes of these architectures, with three channels in and out.
PUBLISHED = [
    ({"name": "resnet", "blocks": 9}, 11_378_179),
    ({"name": "resnet", "blocks": 9, "norm": "batch"}, 11_383_427),
    ({"name": "resnet", "blocks": 6}, 7_837_699),
    ({"name": "unet", "downs": 8, "norm": "batch"}, 54_413_955),
    ({"name": "unet", "downs": 8, "norm": "instance"}, 54_409_603),
    ({"name": "unet", "downs": 7, "norm": "batch"}, 41_828_995),
    ({"name": "unet", "downs": 7, "norm": "instance"}, 41_825_667),
]

SMALL = [
    {"name": "resnet", "blocks": 1, "width": 4},
    {"name": "unet", "downs": 2, "width": 4},
    {"name": "unetpp", "depth": 2, "width": 4},
]


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(("backbone", "count"), PUBLISHED)
def test_parameter_count_is_the_published_one(backbone: dict, count: int) -> None:
    with torch.device("meta"):
        assert parameters(build_generator(backbone, 3, 3)) == count


@pytest.mark.parametrize(
    ("backbone", "height", "width"),
    [
        ({"name": "resnet", "blocks": 1, "width": 4}, 36, 20),
        ({"name": "unet", "downs": 4, "width": 4, "norm": "instance"}, 48, 32),
    ],
)
def test_generator_keeps_the_size_and_ends_in_tanh(backbone: dict, height: int, width: int) -> None:
    torch.manual_seed(0)
    network = build_generator(backbone, 1, 3)
    assert height % network.divisor == 0
    assert width % network.divisor == 0
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(100)  # far beyond 1, if nothing held the output
        pictures = network(torch.rand(2, 1, height, width))
    assert pictures.shape == (2, 3, height, width)
    assert 0.9 < pictures.abs().max() <= 1


@pytest.mark.parametrize("backbone", SMALL)
def test_resized_convolutions_draw_no_checkerboard(backbone: dict) -> None:
    torch.manual_seed(0)
    flat = torch.full((1, 3, 128, 128), 0.5)
    pattern = {}
    for upsample in ("transpose", "resize"):
        network = build_generator(backbone | {"upsample": upsample, "norm": "none"}, 3, 3)
        for weight in network.parameters():
            if weight.ndim > 1:
                nn.init.kaiming_normal_(weight)  # the initial ones let deep levels add next to nothing
        middle = network(flat)[..., 60:68, 60:68].flatten(2)  # away from the borders, which are padded with zeros
        pattern[upsample] = middle.std(-1).max()
    assert pattern["resize"] < 1e-5 < 1e-2 < pattern["transpose"]


@pytest.mark.parametrize(("reads", "draws"), [(3, 3), (3, 1), (1, 3)])
@pytest.mark.parametrize("backbone", SMALL)
def test_a_residual_generator_adds_to_the_picture_within_tanh(backbone: dict, reads: int, draws: int) -> None:
    torch.manual_seed(0)
    plain = build_generator(backbone, reads, draws).double()
    residual = build_generator(backbone | {"residual": True}, reads, draws).double()
    residual.load_state_dict(plain.state_dict())
    picture = torch.rand(2, reads, 16, 16, dtype=torch.float64) * 2 - 1
    picture[0, :, 0, 0] = 1  # white: finite, and can be changed
    kept = picture if reads == draws else picture.mean(1, keepdim=True)
    expected = torch.tanh(torch.atanh(plain(picture)) + torch.atanh(0.95 * kept))
    torch.testing.assert_close(residual(picture), expected)


def test_every_head_of_a_residual_generator_adds_to_the_picture() -> None:
    backbone = {"name": "unetpp", "depth": 2, "width": 4, "deep_supervision": True, "residual": True}
    network = build_generator(backbone, 3, 3, supervises_heads=True)
    for head in network.heads:
        nn.init.zeros_(head[0].weight)
    picture = torch.rand(2, 3, 8, 8) * 2 - 1
    torch.testing.assert_close(network(picture, every_head=True), 0.95 * picture.expand(2, *picture.shape))


def test_resnet_divisor_is_exact() -> None:
    network = ResNetGenerator(3, 3, blocks=1, width=4)
    assert network(torch.rand(1, 3, 4 * 5, 4 * 6)).shape[-2:] == (20, 24)
    assert network(torch.rand(1, 3, 22, 22)).shape[-2:] != (22, 22)


def test_residual_block_adds_to_its_input() -> None:
    block = ResNetGenerator(3, 3, blocks=1, width=4).layers[10]
    nn.init.zeros_(block.residual[-2].weight)
    x = torch.randn(1, 16, 8, 8)  # also negative: no activation after the sum
    # InstanceNorm divides the rounding of a flat map by the root of 1e-5.
    torch.testing.assert_close(block(x), x, atol=1e-4, rtol=0)


def test_resnet_dropout_sits_in_every_block_and_nowhere_else() -> None:
    network = ResNetGenerator(3, 3, blocks=2, width=4, dropout=0.5)
    assert [type(layer) for block in network.layers[10:12] for layer in block.residual].count(nn.Dropout) == 2
    assert sum(isinstance(layer, nn.Dropout) for layer in network.modules()) == 2


@pytest.mark.parametrize(("downs", "levels"), [(8, [4, 5, 6]), (7, [4, 5]), (5, [])])
def test_unet_dropout_sits_in_the_widest_inner_levels(downs: int, levels: list[int]) -> None:
    with torch.device("meta"):
        network = UNetGenerator(3, 3, downs=downs)
    assert [i for i, up in enumerate(network.up) if any(isinstance(m, nn.Dropout) for m in up)] == levels


@pytest.mark.parametrize("skip", [True, False])
def test_unet_without_skip_passes_everything_through_the_bottleneck(skip: bool) -> None:
    torch.manual_seed(0)
    network = UNetGenerator(3, 3, downs=4, width=4, norm="instance", dropout=0, skip=skip).eval()
    nn.init.zeros_(network.down[-1][-1].weight)
    one, other = network(torch.rand(1, 3, 32, 32)), network(torch.rand(1, 3, 32, 32))
    assert torch.equal(one, other) is not skip


def test_unet_without_skip_differs_in_the_decoders_inputs_only() -> None:
    with_skip = UNetGenerator(3, 3, downs=4, width=4).state_dict()
    without = UNetGenerator(3, 3, downs=4, width=4, skip=False).state_dict()
    assert with_skip.keys() == without.keys()
    different = {name for name in without if without[name].shape != with_skip[name].shape}
    assert different == {f"up.{level}.1.weight" for level in (0, 1, 2)}
    for name in different:
        assert with_skip[name].shape[0] == 2 * without[name].shape[0]
