"""The distances between a picture and its truth, held to scikit-image and numpy."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from suite.metrics.pairwise import PSNR_CEILING, l1, l1_closest, psnr, ssim


@pytest.fixture
def pair(toys):
    return tuple(toys.make_pictures(3, seed=seed, size=24) / 127.5 - 1 for seed in (0, 1))


@pytest.fixture(params=[(3, 24, 24), (1, 24, 24), (3, 13, 40)], ids=str)
def noisy(request, toys) -> tuple[Tensor, Tensor]:
    """Four pictures in [-1, 1] under noise from hardly any to much, and without it."""
    channels, height, width = request.param
    truth = toys.make_pictures(4, seed=2, size=40, channels=channels)[..., :height, :width] / 127.5 - 1
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(3))
    strength = torch.tensor([0.002, 0.02, 0.2, 1.0]).reshape(4, 1, 1, 1)
    return (truth + strength * noise).clamp(-1, 1), truth


def unit(pictures: Tensor) -> np.ndarray:
    return pictures.double().numpy() / 2 + 0.5


def skimages_ssim(fake: np.ndarray, truth: np.ndarray) -> float:
    """Of one picture (C, H, W) in [0, 1]; the outer five pixels don't count."""
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1}
    return np.mean([structural_similarity(x, y, **settings) for x, y in zip(fake, truth, strict=True)])


def mirrored(pictures: Tensor) -> np.ndarray:
    return np.pad(unit(pictures), ((0, 0), (0, 0), (5, 5), (5, 5)), mode="reflect")


def test_psnr_is_scikit_images(noisy):
    fake, truth = noisy
    expected = [peak_signal_noise_ratio(y, x, data_range=1) for x, y in zip(unit(fake), unit(truth), strict=True)]
    np.testing.assert_allclose(psnr(fake, truth), expected, rtol=1e-4)


def test_ssim_is_scikit_images_with_the_picture_mirrored_at_its_border(noisy):
    fake, truth = noisy
    expected = [skimages_ssim(x, y) for x, y in zip(mirrored(fake), mirrored(truth), strict=True)]
    assert expected[0] > 0.99
    assert expected[-1] < 0.5
    # [-1, 1] to [0, 1] is rounded in fp32, and so is what comes out.
    np.testing.assert_allclose(ssim(fake, truth), expected, atol=5e-6)


def test_l1_is_numpys(noisy):
    fake, truth = noisy
    expected = np.abs(fake.double().numpy() - truth.double().numpy()).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(l1(fake, truth), expected, rtol=1e-5)


def test_psnr_of_equal_pictures_is_the_ceiling_and_the_mean_stays_finite(pair):
    fake, truth = pair
    mixed = torch.cat([fake[:1], truth[1:]])
    values = psnr(mixed, truth)
    assert values[1:].tolist() == [PSNR_CEILING, PSNR_CEILING]
    assert torch.isfinite(values.mean())
    one_step = truth.clone()
    one_step[0, 0, 0, 0] += 2 / 255 if truth[0, 0, 0, 0] < 0 else -2 / 255
    assert psnr(one_step, truth)[0] < PSNR_CEILING


def grey(value: float) -> Tensor:
    return torch.full((1, 3, 16, 16), value / 127.5 - 1)


# Flat pictures have no variance, which leaves the luminance term with C1 = 0.01^2. On [-1, 1] the means of 130 and 125
# would have two signs, and the first of these figures be -0.32.
@pytest.mark.parametrize(("light", "dark"), [(130, 125), (255, 250), (255, 0), (192, 64)])
def test_ssim_of_flat_pictures_is_that_of_their_luminance(light, dark):
    x, y = light / 255, dark / 255
    expected = (2 * x * y + 1e-4) / (x**2 + y**2 + 1e-4)
    assert ssim(grey(light), grey(dark)).item() == pytest.approx(expected, abs=1e-6)
    assert expected == pytest.approx(skimages_ssim(unit(grey(light))[0], unit(grey(dark))[0]), abs=1e-6)


def test_ssim_is_one_for_equal_pictures(pair):
    fake, truth = pair
    torch.testing.assert_close(ssim(truth, truth), torch.ones(3))
    assert (ssim(fake, truth) < 0.9).all()


def test_ssim_of_a_picture_does_not_depend_on_its_batch(pair):
    fake, truth = pair
    torch.testing.assert_close(ssim(fake, truth)[:1], ssim(fake[:1], truth[:1]))


def test_l1_is_two_between_black_and_white():
    white = torch.ones(2, 1, 8, 8)
    assert l1(white, -white).tolist() == [2.0, 2.0]
    assert l1(white, white).tolist() == [0.0, 0.0]


def test_l1_to_the_closest_is_that_of_a_plain_loop_and_padding_never_wins():
    random = torch.Generator().manual_seed(0)
    fake = torch.rand(5, 1, 6, 4, generator=random) * 2 - 1
    drawings = torch.rand(5, 4, 1, 6, 4, generator=random) * 2 - 1
    count = torch.tensor([1, 2, 3, 4, 2])
    expected = []
    for picture, of_picture, there in zip(fake, drawings, count.tolist(), strict=True):
        of_picture[there:] = picture  # padding that no drawing could be closer than
        expected.append(min((picture - of_picture[k]).abs().mean().item() for k in range(there)))
    values = l1_closest(fake, drawings, count)
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert (values > 0.1).all()


def test_the_closest_drawing_is_that_of_the_whole_picture():
    drawings = -torch.ones(1, 2, 1, 4, 4)
    drawings[:, 0, :, :2] = 1
    drawings[:, 1, :, 2:] = 1
    # By pixel, white is in one of the two drawings everywhere.
    assert l1_closest(torch.ones(1, 1, 4, 4), drawings, torch.tensor([2])).tolist() == [1.0]
