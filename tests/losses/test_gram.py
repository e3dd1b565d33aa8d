import numpy as np
import pytest
import torch
from torch import Tensor

from suite.losses.gram import gram, joint_gram


def features() -> Tensor:
    return torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))


def test_of_each_picture_over_its_numbers() -> None:
    f = features().double().numpy().reshape(2, 3, 20)
    np.testing.assert_allclose(gram(features()), np.einsum("bcn,bdn->bcd", f, f) / 60, rtol=1e-5, atol=1e-7)


def test_of_the_batch_there_are_products_between_pictures() -> None:
    f = features().double().numpy().reshape(6, 20)
    joint = joint_gram(features())
    np.testing.assert_allclose(joint, f @ f.T / 120, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(joint[3:, 3:] * 2, gram(features())[1])


@pytest.mark.parametrize("of", [gram, joint_gram])
def test_it_is_fp32_under_autocast_too(of) -> None:
    half = features().bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = of(half)
    assert value.dtype == torch.float32
    assert torch.equal(value, of(half.float()))
