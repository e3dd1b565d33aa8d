"""`python -m suite.train experiment=<name>`: compose, check, train, and say where everything is."""

import logging
import signal
import time

from omegaconf import DictConfig

from suite.errors import UserError
from suite.run import cli, console, folder
from suite.run.config import check_keys, instantiate

log = logging.getLogger("suite")


def train(config: DictConfig) -> None:
    """Train one run, fresh or resumed; `config` is composed from conf/train.yaml."""
    from suite.run.loggers import finish_wandb
    from suite.run.signals import Signals, end_other_processes
    from suite.run.trainer import (
        build_trainer,
        check_values,
        conclude,
        metrics_callback,
        on_rank_zero,
        prepare_config,
        summary,
    )

    memory = console.start(speaks=on_rank_zero())
    config, run = prepare_config(config)
    check_keys(config)
    check_values(config)
    start_from = folder.resumed_checkpoint(run) if config.resume else None
    resumed = folder.read_checkpoint(start_from) if start_from else None
    done = resumed["done"] if resumed else {"epochs": 0, "steps": 0, "batches": 0}
    settle(config.seed, config.threads)
    model, data = instantiate(config)
    if resumed and start_from:
        folder.load_weights(model, resumed, start_from)
    if done["epochs"] >= config.trainer.max_epochs:
        raise UserError(f"{run} has its {done['epochs']} epochs; to train on, raise model.epochs or model.decay_epochs")
    if on_rank_zero():
        # Before anything is written: a wrong root, or weights that can't be had, leave no run behind.
        data.prepare_data()
        if metrics := metrics_callback(config):
            metrics.find_weights(data)
        folder.claim(run, resumed=bool(config.resume))
        folder.write_config(config, run)
        console.keep(memory, run / "log.txt")
        log.info(summary(config, model, run, f"epoch {done['epochs']}, step {done['steps']}"))

    started = time.monotonic()
    exit_code = 1
    trainer = None
    try:
        trainer = build_trainer(config, run, done["batches"] if config.resume else None)
        trainer.fit(model, datamodule=data, ckpt_path=start_from, weights_only=True)
        exit_code = 0
        if on_rank_zero():
            log.info(conclude(trainer, run, time.monotonic() - started))
    except SystemExit as stop:  # how Lightning leaves after a signal
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C would leave W&B unfinished
        assert trainer is not None
        number = next(callback.number for callback in trainer.callbacks if isinstance(callback, Signals))  # type: ignore[attr-defined]
        saved = "" if folder.resumed_checkpoint(run) else ", before its first checkpoint"
        what = f"stopped by {number.name} in epoch {trainer.current_epoch + 1}{saved}"
        raise cli.Stopped(number, f"{what}; go on with: python -m suite.train resume={run}") from stop
    finally:
        if trainer and exit_code:
            end_other_processes(trainer)
        finish_wandb(exit_code)


def settle(seed: int, threads: int | None) -> None:
    """Seed what draws the first weights, and take as many CPU threads as asked for."""
    import pytorch_lightning as pl
    import torch

    pl.seed_everything(seed, workers=False, verbose=False)  # the data layer seeds its workers itself
    if threads:
        torch.set_num_threads(threads)


def main() -> None:
    """The console script `suite-train`."""
    cli.run("train", train)


if __name__ == "__main__":
    main()
