"""Draws: by (seed, step, rank) and purpose, and by nothing else."""

from itertools import product

import torch

from suite.updates.draws import Draws


def numbers(draws: Draws, purpose: str) -> list[float]:
    return torch.rand(3, generator=draws.generator(purpose)).tolist()


def test_every_step_rank_seed_and_purpose_has_numbers_of_its_own() -> None:
    draws, seen = Draws(), set()
    for seed, step, rank in product((0, 1), (0, 1, 2**31), (0, 1)):
        draws.begin(seed, step, rank)
        seen |= {tuple(numbers(draws, purpose)) for purpose in ("noise", "pool_a", "pool_b")}
        seen.add(tuple(torch.rand(3).tolist()))  # dropout
    assert len(seen) == 2 * 3 * 2 * 4


def test_what_is_of_all_ranks_is_equal_on_each_and_of_a_step_alone() -> None:
    def of(rank: int, step: int) -> list[float]:
        draws = Draws()
        draws.begin(0, step, rank)
        return torch.rand(3, generator=draws.generator("head", of_all_ranks=True)).tolist()

    assert of(0, 4) == of(3, 4) != of(3, 5)


def test_one_purpose_does_not_shift_another() -> None:
    draws = Draws()
    draws.begin(0, 7, 0)
    alone, dropout = numbers(draws, "noise"), torch.rand(3).tolist()
    draws.begin(0, 7, 0)
    numbers(draws, "pool_a")
    with draws.in_place_of_global("erasing"):
        erasing = torch.rand(3).tolist()
    assert numbers(draws, "noise") == alone
    assert torch.rand(3).tolist() == dropout
    torch.rand(5)
    with draws.in_place_of_global("erasing"):
        assert torch.rand(3).tolist() == erasing


def test_outside_a_run_the_global_generator_serves_every_purpose() -> None:
    draws = Draws()
    torch.manual_seed(0)
    expected = torch.rand(6).tolist()
    torch.manual_seed(0)
    found = numbers(draws, "noise")
    with draws.in_place_of_global("erasing"):
        found += torch.rand(3).tolist()
    assert found == expected
