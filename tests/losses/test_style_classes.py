import math

import numpy as np
import pytest
import torch

from suite.losses.style_classes import style_classification, unclassifiable


def logits() -> torch.Tensor:
    return torch.randn(4, 5, generator=torch.Generator().manual_seed(0))


def softmax() -> np.ndarray:
    x = np.exp(logits().double().numpy())
    return x / x.sum(axis=1, keepdims=True)


def test_classification_is_the_negative_logarithm_of_the_labels_share() -> None:
    label = torch.tensor([0, 3, 4, 1])
    expected = -np.log(softmax()[np.arange(4), label.numpy()]).mean()
    assert style_classification(logits(), label).item() == pytest.approx(expected, rel=1e-5)
    assert style_classification(torch.zeros(4, 500), label).item() == pytest.approx(math.log(500), rel=1e-5)


def test_unclassifiable_is_the_squared_distance_to_all_alike() -> None:
    expected = ((softmax() - 1 / 5) ** 2).sum(axis=1).mean()
    assert unclassifiable(logits()).item() == pytest.approx(expected, rel=1e-5)


def test_it_is_zero_and_flat_where_all_classes_are_as_likely_and_largest_for_a_certain_one() -> None:
    alike = torch.full((3, 8), 0.7, requires_grad=True)
    value = unclassifiable(alike)
    value.backward()
    assert value.item() == 0
    assert alike.grad is not None
    assert not alike.grad.any()
    certain = torch.zeros(3, 8)
    certain[:, 2] = 100
    assert unclassifiable(certain).item() == pytest.approx((7 / 8) ** 2 + 7 / 64)


@pytest.mark.parametrize("loss", [lambda x: style_classification(x, torch.tensor([0, 1, 2, 3])), unclassifiable])
def test_they_are_computed_in_fp32(loss) -> None:
    half = logits().bfloat16()
    assert loss(half).dtype == torch.float32
    assert torch.equal(loss(half), loss(half.float()))
