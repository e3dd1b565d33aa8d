import hashlib

import pytest
import torch

from suite.metrics.features import Inception, RandomVGG
from suite.networks.weights import WEIGHTS, WeightFile, find


@pytest.fixture(scope="module")
def random_vgg():
    return RandomVGG()


def test_random_vgg_gives_448_figures_that_depend_on_its_seed_alone(random_vgg, toys):
    pictures = toys.make_pictures(2, seed=1, size=32)
    torch.manual_seed(123)
    again, other = RandomVGG(), RandomVGG(seed=1)
    features = random_vgg(pictures)
    assert features.shape == (2, 448)
    assert random_vgg.num_features == 448
    assert torch.equal(features, again(pictures))
    assert not torch.allclose(features, other(pictures))
    assert random_vgg.key != other.key


def test_random_vgg_keeps_the_scale_of_its_input_through_its_layers(random_vgg):
    noise = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for part in random_vgg(noise).split([64, 128, 256], dim=1):
        assert 0.1 < part.mean() < 1.0


def test_random_vgg_taps_torchvisions_layers(random_vgg, toys):
    from torchvision.models import vgg16
    from torchvision.models.feature_extraction import create_feature_extractor

    network = vgg16(weights=None, init_weights=False)
    network.features[:16].load_state_dict(random_vgg.layers.state_dict())
    taps = {"features.3": "1", "features.8": "2", "features.15": "3"}
    pictures = toys.make_pictures(2, seed=2, size=32)
    with torch.inference_mode():
        maps = create_feature_extractor(network.eval(), taps)(pictures / 127.5 - 1)
    expected = torch.cat([maps[name].mean((2, 3)) for name in "123"], dim=1)
    torch.testing.assert_close(random_vgg(pictures), expected, rtol=1e-4, atol=1e-5)


def test_building_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    RandomVGG()
    assert torch.equal(before, torch.get_rng_state())


def test_features_stay_float32_and_equal_under_bf16_autocast(random_vgg, toys):
    pictures = toys.make_pictures(2, seed=3, size=32)
    plain = random_vgg(pictures)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = random_vgg(pictures)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, plain)


def test_networks_are_frozen_and_stay_in_eval_mode(random_vgg):
    random_vgg.train()
    assert not any(module.training for module in random_vgg.modules())
    assert not any(parameter.requires_grad for parameter in random_vgg.parameters())


@pytest.fixture(scope="module")
def inception_file(tmp_path_factory):
    """Random weights under the layout of the published file: InceptionV3 with 1008 classes and no auxiliary head."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        patch.setattr("torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url", lambda *_, **__: {})
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    generator = torch.Generator().manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):  # keeps the signal alive through its ninety layers
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
    torch.save(network.state_dict(), path)
    return path


def test_inception_loads_a_checked_file_and_gives_2048_figures(inception_file, monkeypatch, toys):
    sha256 = hashlib.sha256(inception_file.read_bytes()).hexdigest()[:8]
    monkeypatch.setitem(WEIGHTS, "inception", WeightFile("inception.pth", "https://nowhere.invalid", sha256, "test"))
    before = torch.get_rng_state()
    network = Inception(find("inception", inception_file, option="-", without="-"))
    assert torch.equal(before, torch.get_rng_state())
    assert sha256 in network.key

    pictures = toys.make_pictures(2, seed=4, size=40)
    features = network(pictures)
    assert features.shape == (2, 2048)
    assert features.mean() > 0.01
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(network(pictures), features)
    network.train()
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_inception_resizes_like_torch_fidelity(inception_file):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    from torchmetrics.image.fid import NoTrainInceptionV3

    reference = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(inception_file))
    # Noise, and larger than 299: anti-aliasing would show.
    noise = torch.randint(0, 256, (1, 3, 400, 400), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))
    expected = reference(noise)[0]
    torch.testing.assert_close(Inception(inception_file)(noise), expected, rtol=1e-4, atol=1e-4)
    smooth = NoTrainInceptionV3("inception-v3-compat", ["2048"], str(inception_file), antialias=True)(noise)
    assert not torch.allclose(smooth, expected, rtol=1e-2, atol=1e-2)
