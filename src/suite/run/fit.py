"""One run, or one stage of one: from a configuration to a trained model in its folder."""

import logging
import signal
import time
from collections.abc import Callable
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from suite.errors import UserError
from suite.run import cli, console, folder
from suite.run.checkpoints import refuse_lost, step_name
from suite.run.cluster import on_rank_zero, restarted
from suite.run.config import check_labels, instantiate
from suite.run.contents import check_training, reason
from suite.run.exhausted import exhausted
from suite.run.hold import hold, let_go
from suite.run.interrupts import stopped_by
from suite.run.request import to_go_on
from suite.run.stored import said_places
from suite.run.summary import conclude, duration, summary
from suite.run.trainer import build_trainer, metrics_callback
from suite.run.words import say

if TYPE_CHECKING:
    import pytorch_lightning as pl
    import torch

    from suite.data.module import PictureData
    from suite.papers.base import Paper

log = logging.getLogger("suite")

NOTHING_HELD_OUT = (
    "no pictures are held out to validate on: no validation, no picture grids and no best.ckpt; last.ckpt is kept"
)


def fit(
    config: DictConfig,
    run: Path,
    memory: MemoryHandler,
    to_resume: Path | None = None,
    next_start: str | None = None,
    before_writing: Callable[[], None] = lambda: None,
) -> None:
    """Train a run, fresh or, where `config.resume` says so, resumed; what is not yet done of it.

    config: of conf/train.yaml, checked. memory: of `console.start`. to_resume: the folder to say in `resume=`.
    next_start: the checkpoint that the next stage starts from, where there is one. before_writing: called when all
    checks are through, before the run's own files are written. Raises UserError before anything is written, where it
    can't work; cli.Stopped after a signal.
    """
    try:
        _fit(config, run, memory, to_resume or run, next_start, before_writing)
    finally:
        let_go(run)


def _fit(
    config: DictConfig,
    run: Path,
    memory: MemoryHandler,
    to_resume: Path,
    next_start: str | None,
    before_writing: Callable[[], None],
) -> None:
    from suite.data.splits import split_said
    from suite.run.loggers import finish_wandb
    from suite.run.ranks import end_other_processes, watch_over
    from suite.updates.loss_log import NotFinite

    if config.resume and on_rank_zero():
        hold(run)
        refuse_lost(run, config)
    resumed_from = folder.resumed_checkpoint(run) if config.resume else None
    resumed = folder.read_checkpoint(resumed_from) if resumed_from else None
    if resumed and not resumed.get("optimizer_states"):
        instead = say("start_from", str(resumed_from))
        raise UserError(f"{resumed_from} has no optimizers to go on with: train a fresh run with {instead}")
    if resumed and resumed_from:
        check_training(resumed, resumed_from)
    done = resumed["done"] if resumed else {"epochs": 0, "steps": 0, "batches": 0}
    settle(config.seed, config.threads)
    if config.resume and (said := said_places(config.data)):
        log.info("data         %s", said)
    kept = folder.kept_splits(run, config.data, resumed=True) if config.resume else None
    model, data = instantiate(config, kept)
    started_from: dict[str, str] = {}
    if resumed and resumed_from:
        folder.restore(model, resumed, resumed_from)  # by Lightning, too, where there is something left to train
    elif config.start_from is not None:
        started_from = folder.start_weights(model, Path(config.start_from), config.start)
    elif model.frozen_stages:
        raise UserError(
            f"start_from is not set: model.stage={model.stage} builds on {', '.join(model.frozen_stages)}, which an "
            "earlier stage has trained; say start_from=<that run>"
        )
    trained = has_trained(config, model, done)
    if trained and folder.is_finished(run):
        if restarted():
            log.info("%s has its %s already", run, duration(config, model))
            return
        raise UserError(f"{run} has its {duration(config, model)}; to train on, raise {ends_by(config, model)}")
    if on_rank_zero():
        folder.refuse_another(run, resumed=bool(config.resume))  # before data are decoded for nothing
        # Before anything is written: a wrong root, or weights that can't be had, leave no run behind.
        data.prepare_data()
        data.train_dataloader()  # refused now: later a logger has begun its run
        if next_start and not config.resume:
            check_reached(next_start, config, model, data)
        if not data.holds_out:
            log.warning(NOTHING_HELD_OUT)
            for key, count in data.held_out_alone.items():
                log.warning(
                    f"{count} pictures of {key} are held out and not measured, as there are none to measure them with: "
                    f"{split_said(key, '{train: 1.0}')} trains a fresh run on them, too"
                )
        check_labels(model, data, training=True)
        model.find_weights()
        if data.holds_out and (metrics := metrics_callback(config)):
            metrics.find_weights(data)

    def begin() -> None:
        """The first process does, as late as that: what the trainer or a loader refuses leaves the run as it was."""
        folder.claim(run, resumed=bool(config.resume))
        before_writing()
        folder.write_config(config, run)
        folder.unfinish(run)  # a longer duration may have been asked for
        console.keep(memory, run / "log.txt")
        so_far = f"epoch {done['epochs']}, step {done['steps']}" if config.resume else ""
        batches = trainer.num_training_batches if trainer and not trained else None
        log.info(summary(config, model, run, so_far, started_from, data.holds_out, batches))

    def how() -> str:
        begun = (run / "config.yaml").is_file()
        return f"go on with: {to_go_on(to_resume)}" if begun else "the run had not begun: start it again"

    began = time.monotonic()
    exit_code = 1
    trainer = None
    try:
        resumed_batch = done["batches"] if config.resume else None
        trainer = build_trainer(config, run, model, begin, resumed_batch, data.holds_out)
        if not trained:
            watch_over(trainer, config.get("timeout"), run, how)
            train(trainer, model, data, resumed_from)
        elif on_rank_zero():
            begin()
        trained = True
        if on_rank_zero():
            leave_behind(model, data, run, trainer.strategy.root_device)
            said = conclude(trainer, model, run, time.monotonic() - began, data.holds_out)
            folder.finish(run, said)
            log.info(said)
        exit_code = 0
    except NotFinite as error:
        there = folder.resumed_checkpoint(run)
        with_it = f"go on with: {to_go_on(to_resume)}" if there else "no checkpoint was saved yet, so train anew"
        raise UserError(f"{error}; with that, {with_it}") from error
    except (SystemExit, KeyboardInterrupt) as stop:  # the first is how Lightning leaves after a signal
        if trainer is None or not (run / "config.yaml").is_file():
            raise KeyboardInterrupt from stop  # before it was a run
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C would leave W&B unfinished
        number = stopped_by()
        when = "after its training" if trained else f"in epoch {trainer.current_epoch + 1}"
        saved = "" if folder.resumed_checkpoint(run) else ", before its first checkpoint"
        what = f"stopped by {number.name} {when}{saved}"
        raise cli.Stopped(number, f"{what}; go on with: {to_go_on(to_resume)}") from stop
    finally:
        if trainer and exit_code:
            end_other_processes()
        finish_wandb(exit_code)


def train(trainer: "pl.Trainer", model: "Paper", data: "PictureData", resumed_from: Path | None) -> None:
    """Raises UserError for what Lightning refuses of the trainer's settings, the data's length, and a checkpoint."""
    from pytorch_lightning.utilities.exceptions import MisconfigurationException

    from suite.run.callbacks import RunFiles
    from suite.run.ranks import wait_for_the_cause

    try:
        trainer.fit(model, datamodule=data, ckpt_path=resumed_from, weights_only=True)
    except MisconfigurationException as error:
        raise UserError(f"trainer: {' '.join(str(error).split())}") from error
    except UserError:
        raise
    except Exception as error:
        wait_for_the_cause(error)
        begun = any(isinstance(one, RunFiles) and one.begun for one in trainer.callbacks)  # type: ignore[attr-defined]
        if resumed_from is None or begun or exhausted(error, "train"):
            raise
        raise UserError(f"{resumed_from} can't be gone on with: {reason(error)}") from error


def check_reached(start: str, config: DictConfig, model: "Paper", data: "PictureData") -> None:
    """Refuse a stage that won't keep what the next one starts from: it ends before that step, or has no best.

    Several devices take fewer steps yet. Raises UserError.
    """
    if start.removesuffix(".ckpt") == "best" and not data.holds_out:
        raise UserError("start=best: no pictures are held out, so that no checkpoint is the best; say start=last")
    steps = [at for at in config.checkpoint.at_steps if start.removesuffix(".ckpt") in ("first", step_name(at))]
    if not steps or config.trainer.max_epochs < 0:
        return
    limit, batches = config.trainer.limit_train_batches, len(data.train_dataloader())
    batches = min(limit, batches) if isinstance(limit, int) else int(limit * batches)
    if (most := config.trainer.max_epochs * batches // model.batches_per_step) < min(steps):
        epochs = config.trainer.max_epochs
        raise UserError(
            f"checkpoint.at_steps={min(steps)}: stage {model.stage} ends after {most} steps in {epochs} epochs, and "
            f"the next one has start={start}; set less, or raise {ends_by(config, model)}"
        )


def leave_behind(model: "Paper", data: "PictureData", run: Path, device: "torch.device") -> None:
    """Have a trained stage make what the next one needs, as it translates: on its device, in eval mode, by itself."""
    import torch

    data.trainer = None  # its loaders would give this process its own share alone
    model.to(device).eval()
    with torch.no_grad():
        model.leave_behind(data, run)


def has_trained(config: DictConfig, model: "Paper", done: dict[str, Any]) -> bool:
    """Whether so much makes the whole of the training that is configured."""
    if model.schedule.unit == "step" and done["steps"] >= model.schedule.total:
        return True
    return 0 < config.trainer.max_epochs <= done["epochs"]


def ends_by(config: DictConfig, model: "Paper") -> str:
    """The key that ends its training first."""
    of_model = model.schedule
    capped = config.trainer.max_epochs > 0 and (of_model.unit == "step" or config.trainer.max_epochs < of_model.total)
    return "trainer.max_epochs" if capped else f"model.{of_model.unit}s"


def settle(seed: int, threads: int | None) -> None:
    """Seed what draws the first weights, and take as many CPU threads as asked for."""
    import pytorch_lightning as pl
    import torch

    pl.seed_everything(seed, workers=False, verbose=False)  # the data layer seeds its workers itself
    if threads:
        torch.set_num_threads(threads)
