"""Lightning's Trainer as the suite sets it up: devices, precision, callbacks, loggers."""

import logging
import warnings
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from suite.arguments import one_of
from suite.errors import UserError
from suite.run.cli import on_terminal
from suite.run.cluster import environment, several_processes
from suite.run.config import plain

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from suite.metrics.callback import MetricsCallback
    from suite.papers.base import Paper


def precision(config: DictConfig) -> str:
    """The precision of a run: bfloat16 where a GPU computes in it, unless the configuration says otherwise."""
    import torch

    if config.trainer.precision != "auto":
        return config.trainer.precision
    on_gpu = config.trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return "bf16-mixed" if on_gpu and torch.cuda.is_bf16_supported() else "32-true"


def build_trainer(
    config: DictConfig,
    run: Path,
    model: "Paper",
    begin: Callable[[], None],
    resumed_batch: int | None = None,
    holds_out: bool = True,
) -> "pl.Trainer":
    """Lightning's Trainer with the suite's callbacks and loggers. Raises UserError where the device is not there.

    begin: called by the first process when nothing can be refused any more, right before the first step.
    holds_out: whether the data have pictures to validate on; else there is nothing that a validation would show.
    """
    import pytorch_lightning as pl
    from pytorch_lightning.callbacks import RichProgressBar
    from pytorch_lightning.strategies import DDPStrategy

    from suite.run import callbacks, checkpoints
    from suite.run.loggers import MetricsCSV, configured_logger
    from suite.run.picture_grids import PictureGrids
    from suite.run.signals import Signals

    around: list[pl.Callback] = [Signals(), callbacks.RunFiles(run, begin), callbacks.StepSeeds(config.seed)]
    around.append(RichProgressBar(refresh_rate=10) if on_terminal() else callbacks.EpochLines())
    if config.model.compile:
        around.append(callbacks.CompileTime())
    metrics = metrics_callback(config) if holds_out else None
    if metrics:
        around.append(metrics)
    if holds_out and (config.images.count > 0 or config.images.train > 0):
        around.append(PictureGrids(folder=run / "images", **plain(config.images)))
    if config.early_stopping.loss is not None:
        around.append(callbacks.StopEarly(**plain(config.early_stopping)))
    if metrics and config.metrics.monitor:
        around.append(checkpoints.BestCheckpoint(run / "checkpoints", config.metrics.monitor, config.metrics.mode))
    last = plain(config.checkpoint)
    around.append(checkpoints.StepCheckpoints(run / "checkpoints", last.pop("at_steps")))
    around.append(checkpoints.EpochCheckpoints(run / "checkpoints", last.pop("keep", None)))  # runs of before have none
    around.append(checkpoints.LastCheckpoint(run / "checkpoints", **last))  # behind those of its step

    loggers = [MetricsCSV(run, resumed_batch), configured_logger(config, run)]
    values = plain(config.trainer)
    every = config.validation.every_n_steps
    if every is None and config.trainer.max_epochs == -1:
        every = model.schedule.total  # at the end
    if every is not None:
        values |= {"val_check_interval": every * model.batches_per_step, "check_val_every_n_epoch": None}
    if several_processes(config):
        # The others wait while the first process measures, or makes what the next stage needs: `ranks` has the timeout.
        values["strategy"] = DDPStrategy(find_unused_parameters=True, timeout=timedelta(hours=12))
    if not holds_out:
        values["limit_val_batches"] = 0
    values |= {
        "precision": precision(config),
        "accelerator": find_device(config.trainer.accelerator, "trainer.accelerator"),
    }
    quiet_lightning()
    return make_trainer(
        **values,
        callbacks=around,
        logger=[logger for logger in loggers if logger],
        plugins=[checkpoints.AtomicCheckpointIO()],
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

    if started := environment():
        settings["plugins"] = [*settings.get("plugins", ()), started]
    try:
        return pl.Trainer(**settings)
    except (MisconfigurationException, ValueError, TypeError, ModuleNotFoundError) as error:
        raise UserError(f"trainer: {' '.join(str(error).split())}") from error


def find_device(accelerator: str, key: str = "accelerator") -> str:
    """The accelerator that is said by the key, refused where this machine has none of that kind. Raises UserError."""
    import torch

    one_of(key, accelerator, ("auto", "cpu", "gpu", "cuda", "mps", "tpu"))
    if accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UserError(f"{key}={accelerator}: no GPU is found here; {key}=cpu runs anywhere")
    return accelerator


def metrics_callback(config: DictConfig) -> "MetricsCallback | None":
    """The metrics that `metrics=` names, or None."""
    from suite.metrics.callback import MetricsCallback

    values = {key: value for key, value in plain(config.metrics).items() if key not in ("monitor", "mode")}
    return MetricsCallback(**values) if values["names"] else None


def quiet_lightning() -> None:
    """Leave out Lightning's hints that can't apply here; its warnings about the run itself stay."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(_Unhelpful())
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # how processes found each other
    for hint in (
        ".*does not have many workers.*",
        ".*smaller than the logging interval.*",
        ".*exists and is not empty.*",
        ".*in eval mode at the start of training.*",  # the EMA's copies
        ".*your dataloader is not resumable.*",  # its sampler asks how far the epoch has come
        ".*treespec, LeafSpec.*",  # Lightning's own use of torch
        ".*but have no logger configured.*",  # `suite.evaluate` has none, and shows its figures itself
    ):
        warnings.filterwarnings("ignore", hint)


class _Unhelpful(logging.Filter):
    # Of Tensor Cores: nearly all work is in convolutions, which use them, and products of metrics are to be in fp32.
    HINTS = (
        "💡", "has Tensor Cores", "distributed_backend=", "GPU available", "TPU available", "was configured so 100%",
        "Restor", "`max_epochs=",
    )  # fmt: skip

    def filter(self, record: logging.LogRecord) -> bool:
        return not any(hint in record.getMessage() for hint in self.HINTS)
