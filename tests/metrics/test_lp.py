"""L_p, the distance of two pictures' features in VGG-19."""

import dataclasses
import hashlib

import numpy as np
import pytest
import torch

from suite.images import uint8_to_unit, unit_to_signed
from suite.metrics.callback import MetricsCallback
from suite.metrics.pairwise import LP, l1
from suite.networks import weights


def test_it_is_three_norms_of_torchvisions_conv3_4(vgg19_file, toys):
    from torchvision.models import VGG19_Weights, vgg19
    from torchvision.transforms.functional import normalize

    with torch.device("meta"):
        layers = vgg19(weights=None, init_weights=False).features[:17].to_empty(device="cpu")
    weights = torch.load(vgg19_file, weights_only=True)
    layers.load_state_dict({name: weights[f"features.{name}"] for name in layers.state_dict()})
    recipe = VGG19_Weights.IMAGENET1K_V1.transforms()
    fake, truth = (toys.make_pictures(3, seed=seed, size=32) / 255 for seed in (6, 7))
    features = [layers(normalize(pictures, recipe.mean, recipe.std)).double() for pictures in (fake, truth)]
    expected = [np.linalg.norm(x) for x in (features[0] - features[1]).flatten(1).detach().numpy()]

    values = {name: value.numpy() for name, value in LP(vgg19_file)(fake * 2 - 1, truth * 2 - 1).items()}
    assert list(values) == ["lp_sum", "lp_mean", "lp_norm"]
    np.testing.assert_allclose(values["lp_norm"], expected, rtol=1e-3)
    np.testing.assert_allclose(values["lp_sum"], np.square(expected), rtol=1e-3)
    np.testing.assert_allclose(values["lp_mean"], np.square(expected) / (256 * 8 * 8), rtol=1e-3)
    assert (values["lp_norm"] > 0.1).all()


def test_one_of_random_weights_is_zero_for_equal_pictures_and_float32_under_bf16(toys):
    network = LP(None)
    fake, truth = (toys.make_pictures(2, seed=seed, size=32) / 127.5 - 1 for seed in (6, 7))
    plain = network(fake, truth)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = network(fake, truth)
    for name, value in plain.items():
        assert (value > 0).all()
        assert inside[name].dtype == torch.float32
        assert torch.equal(inside[name], value)
    assert all(value.tolist() == [0, 0] for value in network(truth, truth).values())


def test_it_is_measured_under_the_name_of_its_weights(evaluated, toys, vgg19_file, tmp_path, monkeypatch):
    data = toys.Data(*(toys.make_pictures(4, seed=seed, size=16) for seed in (0, 1)))
    fake, truth = (unit_to_signed(uint8_to_unit(data.sides[side])) for side in "ab")
    digest = hashlib.sha256(vgg19_file.read_bytes()).hexdigest()
    monkeypatch.setitem(weights.WEIGHTS, "vgg19", dataclasses.replace(weights.WEIGHTS["vgg19"], sha256=digest[:8]))

    callback = MetricsCallback(names=["lp", "l1"], cache_dir=tmp_path, weights={"vgg19": str(vgg19_file)})
    callback.find_weights(data)
    figures = evaluated(callback, toys.Translator(), data)
    expected = {f"val/{name}": value for name, value in LP(vgg19_file)(fake * 0.5, truth).items()}
    expected["val/l1"] = l1(fake * 0.5, truth)
    assert {name: value for name, value in figures.items() if "b2a" not in name} == pytest.approx(
        # Three pictures and one, or four at once, through eight convolutions.
        {name: value.mean().item() for name, value in expected.items()},
        rel=1e-3,
    )

    monkeypatch.setattr(weights, "find", lambda *_, **__: pytest.fail("asked for weights that nothing needs"))
    callback = MetricsCallback(names=["lp"], cache_dir=tmp_path, features="random_vgg")
    callback.find_weights(data)
    named = {f"val/{name}_random_vgg19": value for name, value in LP(None)(fake * 0.5, truth).items()}
    figures = evaluated(callback, toys.Translator(), data)
    assert {name: value for name, value in figures.items() if "b2a" not in name} == pytest.approx(
        {name: value.mean().item() for name, value in named.items()}, rel=1e-3
    )
