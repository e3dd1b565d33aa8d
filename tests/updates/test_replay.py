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


def through(pool: ReplayPool, pictures: Tensor) -> Tensor:
    """What the pool gives for these pictures, with luck of its own."""
    return pool(pictures, pool.draw(pictures))


def kept(pool: ReplayPool) -> list[int]:
    return numbers(pool.stored[: pool.count].float())


def test_a_pool_that_fills_returns_what_comes(luck: list) -> None:
    pool = ReplayPool(4)
    luck += [(0.1, 0)] * 4  # a swap, if anything was there to swap with
    assert numbers(through(pool, numbered(0, 3))) == [0, 1, 2]
    assert numbers(through(pool, numbered(3, 1))) == [3]
    assert kept(pool) == [0, 1, 2, 3]


def test_a_full_pool_swaps_or_passes_on(luck: list) -> None:
    pool = ReplayPool(3)
    luck += [(0.9, 0)] * 3 + [(0.49, 1), (0.5, 2), (0.0, 1)]
    through(pool, numbered(0, 3))
    assert numbers(through(pool, numbered(10, 3))) == [1, 11, 10]  # the third takes the place of the first, just stored
    assert kept(pool) == [0, 12, 2]


def test_a_batch_may_fill_the_last_place_and_swap_at_once(luck: list) -> None:
    pool = ReplayPool(2)
    luck += [(0.9, 0), (0.1, 0), (0.1, 1)]
    through(pool, numbered(0, 1))
    assert numbers(through(pool, numbered(10, 2))) == [10, 10]
    assert kept(pool) == [0, 11]


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_a_batch_is_as_its_pictures_one_after_the_other(batch_size: int) -> None:
    pool, one_by_one = ReplayPool(3), []
    for batch in range(40):
        pictures = numbered(batch * batch_size, batch_size, size=1)
        drawn = pool.draw(pictures, torch.Generator().manual_seed(batch))
        luck = torch.Generator().manual_seed(batch)
        swaps = torch.rand(batch_size, generator=luck) < 0.5
        slots = torch.randint(3, (batch_size,), generator=luck)
        expected = numbers(pictures)
        for i, (picture, swap, slot) in enumerate(zip(numbers(pictures), swaps, slots, strict=True)):
            if len(one_by_one) < 3:
                one_by_one.append(picture)
            elif swap:
                expected[i], one_by_one[slot] = one_by_one[slot], picture
        assert numbers(pool(pictures, drawn)) == expected
        assert kept(pool) == one_by_one


def draws(pool: ReplayPool, batches: int, batch_size: int) -> Iterator[tuple[list[int], list[int]]]:
    for batch in range(batches):
        pictures = numbered(1000 + batch * batch_size, batch_size, size=1)
        yield numbers(pictures), numbers(through(pool, pictures))


def test_about_half_of_the_pictures_are_old_ones() -> None:
    torch.manual_seed(0)
    pool = ReplayPool(50)
    through(pool, numbered(0, 50, size=1))
    old = sum(new != out for new_, out_ in draws(pool, 1000, 4) for new, out in zip(new_, out_, strict=True))
    assert old / 4000 == pytest.approx(0.5, abs=0.03)  # 4 standard deviations


def test_every_place_of_the_pool_is_used() -> None:
    torch.manual_seed(0)
    pool = ReplayPool(10)
    through(pool, numbered(0, 10, size=1))
    returned = {out for _, out_ in draws(pool, 100, 4) for out in out_}
    assert returned >= set(range(10))


def test_pictures_go_through_a_pool_of_no_size() -> None:
    pool, pictures = ReplayPool(0), numbered(0, 2).requires_grad_()
    assert torch.equal(through(pool, pictures), pictures)
    assert not through(pool, pictures).requires_grad
    assert pool.stored is None


def test_what_is_returned_is_a_copy_without_gradient() -> None:
    torch.manual_seed(0)
    pool = ReplayPool(2)
    through(pool, numbered(0, 2))
    for batch in range(10):
        pictures = numbered(10 + batch, 1).requires_grad_()
        out = through(pool, pictures)
        assert not out.requires_grad
        before = pool.stored.clone()
        out.zero_()
        assert torch.equal(pool.stored, before)
        assert pictures.detach().eq(10 + batch).all()


def test_a_new_size_or_precision_of_pictures() -> None:
    pool = ReplayPool(4)
    through(pool, numbered(0, 3))
    assert numbers(through(pool, numbered(10, 2, size=4))) == [10, 11]
    assert kept(pool) == [10, 11]
    # A run that goes on in another precision, or on another device, keeps its pool.
    assert numbers(through(pool, numbered(20, 1, size=4).bfloat16())) == [20]
    assert pool.stored.dtype == torch.float32
    assert kept(pool) == [10, 11, 20]
    pool.draw(numbered(30, 1, size=4).to("meta"))
    assert pool.stored.device.type == "meta"
    assert pool.count == 4


@pytest.mark.parametrize("filled", [0, 2, 5])
def test_a_pool_goes_on_from_its_state(filled: int, tmp_path) -> None:
    torch.manual_seed(0)
    pool = ReplayPool(3)
    if filled:
        through(pool, numbered(0, filled))
    torch.save(pool.state_dict(), tmp_path / "pool.pt")
    other = ReplayPool(3)
    other.load_state_dict(torch.load(tmp_path / "pool.pt", weights_only=True))
    assert other.count == pool.count == min(filled, 3)
    for batch in range(20):
        seen = []
        for one in (pool, other):
            torch.manual_seed(batch)
            seen.append(numbers(through(one, numbered(10 + 2 * batch, 2))))
        assert seen[0] == seen[1]


def test_a_state_that_is_too_large_is_dropped_and_a_smaller_one_kept() -> None:
    pool = ReplayPool(4)
    through(pool, numbered(0, 4))
    smaller, larger = ReplayPool(2), ReplayPool(6)
    smaller.load_state_dict(pool.state_dict())
    larger.load_state_dict(pool.state_dict())
    assert (smaller.count, larger.count) == (0, 4)
    assert numbers(through(smaller, numbered(10, 2))) == [10, 11]
    assert numbers(through(larger, numbered(10, 2))) == [10, 11]
    assert kept(larger) == [0, 1, 2, 3, 10, 11]


def test_the_stored_pictures_are_no_weights() -> None:
    pool = ReplayPool(4)
    through(pool, numbered(0, 4))
    assert not list(pool.parameters())
    assert not list(pool.buffers())
