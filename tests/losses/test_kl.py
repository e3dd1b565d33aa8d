import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from suite.losses.kl import kl_to_standard_normal


def codes() -> tuple[Tensor, Tensor]:
    mean, log_variance = torch.randn(2, 4, 3, 2, generator=torch.Generator().manual_seed(0))
    return 2 * mean, log_variance - 1


def test_it_is_torchs_divergence_in_nats() -> None:
    mean, log_variance = codes()
    of_numbers = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    expected = sum(of_picture.sum().item() for of_picture in of_numbers) / 4
    assert kl_to_standard_normal(mean, log_variance).item() == pytest.approx(expected, rel=1e-5)
    assert kl_to_standard_normal(mean, log_variance, "mean").item() == pytest.approx(expected / 6, rel=1e-5)


def test_the_standard_normal_is_its_minimum() -> None:
    mean, log_variance = (torch.zeros(2, 5, requires_grad=True) for _ in "mv")
    value = kl_to_standard_normal(mean, log_variance)
    value.backward()
    assert value == 0
    assert torch.equal(mean.grad, torch.zeros(2, 5))
    assert torch.equal(log_variance.grad, torch.zeros(2, 5))
    for away in (-0.1, 0.1):
        assert kl_to_standard_normal(mean + away, log_variance) > 0
        assert kl_to_standard_normal(mean, log_variance + away) > 0


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_it_is_computed_in_fp32(reduction) -> None:
    mean, log_variance = (x.bfloat16() for x in codes())
    value = kl_to_standard_normal(mean, log_variance, reduction)
    assert value.dtype == torch.float32
    assert torch.equal(value, kl_to_standard_normal(mean.float(), log_variance.float(), reduction))
