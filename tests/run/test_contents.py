"""What a resumed training goes on with, in a checkpoint of anyone's: of its kinds, or one line says that it is not."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from suite.errors import UserError
from suite.run.callbacks import StopEarly
from suite.run.checkpoints import BestCheckpoint
from suite.run.contents import check_moments, check_training
from suite.run.picture_grids import PictureGrids
from suite.updates.loss_log import LossLog
from suite.updates.optimizer import make_optimizer

PROGRESS = {"total": {"ready": 2, "completed": 2}, "is_last_batch": True}
STATE: dict[str, Any] = {
    "loops": {"fit_loop": {"epoch_progress": PROGRESS, "state_dict": {"combined_loader": [{"position": 1}]}}},
    "optimizer_states": [{"state": {}, "param_groups": []}],
    "callbacks": {"BestCheckpoint": {"best": 1.0}},
}


def test_what_a_run_saves_passes() -> None:
    check_training(STATE, Path("last.ckpt"))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"loops": None}, "its loops are null"),
        ({"loops": {"fit_loop": {"ready": "x"}}}, "its loops.fit_loop.ready is x"),
        ({"loops": {"fit_loop": {"ready": -1}}}, "its loops.fit_loop.ready is -1"),
        ({"loops": {"fit_loop": {"ready": 10**30}}}, "its loops.fit_loop.ready is 1000"),
        ({"loops": {"fit_loop": {"current": {"completed": {"a": 1}}}}}, "its loops.fit_loop.current.completed is {"),
        ({"loops": {"fit_loop": [1]}}, r"its loops.fit_loop is \[1\]"),
        ({"optimizer_states": [5]}, r"its optimizer_states are \[5\]"),
        ({"callbacks": {"BestCheckpoint": []}}, "its callbacks are"),
    ],
)
def test_progress_of_other_kinds_is_one_line(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=rf"^last.ckpt can't be gone on with: {told}") as error:
        check_training(STATE | changes, Path("last.ckpt"))
    assert "\n" not in str(error.value)


def test_moments_of_an_optimizer_of_a_gpu_pass() -> None:
    """As of 16-mixed there: a step on the CPU, by which others are judged, would refuse its settings."""
    adam = torch.optim.Adam([nn.Parameter(torch.ones(3))], lr=torch.tensor(1e-3), capturable=True)
    check_moments([adam])


@pytest.fixture(params=["adam", "sgd"])
def optimizer(request: pytest.FixtureRequest) -> torch.optim.Optimizer:
    layer = nn.Linear(3, 2)
    made = make_optimizer(request.param, {"": list(layer.parameters())}, 1e-3, (0.5, 0.9), scaled=False)
    layer(torch.ones(1, 3)).sum().backward()
    made.step()
    return made


def test_moments_that_it_made_pass(optimizer: torch.optim.Optimizer) -> None:
    check_moments([optimizer])


@pytest.mark.parametrize("state", [{"step": torch.ones(())}, {"momentum": torch.ones(6)}, {"exp_avg": 5}, None])
def test_moments_that_it_did_not_make(state: Any, optimizer: torch.optim.Optimizer) -> None:
    optimizer.state[optimizer.param_groups[0]["params"][0]] = state
    with pytest.raises(ValueError, match="an optimizer remembers"):
        check_moments([optimizer])


@pytest.mark.parametrize("value", [torch.ones(5), 1.0, None, "x"])
def test_moments_of_another_weight(value: Any) -> None:
    weight = nn.Parameter(torch.ones(3))
    adam = torch.optim.Adam([weight])
    adam.state[weight] = {"step": torch.ones(()), "exp_avg": value, "exp_avg_sq": torch.ones(3)}
    with pytest.raises(ValueError, match="an optimizer's exp_avg is not of its weight"):
        check_moments([adam])


ODD = ["abc", [1], {"a": 1}, True]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_callbacks_and_losses_take_no_other_kinds(odd: Any, tmp_path: Path) -> None:
    counted = torch.ones(1)
    for load in (
        lambda: BestCheckpoint(tmp_path, "val/l1", "min").load_state_dict({"monitor": "val/l1", "best": odd}),
        lambda: PictureGrids(tmp_path, 1, 1).load_state_dict({"validations": odd}),
        lambda: StopEarly("L1", 1, 0.0).load_state_dict({"wait_count": odd, "stopped_epoch": 0}),
        lambda: StopEarly("L1", 1, 0.0).load_state_dict({"best_score": odd}),
        lambda: LossLog().load_state_dict({"sums": [[["L1"], counted, odd, counted]], "epoch": {}}),
        lambda: LossLog().load_state_dict({"sums": [[["L1"], odd, 1, counted]], "epoch": {}}),
        lambda: LossLog().load_state_dict({"sums": [], "epoch": {"L1": odd}}),
        lambda: LossLog().load_state_dict({"sums": [[["L1", "L2"], counted, 1, counted]], "epoch": {}}),
    ):
        with pytest.raises(UserError) as error:
            load()
        assert "\n" not in str(error.value)
