from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from suite.updates.replay import ReplayPool


def numbered(first: int, count: int, size: int = 2) -> Tensor:
    """Pictures that say which they are: the value of every pixel."""
    return torch.arange(first, first + count).float().reshape(-1, 1, 1, 1).expand(-1, 3, size, size).clone()


def numbers(pictures: Tensor) -> list[int]:
    assert (pictures == pictures[:, :1, :1, :1]).all()  # whole pictures, not parts of two
    return pictures[:, 0, 0, 0].int().tolist()


@pytest.fixture
def luck(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """What the pool draws for each coming picture: (below 0.5 swaps, which slot)."""
    drawn: list[tuple[float, int]] = []

    def values(place: int, count: int) -> Tensor:
        return torch.tensor([one[place] for one in drawn[:count]])

    monkeypatch.setattr("suite.updates.replay.torch.rand", lambda count, generator: values(0, count))

    def slots(high: int, shape: tuple[int], generator: None) -> Tensor:
        chosen = values(1, *shape)
        del drawn[: shape[0]]
        return chosen

    monkeypatch.setattr("suite.updates.replay.torch.randint", slots)
    return drawn


def test_a_pool_that_fills_returns_what_comes(luck: list) -> None:
    pool = ReplayPool(4)
    luck += [(0.1, 0)] * 4  # a swap, if anything was there to swap with
    assert numbers(pool(numbered(0, 3))) == [0, 1, 2]
    assert numbers(pool(numbered(3, 1))) == [3]
    assert numbers(pool.stored) == [0, 1, 2, 3]


def test_a_full_pool_swaps_or_passes_on(luck: list) -> None:
    pool = ReplayPool(3)
    luck += [(0.9, 0)] * 3 + [(0.49, 1), (0.5, 2), (0.0, 1)]
    pool(numbered(0, 3))
    assert numbers(pool(numbered(10, 3))) == [1, 11, 10]  # the third takes the place of the first, just stored
    assert numbers(pool.stored) == [0, 12, 2]


def test_a_batch_may_fill_the_last_place_and_swap_at_once(luck: list) -> None:
    pool = ReplayPool(2)
    luck += [(0.9, 0), (0.1, 0), (0.1, 1)]
    pool(numbered(0, 1))
    assert numbers(pool(numbered(10, 2))) == [10, 10]
    assert numbers(pool.stored) == [0, 11]


def draws(pool: ReplayPool, batches: int, batch_size: int) -> Iterator[tuple[list[int], list[int]]]:
    for batch in range(batches):
        pictures = numbered(1000 + batch * batch_size, batch_size, size=1)
        yield numbers(pictures), numbers(pool(pictures))


def test_about_half_of_the_pictures_are_old_ones() -> None:
    torch.manual_seed(0)
    pool = ReplayPool(50)
    pool(numbered(0, 50, size=1))
    old = sum(new != out for new_, out_ in draws(pool, 1000, 4) for new, out in zip(new_, out_, strict=True))
    assert old / 4000 == pytest.approx(0.5, abs=0.03)  # 4 standard deviations


def test_every_place_of_the_pool_is_used() -> None:
    torch.manual_seed(0)
    pool = ReplayPool(10)
    pool(numbered(0, 10, size=1))
    returned = {out for _, out_ in draws(pool, 100, 4) for out in out_}
    assert returned >= set(range(10))


def test_pictures_go_through_a_pool_of_no_size() -> None:
    pool, pictures = ReplayPool(0), numbered(0, 2).requires_grad_()
    assert torch.equal(pool(pictures), pictures)
    assert not pool(pictures).requires_grad
    assert pool.stored is None


def test_what_is_returned_is_a_copy_without_gradient() -> None:
    torch.manual_seed(0)
    pool = ReplayPool(2)
    pool(numbered(0, 2))
    for batch in range(10):
        pictures = numbered(10 + batch, 1).requires_grad_()
        out = pool(pictures)
        assert not out.requires_grad
        before = pool.stored.clone()
        out.zero_()
        assert torch.equal(pool.stored, before)
        assert pictures.detach().eq(10 + batch).all()


def test_a_new_size_or_precision_of_pictures() -> None:
    pool = ReplayPool(4)
    pool(numbered(0, 3))
    assert numbers(pool(numbered(10, 2, size=4))) == [10, 11]
    assert pool.stored.shape == (4, 3, 4, 4)
    assert pool.count == 2
    # A run that goes on in another precision, or on another device, keeps its pool.
    assert pool(numbered(20, 1, size=4).bfloat16()).dtype == torch.bfloat16
    assert pool.count == 3
    assert pool.stored.dtype == torch.bfloat16
    assert numbers(pool.stored[:3].float()) == [10, 11, 20]


@pytest.mark.parametrize("filled", [0, 2, 5])
def test_a_pool_goes_on_from_its_state(filled: int, tmp_path) -> None:
    torch.manual_seed(0)
    pool = ReplayPool(3)
    if filled:
        pool(numbered(0, filled))
    torch.save(pool.state_dict(), tmp_path / "pool.pt")
    other = ReplayPool(3)
    other.load_state_dict(torch.load(tmp_path / "pool.pt", weights_only=True))
    assert other.count == pool.count == min(filled, 3)
    for batch in range(20):
        seen = []
        for one in (pool, other):
            torch.manual_seed(batch)
            seen.append(numbers(one(numbered(10 + 2 * batch, 2))))
        assert seen[0] == seen[1]


def test_a_state_that_is_too_large_is_dropped_and_a_smaller_one_kept() -> None:
    pool = ReplayPool(4)
    pool(numbered(0, 4))
    smaller, larger = ReplayPool(2), ReplayPool(6)
    smaller.load_state_dict(pool.state_dict())
    larger.load_state_dict(pool.state_dict())
    assert (smaller.count, larger.count) == (0, 4)
    assert numbers(smaller(numbered(10, 2))) == [10, 11]
    assert numbers(larger(numbered(10, 2))) == [10, 11]
    assert numbers(larger.stored) == [0, 1, 2, 3, 10, 11]


def test_the_stored_pictures_are_no_weights() -> None:
    pool = ReplayPool(4)
    pool(numbered(0, 4))
    assert not list(pool.parameters())
    assert not list(pool.buffers())
