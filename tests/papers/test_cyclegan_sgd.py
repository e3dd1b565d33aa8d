"""CycleGAN with `optimizer: sgd`."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from suite.errors import UserError
from suite.papers.cyclegan import CycleGAN


class PlainDescent(pl.Callback):
    """Checks every step of every optimizer: w - lr * gradient, in fp64, whatever came before."""

    def __init__(self) -> None:
        self.steps = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for optimizer in trainer.optimizers:
            optimizer.register_step_pre_hook(self.keep)
            optimizer.register_step_post_hook(self.compare)

    def keep(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        (group,) = optimizer.param_groups
        self.before = [weight.detach().clone() for weight in group["params"]]

    def compare(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        (group,) = optimizer.param_groups
        weights = group["params"]
        expected = [old - group["lr"] * new.grad for old, new in zip(self.before, weights, strict=True)]
        torch.testing.assert_close([weight.detach() for weight in weights], expected, rtol=1e-14, atol=1e-15)
        self.steps += 1


@pytest.mark.parametrize("clip_norm", [0.0, 0.1])
def test_sgd_goes_down_the_gradient_and_a_resumed_run_keeps_to_it(
    clip_norm: float, make_cyclegan: Callable, make_batches: Callable, fit: Callable, tmp_path: Path
) -> None:
    settings = {"optimizer": "sgd", "lr": 0.01, "clip_norm": clip_norm}
    model, batches, plain = make_cyclegan(**settings).double(), make_batches(3, dtype=torch.float64), PlainDescent()
    before = copy.deepcopy(model.networks())
    trainer = fit(model, batches, callbacks=plain)
    assert plain.steps == 6
    for name, network in model.networks().items():
        pairs = zip(network.parameters(), before[name].parameters(), strict=True)
        assert any((new - old).abs().max() > 1e-5 for new, old in pairs), name

    trainer.save_checkpoint(tmp_path / "last.ckpt")
    assert CycleGAN.load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True).optimizer == "sgd"
    again = make_cyclegan(**settings).double()
    fit(again, batches, callbacks=plain, max_epochs=2, ckpt_path=tmp_path / "last.ckpt")
    assert plain.steps == 12


@pytest.mark.parametrize("kinds", [("adam", "sgd"), ("sgd", "adam")], ids=" to ".join)
def test_a_resumed_run_can_be_told_to_use_the_other(
    kinds: tuple[str, str], make_cyclegan: Callable, make_batches: Callable, fit: Callable, tmp_path: Path
) -> None:
    first, then = kinds
    batches = make_batches(2, dtype=torch.float64)
    fit(make_cyclegan(optimizer=first).double(), batches).save_checkpoint(tmp_path / "last.ckpt")
    plain, again = PlainDescent(), make_cyclegan(optimizer=then).double()
    watched = plain if then == "sgd" else []
    fit(again, batches, callbacks=watched, max_epochs=2, ckpt_path=tmp_path / "last.ckpt")
    assert (again.steps, plain.steps) == (4, 4 if then == "sgd" else 0)
    assert all(weight.isfinite().all() for weight in again.parameters())


def test_an_unknown_optimizer_is_refused(make_cyclegan: Callable) -> None:
    with pytest.raises(UserError, match=r"model.optimizer=rmsprop: choose from adam, sgd"):
        make_cyclegan(optimizer="rmsprop")
