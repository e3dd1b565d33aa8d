"""TOM's networks at a small width."""

import pytest
import torch
from torch import Tensor

from suite.networks.sketch_to_image.tom import GramDiscriminator, SketchGenerator


def grams(*channels: int, batch: int = 3) -> list[Tensor]:
    random = torch.Generator().manual_seed(0)
    features = [torch.randn(batch, count, 40, generator=random) for count in channels]
    return [of @ of.mT / of.shape[2] for of in features]


def test_features_become_pictures_of_eight_times_their_side() -> None:
    T = SketchGenerator(12, width=4)
    pictures = T(torch.randn(2, 12, 8, 4))
    assert pictures.shape == (2, 3, 64, 32)
    assert pictures.abs().max() < 1
    pictures.square().sum().backward()
    assert [name for name, weight in T.named_parameters() if weight.grad is None or not weight.grad.any()] == []


def test_channels_are_2_2_and_1_times_the_width() -> None:
    convolutions = [m for m in SketchGenerator(12, width=4).modules() if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [8, 8, 4, 3]


@pytest.mark.parametrize("channels", [(128, 256, 512), (4, 8, 16)])
def test_grams_of_any_width_become_nine_logits_a_picture(channels: tuple[int, int, int]) -> None:
    D = GramDiscriminator(width=8)
    given = [gram.requires_grad_() for gram in grams(*channels)]
    logits = D(given)
    assert logits.shape == (3, 1, 3, 3)
    logits.square().sum().backward()
    assert all(gram.grad is not None and gram.grad.any() for gram in given)


def test_a_gram_is_averaged_or_stretched_to_16_x_16_maps() -> None:
    D, seen = GramDiscriminator(width=128), []
    D.layers.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    given = grams(128, 256, 512, batch=1)
    with torch.no_grad():
        D.eval()(given)
    maps = seen[0]
    assert maps.shape == (1, 384, 16, 16)
    stretched = given[0].repeat_interleave(2, dim=2).reshape(1, 128, 16, 16)
    torch.testing.assert_close(maps[:, :128], stretched)
    averaged = given[2].reshape(1, 128, 4, 256, 2).mean(dim=(2, 4)).reshape(1, 128, 16, 16)
    torch.testing.assert_close(maps[:, 256:], averaged)


@pytest.mark.parametrize("network", ["T", "D"])
def test_in_eval_mode_a_picture_does_not_depend_on_its_batch(network: str) -> None:
    torch.manual_seed(0)
    T, D = SketchGenerator(12, width=4), GramDiscriminator(width=8)
    features, given = torch.randn(3, 12, 4, 4), grams(4, 8, 16)
    with torch.no_grad():
        together = T.eval()(features) if network == "T" else D.eval()(given)
        alone = T(features[:1]) if network == "T" else D([gram[:1] for gram in given])
    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)
