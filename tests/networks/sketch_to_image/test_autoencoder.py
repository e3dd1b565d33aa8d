"""The encoders and the decoder at a small width: what reaches what, and what an option changes."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from suite.networks.sketch_to_image.blocks import ResBlkE, ResBlkG
from suite.networks.sketch_to_image.decoder import StyledDecoder
from suite.networks.sketch_to_image.encoders import ContentEncoder, StyleEncoder, StyleHead
from suite.networks.sketch_to_image.injection import DualMaskInjection, StyleGate

WIDTH = 4
DEFAULT: dict[str, Any] = {"dmi": "feature", "dmi_bias": "shared", "style": "multiply", "norm": "instance"}
DEFAULT |= {"gate_8": "sigmoid", "spectral_bn": False}


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def decoder(size: int = 64, **changes: Any) -> StyledDecoder:
    torch.manual_seed(0)
    return StyledDecoder(3, size, WIDTH, **DEFAULT | changes)


def codes(batch: int = 2) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Contents and styles of noise."""
    contents = tuple(noise(batch, n * WIDTH, side, side) for n, side in ((2, 32), (4, 16), (8, 8)))
    return contents, tuple(noise(batch, n * WIDTH) for n in (2, 4, 8))


# Residual blocks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [ResBlkE, ResBlkG])
def test_a_block_begins_as_the_identity_and_learns(block) -> None:
    x, torch_block = noise(2, 32, 8, 8), block(32, spectral_bn=False)
    y = torch_block(x)
    assert torch.equal(y, x)
    y.square().mean().backward()
    scales = [m.weight.grad.abs().max() for m in torch_block.modules() if isinstance(m, nn.BatchNorm2d)]
    assert scales[-1] > 0


@pytest.mark.parametrize("block", [ResBlkE, ResBlkG])
def test_with_spectral_bn_scales_have_length_1_and_a_block_is_near_the_identity(block) -> None:
    torch.manual_seed(0)
    x, network = noise(2, 64, 8, 8), block(64, spectral_bn=True)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:  # whatever is learnt
            norm.parametrizations.weight.original.mul_(3)
    assert [float(norm.weight.norm().detach()) for norm in norms] == pytest.approx([1.0] * len(norms))
    change = (network(x) - x).square().mean().sqrt() / x.square().mean().sqrt()
    assert 0 < change < 0.2


# Encoders -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_maps_of_32_16_and_8_pixels_and_three_vectors_of_any_size(size: int) -> None:
    contents = ContentEncoder(1, size, WIDTH, False)(noise(1, 1, size, size))
    assert [tuple(x.shape) for x in contents] == [(1, 8, 32, 32), (1, 16, 16, 16), (1, 32, 8, 8)]
    encoder = StyleEncoder(3, size, WIDTH, False)
    assert [tuple(x.shape) for x in encoder(noise(1, 3, size, size))] == [(1, n) for n in encoder.features]


def test_a_map_is_not_changed_by_what_reads_it() -> None:
    encoder = ContentEncoder(1, 64, WIDTH, False)
    x = noise(2, 1, 64, 64)
    of_32, *_ = encoder(x)
    assert (of_32 < 0).any()
    torch.testing.assert_close(of_32, encoder.trunk.to_32(x))


def test_renewed_classes_are_forgotten_in_place_and_drawn_as_published() -> None:
    head = StyleHead(64, 500)
    before, places = head.linear.weight.clone(), [weight.data_ptr() for weight in head.parameters()]
    head.renew(torch.Generator().manual_seed(1))
    assert [weight.data_ptr() for weight in head.parameters()] == places
    assert not torch.isclose(head.linear.weight, before).any(dim=1).all()
    for values, limit in ((head.linear.weight, 1 / 8), (head.linear.bias, 0.1 / 8)):
        assert values.abs().max().item() == pytest.approx(limit, rel=0.02)
        assert values.std().item() == pytest.approx(limit / 3**0.5, rel=0.1)
    again = StyleHead(64, 500)
    again.renew(torch.Generator().manual_seed(1))
    assert torch.equal(again.linear.weight, head.linear.weight)


def test_a_detached_head_teaches_the_vectors_alone() -> None:
    head, vector = StyleHead(8, 3), noise(2, 8).requires_grad_()
    logits = head(vector, detached=True)
    assert torch.equal(logits, head(vector))
    logits.square().sum().backward()
    assert vector.grad is not None
    assert vector.grad.abs().max() > 0
    assert all(weight.grad is None for weight in head.parameters())


# Injection ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask_channels", [1, 3])
def test_dmi_is_its_closed_form(mask_channels: int) -> None:
    x, m = noise(2, 3, 4, 4), noise(2, mask_channels, 4, 4, seed=1)
    shared, masked = DualMaskInjection(3, "shared"), DualMaskInjection(3, "masked")
    with torch.no_grad():
        for number, parameter in enumerate(shared.parameters()):
            parameter.add_(noise(3, 1, 1, seed=number + 2))
    masked.load_state_dict(shared.state_dict())
    wa, wb, ba, bb = (getattr(shared, name).detach() for name in ("w_a", "w_b", "b_a", "b_b"))
    torch.testing.assert_close(shared(x, m), x * (wb + (wa - wb) * m) + ba + bb)
    torch.testing.assert_close(masked(x, m), m * (wa * x + ba) + (1 - m) * (wb * x + bb))


def test_dmi_begins_near_the_identity_as_published() -> None:
    dmi = DualMaskInjection(2, "shared")
    assert [value.unique().item() for value in dmi.parameters()] == pytest.approx([1.01, 0.99, 0.01, -0.01])


@pytest.mark.parametrize("kind", ["sigmoid", "batch", "add", "adain"])
def test_a_gate_changes_each_channel_of_each_picture_by_its_style(kind) -> None:
    torch.manual_seed(0)
    gate, x, style = StyleGate(6, 3, kind), noise(4, 3, 5, 5), noise(4, 6, seed=1)
    y = gate(x, style)
    of_style = gate.layers(style)
    if kind == "add":
        shift = y - x
        torch.testing.assert_close(shift, of_style[:, :, None, None].expand_as(x))
    elif kind == "adain":
        torch.testing.assert_close(y.mean(dim=(2, 3)), of_style[:, 3:], rtol=1e-4, atol=1e-5)
        deviation = (1 + of_style[:, :3]).abs()
        torch.testing.assert_close(y.std(dim=(2, 3), correction=0), deviation, rtol=1e-3, atol=1e-4)
    else:
        torch.testing.assert_close(y / x, of_style[:, :, None, None].expand_as(x), rtol=1e-4, atol=1e-4)
        assert (of_style < 0).any() == (kind == "batch")
        assert (of_style > 1).any() == (kind == "batch")


# Decoder --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_pictures_of_any_size_in_minus_one_to_one(size: int) -> None:
    picture = decoder(size)(*codes(batch=1))
    assert picture.shape == (1, 3, size, size)
    assert picture.abs().max() <= 1
    assert picture.std() > 0.01


OPTIONS: list[dict[str, Any]] = [
    {"dmi": "none"},
    {"dmi": "sketch"},
    {"dmi_bias": "masked"},
    {"style": "none"},
    {"style": "add"},
    {"style": "adain"},
    {"norm": "none"},
    {"norm": "batch"},
    {"gate_8": "batch"},
    {"spectral_bn": True},
]


@pytest.mark.parametrize("changes", [{}, *OPTIONS], ids=str)
def test_contents_styles_and_weights_all_count(changes: dict[str, Any]) -> None:
    network, sketch = decoder(256, **changes), noise(2, 1, 256, 256).tanh().requires_grad_()
    contents, styles = codes()
    inputs = [x.requires_grad_() for x in (*contents, *styles)]
    network(contents, styles, sketch).square().sum().backward()
    unread = [] if changes.get("style") != "none" else styles[:2]  # styles come in at 8 pixels alone
    for x in inputs:
        assert any(x is other for other in unread) == (x.grad is None or not x.grad.any())
    assert (sketch.grad is not None) == (changes.get("dmi") == "sketch")
    assert [name for name, weight in network.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize("changes", OPTIONS, ids=str)
def test_an_option_changes_what_comes_out(changes: dict[str, Any]) -> None:
    def of(network: StyledDecoder) -> Tensor:
        with torch.no_grad():
            return network(*codes(), noise(2, 1, 64, 64).tanh())

    changed = decoder(**changes)
    plain = decoder()
    shared = {key: value for key, value in plain.state_dict().items() if _fits(changed, key, value)}
    changed.load_state_dict(shared, strict=False)
    assert not torch.allclose(of(changed), of(plain), atol=1e-4)


def _fits(network: nn.Module, key: str, value: Tensor) -> bool:
    own = network.state_dict().get(key)
    return own is not None and own.shape == value.shape


def test_thin_lines_remain_in_the_mask_of_a_sketch() -> None:
    network, sketch = decoder(dmi="sketch"), torch.ones(1, 1, 64, 64)
    sketch[..., 3] = -1  # one pixel wide, and off the grid that nearest would look at
    mask = network._mask(torch.empty(1, 32, 8, 8), sketch)
    assert mask.shape == (1, 1, 8, 8)
    torch.testing.assert_close(mask[0, 0, 0], torch.tensor([7 / 8] + [1.0] * 7))


@pytest.mark.parametrize("changes", [{}, {"gate_8": "batch", "norm": "batch"}, {"style": "none"}], ids=str)
def test_in_eval_mode_a_picture_does_not_depend_on_its_batch(changes: dict[str, Any]) -> None:
    torch.manual_seed(0)
    content, style = ContentEncoder(1, 64, WIDTH, False), StyleEncoder(3, 64, WIDTH, False)
    network = decoder(**changes)
    sketches, photos = noise(3, 1, 64, 64), noise(3, 3, 64, 64)

    def picture(sketches: Tensor, photos: Tensor) -> Tensor:
        with torch.no_grad():
            return network(content(sketches), style(photos))

    picture(sketches, photos)  # running statistics
    for part in (content, style, network):
        part.eval()
    torch.testing.assert_close(picture(sketches, photos)[:1], picture(sketches[:1], photos[:1]), rtol=1e-4, atol=1e-5)
