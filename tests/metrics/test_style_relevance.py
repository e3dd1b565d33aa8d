"""Style relevance: cosines of mean features, by region where there are masks."""

import logging

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from suite.images import uint8_to_unit, unit_to_signed
from suite.metrics.callback import MetricsCallback
from suite.metrics.style_relevance import StyleRelevance, style_relevance
from suite.networks.vgg import VGG
from suite.papers.translation import Translation


def cosine(x: Tensor, y: Tensor) -> float:
    a, b = x.double().numpy(), y.double().numpy()
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_it_is_one_for_equal_pictures_of_any_size_and_colour_counts(toys):
    pictures = toys.make_pictures(3, seed=1, size=24) / 127.5 - 1
    network = StyleRelevance(None)
    same = network(pictures, pictures)
    assert list(same) == ["sr_colour", "sr_texture", "sr"]
    for values in same.values():
        torch.testing.assert_close(values, torch.ones(3))
    torch.testing.assert_close(network(pictures, pictures.flip(-1))["sr_colour"], torch.ones(3), atol=0.01, rtol=0)
    other = network(pictures, -pictures)
    assert (other["sr_colour"] < same["sr_colour"] - 0.001).all()
    torch.testing.assert_close(other["sr"], (other["sr_colour"] + other["sr_texture"]) / 2)


def test_it_is_the_cosine_of_the_mean_features_of_two_layers_of_the_weights_given(toys, vgg19_file):
    fake, style = (toys.make_pictures(2, seed=seed, size=size) / 127.5 - 1 for seed, size in ((1, 16), (2, 24)))
    found = StyleRelevance(vgg19_file)(fake, style)
    for name, layer in (("sr_colour", "relu1_2"), ("sr_texture", "relu2_2")):
        network = VGG(19, layer, vgg19_file)
        means = [network(pictures).mean(dim=(2, 3)) for pictures in (fake, style)]
        expected = [cosine(x, y) for x, y in zip(*means, strict=True)]
        np.testing.assert_allclose(found[name], expected, rtol=1e-5)


def test_regions_that_both_have_are_compared_with_the_area_of_the_picture_as_weight():
    # Two channels; the upper half of the one is the lower half of the other.
    fake = torch.tensor([[[[1.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 1.0]]]])
    style = fake.flip(2)
    upper, lower = torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)
    upper[:, :, :2], lower[:, :, 2:] = 1, 1
    assert style_relevance(fake, style).tolist() == pytest.approx([1.0])  # the whole has the same means
    alike = torch.cat([upper, lower], dim=1), torch.cat([lower, upper], dim=1)
    assert style_relevance(fake, style, *alike).tolist() == pytest.approx([1.0])
    assert style_relevance(fake, style, alike[0], alike[0]).tolist() == pytest.approx([0.0])
    # Of the regions three quarters and one quarter, the second is the same in both.
    parts = torch.zeros(1, 3, 4, 4)
    parts[:, 0, :2], parts[:, 0, 2, :], parts[:, 1, 3] = 1, 1, 1
    expected = 0.75 * cosine(torch.tensor([2.0, 1.0]), torch.tensor([1.0, 2.0])) + 0.25 * 0
    assert style_relevance(fake, style, parts, parts).tolist() == pytest.approx([expected])
    only = parts.clone()
    only[:, 0] = 0
    assert style_relevance(fake, style, parts, only).tolist() == pytest.approx([0.0])  # the second alone
    assert style_relevance(fake, fake, parts, only).tolist() == pytest.approx([1.0])
    assert style_relevance(fake, fake, parts, torch.zeros_like(parts)).tolist() == [0.0]  # none in common


class Styled(pl.LightningModule):
    """Outputs that are the exemplar of the first pictures, darker for the others."""

    def predict(self, batch):
        return [Translation("a2b", batch["b"] * 0.5, style=batch["b"]), Translation("other", batch["a"])]

    def validation_step(self, batch, batch_idx):
        pass


def test_it_is_measured_where_a_translation_has_an_exemplar(evaluated, toys, tmp_path, caplog):
    data = toys.Data(*(toys.make_pictures(4, seed=seed, size=16) for seed in (0, 1)), paired=False)
    callback = MetricsCallback(names=["sr"], cache_dir=tmp_path, features="random_vgg")
    callback.find_weights(data)
    figures = evaluated(callback, Styled(), data)
    b = unit_to_signed(uint8_to_unit(data.sides["b"]))
    values = StyleRelevance(None)(b * 0.5, b)
    expected = {f"val/{name}_random_vgg19": value.mean().item() for name, value in values.items()}
    assert figures == pytest.approx(expected, rel=1e-3)
    assert "left out" not in caplog.text
    with caplog.at_level(logging.WARNING, logger="suite"):
        assert evaluated(callback, toys.Translator(), data) == {}
    assert "val: sr left out: these pictures have no exemplar of their style" in caplog.text
