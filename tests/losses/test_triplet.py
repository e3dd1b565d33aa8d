import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from suite.errors import UserError
from suite.losses.triplet import content_triplet, derangement, style_triplet


def vectors(count: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    moved, origin, negative = torch.randn(3, count, 4, generator=torch.Generator().manual_seed(0))
    return moved, origin, negative


def maps() -> tuple[Tensor, Tensor, Tensor]:
    moved, positive, negative = torch.randn(3, 5, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    return moved, positive, negative


# Eq. 7 ----------------------------------------------------------------------------------------------------------------


def test_styles_of_one_photo_shall_be_alike_and_of_two_not() -> None:
    x = torch.tensor([[1.0, 0.0]])
    assert style_triplet(x, x, -x, margin=2).item() == 0
    assert style_triplet(x, -x, x, margin=2).item() == 4
    moved, origin, negative = vectors()
    moved.requires_grad_()
    style_triplet(moved, origin, negative, margin=2).backward()
    with torch.no_grad():
        step = moved - 0.1 * moved.grad
        assert (cosine_similarity(step, origin) > cosine_similarity(moved, origin)).any()
        assert style_triplet(step, origin, negative, 2) < style_triplet(moved, origin, negative, 2)


def test_a_margin_of_2_has_the_gradient_of_the_cosines_and_a_small_one_ends_at_its_margin() -> None:
    def gradient(linear: bool) -> Tensor:
        moved, origin, negative = vectors()
        moved.requires_grad_()
        cosines = (cosine_similarity(moved, negative) - cosine_similarity(moved, origin)).mean()
        (cosines if linear else style_triplet(moved, origin, negative, margin=2)).backward()
        assert moved.grad is not None
        return moved.grad

    torch.testing.assert_close(gradient(linear=False), gradient(linear=True))
    moved, origin, negative = vectors()
    differences = cosine_similarity(moved, negative) - cosine_similarity(moved, origin)
    assert (differences > -0.2).any()
    assert (differences < -0.2).any()
    expected = (differences + 0.2).clamp(min=0).mean()
    torch.testing.assert_close(style_triplet(moved, origin, negative, margin=0.2), expected)


# Eq. 10 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hinge", ["picture", "batch"])
def test_contents_are_held_to_numpy(hinge) -> None:
    moved, positive, negative = maps()
    x, y, z = (part.double().numpy().reshape(5, -1) for part in (moved, positive, negative))
    apart = ((x - y) ** 2).mean(1) - ((x - z) ** 2).mean(1) + 0.1
    assert (apart < 0).any()
    assert (apart > 0).any()
    expected = np.maximum(apart, 0).mean() if hinge == "picture" else max(apart.mean(), 0)
    assert content_triplet(moved, positive, negative, 0.1, hinge).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("hinge", ["picture", "batch"])
def test_far_enough_apart_is_enough(hinge) -> None:
    x = torch.zeros(2, 1, 2, 2)
    assert content_triplet(x, x, x + 2, 2.0, hinge).item() == 0
    assert content_triplet(x, x, x, 2.0, hinge).item() == 2
    assert content_triplet(x, x + 2, x, 2.0, hinge).item() == 6


def test_both_are_computed_in_fp32() -> None:
    of_style, of_content = [x.bfloat16() for x in vectors()], [x.bfloat16() for x in maps()]
    for half, loss in (
        (of_style, lambda *x: style_triplet(*x, 0.5)),
        (of_content, lambda *x: content_triplet(*x, 0.5, "picture")),
    ):
        assert loss(*half).dtype == torch.float32
        assert torch.equal(loss(*half), loss(*(x.float() for x in half)))


# Others of a batch ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(2, 8))
def test_none_stands_for_itself_and_all_are_one_cycle(count: int) -> None:
    random = torch.Generator().manual_seed(0)
    seen = set()
    for _ in range(30):
        others = derangement(count, "cpu", random).tolist()
        assert sorted(others) == list(range(count))
        cycle = [0]
        while (after := others[cycle[-1]]) != 0:
            cycle.append(after)
        assert len(cycle) == count
        seen.add(tuple(others))
    assert len(seen) >= min(30, {2: 1, 3: 2, 4: 6}.get(count, 12))


def test_it_follows_from_its_generator() -> None:
    again = [derangement(7, "cpu", torch.Generator().manual_seed(3)) for _ in range(2)]
    assert torch.equal(*again)


def test_a_batch_of_one_is_refused() -> None:
    with pytest.raises(UserError, match=r"data.batch_size=1: .* set at least 2"):
        derangement(1, "cpu")
