"""LPIPS, held to torchmetrics' and to a plain formula."""

from importlib.resources import files
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from suite.networks.lpips import LPIPS


def pictures(seed: int, size: int = 64, channels: int = 3) -> Tensor:
    """Smooth blobs in [-1, 1]."""
    coarse = torch.rand(3, channels, 4, 4, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, size=size, mode="bilinear") * 2 - 1


@pytest.fixture(scope="module")
def alexnet_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights under torchvision's names, without the last layers, which nobody reads."""
    from torchvision.models import alexnet

    with torch.device("meta"):
        features = alexnet(weights=None).features
    return _drawn(features, tmp_path_factory.mktemp("weights") / "alexnet.pth")


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from torchvision.models import vgg16

    with torch.device("meta"):  # its last layers would take half a gigabyte
        features = vgg16(weights=None, init_weights=False).features
    return _drawn(features, tmp_path_factory.mktemp("weights") / "vgg16.pth")


def _drawn(features: nn.Module, path: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    weights = {
        f"features.{name}": torch.randn(weight.shape, generator=generator) * (2 / max(2, weight[0].numel())) ** 0.5
        for name, weight in features.state_dict().items()
    }
    torch.save(weights, path)
    return path


def test_by_alexnet_it_is_torchmetrics_on_the_same_weights(alexnet_file: Path) -> None:
    from torchmetrics.functional.image.lpips import _LPIPS

    before = torch.get_rng_state()
    network = LPIPS("alex", alexnet_file)
    assert torch.equal(before, torch.get_rng_state())

    with torch.random.fork_rng(devices=[]):
        reference = _LPIPS(net="alex", pnet_rand=True)
    weights = torch.load(alexnet_file, weights_only=True)
    for cut in ("slice1", "slice2", "slice3", "slice4", "slice5"):
        for number, layer in getattr(reference.net, cut).named_children():
            if f"features.{number}.weight" in weights:
                layer.load_state_dict({name: weights[f"features.{number}.{name}"] for name in ("weight", "bias")})
    fake, truth = pictures(6), pictures(7)
    values = network(fake, truth)
    assert values.shape == (3,)
    torch.testing.assert_close(values, reference(fake, truth).flatten(), rtol=1e-4, atol=1e-6)
    assert (values > 0.001).all()


def test_by_vgg_it_is_the_plain_formula(vgg_file: Path) -> None:
    from torchvision.models import vgg16

    weights = torch.load(vgg_file, weights_only=True)
    with torch.device("meta"):
        layers = vgg16(weights=None, init_weights=False).features[:30]
    layers = layers.to_empty(device="cpu")
    layers.load_state_dict({name: weights[f"features.{name}"] for name in layers.state_dict()})
    heads = torch.load(files("lpips").joinpath("weights", "v0.1", "vgg.pth"), map_location="cpu", weights_only=True)
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])  # Zhang's, of [-1, 1]

    x, y = ((pictures(seed, 32) - shift[:, None, None]) / scale[:, None, None] for seed in (6, 7))
    expected = torch.zeros(3)
    with torch.no_grad():
        for number, layer in enumerate(layers):
            x, y = layer(x), layer(y)
            if number in (3, 8, 15, 22, 29):
                head = heads[f"lin{(3, 8, 15, 22, 29).index(number)}.model.1.weight"].flatten()
                squares = (x / x.norm(dim=1, keepdim=True) - y / y.norm(dim=1, keepdim=True)) ** 2
                expected += torch.einsum("bchw,c->b", squares, head) / (x.shape[2] * x.shape[3])
    values = LPIPS("vgg", vgg_file)(pictures(6, 32), pictures(7, 32))
    torch.testing.assert_close(values, expected, rtol=1e-3, atol=1e-5)
    assert (values > 0.01).all()


def test_equal_pictures_are_0_apart_and_random_weights_need_no_file() -> None:
    network = LPIPS("vgg", None)
    assert network(pictures(0, 32), pictures(0, 32)).tolist() == [0, 0, 0]
    assert (network(pictures(0, 32), pictures(1, 32)) > 0.001).all()
    fake = pictures(0, 32).requires_grad_()
    network(fake, pictures(1, 32)).mean().backward()
    assert fake.grad is not None
    assert fake.grad.abs().max() > 0


def test_where_all_features_are_0_gradients_are_no_nan(alexnet_file: Path) -> None:
    network = LPIPS("alex", alexnet_file)
    with torch.no_grad():
        for weight in network.network.parameters():
            weight.zero_()
    fake = pictures(0).requires_grad_()
    network(fake, pictures(1)).sum().backward()
    assert fake.grad is not None
    assert fake.grad.isfinite().all()


def test_it_takes_grey_pictures_and_stays_frozen_float32_and_in_eval_mode(alexnet_file: Path) -> None:
    network = LPIPS("alex", alexnet_file).train()
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    grey, other = pictures(8, 32, 1), pictures(9, 32, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = network(grey, other)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, network(grey.expand(-1, 3, -1, -1), other.expand(-1, 3, -1, -1)))
