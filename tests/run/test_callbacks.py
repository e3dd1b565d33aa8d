"""What a step draws, each run in a Trainer of its own."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch

from suite.run.callbacks import StepSeeds


def test_a_step_draws_the_same_however_the_run_came_to_it(run: Callable, toys: SimpleNamespace) -> None:
    once, again, other = toys.Drawn(), toys.Drawn(), toys.Drawn()
    run(StepSeeds(0), once, epochs=2)
    torch.rand(5)
    run(StepSeeds(0), again, epochs=2)
    assert once.drawn == again.drawn
    run(StepSeeds(1), other, epochs=2)
    drawn = [number for drawn in (once, other) for step in drawn.drawn for number in step]
    assert len(drawn) == len(set(drawn)) == 2 * 4 * 3


def test_ranks_draw_differently(run: Callable, toys: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = toys.Drawn(), toys.Drawn()
    run(StepSeeds(0), first)
    monkeypatch.setattr(pl.Trainer, "global_rank", property(lambda self: 1))
    run(StepSeeds(0), second)
    assert not {n for step in first.drawn for n in step} & {n for step in second.drawn for n in step}
