import pytest
import torch
from torch_fidelity.metric_prc import prc_features_to_metric

from suite.metrics import neighbours
from suite.metrics.neighbours import precision, recall


def draw(count: int, seed: int, width: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed)) * width + shift


def test_precision_and_recall_are_those_of_torch_fidelity(monkeypatch):
    real, fake = draw(70, 0), draw(50, 1, width=0.6, shift=0.4)
    expected = prc_features_to_metric(fake.double(), real.double(), prc_neighborhood=3, prc_batch_size=16,
                                      save_cpu_ram=False, verbose=False)  # fmt: skip
    for rows in (neighbours.ROWS_AT_A_TIME, 7):
        monkeypatch.setattr(neighbours, "ROWS_AT_A_TIME", rows)
        assert precision(real, fake) == pytest.approx(expected["precision"], abs=1e-6)
        assert recall(real, fake) == pytest.approx(expected["recall"], abs=1e-6)
    assert 0.1 < expected["recall"] < expected["precision"] < 1


def test_each_ball_reaches_to_the_third_neighbour():
    """On a line, real pictures at 0, 1, 3, 7 and 20: their balls are as wide as 7, 6, 4, 7 and 19."""
    real = torch.tensor([[0.0], [1.0], [3.0], [7.0], [20.0]])
    fake = torch.tensor([[-7.0], [-7.1], [39.0], [39.1], [10.0]])
    assert precision(real, fake) == pytest.approx(3 / 5)  # to 3, 7 of 0 lacks 0.1 of its second, 19 of 20 of its fourth


def test_half_of_what_is_real_lost_shows_in_recall_and_noise_in_precision():
    real = torch.cat([draw(60, 2), draw(60, 3, shift=30)])
    assert (precision(real, real[:60]), recall(real, real[:60])) == (1, 0.5)
    noisy = torch.cat([real, draw(120, 4, shift=-30)])
    assert (precision(real, noisy), recall(real, noisy)) == (0.5, 1)
