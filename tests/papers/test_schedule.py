"""How long a run is, and its learning rates: by epochs or by steps."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from suite.errors import UserError

BY_STEPS = {"steps": 5, "decay_steps": 3, "lr": 4e-4}
RATES = [4e-4] * 5 + [3e-4, 2e-4, 1e-4]  # of the eight steps
CRITIC = {"loss": "wgan", "critic_steps": 2}


class Rates(Callback):
    """The learning rates that each batch was trained with, and where the run was after it."""

    def __init__(self) -> None:
        self.seen: list[list[float]] = []
        self.steps: list[int] = []

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self.seen.append([float(optimizer.param_groups[0]["lr"]) for optimizer in trainer.optimizers])
        self.steps.append(pl_module.steps)


@pytest.mark.parametrize(
    ("settings", "unit"),
    [({"epochs": 100, "decay_epochs": 100}, "epoch"), ({"steps": 100, "decay_steps": 100}, "step")],
)
def test_learning_rate_is_constant_then_falls_and_never_is_zero(
    settings: dict, unit: str, make_cyclegan: Callable
) -> None:
    schedule = make_cyclegan(**settings).schedule
    assert (schedule.unit, schedule.total, str(schedule)) == (unit, 200, f"200 {unit}s")
    factors = [schedule.factor(done) for done in range(200)]
    assert factors[:100] == [1.0] * 100
    assert factors[100] == pytest.approx(100 / 101)
    assert factors[199] == pytest.approx(1 / 101)
    falls = [before - after for before, after in pairwise(factors[99:])]
    assert falls == pytest.approx([1 / 101] * 100)


def test_by_epochs_both_learning_rates_move_once_an_epoch(
    make_cyclegan: Callable, make_batches: Callable, fit: Callable
) -> None:
    rates, model = Rates(), make_cyclegan(epochs=1, decay_epochs=3, lr=4e-4)
    fit(model, make_batches(2), max_epochs=4, callbacks=rates)
    assert rates.seen == [pytest.approx([lr, lr]) for lr in (4e-4, 3e-4, 2e-4, 1e-4) for _ in range(2)]
    assert model.steps == 8


def test_discriminators_may_learn_at_a_rate_of_their_own_on_the_same_schedule(
    make_cyclegan: Callable, make_batches: Callable, fit: Callable, tmp_path: Any
) -> None:
    rates, model = Rates(), make_cyclegan(epochs=1, decay_epochs=3, lr=1e-4, d_lr=4e-4)
    fit(model, make_batches(2), max_epochs=2, callbacks=rates).save_checkpoint(tmp_path / "last.ckpt")
    assert rates.seen == [pytest.approx([lr, 4 * lr]) for lr in (1e-4, 0.75e-4) for _ in range(2)]
    resumed, changed = Rates(), make_cyclegan(epochs=1, decay_epochs=3, lr=1e-4, d_lr=8e-4)
    fit(changed, make_batches(2), max_epochs=3, callbacks=resumed, ckpt_path=tmp_path / "last.ckpt")
    assert resumed.seen == [pytest.approx([0.5e-4, 4e-4])] * 2


@pytest.mark.parametrize(
    ("maker", "settings", "expected"),
    [
        ("make_cyclegan", {}, {"G": 1e-4, "D": 4e-4}),
        ("make_two_step", {"stage": "generator"}, {"G": 1e-4, "D": 4e-4}),
        ("make_two_step", {"stage": "encoder"}, {"E": 1e-4}),
        ("make_sketch_to_image", {"stage": "tom"}, {"T": 1e-4, "D_T": 4e-4}),
        ("make_dagan", {"lr_d": 7e-4, "lr_g": 3e-4}, {"Inv": 1e-4, "G": 3e-4, "D": 4e-4}),
    ],
)
def test_it_is_every_papers(
    maker: str, settings: dict, expected: dict[str, float], request: pytest.FixtureRequest
) -> None:
    make = request.getfixturevalue(maker)
    model = make(lr=1e-4, d_lr=4e-4, **settings)
    assert {name: model.rates(name)[0] for name in model.trained()} == expected
    as_before = make(lr=1e-4, **settings)
    assert as_before.rates("D")[0] == settings.get("lr_d", 1e-4)


def test_a_paper_without_discriminators_refuses_their_rate(make_csi: Callable) -> None:
    with pytest.raises(UserError, match=r"model\.d_lr=0\.0004: CSI trains no discriminator; leave it null"):
        make_csi(d_lr=4e-4)


@pytest.mark.parametrize("batches", [3, 8, 20])  # of an epoch: the run ends within one, and with one
def test_by_steps_a_run_ends_after_its_last_step(
    batches: int, make_cyclegan: Callable, make_batches: Callable, fit: Callable
) -> None:
    rates, model = Rates(), make_cyclegan(**BY_STEPS)
    trainer = fit(model, make_batches(batches), max_epochs=-1, callbacks=rates)
    assert rates.seen == [pytest.approx([lr, lr]) for lr in RATES]
    assert rates.steps == list(range(1, 9))
    assert (model.steps, model.batches) == (8, 8)
    assert trainer.fit_loop.epoch_progress.current.processed == -(-8 // batches)  # the last one is closed, too


def test_a_critics_batches_in_between_are_no_steps(
    make_cyclegan: Callable, make_batches: Callable, fit: Callable
) -> None:
    rates, model = Rates(), make_cyclegan(**BY_STEPS, adversarial=CRITIC)
    fit(model, make_batches(5), max_epochs=-1, callbacks=rates)
    assert rates.seen == [pytest.approx([lr, lr]) for lr in RATES for _ in range(2)]
    assert (model.steps, model.batches) == (8, 16)


@pytest.mark.parametrize("settings", [BY_STEPS, {"epochs": 1, "decay_epochs": 3, "lr": 4e-4}], ids=["steps", "epochs"])
def test_a_resumed_run_goes_on_in_its_schedule(
    settings: dict, make_cyclegan: Callable, make_batches: Callable, fit: Callable, tmp_path: Any
) -> None:
    whole, first, then = Rates(), Rates(), Rates()
    fit(make_cyclegan(**settings), make_batches(2), max_epochs=4, callbacks=whole)
    path = tmp_path / "last.ckpt"
    fit(make_cyclegan(**settings), make_batches(2), max_epochs=3, callbacks=first).save_checkpoint(path)
    model = make_cyclegan(**settings)
    fit(model, make_batches(2), max_epochs=4, callbacks=then, ckpt_path=path)
    assert first.seen + then.seen == whole.seen
    assert len(then.seen) == 2
    assert (model.steps, model.batches) == (8, 8)


def test_decay_in_steps_needs_a_duration_in_steps(make_cyclegan: Callable) -> None:
    with pytest.raises(UserError, match=r"model\.decay_steps=3 without model\.steps: set both"):
        make_cyclegan(decay_steps=3)
