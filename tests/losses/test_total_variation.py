import math

import pytest
import torch
from torch import Tensor

from suite.losses.total_variation import total_variation


def pictures() -> Tensor:
    return torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0)) * 2 - 1


def lengths(picture: list) -> list[float]:
    """Of the gradients of one picture, nested lists of channels, rows and pixels."""
    return [
        math.hypot(rows[y + 1][x] - rows[y][x], rows[y][x + 1] - rows[y][x])
        for rows in picture
        for y in range(len(rows) - 1)
        for x in range(len(rows[0]) - 1)
    ]


def test_it_is_the_loop() -> None:
    of_pictures = [lengths(picture) for picture in pictures().tolist()]
    total = sum(map(sum, of_pictures)) / 2
    assert total_variation(pictures()).item() == pytest.approx(total, rel=1e-5)
    assert total_variation(pictures(), "mean").item() == pytest.approx(total / (3 * 4 * 6), rel=1e-5)


def test_an_edge_counts_its_height_and_a_corner_the_diagonal() -> None:
    edge = torch.zeros(1, 1, 4, 4)
    edge[..., 2:] = 0.5
    assert total_variation(edge).item() == pytest.approx(3 * 0.5, abs=1e-3)  # no length in the last row
    dot = torch.zeros(1, 1, 4, 4)
    dot[..., 1, 1] = 1
    assert total_variation(dot).item() == pytest.approx(2 + math.sqrt(2), abs=2e-3)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_flat_picture_has_hardly_any_and_a_finite_gradient(reduction) -> None:
    flat = torch.full((2, 3, 4, 4), 0.25, requires_grad=True)
    value = total_variation(flat, reduction)
    value.backward()
    assert 0 <= value < 0.01
    assert torch.equal(flat.grad, torch.zeros_like(flat))


def test_its_gradient_smooths() -> None:
    x = pictures().requires_grad_()
    before = total_variation(x)
    before.backward()
    assert total_variation(x.detach() - 1e-2 * x.grad) < before


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_it_is_computed_in_fp32(reduction) -> None:
    half = pictures().bfloat16()
    value = total_variation(half, reduction)
    assert value.dtype == torch.float32
    assert torch.equal(value, total_variation(half.float(), reduction))
