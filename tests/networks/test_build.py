import pytest
import torch
from torch import nn

from suite.errors import UserError
from suite.networks.build import build_discriminator, build_generator
from suite.networks.layers import norm_layer, uses_batch_statistics
from suite.run.config import compose, plain


def test_weights_are_drawn_as_the_field_does() -> None:
    torch.manual_seed(0)
    network = build_generator({"name": "resnet", "blocks": 2, "width": 32, "norm": "batch"}, 3, 3)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert abs(layer.weight.mean()) < 0.001
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
        elif isinstance(layer, nn.BatchNorm2d):
            assert layer.weight.mean().item() == pytest.approx(1, abs=0.02)
            assert 0.01 < layer.weight.std() < 0.03
    assert all(not weight.any() for name, weight in network.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize(("norm", "biased"), [("instance", True), ("none", True), ("batch", False)])
def test_only_batchnorm_takes_the_bias_of_its_convolution(norm: str, biased: bool) -> None:
    network = build_generator({"name": "resnet", "blocks": 1, "width": 4, "norm": norm}, 3, 3)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert [c.bias is not None for c in convolutions] == [biased] * (len(convolutions) - 1) + [True]


@pytest.mark.parametrize(("norm", "together"), [("instance", False), ("none", False), ("batch", True)])
def test_batch_statistics_are_noticed(norm: str, together: bool) -> None:
    torch.manual_seed(0)
    # In fp64: convolutions of one picture and of two may be rounded otherwise.
    network = build_discriminator({"name": "patch", "downs": 1, "width": 4, "norm": norm}, 3).double()
    x = torch.rand(2, 3, 16, 16, dtype=torch.float64)
    alone = torch.cat([network(x[:1]), network(x[1:])])
    assert torch.allclose(network(x), alone, atol=1e-6) is not together
    assert uses_batch_statistics(network) is together


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "resnett"}, "model.backbone.name=resnett is unknown: use one of resnet, unet"),
        ({"name": "resnet", "depth": 3}, "model.backbone.depth is not an option of resnet: it takes blocks, "),
        ({"name": "resnet", "in_channels": 3}, "model.backbone.in_channels is not an option of resnet"),
        ({"name": "resnet", "norm": "layer"}, "model.backbone.norm=layer: choose from instance, batch, none"),
    ],
)
def test_a_wrong_entry_is_named(entry: dict, message: str) -> None:
    with pytest.raises(UserError) as error:
        build_generator(entry, 3, 3)
    assert str(error.value).startswith(message)


def test_instance_norm_has_no_parameters_and_keeps_no_statistics() -> None:
    assert not norm_layer("instance", 8).state_dict()


@pytest.mark.parametrize(("size", "downs"), [(512, 8), (256, 8), (128, 7), (96, 5), (64, 6), (32, 5), (16, 4)])
def test_a_unet_is_as_deep_as_the_size_allows(size: int, downs: int) -> None:
    for backbone in ("unet", "unet_noskip"):
        words = ["experiment=cyclegan_lsgan", f"backbone={backbone}", f"data.size={size}", "data.load_size=600"]
        options = plain(compose("train", [*words, "data.root=/nowhere"]).model.backbone)
        assert options["downs"] == downs
        with torch.device("meta"):
            network = build_generator(options, 3, 3)
        assert size % network.divisor == 0
