import pytest
import torch
from torch import nn

from suite.networks.build import build_discriminator
from suite.networks.discriminators import PatchDiscriminator, PixelDiscriminator

PUBLISHED = [
    ({"name": "patch"}, 3, 2_764_737),
    ({"name": "patch", "norm": "batch"}, 6, 2_768_705),
    ({"name": "patch"}, 6, 2_767_809),
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


@pytest.mark.parametrize(("downs", "field"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_patch_logit_sees_exactly_its_field(downs: int, field: int) -> None:
    torch.manual_seed(0)
    # Without InstanceNorm, whose mean would let every logit see everything.
    network = PatchDiscriminator(3, downs, width=4, norm="none")
    x = torch.randn(1, 3, 256, 256, requires_grad=True)
    logits = network(x)
    middle = logits.shape[-1] // 2
    (gradient,) = torch.autograd.grad(logits[0, 0, middle, middle], x)
    seen = gradient[0].abs().sum(0) > 0
    for side in (0, 1):
        touched = seen.any(side).nonzero().flatten()
        assert touched[-1] - touched[0] + 1 == field


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
