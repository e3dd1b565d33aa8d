import pytest
import torch
from torch import nn

from suite.errors import UserError
from suite.networks.build import build_discriminator
from suite.networks.discriminators import GlobalDiscriminator, PatchDiscriminator, PixelDiscriminator

PUBLISHED = [
    ({"name": "patch"}, 3, 2_764_737),
    ({"name": "patch", "norm": "batch"}, 6, 2_768_705),
    ({"name": "patch"}, 6, 2_767_809),
    ({"name": "patch", "field": 70, "norm": "batch"}, 6, 2_768_705),
    ({"name": "pixel"}, 3, 8_705),
    ({"name": "pixel", "norm": "batch"}, 6, 9_024),
]


@pytest.mark.parametrize(("discriminator", "channels", "count"), PUBLISHED)
def test_parameter_count_is_the_published_one(discriminator: dict, channels: int, count: int) -> None:
    with torch.device("meta"):
        network = build_discriminator(discriminator, channels)
    assert sum(weight.numel() for weight in network.parameters()) == count


@pytest.mark.parametrize(("downs", "logits"), [(1, 126), (2, 62), (3, 30), (4, 14), (5, 6)])
def test_patch_logits_at_256(downs: int, logits: int) -> None:
    with torch.device("meta"):
        assert PatchDiscriminator(3, downs)(torch.empty(2, 3, 256, 256)).shape == (2, 1, logits, logits)


def seen_by_the_middle(network: nn.Module, size: int) -> list[int]:
    """The height and width of what moves the logit in the middle."""
    x = torch.randn(1, 3, size, size, requires_grad=True)
    logits = network(x)
    middle = logits.shape[-1] // 2
    (gradient,) = torch.autograd.grad(logits[0, 0, middle, middle], x)
    seen = gradient[0].abs().sum(0) > 0
    touched = [seen.any(side).nonzero().flatten() for side in (1, 0)]
    return [int(places[-1] - places[0] + 1) for places in touched]


# All probed without InstanceNorm, whose mean would let every logit see everything.


@pytest.mark.parametrize(("downs", "field"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_patch_logit_sees_exactly_its_field(downs: int, field: int) -> None:
    torch.manual_seed(0)
    for options in ({"downs": downs}, {"field": field}):
        network = PatchDiscriminator(3, width=4, norm="none", **options)
        assert seen_by_the_middle(network, 256) == [field, field]


@pytest.mark.parametrize(("field", "near"), [(64, "34 and 70"), (1, "16 and 34"), (256, "142 and 286")])
def test_a_field_that_no_patchgan_has_is_refused(field: int, near: str) -> None:
    with pytest.raises(UserError, match=rf"^model\.discriminator\.field={field}: .*; the nearest see {near}$"):
        build_discriminator({"name": "patch", "field": field}, 3)


@pytest.mark.parametrize("size", [20, 32, 33, 64, 96, 100, 128, 256])
def test_global_logit_sees_the_whole_picture_and_nothing_more(size: int) -> None:
    torch.manual_seed(0)
    network = GlobalDiscriminator(3, size, width=4, norm="none")
    assert network(torch.randn(2, 3, size, size)).shape == (2, 1, 1, 1)
    x = torch.randn(1, 3, size, size, requires_grad=True)
    network(x).backward()
    assert (x.grad.abs().sum(dim=(0, 1)) > 0).all()  # no pixel is left out, also at the edges
    assert seen_by_the_middle(network, size + 64) == [size, size]


def test_global_discriminator_at_256_is_the_published_one() -> None:
    with torch.device("meta"):
        network = GlobalDiscriminator(4, 256, norm="batch")
        sides = []
        x = torch.empty(1, 4, 256, 256)
        for layer in network.layers:
            x = layer(x)
            if isinstance(layer, nn.Conv2d):
                sides.append((layer.kernel_size[0], layer.stride[0], layer.out_channels, x.shape[-1]))
    assert sides == [(8, 2, 64, 125), (3, 2, 128, 62), (4, 2, 256, 30), (4, 2, 512, 14), (4, 2, 1, 6), (6, 1, 1, 1)]


def test_global_discriminator_of_too_small_a_picture_is_refused() -> None:
    with pytest.raises(UserError, match=r"model\.discriminator\.size=19: give a whole number from 20 to "):
        build_discriminator({"name": "global", "size": 19}, 3)
    network = GlobalDiscriminator(3, 48, width=4)
    assert network.smallest == 48
    with pytest.raises(RuntimeError):
        network(torch.rand(1, 3, 47, 47))


def test_pixel_logit_sees_one_pixel() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 3, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(PixelDiscriminator(3, width=4, norm="none")(x)[0, 0, 2, 5], x)
    assert (gradient[0].abs().sum(0) > 0).nonzero().tolist() == [[2, 5]]


@pytest.mark.parametrize("norm", ["instance", "none"])
@pytest.mark.parametrize("downs", [1, 2, 3, 4])
def test_smallest_is_exact(downs: int, norm: str) -> None:
    network = PatchDiscriminator(3, downs, width=4, norm=norm)
    smallest = network.smallest
    assert network(torch.rand(1, 3, smallest, smallest)).shape == (1, 1, 1, 1)
    with pytest.raises((RuntimeError, ValueError)):  # no logit left, or InstanceNorm of a single value before it
        network(torch.rand(1, 3, smallest - 1, smallest - 1))


def test_a_discriminator_ends_in_logits() -> None:
    for network in (PatchDiscriminator(3, width=4), PixelDiscriminator(3, width=4)):
        assert isinstance(network.layers[-1], nn.Conv2d)
