import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from torch.utils.data import DataLoader

from suite.errors import UserError
from suite.papers.cyclegan import CycleGAN


def test_steps_are_updates_and_not_lightnings(make_cyclegan: Callable, make_batches: Callable, fit: Callable) -> None:
    model = make_cyclegan()
    trainer = fit(model, make_batches(10), max_epochs=2)
    assert (model.steps, model.batches) == (20, 20)
    assert trainer.global_step == 40


# Clipping -------------------------------------------------------------------------------------------------------------


class Gradients(Callback):
    """The norm of the gradients that each optimizer steps with."""

    def __init__(self) -> None:
        self.norms: list[float] = []

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for optimizer in trainer.optimizers:
            optimizer.register_step_post_hook(self.note)

    def note(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        gradients = [weight.grad for group in optimizer.param_groups for weight in group["params"]]
        self.norms.append(torch.stack([gradient.norm() for gradient in gradients]).norm().item())


@pytest.mark.parametrize("half", [False, True])
def test_clipping_keeps_the_norm(
    half: bool, make_cyclegan: Callable, make_batches: Callable, fit: Callable, halves: Callable
) -> None:
    free, clipped = Gradients(), Gradients()
    batches = make_batches(1)
    plugins = halves() if half else []
    fit(make_cyclegan(clip_norm=1e6), batches, callbacks=free, plugins=plugins)
    assert min(free.norms) > 0.1
    limit = min(free.norms) / 3
    fit(make_cyclegan(clip_norm=limit), batches, callbacks=clipped, plugins=plugins)
    assert clipped.norms == pytest.approx([limit] * 2, rel=1e-3)


def test_a_small_gradient_is_left_as_it_is(make_cyclegan: Callable, make_batches: Callable, fit: Callable) -> None:
    free, unclipped = Gradients(), Gradients()
    fit(make_cyclegan(clip_norm=0.0), make_batches(1), callbacks=free)
    fit(make_cyclegan(clip_norm=1e6), make_batches(1), callbacks=unclipped)
    assert free.norms == pytest.approx(unclipped.norms, rel=1e-5)


@pytest.mark.parametrize(("kind", "made"), [("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)])
def test_optimizers_make_one_kernel_and_keep_their_rate_in_place(
    kind: str, made: type, make_cyclegan: Callable
) -> None:
    for optimizer in make_cyclegan(optimizer=kind, clip_norm=1.0).configure_optimizers():
        assert type(optimizer) is made
        assert optimizer.defaults["fused"]
        assert optimizer.param_groups[0]["lr"].dtype is torch.float64  # on a CPU


@pytest.mark.parametrize("kind", ["adam", "sgd"])
@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_it_trains_in_halves(
    kind: str, clip_norm: float, make_cyclegan: Callable, make_batches: Callable, fit: Callable, halves: Callable
) -> None:
    model = make_cyclegan(optimizer=kind, clip_norm=clip_norm)
    before = model.G.layers[1].weight.detach().clone()
    fit(model, make_batches(3), plugins=halves())
    after = model.G.layers[1].weight.detach()
    assert after.isfinite().all()
    assert 0 < (after - before).abs().max() < 10 * model.lr


# Reports --------------------------------------------------------------------------------------------------------------


def test_loggers_get_means_by_step(make_cyclegan: Callable, make_batches: Callable, fit: Callable, table: Any) -> None:
    model = make_cyclegan(adversarial={"loss": "wgan", "critic_steps": 2})
    means: list[dict[str, float]] = []
    report = model.report
    model.report = lambda losses: means.append({k: v.item() for k, v in losses.items()}) or report(losses)
    fit(model, make_batches(6), logger=table, log_every_n_steps=4)
    assert list(table.rows) == [4, 6]
    first, last = table.rows.values()
    # Summed in fp32; what critics lose is of either sign.
    assert first["train/D_a"] == pytest.approx(sum(one["D_a"] for one in means[:4]) / 4, abs=1e-5)
    assert first["train/cycle_a"] == pytest.approx((means[1]["cycle_a"] + means[3]["cycle_a"]) / 2)
    assert last["train/cycle_a"] == pytest.approx(means[5]["cycle_a"])
    assert (first["step"], last["step"], last["epoch"]) == (2, 3, 0)
    assert last["train/lr"] == model.lr


def test_a_progress_bar_makes_nobody_wait(make_cyclegan: Callable, make_batches: Callable, fit: Callable) -> None:
    # Lightning reads each of these values after each step: on the host, that costs nothing.
    model = make_cyclegan()
    shown: list[Any] = []
    log_dict = model.log_dict
    model.log_dict = lambda values, **how: (
        shown.extend(values.values() if "prog_bar" in how else ()) or log_dict(values, **how)
    )
    trainer = fit(model, make_batches(2), log_every_n_steps=1)
    assert set(trainer.progress_bar_metrics) >= {"D_a", "cycle_a"}
    assert shown
    assert all(isinstance(value, Tensor) and value.device.type == "cpu" for value in shown)


def test_an_epochs_losses_are_there_when_its_line_is_written(
    make_cyclegan: Callable, make_batches: Callable, fit: Callable
) -> None:
    class Lines(Callback):
        means: ClassVar[list[float]] = []

        def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            self.means.append(trainer.progress_bar_metrics["cycle_a"])

    model, lines, reported = make_cyclegan(), Lines(), []
    report = model.report
    model.report = lambda losses: reported.append(losses["cycle_a"].item()) or report(losses)
    fit(model, make_batches(3), callbacks=lines, max_epochs=2)
    assert lines.means == pytest.approx([sum(reported[:3]) / 3, sum(reported[3:]) / 3])


@pytest.mark.parametrize("bad_step", [2, 3])
def test_training_stops_at_a_bad_loss(bad_step: int, make_cyclegan: Callable, make_batches: Callable, fit: Callable):
    model = make_cyclegan(adversarial={"loss": "wgan", "critic_steps": 3})
    batches = make_batches(9)
    batches[bad_step - 1]["b"][0, 0, 0, 0] = math.nan
    name = "D_a" if bad_step % 3 else "G_adv_a"  # a critic's extra step has no generator losses
    with pytest.raises(UserError, match=f"the loss '{name}' was not finite in batch {bad_step}: "):
        fit(model, batches, log_every_n_steps=5)
    assert model.batches == 5


def test_a_bad_loss_of_an_epoch_stops_before_it_is_validated_and_saved(
    make_cyclegan: Callable, make_batches: Callable, fit: Callable, tmp_path: Path
) -> None:
    model, batches = make_cyclegan(), make_batches(3)
    batches[1]["a"].fill_(math.inf)
    model.val_dataloader = lambda: DataLoader(make_batches(1), batch_size=None)
    model.validation_step = lambda batch, batch_idx: pytest.fail("validated")
    saving = pl.callbacks.ModelCheckpoint(tmp_path, save_on_train_epoch_end=True)
    with pytest.raises(UserError, match="not finite in batch 2: "):
        fit(model, batches, callbacks=saving, enable_checkpointing=True, log_every_n_steps=50, limit_val_batches=1)
    assert not list(tmp_path.glob("*.ckpt"))


# Checkpoints ----------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_plain_data_with_plain_names(
    make_cyclegan: Callable, make_batches: Callable, fit: Callable, tmp_path: Path
) -> None:
    plain, compiled = make_cyclegan(ema_decay=0.9), make_cyclegan(ema_decay=0.9, compile=True)
    with torch.compiler.set_stance("force_eager"):  # what is compiled is not the matter here
        for name, model in (("plain", plain), ("compiled", compiled)):
            fit(model, make_batches(2)).save_checkpoint(tmp_path / f"{name}.ckpt")
    assert compiled.G._compiled_call_impl is not None
    assert plain.G._compiled_call_impl is None
    contents = [torch.load(tmp_path / f"{name}.ckpt", weights_only=True) for name in ("plain", "compiled")]
    names = [set(content["state_dict"]) for content in contents]
    assert names[0] == names[1]
    assert {name.split(".")[0] for name in names[0]} == {"G", "F", "D_A", "D_B", "ema", "pool_a", "pool_b"}
    assert not any("_orig_mod" in name for name in names[1])
    assert contents[0]["paper"] == "cyclegan"
    assert contents[0]["done"] == {"epochs": 1, "steps": 2, "batches": 2}


# Matching model and data ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "size", "message"),
    [
        ({}, 30, "data.size=30 is not a multiple of 4, which the networks need: use data.size=3"),
        ({}, 2, "data.size=2 is not a multiple of 4, which the networks need: use data.size=4,"),
        ({"backbone": {"name": "unet", "width": 4, "downs": 5}}, 48, "data.size=48 is not a multiple of 32"),
        ({}, 8, "data.size=8 is too small for the networks, which need 12: "),
    ],
)
def test_a_size_that_cannot_work_is_refused(changes: dict, size: int, message: str, make_cyclegan: Callable) -> None:
    with pytest.raises(UserError) as error:
        make_cyclegan(**changes).check_data(SimpleNamespace(size=size, task="unpaired"))
    assert str(error.value).startswith(message)


def test_the_smallest_size_that_works_is_accepted(make_cyclegan: Callable) -> None:
    make_cyclegan().check_data(SimpleNamespace(size=12, task="unpaired"))
    pixel: CycleGAN = make_cyclegan(discriminator={"name": "pixel", "width": 4})
    pixel.check_data(SimpleNamespace(size=4, task="unpaired"))
