"""`python -m suite.evaluate run=<run folder>`: measure a trained model on its test, validation or training pictures."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from omegaconf import DictConfig

from suite.arguments import File, Name, Positive, Seed
from suite.errors import UserError
from suite.files import write_whole
from suite.run import cli, console, folder, stored
from suite.run.checks import Accelerator, check_keys, check_values, checked
from suite.run.config import plain, resolved
from suite.run.measured import kept
from suite.run.words import escaped

log = logging.getLogger("suite")


class Keys(TypedDict):
    """conf/evaluate.yaml."""

    run: File
    checkpoint: Name
    split: Literal["test", "val", "train"]
    mode: Literal["eval", "train"]
    seed: Seed
    references: Sequence[Literal["train", "val", "test", "all"]] | None
    data_root: File | None
    data_streaming: File | None
    data_target_root: File | None
    batch_size: Positive | None
    accelerator: Accelerator
    log: bool
    cache_dir: File
    metrics: dict[str, Any] | None  # as `MetricsCallback` takes them


def evaluate(config: DictConfig) -> None:
    """Print the table of metrics, add them to <run>/metrics.json and to the run's W&B run."""
    import torch

    from suite.metrics.table import few
    from suite.run.cluster import check_processes, on_rank_zero
    from suite.run.config import check_labels, instantiate
    from suite.run.trainer import find_device, make_trainer, metrics_callback, quiet_lightning

    console.start(speaks=on_rank_zero())
    check_processes(nodes=1, devices=1)
    checked(config, Keys)
    run = folder.of_stage(Path(config.run))
    saved = of_run(config, run)
    check_values(saved, only=("metrics", "logger"))
    if config.log and saved.logger.get("_target_") != stored.WANDB:
        raise UserError(f"log=true: {run} was not logged to W&B; leave it out")
    stored.refuse_links(Path(config.run))
    kept(run)  # before it is measured for nothing
    if said := stored.said_places(saved.data):
        log.info("reading %s", said)
    model = folder.load_model(run, config.checkpoint, mode=config.mode)
    _, data = instantiate(saved, folder.kept_splits(run, saved.data))
    data.test_split = "test" if config.split == "val" else config.split
    data.prepare_data()
    check_labels(model, data, training=False)
    if config.split != "train" and not data.holds_out:
        raise UserError(
            f"split={config.split}: {run} holds no pictures out that could be measured; say split=train to measure "
            "those of training"
        )
    metrics = metrics_callback(saved)
    if metrics is None:
        raise UserError("metrics=none measures nothing: choose metrics=full, offline or pixel")
    metrics.intervals = True
    metrics.find_weights(data)

    quiet_lightning()
    trainer = make_trainer(
        accelerator=find_device(config.accelerator),
        devices=1,
        callbacks=[metrics],
        logger=False,  # it would log at step 0, into the curves of the training
        default_root_dir=run,
        use_distributed_sampler=False,
        enable_progress_bar=cli.on_terminal(),
        enable_model_summary=False,
    )
    measure = trainer.validate if config.split == "val" else trainer.test
    torch.manual_seed(config.seed)
    (figures,) = measure(model, datamodule=data, verbose=False)
    if not figures:
        raise UserError(
            f"split={config.split}: nothing could be measured of {run}, as said above; say split=train, or other "
            "metrics=, or give it more pictures"
        )
    how = [config.split, config.checkpoint, *(["train"] if config.mode == "train" else [])]
    show(run, config.checkpoint, model.steps, figures)  # first: a disk that takes nothing costs no hour of measuring
    note = few(figures)
    keep(run, "/".join(how), {"steps": model.steps, **figures, **({"note": note} if note else {})})
    if config.log:
        log_summary(saved, run, "_".join(how), figures)


def of_run(config: DictConfig, run: Path) -> DictConfig:
    """The run's own configuration, with what this command changes in it. Raises UserError where it is none."""
    saved = folder.read_config(run)
    check_keys(saved, only=("data", "model", "metrics", "logger"))
    check_values(saved, only=("metrics",))
    if config.get("metrics"):
        typed = saved.copy()
        typed.metrics = config.metrics
        check_keys(typed, only=("metrics",))
        check_values(typed, only=("metrics",))
    weights = plain(config.metrics)["weights"] if config.get("metrics") else {}
    stored.take_own(saved, stored.Own(config.cache_dir, stored.own_mode(), weights=weights))
    if config.get("metrics"):
        references = saved.metrics.references  # the paper's protocol, whatever the features
        if left_out := [name for name in saved.metrics.names if name not in config.metrics.names]:
            log.info("not measured here, though in training: %s; metrics.names=[…] adds them", ", ".join(left_out))
        saved.metrics = config.metrics
        saved.metrics.references = references
    saved.metrics.cache_dir = escaped(config.cache_dir)
    if config.references is not None:
        saved.metrics.references = config.references
    elif config.split == "train":  # the run's are for its test pictures
        saved.metrics.references = ["train"]
    if config.data_root is not None:
        saved.data.root, saved.data.streaming = escaped(config.data_root), None
    if config.data_streaming is not None:
        saved.data.streaming = escaped(config.data_streaming)
    if config.data_target_root is not None:
        if saved.data.get("target") is None:
            raise UserError(f"data_target_root={config.data_target_root}: {run} has no data.target; leave it out")
        saved.data.target.root = escaped(config.data_target_root)
        saved.data.target.pop("streaming", None)
    if config.batch_size is not None:
        saved.data.eval_batch_size = config.batch_size
    return resolved(saved)


def log_summary(saved: DictConfig, run: Path, entry: str, figures: Mapping[str, float]) -> None:
    """Add the figures to the summary of the run's W&B run, where it has one; the curves are the training's."""
    from pytorch_lightning.loggers import WandbLogger

    from suite.run.loggers import configured_logger, finish_wandb

    logger = configured_logger(saved, run)
    if isinstance(logger, WandbLogger):
        logger.experiment.summary.update({f"{entry}/{name}": value for name, value in figures.items()})
        finish_wandb(exit_code=0)


def keep(run: Path, entry: str, figures: dict[str, Any]) -> None:
    """Add an evaluation to metrics.json; others, of another split or checkpoint, stay. Raises UserError."""
    path = run / "metrics.json"
    write_whole(path, json.dumps(kept(run) | {entry: figures}, indent=1) + "\n")
    print(f"kept in {path}")


def show(run: Path, checkpoint: str, steps: int, figures: Mapping[str, float]) -> None:
    from rich.console import Console
    from rich.table import Table

    from suite.metrics.table import few, rows_of

    print(f"{run}, {checkpoint} checkpoint, {steps} steps")
    rows = rows_of(figures)
    spread = any(row.spread for row in rows)
    table = Table()
    table.add_column("metric")
    table.add_column("value", justify="right")
    if spread:
        table.add_column("spread", justify="right")
    table.add_column("n", justify="right")
    for row in rows:
        table.add_row(row.name, f"{row.value:.4f}", *([row.spread] if spread else []), row.n)
    Console().print(table)
    if any(row.spread.startswith("±") for row in rows):
        print("±: half of the 95 % interval, from leaving out blocks of pictures of either set")
    if any(row.spread.startswith("std") for row in rows):
        print("std: standard deviation over the subsets of KID")
    if said := few(figures):
        print(said)


def main() -> None:
    """The console script `suite-evaluate`."""
    cli.run("evaluate", evaluate)


if __name__ == "__main__":
    main()
