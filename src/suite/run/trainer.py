"""The pieces of `suite.train`: the run's configuration, its trainer, what is said before and after."""

import logging
import os
import secrets
import textwrap
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from suite.arguments import number, one_of, whole_number
from suite.errors import UserError
from suite.run import folder
from suite.run.cli import on_terminal
from suite.run.config import CONF, plain

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from suite.metrics.callback import MetricsCallback
    from suite.papers.base import Paper


def on_rank_zero() -> bool:
    """Whether this process speaks and writes: a DDP run starts the same command once more for every other rank."""
    return int(os.environ.get("LOCAL_RANK", "0")) == 0 and int(os.environ.get("NODE_RANK", "0")) == 0


# Before the run ------------------------------------------------------------------------------------------------------


def prepare_config(config: DictConfig) -> tuple[DictConfig, Path]:
    """The configuration to train with and the run's folder.

    A resumed run takes everything from its own config.yaml; key=value of the command line changes what is in there.
    Raises UserError for a command that can't work.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    command = HydraConfig.get()
    run = Path(command.runtime.output_dir)
    run = run.relative_to(Path.cwd()) if run.is_relative_to(Path.cwd()) else run  # shorter to read and to type
    if config.resume is not None and command.mode == RunMode.MULTIRUN:
        raise UserError(f"resume={config.resume} in a multirun: resume one run at a time, without -m")
    if config.resume is not None:
        resume, overrides = config.resume, [word for word in command.overrides.task if not word.startswith("resume=")]
        config = changed(folder.read_config(run), overrides)
        config.resume = resume
    elif command.runtime.choices.get("experiment") is None:
        names = ", ".join(sorted(path.stem for path in (CONF / "experiment").glob("*.yaml")))
        raise UserError(f"which experiment? Say experiment=<name>, one of: {names}")
    if command.mode == RunMode.MULTIRUN and several_devices(config):
        raise UserError(
            f"trainer.devices={config.trainer.devices} in a multirun: every further process would start the whole "
            "sweep again; use trainer.devices=1, or one command a run"
        )
    if config.logger and "id" in config.logger and config.logger.id is None:
        config.logger.id = secrets.token_hex(4)  # in config.yaml from the start, so that a resumed run goes on in it
    return config, run


def several_devices(config: DictConfig) -> bool:
    """Whether a run takes more than one process; `devices: [1]` is one device, the second."""
    devices = config.trainer.devices
    return devices not in (1, "1") and not (OmegaConf.is_list(devices) and len(devices) == 1)


def changed(saved: DictConfig, overrides: list[str]) -> DictConfig:
    """A saved configuration with some of its values changed. Raises UserError for a key it does not have."""
    for word in overrides:
        key = word.partition("=")[0]
        if "." not in key and key not in ("cache_dir", "threads"):
            raise UserError(
                f"{word}: a resumed run keeps its groups, name and seed; change single values, as in model.epochs=300"
            )
        OmegaConf.set_struct(saved, not key.startswith("+"))
        saved = OmegaConf.merge(saved, OmegaConf.from_dotlist([word.lstrip("+")]))  # type: ignore[assignment]
        # What config.yaml holds is resolved; these are the values that a fresh run derives from others.
        if key in ("model.epochs", "model.decay_epochs"):
            saved.trainer.max_epochs = saved.model.epochs + saved.model.decay_epochs
        if key == "cache_dir":
            saved.data.cache_dir = saved.metrics.cache_dir = saved.cache_dir
    return saved


def summary(config: DictConfig, model: "Paper", run: Path, done: str) -> str:
    """What is about to run, on one screen; the whole configuration is in the file it names."""
    data, trainer = config.data, config.trainer
    single = {key: value for key, value in plain(config.model).items() if key != "paper"}
    settings = ", ".join(f"{key} {value}" for key, value in single.items() if not isinstance(value, dict))
    metrics = [name for name in config.metrics.names if name != "l1_closest" or data.drawings == "all"]
    rows = {
        "run": f"{run}" + (f"   (resumed after {done})" if config.resume else ""),
        **model.summary(),
        "settings": textwrap.fill(settings, 100, subsequent_indent=" " * 14),
        "data": f"{data.source} ({data.task}) at {data.size}x{data.size}, batch {data.batch_size}"
        + (f" on each of {trainer.devices} devices" if several_devices(config) else ""),
        "training": f"{_count(trainer.max_epochs, 'epoch')}, {precision(config)}, seed {config.seed}",
        "metrics": f"{', '.join(metrics) or 'none'}"
        + (f" ({config.metrics.features})" if metrics else "")
        + (f", best by {config.metrics.monitor}" if config.metrics.monitor else ""),
        "config": f"{run / 'config.yaml'}",
    }
    return "\n".join(f"  {name:12s}{value}" for name, value in rows.items())


def precision(config: DictConfig) -> str:
    """The precision of a run: bfloat16 where a GPU computes in it, unless the configuration says otherwise."""
    import torch

    if config.trainer.precision != "auto":
        return config.trainer.precision
    on_gpu = config.trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return "bf16-mixed" if on_gpu and torch.cuda.is_bf16_supported() else "32-true"


def build_trainer(config: DictConfig, run: Path, resumed_step: int | None = None) -> "pl.Trainer":
    """Lightning's Trainer with the suite's callbacks and loggers. Raises UserError where the device is not there."""
    import pytorch_lightning as pl
    from pytorch_lightning.callbacks import RichProgressBar

    from suite.run import callbacks
    from suite.run.loggers import MetricsCSV, configured_logger
    from suite.run.signals import Signals

    around: list[pl.Callback] = [Signals(), callbacks.RunFiles(run), callbacks.StepSeeds(config.seed)]
    around.append(RichProgressBar() if on_terminal() else callbacks.EpochLines())
    if metrics := metrics_callback(config):
        around.append(metrics)
    if config.images.count > 0 or config.images.train > 0:
        around.append(callbacks.PictureGrids(folder=run / "images", **plain(config.images)))
    if config.early_stopping.loss is not None:
        around.append(callbacks.StopEarly(**plain(config.early_stopping)))
    if metrics and config.metrics.monitor:
        around.append(callbacks.BestCheckpoint(run / "checkpoints", config.metrics.monitor, config.metrics.mode))
    around.append(callbacks.LastCheckpoint(run / "checkpoints", **plain(config.checkpoint)))

    loggers = [MetricsCSV(run, resumed_step), configured_logger(config, run)]
    values = plain(config.trainer)
    values |= {"precision": precision(config), "accelerator": find_device(config.trainer.accelerator)}
    quiet_lightning()
    return make_trainer(
        **values,
        callbacks=around,
        logger=[logger for logger in loggers if logger],
        plugins=[callbacks.AtomicCheckpointIO()],
        default_root_dir=run,
        num_sanity_val_steps=0,  # it would feed metrics and grids with pictures of an untrained network
        use_distributed_sampler=False,  # the data layer shards by rank itself, without repeats in training
        enable_progress_bar=on_terminal(),
        enable_model_summary=False,  # `summary` says it
    )


def make_trainer(**settings: Any) -> "pl.Trainer":
    """Lightning's Trainer. Raises UserError, in one line, for what it refuses."""
    import pytorch_lightning as pl
    from pytorch_lightning.utilities.exceptions import MisconfigurationException

    try:
        return pl.Trainer(**settings)
    except (MisconfigurationException, ValueError, TypeError, ModuleNotFoundError) as error:
        raise UserError(f"trainer: {' '.join(str(error).split())}") from error


def check_values(config: DictConfig) -> None:
    """Refuse values of the groups that no class of ours checks. Raises UserError."""
    trainer = config.trainer
    whole_number("seed", config.seed, least=0)
    if config.seed >= 2**32:
        raise UserError(f"seed={config.seed}: give a number below {2**32}")
    find_device(trainer.accelerator)  # before the data is decoded
    if config.threads is not None:
        whole_number("threads", config.threads, least=1)
    whole_number("images.count", config.images.count, least=0)
    whole_number("images.train", config.images.train, least=0)
    whole_number("images.every_n_validations", config.images.every_n_validations, least=1)
    whole_number("early_stopping.patience", config.early_stopping.patience, least=1)
    number("early_stopping.min_delta", config.early_stopping.min_delta, least=0)
    whole_number("checkpoint.every_n_epochs", config.checkpoint.every_n_epochs, least=1)
    if config.checkpoint.every_n_steps is not None:
        whole_number("checkpoint.every_n_steps", config.checkpoint.every_n_steps, least=1)
    one_of("metrics.mode", config.metrics.mode, ("min", "max"))
    one_of("trainer.precision", trainer.precision, ("auto", "32-true", "16-mixed", "bf16-mixed"))
    for key in ("max_epochs", "check_val_every_n_epoch", "log_every_n_steps"):
        whole_number(f"trainer.{key}", trainer[key], least=1)
    epochs = config.model.epochs + config.model.decay_epochs
    if trainer.max_epochs > epochs:
        raise UserError(
            f"trainer.max_epochs={trainer.max_epochs}: the learning rate is 0 after {epochs} epochs; "
            "raise model.epochs or model.decay_epochs, which it follows"
        )
    for key, instead in (
        ("gradient_clip_val", "model.clip_norm"),
        ("accumulate_grad_batches", "data.batch_size"),
        ("max_steps", "model.epochs"),
    ):
        if trainer.get(key):
            raise UserError(f"trainer.{key}: Lightning can't where updates alternate; use {instead}")


def find_device(accelerator: str) -> str:
    """The accelerator, refused where this machine has none of that kind. Raises UserError."""
    import torch

    one_of("accelerator", accelerator, ("auto", "cpu", "gpu", "cuda", "mps", "tpu"))
    if accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UserError(f"accelerator={accelerator}: no GPU is found here; trainer=cpu runs anywhere")
    return accelerator


def metrics_callback(config: DictConfig) -> "MetricsCallback | None":
    """The metrics that `metrics=` names, or None."""
    from suite.metrics.callback import MetricsCallback

    values = {key: value for key, value in plain(config.metrics).items() if key not in ("monitor", "mode")}
    return MetricsCallback(**values) if values["names"] else None


def quiet_lightning() -> None:
    """Leave out Lightning's hints that can't apply here; its warnings about the run itself stay."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(_Unhelpful())
    for hint in (
        ".*does not have many workers.*",
        ".*smaller than the logging interval.*",
        ".*exists and is not empty.*",
        ".*in eval mode at the start of training.*",  # the EMA's copies
        ".*your dataloader is not resumable.*",  # its sampler asks how far the epoch has come
        ".*treespec, LeafSpec.*",  # Lightning's own use of torch
    ):
        warnings.filterwarnings("ignore", hint)


class _Unhelpful(logging.Filter):
    HINTS = ("💡", "GPU available", "TPU available", "was configured so 100%", "Restor", "`max_epochs=")

    def filter(self, record: logging.LogRecord) -> bool:
        return not any(hint in record.getMessage() for hint in self.HINTS)


# After the run -------------------------------------------------------------------------------------------------------


def conclude(trainer: "pl.Trainer", run: Path, seconds: float) -> str:
    """What came out, on one screen: the metrics, where the pictures are, and what can be done next."""
    time = _count(round(seconds), "second") if seconds < 120 else _count(round(seconds / 60), "minute")
    lines = [f"\n{_count(trainer.current_epoch, 'epoch')}, {time}"]
    metrics = {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith("val")}
    lines += [f"  {name:28s}{value:10.4f}" for name, value in sorted(metrics.items())]
    grids = sorted((run / "images").glob("[ab]2[ab]_*.png"), key=lambda path: path.stat().st_mtime)
    if grids:
        lines.append(f"  pictures    {grids[-1].with_name(grids[-1].name.replace('b2a', 'a2b'))}")
    lines.append(f"  run         {run}")
    lines.append(f"  translate   python -m suite.translate run={run} input=<file or folder> output=<folder>")
    lines.append(f"  evaluate    python -m suite.evaluate run={run}")
    if any((run / "wandb").glob("offline-run-*")):
        lines.append(f"  W&B         wandb sync {run}/wandb/offline-run-*")
    return "\n".join(lines)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
