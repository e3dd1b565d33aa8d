from collections.abc import Callable

import pytest
import torch

from suite.metrics import distances, neighbours
from suite.metrics.jackknife import BLOCKS, QUANTILE, blocks, enough, interval
from suite.metrics.sets import SET_METRICS


def draw(count: int, seed: int, d: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=torch.Generator().manual_seed(d)) / d**0.5
    return torch.randn(count, d, generator=generator) @ mixing + 0.1 * seed


def without_by_hand(figure: Callable, real: torch.Tensor, fake: torch.Tensor) -> tuple[list[float], list[float]]:
    def rests(features: torch.Tensor) -> list[torch.Tensor]:
        return [torch.cat([features[: block.start], features[block.stop :]]) for block in blocks(len(features))]

    return [figure(rest, fake) for rest in rests(real)], [figure(real, rest) for rest in rests(fake)]


# More pictures than features, fewer, and fewer on one side alone; numbers that no block divides.
@pytest.mark.parametrize(("d", "real", "fake"), [(5, 43, 61), (64, 43, 31), (24, 61, 21)])
@pytest.mark.parametrize("name", ["fid", "precision", "recall", "mind"])
def test_figures_without_blocks_are_those_of_what_is_left(name, d, real, fake, monkeypatch):
    monkeypatch.setattr(distances, "SLICED_DIRECTIONS", 130)  # in parts, the last smaller
    monkeypatch.setattr(neighbours, "ROWS_AT_A_TIME", 25)
    sets = draw(real, 0, d), draw(fake, 1, d)
    metric = SET_METRICS[name]
    assert metric.without is not None
    found = metric.without(*sets)
    for values, by_hand in zip(found, without_by_hand(metric.figure, *sets), strict=True):
        # torchmetrics' root of a product without full rank is good to six digits.
        assert values.tolist() == pytest.approx(by_hand, rel=1e-6)
    assert interval(found) > 0


def test_every_picture_is_left_out_once():
    assert [number for block in blocks(103) for number in range(103)[block]] == list(range(103))
    assert {block.stop - block.start for block in blocks(103)} == {5, 6}


def test_the_interval_of_a_mean_is_the_textbooks():
    """A mean of 20 pictures, each its own block: 2.093 standard errors, and the roots of two sides' squares."""
    values = torch.randn(20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rests = torch.stack([torch.cat([values[:number], values[number + 1 :]]).mean() for number in range(20)])
    error = values.std() / 20**0.5
    assert interval((rests, torch.zeros(20))) == pytest.approx(float(QUANTILE * error))
    assert interval((rests, rests)) == pytest.approx(float(QUANTILE * error * 2**0.5))
    from scipy.stats import t

    assert t(BLOCKS - 1).ppf(0.975) == pytest.approx(QUANTILE, abs=5e-4)


def test_the_interval_is_as_wide_as_the_figure_varies_over_draws():
    of_draws, errors = [], []
    for seed in range(120):
        generator = torch.Generator().manual_seed(seed)
        real, fake = torch.randn(100, 4, generator=generator), torch.randn(100, 4, generator=generator) * 1.2 + 0.5
        of_draws.append(distances.frechet_distance(real, fake))
        errors.append(interval(distances.frechet_distance_without(real, fake)) / QUANTILE)
    assert sum(errors) / 120 == pytest.approx(float(torch.tensor(of_draws).std()), rel=0.2)


def test_few_pictures_have_no_interval():
    assert enough((20, 21), needs=4)
    assert not enough((19, 1000), needs=2)
    assert not enough((20, 20), needs=20)
