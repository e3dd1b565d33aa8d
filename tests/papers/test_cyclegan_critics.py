"""CycleGAN's critics: how often they move, and what keeps them within bounds."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from suite.errors import UserError

WGAN_GP = {"loss": "wgan", "penalty": "squared"}


class Watch(Callback):
    """Keeps a weight of every network and the generators' step count after each batch."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, model: pl.LightningModule, *_: Any) -> None:
        weights = {name: next(network.parameters()).detach().clone() for name, network in model.networks().items()}
        self.seen.append(weights | {"steps": model.steps, "batches": model.batches})


def test_generators_move_on_the_last_of_the_critic_steps(
    make_cyclegan: Callable, make_batches: Callable, fit: Callable
):
    watch = Watch()
    model = make_cyclegan(adversarial=WGAN_GP | {"critic_steps": 5})
    fit(model, make_batches(12), callbacks=watch)
    assert [one["steps"] for one in watch.seen] == [0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2]
    assert model.batches == 12
    for number, (before, after) in enumerate(zip(watch.seen, watch.seen[1:], strict=False), start=2):
        for name in ("G", "F"):
            assert torch.equal(before[name], after[name]) is (number not in (5, 10))
        for name in ("D_A", "D_B"):
            assert not torch.equal(before[name], after[name])


def test_clipped_critics_stay_within_the_limit(make_cyclegan: Callable, make_batches: Callable, fit: Callable) -> None:
    model = make_cyclegan(adversarial={"loss": "wgan", "weight_clip": 0.01})
    fit(model, make_batches(3))
    for network, clipped in ((model.D_A, True), (model.D_B, True), (model.G, False), (model.F, False)):
        assert (max(weight.abs().max() for weight in network.parameters()) <= 0.01) == clipped


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("loss", [WGAN_GP, {"loss": "wgan", "penalty": "absolute"}, {"loss": "hinge"}])
def test_it_trains(precision: str, loss: dict, make_cyclegan: Callable, make_batches: Callable, fit: Callable) -> None:
    model = make_cyclegan(adversarial=loss, pool_size=2)
    reported: list[dict[str, Tensor]] = []
    model.report = reported.append
    before = copy.deepcopy(model.networks())
    fit(model, make_batches(4, 2), precision=precision)
    for losses in reported:
        assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())
        assert ("penalty_a" in losses) == ("penalty" in loss)
    for name, network in model.networks().items():
        for new, old in zip(network.parameters(), before[name].parameters(), strict=True):
            assert new.dtype == torch.float32
            assert new.isfinite().all()
            assert new.ndim == 1 or not torch.equal(new, old)  # a critic's last bias moves real and fake alike


@pytest.mark.parametrize("penalty", ["squared", "absolute"])
def test_a_penalised_critic_may_not_have_batchnorm(penalty: str, make_cyclegan: Callable) -> None:
    with pytest.raises(UserError, match=r"set model.discriminator.norm=instance or none"):
        make_cyclegan(adversarial={"loss": "wgan", "penalty": penalty}, discriminator={"norm": "batch"})
    make_cyclegan(adversarial={"loss": "wgan"}, discriminator={"norm": "batch"})
