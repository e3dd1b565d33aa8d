"""The refiners and their discriminator at a small width."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from suite.networks.sketch_to_image.discriminator import RefineDiscriminator
from suite.networks.sketch_to_image.encoders import style_features
from suite.networks.sketch_to_image.refiner import ArtRefiner
from suite.networks.sketch_to_image.refiner_face import FaceRefiner

WIDTH = 4
Refiner = ArtRefiner | FaceRefiner


def build(kind: str, size_in: int = 64, size_out: int = 64) -> Refiner:
    torch.manual_seed(0)
    if kind == "face":
        return FaceRefiner(3, size_in, size_out, WIDTH)
    return ArtRefiner(3, size_in, size_out, WIDTH, styled=kind == "art")


def inputs(network: Refiner, batch: int = 2) -> tuple[Tensor, tuple[Tensor, ...], list[Tensor]]:
    random = torch.Generator().manual_seed(1)
    side = network.smallest
    pictures = torch.rand(batch, 3, side, side, generator=random) * 2 - 1
    styles = tuple(torch.randn(batch, n, generator=random) for n in style_features(WIDTH))
    return pictures, styles, [torch.randn(batch, *shape, generator=random) for shape in network.noise_shapes]


KINDS = ["art", "unstyled", "face"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("size_in", "size_out"), [(64, 64), (128, 128), (64, 256), (256, 256)])
def test_pictures_of_any_size_with_every_noise_read_once(kind: str, size_in: int, size_out: int) -> None:
    network = build(kind, size_in, size_out)
    pictures, styles, noise = inputs(network, batch=1)
    with torch.no_grad():
        out = network.eval()(pictures, styles, noise)
        assert out.shape == (1, 3, size_out, size_out)
        assert out.abs().max() < 1
        with pytest.raises((StopIteration, RuntimeError)):
            network(pictures, styles, noise[:-1])


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_styles_noise_and_weights_all_count(kind: str) -> None:
    network = build(kind, 256, 256)
    pictures, styles, noise = inputs(network)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("strength"):
                weight += 0.1
    of = [x.requires_grad_() for x in (pictures, *styles, *noise)]
    network(pictures, styles, noise).square().sum().backward()
    reached = [x.grad is not None and bool(x.grad.any()) for x in of]
    # Of what mirrors the style of a face only the signs count.
    assert reached == [True] + [kind != "unstyled"] * 3 + [kind != "face"] + [True] * (len(noise) - 1)
    assert [name for name, weight in network.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize("kind", KINDS)
def test_spatial_noise_begins_without_strength(kind: str) -> None:
    network = build(kind).eval()
    pictures, styles, noise = inputs(network)
    spatial = [x if x.dim() == 2 else 2 * x for x in noise]
    with torch.no_grad():
        assert torch.equal(network(pictures, styles, noise), network(pictures, styles, spatial))


@pytest.mark.parametrize("kind", KINDS)
def test_in_eval_mode_a_picture_does_not_depend_on_its_batch(kind: str) -> None:
    network = build(kind)
    pictures, styles, noise = inputs(network, batch=3)
    with torch.no_grad():
        network(pictures, styles, noise)  # running statistics
        network.eval()
        together = network(pictures, styles, noise)
        alone = network(pictures[:1], tuple(x[:1] for x in styles), [x[:1] for x in noise])
    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)


def test_each_faces_style_is_mirrored_by_its_signs_in_training_alone() -> None:
    network = build("face")
    pictures, styles, (_, *noise) = inputs(network, batch=1)

    def made(signs: list[list[float]]) -> Tensor:
        count = len(signs)
        given = (x.expand(count, *x.shape[1:]) for x in (pictures, *styles))
        first, *rest = given
        with torch.no_grad():
            return network(first, tuple(rest), [torch.tensor(signs), *(x.expand(count, *x.shape[1:]) for x in noise)])

    for module in network.modules():  # else BatchNorm's statistics are another difference
        module.training = module is network
    each = made([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [2.0, 0.5]])
    assert all(not torch.allclose(each[one], each[other]) for one in range(4) for other in range(one))
    torch.testing.assert_close(each[3], each[4])
    network.eval()
    plain, mirrored = made([[-1.0, -1.0], [1.0, 1.0]])
    torch.testing.assert_close(plain, mirrored)


# Discriminator --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "side"), [(64, 1), (128, 1), (256, 1), (512, 5), (1024, 13)])
def test_the_map_of_logits(size: int, side: int) -> None:
    with torch.device("meta"):
        logits = RefineDiscriminator(3, size, WIDTH)(torch.empty(2, 3, size, size))
    assert logits.shape == (2, 1, side, side)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_it_judges_down_to_its_shortest_side(size: int) -> None:
    D = RefineDiscriminator(3, size, WIDTH).eval()
    assert D(torch.zeros(1, 3, D.smallest, D.smallest)).shape == (1, 1, 1, 1)
    with pytest.raises(RuntimeError):
        D(torch.zeros(1, 3, D.smallest - 1, D.smallest - 1))


def test_weights_begin_as_published_behind_the_spectral_norm() -> None:
    D = RefineDiscriminator(3, 256, 32)
    convolutions = [m for m in D.modules() if isinstance(m, nn.Conv2d)]
    drawn = torch.cat([m.parametrizations.weight.original.flatten() for m in convolutions])
    assert drawn.std().item() == pytest.approx(0.02, rel=0.01)
    norms = torch.cat([m.weight for m in D.modules() if isinstance(m, nn.BatchNorm2d)])
    assert norms.mean().item() == pytest.approx(1, abs=0.01)
    assert norms.std().item() == pytest.approx(0.02, rel=0.2)
    largest = [torch.linalg.matrix_norm(m.weight.flatten(1), 2).item() for m in convolutions]
    assert largest == pytest.approx([1.0] * len(convolutions), rel=0.25)


@pytest.mark.parametrize("size", [64, 256])
def test_all_of_it_learns(size: int) -> None:
    torch.manual_seed(0)
    D = RefineDiscriminator(3, size, WIDTH)
    D(torch.randn(4, 3, size, size)).square().sum().backward()
    assert [name for name, weight in D.named_parameters() if weight.grad is None or not weight.grad.any()] == []


# What a recorded step needs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*KINDS, "D"])
def test_nothing_is_read_back_and_buffers_keep_their_places(kind: str) -> None:
    network: Any = RefineDiscriminator(3, 64, WIDTH) if kind == "D" else build(kind)
    places = {name: buffer.data_ptr() for name, buffer in network.named_buffers()}
    given = (torch.randn(2, 3, 64, 64),) if kind == "D" else inputs(network)
    network(*given).sum().backward()
    assert {name: buffer.data_ptr() for name, buffer in network.named_buffers()} == places
    with FakeTensorMode(allow_non_fake_inputs=True):  # refuses whatever would need a value
        fake: Any = RefineDiscriminator(3, 64, WIDTH) if kind == "D" else build(kind)
        fake_given = [torch.empty(2, *shape) for shape in getattr(fake, "noise_shapes", [])]
        styles = tuple(torch.empty(2, n) for n in style_features(WIDTH))
        pictures = torch.empty(2, 3, 64, 64)
        (fake(pictures) if kind == "D" else fake(pictures, styles, fake_given)).sum().backward()


@pytest.mark.parametrize("kind", [*KINDS, "D"])
def test_it_runs_under_bf16_autocast(kind: str) -> None:
    network: Any = RefineDiscriminator(3, 64, WIDTH) if kind == "D" else build(kind)
    given = (torch.randn(2, 3, 64, 64),) if kind == "D" else inputs(network)
    network.eval()
    plain = network(*given)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(network(*given).float(), plain, rtol=0.1, atol=0.05)


@pytest.mark.parametrize("refiner", [ArtRefiner(3, 64, 128, 2, True), FaceRefiner(3, 64, 128, 2)])
def test_maps_computed_anew_change_nothing(refiner: ArtRefiner | FaceRefiner) -> None:
    torch.manual_seed(0)
    pictures, styles = torch.randn(2, 3, 64, 64), tuple(torch.randn(2, n) for n in (4, 8, 16))
    noise = [torch.randn(2, *shape) for shape in refiner.noise_shapes]
    found = []
    for checkpointing in (False, True):
        network = copy.deepcopy(refiner).train()
        network.checkpointing = checkpointing
        torch.manual_seed(1)
        made = network(pictures, styles, noise)
        made.square().mean().backward()
        gradients = {name: weight.grad for name, weight in network.named_parameters()}
        found.append((made, gradients, dict(network.named_buffers())))
    (made, gradients, buffers), (again, anew, counted) = found
    assert torch.equal(made, again)
    for name, gradient in gradients.items():
        torch.testing.assert_close(anew[name], gradient)
    for name, buffer in buffers.items():
        assert torch.equal(counted[name], buffer), name
