import numpy as np
import pytest
import torch
from torch import Tensor

from suite.losses.perceptual import perceptual


def features() -> tuple[Tensor, Tensor]:
    fake, real = torch.randn(2, 3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    return fake, real


@pytest.mark.parametrize(("reduction", "of_picture"), [("sum", np.sum), ("mean", np.mean)])
def test_it_is_the_mean_over_pictures_of_what_a_picture_has(reduction, of_picture) -> None:
    fake, real = features()
    pairs = zip(fake.double().numpy(), real.double().numpy(), strict=True)
    expected = np.mean([of_picture((x - y) ** 2) for x, y in pairs])
    assert perceptual(fake, real, reduction).item() == pytest.approx(expected, rel=1e-5)


def test_the_sum_is_the_squared_frobenius_norm() -> None:
    fake, real = features()
    expected = np.mean([np.linalg.norm(x) ** 2 for x in (fake - real).flatten(1).numpy()])
    assert perceptual(fake, real).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_it_is_computed_in_fp32(reduction) -> None:
    fake, real = (x.bfloat16() for x in features())
    value = perceptual(fake, real, reduction)
    assert value.dtype == torch.float32
    assert torch.equal(value, perceptual(fake.float(), real.float(), reduction))
