import numpy as np
import pytest
import scipy.linalg
import torch

from suite.metrics.distances import frechet_distance, kernel_distance


def draw(count: int, seed: int, shift: float = 0.0, d: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=generator) / d**0.5
    return torch.randn(count, d, generator=generator) @ mixing + shift


def test_frechet_distance_equals_the_formula_with_a_matrix_square_root():
    real, fake = draw(80, 0), draw(60, 1, shift=0.3)
    r, f = real.double().numpy(), fake.double().numpy()
    S_r, S_f = np.cov(r, rowvar=False), np.cov(f, rowvar=False)
    root = scipy.linalg.sqrtm(S_r @ S_f).real
    expected = np.square(r.mean(0) - f.mean(0)).sum() + np.trace(S_r + S_f - 2 * root)
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-9)
    assert expected > 0.1


def test_frechet_distance_of_equal_sets_is_zero_and_of_a_shift_its_square():
    real = draw(100, 2)
    assert abs(frechet_distance(real, real)) < 1e-5
    assert frechet_distance(real, real + 0.5) == pytest.approx(6 * 0.25, abs=1e-4)


def test_kernel_distance_equals_the_unbiased_formula_over_its_seeded_subsets():
    real, fake = draw(30, 3), draw(20, 4, shift=0.2)
    generator = torch.Generator().manual_seed(0)

    def mean_kernel(x, y, off_diagonal):
        kernel = (x @ y.T / x.shape[1] + 1) ** 3
        return kernel[~torch.eye(10, dtype=torch.bool)].mean() if off_diagonal else kernel.mean()

    values = []
    for _ in range(100):
        r = real.double()[torch.randperm(30, generator=generator)[:10]]
        f = fake.double()[torch.randperm(20, generator=generator)[:10]]
        values.append(mean_kernel(r, r, True) + mean_kernel(f, f, True) - 2 * mean_kernel(r, f, False))
    assert kernel_distance(real, fake) == pytest.approx(torch.stack(values).mean().item(), rel=1e-9)


def test_kernel_distance_repeats_exactly_and_leaves_the_global_generator_alone():
    real, fake = draw(30, 7), draw(20, 8)
    torch.manual_seed(1)
    first = kernel_distance(real, fake)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert kernel_distance(real, fake) == first
    assert torch.equal(before, torch.get_rng_state())


def test_kernel_distance_of_two_samples_of_one_distribution_is_near_zero():
    same = draw(400, 9, d=16)
    near, far = kernel_distance(same[:200], same[200:]), kernel_distance(same[:200], same[200:] + 1)
    assert abs(near) < 0.05 * far
