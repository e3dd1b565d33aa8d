"""`python -m suite.train experiment=<name>`: compose, check, train, and say where everything is."""

import logging
import signal
import time

from omegaconf import DictConfig

from suite import cli, runs
from suite.config import check_keys, instantiate

log = logging.getLogger("suite")


def train(config: DictConfig) -> None:
    """Train one run, fresh or resumed; `config` is composed from conf/train.yaml."""
    from suite.loggers import finish_wandb
    from suite.training import build_trainer, conclude, log_to, on_rank_zero, prepare_config, summary

    config, run = prepare_config(config)
    check_keys(config)
    resumed = runs.read_checkpoint(runs.checkpoint_path(run)) if config.resume else None
    settle(config.seed, config.threads)
    model, data = instantiate(config)
    if resumed:
        runs.require_paper(resumed, model, run)
    if on_rank_zero():
        data.prepare_data()  # before anything is written: a wrong root leaves no run behind
        runs.claim(run, resumed=bool(config.resume))
        runs.write_config(config, run)
        log_to(run / "log.txt")
        print(summary(config, model, run, resumed["lr_schedulers"][0]["last_epoch"] if resumed else 0), flush=True)

    trainer = build_trainer(config, run, resumed["steps"]["d"] if resumed else None)
    started = time.monotonic()
    exit_code = 1
    try:
        trainer.fit(model, datamodule=data, ckpt_path=runs.checkpoint_path(run) if resumed else None, weights_only=True)
        exit_code = 0
        if on_rank_zero():
            log.info(conclude(trainer, run, time.monotonic() - started))
    except SystemExit as stop:  # how Lightning leaves after a signal
        number = signal.SIGTERM if trainer.received_sigterm else signal.SIGINT
        what = f"stopped in epoch {trainer.current_epoch + 1} by {number.name}"
        raise cli.Stopped(number, f"{what}; go on with: python -m suite.train resume={run}") from stop
    finally:
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
