import hashlib
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn

from suite.networks.vgg import VGG, calibration

CASES = {
    "vgg19_conv3_4": (19, "conv3_4", slice(17)),  # before its ReLU
    "vgg16_relu2_2": (16, "relu2_2", slice(9)),
}


def unit_pictures(channels: int = 3, size: int = 24) -> Tensor:
    """In [0, 1]."""
    return torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(5))


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def published(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[VGG, nn.Sequential, Path]:
    """Ours out of a file of torchvision's layout, torchvision's own layers with the same random weights, the file."""
    depth, layer, layers = request.param
    with torch.device("meta"):  # their last layers would take half a gigabyte
        features = getattr(torchvision.models, f"vgg{depth}")(weights=None, init_weights=False).features[:21]
    features = features.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(1)
    for parameter in features.parameters():
        fan_in = parameter[0].numel()
        parameter.data.normal_(0, (2 / fan_in) ** 0.5 if fan_in > 1 else 0.1, generator=generator)
    path = tmp_path / "vgg.pth"
    weights = {f"features.{name}": value for name, value in features.state_dict().items()}
    torch.save(weights | {"classifier.6.bias": torch.zeros(1000)}, path)
    return VGG(depth, layer, path), features[layers], path


def test_with_published_weights_it_is_torchvisions_on_normalised_pictures(published) -> None:
    ours, theirs, _ = published
    recipe = torchvision.models.VGG19_Weights.IMAGENET1K_V1.transforms()  # that of VGG-16 is the same
    pictures = unit_pictures()
    expected = theirs(torchvision.transforms.functional.normalize(pictures, recipe.mean, recipe.std)).detach()
    assert (expected < 0).any() == isinstance(ours.layers[-1], nn.Conv2d)
    # [0, 1] to [-1, 1] and back is rounded in fp32, once in each of at most eight layers too.
    torch.testing.assert_close(ours(pictures * 2 - 1), expected, rtol=1e-4, atol=1e-4)


def test_identity_is_the_files_sha256(published) -> None:
    ours, _, path = published
    assert hashlib.sha256(path.read_bytes()).hexdigest() in ours.identity


def test_a_grey_picture_is_repeated() -> None:
    network, grey = VGG(16, "relu2_2", None, width=4), unit_pictures(channels=1) * 2 - 1
    assert torch.equal(network(grey), network(torch.cat([grey, grey, grey], dim=1)))


def test_gradients_reach_the_pictures_and_no_weight() -> None:
    network = VGG(19, "conv3_4", None, width=4)
    pictures = (unit_pictures() * 2 - 1).requires_grad_()
    network(pictures).square().mean().backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().min() > 0
    assert not any(weight.requires_grad for weight in network.parameters())
    assert all(weight.grad is None for weight in network.parameters())


def test_random_weights_depend_on_the_seed_alone() -> None:
    pictures = unit_pictures() * 2 - 1
    first = VGG(16, "relu3_3", None, width=4, seed=1)
    torch.manual_seed(123)
    again, other = VGG(16, "relu3_3", None, width=4, seed=1), VGG(16, "relu3_3", None, width=4, seed=2)
    assert torch.equal(first(pictures), again(pictures))
    assert not torch.allclose(first(pictures), other(pictures), rtol=0.1)
    assert first.identity == again.identity != other.identity
    assert "seed 1" in first.identity


def test_building_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    VGG(19, "conv3_4", None, width=4)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("depth", "convolutions"), [(16, 13), (19, 16)])
def test_what_comes_out_of_every_layer_of_a_random_one_has_a_root_mean_square_of_one(depth, convolutions) -> None:
    seed = 7
    network = VGG(depth, "relu5_3" if depth == 16 else "relu5_4", None, width=8, seed=seed)
    sizes: list[float] = []
    for layer in network.layers:
        if isinstance(layer, nn.Conv2d):  # a hook sees it before the ReLU behind it works in place
            layer.register_forward_hook(lambda _, __, out: sizes.append(out.square().mean().sqrt().item()))
    network(calibration(torch.Generator().manual_seed(seed)) * 2 - 1)  # the first numbers of the seed
    assert sizes == pytest.approx([1.0] * convolutions, rel=1e-3)

    # On other smooth colours it is near: the signal neither dies nor grows from layer to layer.
    sizes.clear()
    coarse = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(99))
    network(nn.functional.interpolate(coarse, size=64, mode="bilinear") * 2 - 1)
    assert sizes == pytest.approx([1.0] * convolutions, rel=0.3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_features_are_float32_and_the_same_under_bf16_autocast(dtype: torch.dtype) -> None:
    network, pictures = VGG(16, "relu2_2", None, width=4), (unit_pictures() * 2 - 1).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = network(pictures)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, network(pictures.float()))


def test_it_is_never_in_train_mode() -> None:
    network = VGG(16, "relu1_1", None, width=4)
    around = nn.Sequential(network).train()
    assert around.training
    assert not any(module.training for module in network.modules())


@pytest.mark.parametrize("depth", [16, 19])
def test_taps_are_the_features_of_networks_that_end_there(depth) -> None:
    names = ["relu2_1", "pool1", "conv1_2", "conv2_2", "pool3", "relu3_2"]
    pictures = unit_pictures() * 2 - 1
    long = VGG(depth, "pool4", None, width=4)
    found = long.taps(pictures, names)
    for name, features in zip(names, found, strict=True):
        short = VGG(depth, name, None, width=4)
        assert torch.equal(features, short(pictures))
    assert torch.equal(long.taps(pictures, ["pool4"])[0], long(pictures))


@pytest.mark.parametrize("name", ["pool3", "conv3_1"])
def test_a_layer_that_is_behind_the_last_or_unknown_is_refused(name: str) -> None:
    network = VGG(16, "pool2", None, width=4)
    with pytest.raises(AssertionError, match="there are conv1_1, relu1_1, "):
        network.taps(unit_pictures(), [name])
    with pytest.raises(AssertionError, match="VGG-16 has conv1_1, "):
        VGG(16, "conv3_4", None, width=4)


def test_pools_of_published_weights_are_torchvisions(published) -> None:
    _, theirs, path = published
    pictures = unit_pictures()
    recipe = torchvision.models.VGG19_Weights.IMAGENET1K_V1.transforms()
    expected = theirs[:5](torchvision.transforms.functional.normalize(pictures, recipe.mean, recipe.std))
    of_pool = VGG(19 if len(theirs) > 9 else 16, "pool1", path)(pictures * 2 - 1)
    torch.testing.assert_close(of_pool, expected.detach(), rtol=1e-4, atol=1e-4)


def test_gradients_of_all_taps_reach_the_pictures() -> None:
    network, pictures = VGG(16, "pool2", None, width=4), (unit_pictures() * 2 - 1).requires_grad_()
    for features in network.taps(pictures, ["conv1_1", "relu1_1", "pool2"]):
        (gradient,) = torch.autograd.grad(features.square().mean(), pictures, retain_graph=True)
        assert gradient.abs().max() > 0
