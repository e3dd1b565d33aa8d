import numpy as np
import pytest
import torch

from suite.metrics.pairwise import PSNR_CEILING, l1, psnr, ssim


@pytest.fixture
def pair(toys):
    return tuple(toys.make_pictures(3, seed=seed, size=24) / 127.5 - 1 for seed in (0, 1))


def test_psnr_is_that_of_each_picture_on_a_range_of_two(pair):
    fake, truth = pair
    error = np.square(fake.double().numpy() - truth.double().numpy()).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(psnr(fake, truth), 20 * np.log10(2) - 10 * np.log10(error), rtol=1e-5)


def test_psnr_of_equal_pictures_is_the_ceiling_and_the_mean_stays_finite(pair):
    fake, truth = pair
    mixed = torch.cat([fake[:1], truth[1:]])
    values = psnr(mixed, truth)
    assert values[1:].tolist() == [PSNR_CEILING, PSNR_CEILING]
    assert torch.isfinite(values.mean())
    one_step = truth.clone()
    one_step[0, 0, 0, 0] += 2 / 255 if truth[0, 0, 0, 0] < 0 else -2 / 255
    assert psnr(one_step, truth)[0] < PSNR_CEILING


def test_ssim_is_one_for_equal_pictures_and_knows_constants(pair):
    fake, truth = pair
    torch.testing.assert_close(ssim(truth, truth), torch.ones(3))
    assert (ssim(fake, truth) < 0.9).all()
    # Constant pictures have no variance, which leaves the luminance term with C1 = (0.01 * 2)^2.
    light, dark = torch.full((1, 3, 16, 16), 0.5), torch.full((1, 3, 16, 16), 0.25)
    expected = (2 * 0.5 * 0.25 + 0.0004) / (0.5**2 + 0.25**2 + 0.0004)
    assert ssim(light, dark).item() == pytest.approx(expected, rel=1e-4)


def test_ssim_of_a_picture_does_not_depend_on_its_batch(pair):
    fake, truth = pair
    torch.testing.assert_close(ssim(fake, truth)[:1], ssim(fake[:1], truth[:1]))


def test_l1_is_two_between_black_and_white():
    white = torch.ones(2, 1, 8, 8)
    assert l1(white, -white).tolist() == [2.0, 2.0]
    assert l1(white, white).tolist() == [0.0, 0.0]
