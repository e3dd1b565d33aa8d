import numpy as np
import pytest
import scipy.linalg
import torch

from suite.metrics.distances import frechet_distance, kernel_distance, kernel_distance_and_std, sliced_distance


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
    std = torch.stack(values).std(correction=0).item()
    assert kernel_distance_and_std(real, fake) == (kernel_distance(real, fake), pytest.approx(std, rel=1e-9))


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


def test_sliced_distance_is_the_formula_over_sorted_projections():
    """MIND, Berthet et al. 2026, with numpy; sets of 12 and 18 as 36 each, every picture several times."""
    real, fake = draw(12, 10), draw(18, 11, shift=0.3)
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(1000, 6, generator=generator, dtype=torch.float64).numpy()
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)

    def formula(x, y):
        x, y = (np.sort(features.double().numpy() @ directions.T, axis=0) for features in (x, y))
        return 3 * 6 * np.mean((x - y) ** 2)

    assert sliced_distance(real, fake[:12]) == pytest.approx(formula(real, fake[:12]), rel=1e-9)
    expected = formula(real.repeat_interleave(3, dim=0), fake.repeat_interleave(2, dim=0))
    assert sliced_distance(real, fake) == pytest.approx(expected, rel=1e-9)
    assert sliced_distance(fake, real) == pytest.approx(expected, rel=1e-9)


def test_sliced_distance_of_a_shift_is_three_times_its_square():
    """Along a direction u it is (u s)^2, whose mean is s^2 / d: a shift weighs three times what it does in FID."""
    real, shift = draw(40, 12), torch.tensor([1.0, -2.0, 0.5, 0.0, 0.0, 1.0])
    assert sliced_distance(real, real + shift) == pytest.approx(3 * float(shift.square().sum()), rel=0.1)
    assert sliced_distance(real, real.flip(0)) == pytest.approx(0, abs=1e-12)
