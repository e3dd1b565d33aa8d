"""`python -m suite.train experiment=<name>`: compose, check, train, and say where everything is."""

import logging
import time
from pathlib import Path

from omegaconf import DictConfig

from suite import cli, runs
from suite.config import check_keys, instantiate
from suite.errors import UserError

log = logging.getLogger("suite")


def train(config: DictConfig) -> None:
    """Train one run, fresh or resumed. The job behind the command; `config` is composed from conf/train.yaml."""
    from suite.training import build_trainer, finish, log_to, prepare_config, summary

    config, run, resumed = prepare_config(config)
    check_keys(config)
    model, data = instantiate(config)
    runs.claim(run, overwrite=resumed)
    log_to(run / "log.txt")
    checkpoint = runs.checkpoint_path(run) if resumed else None
    content = runs.read_checkpoint(checkpoint) if checkpoint else {}
    runs.write_config(config, run)
    print(summary(config, model, run, content), flush=True)

    trainer = build_trainer(config, run, content)
    started = time.monotonic()
    exit_code = 1
    try:
        trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        exit_code = 0
    except UserError as error:
        log.error("%s", error)
        raise
    finally:
        finish(trainer, run, exit_code, time.monotonic() - started)


def main() -> None:
    """The console script `suite-train`."""
    cli.run("train", train)


if __name__ == "__main__":
    main()
