import math

import pytest
import torch
from torch import Tensor

from suite.errors import UserError
from suite.updates.loss_log import LossLog


def alone(value: Tensor) -> Tensor:
    return value


def losses(**values: float) -> dict[str, Tensor]:
    return {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}


def test_means_since_the_last_look() -> None:
    log = LossLog()
    for step, value in enumerate([1.0, 2.0, 6.0], start=1):
        log.add(losses(G=value, D=-value), step)
    assert log.flush(alone) == {"G": 3.0, "D": -3.0}
    assert log.flush(alone) == {}
    log.add(losses(G=5.0, D=7.0), 4)
    assert log.flush(alone) == {"G": 5.0, "D": 7.0}


def test_a_mean_is_over_the_steps_that_reported_the_loss() -> None:
    log = LossLog()
    for step in range(1, 11):
        critic = losses(D=float(step))
        log.add(losses(G=100.0 * step) | critic if step % 5 == 0 else critic, step)
    assert log.flush(alone) == {"G": 750.0, "D": 5.5}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_bad_loss_is_named_with_its_first_step(bad: float) -> None:
    log = LossLog()
    log.add(losses(G=1.0, D=1.0), 40)
    log.add(losses(G=1.0, D=bad), 41)
    log.add(losses(G=math.nan, D=math.nan), 42)
    with pytest.raises(UserError, match="the loss 'D' was not finite in batch 41: "):
        log.flush(alone)


def test_a_bad_loss_of_a_critics_extra_step_is_named() -> None:
    log = LossLog()
    log.add(losses(G=1.0, D=1.0), 5)
    log.add(losses(D=math.nan), 6)
    log.add(losses(D=math.nan), 7)
    log.add(losses(G=math.nan, D=math.nan), 10)
    with pytest.raises(UserError, match="the loss 'D' was not finite in batch 6: "):
        log.flush(alone)


def test_every_rank_learns_of_a_bad_loss_of_one() -> None:
    log = LossLog()
    log.add(losses(G=1.0), 8)
    with pytest.raises(UserError, match="the loss 'G' was not finite in batch 7: "):
        log.flush(lambda steps: torch.maximum(steps, torch.tensor([-7])))


def test_the_first_bad_step_of_all_ranks_is_named() -> None:
    log = LossLog()
    log.add(losses(G=math.nan), 8)
    with pytest.raises(UserError, match="in batch 7: "):
        log.flush(lambda steps: torch.maximum(steps, torch.tensor([-7])))
    log.add(losses(G=math.nan), 8)
    with pytest.raises(UserError, match="in batch 8: "):
        log.flush(lambda steps: torch.maximum(steps, torch.tensor([-9])))


def test_what_is_no_loss_may_be_infinite_and_is_in_no_epochs_mean() -> None:
    log = LossLog()
    for step, norm in enumerate([1.0, math.inf], start=1):
        log.add(losses(**{"G": 2.0, "norms/G": norm, "scores/real": 0.5}), step)
    assert log.flush(alone) == {"G": 2.0, "norms/G": math.inf, "scores/real": 0.5}
    assert log.end_epoch() == {"G": 2.0}


def test_the_gradients_are_looked_at_where_none_is_scaled() -> None:
    log = LossLog()
    log.add(losses(**{"G": 2.0, "norms/D": math.nan, "scores/real": math.nan}), 3)
    log.check(alone)
    for _ in range(2):  # a look before a checkpoint leaves the losses for their logger
        with pytest.raises(UserError, match="the gradient of D was not finite in batch 3: "):
            log.check(alone, gradients=True)
    log = LossLog()
    log.add(losses(**{"norms/D": math.nan, "G": math.nan}), 3)
    with pytest.raises(UserError, match="the loss 'G' was not finite in batch 3: "):  # the cause of the other
        log.flush(alone, gradients=True)


def test_halves_are_summed_in_fp32() -> None:
    log = LossLog()
    for step in range(100):
        log.add({"G": torch.tensor(1.01, dtype=torch.float16)}, step)
    assert log.flush(alone)["G"] == pytest.approx(float(torch.tensor(1.01, dtype=torch.float16)), rel=1e-6)


def test_no_graph_is_kept() -> None:
    log = LossLog()
    log.add(losses(G=1.0), 1)
    assert all(not sums.total.requires_grad for sums in log._sums.values())


def test_adding_waits_for_no_device() -> None:
    # A meta tensor has no values: whatever would have to fetch one raises.
    log = LossLog()
    for step in range(3):
        log.add({name: torch.empty((), device="meta") for name in ("G", "D")}, step)
    with pytest.raises(RuntimeError):
        log.flush(alone)
