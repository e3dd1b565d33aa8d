"""metrics.csv in the run folder, and the loggers that the configuration asks for."""

import csv
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from suite.arguments import one_of
from suite.errors import UserError
from suite.files import write_whole
from suite.run.config import plain
from suite.run.stored import TENSORBOARD, WANDB

_STAGED = "WANDB_DATA_DIR"
_staged_by_us: set[str] = set()  # what this process has set it to
VALIDATED = ("val", "pictures/", "tables/")  # how names begin of what comes of a validation


class MetricsCSV(Logger):
    """`<run>/metrics.csv`: one row a call, by training batches, one column a metric, as they come; resumed runs go on.

    Rows past `resumed_batch` belong to an epoch that the resumed run trains again; they are dropped with the first row
    that it writes. Lightning's own CSV logger deletes the file of a resumed run. Raises UserError where another program
    has changed the file, and where it can't be written.
    """

    name, version = "csv", ""

    def __init__(self, run: Path, resumed_batch: int | None = None) -> None:
        super().__init__()
        self.path = run / "metrics.csv"
        self.columns = ["batch"]
        self._kept: list[dict[str, str]] | None = None  # of a resumed run, until it writes
        if resumed_batch is not None and self.path.is_file():
            # A kill in the middle of a line leaves one without a number.
            rows = read_metrics(run)
            self._kept = [row for row in rows if row["batch"].isdecimal() and int(row["batch"]) <= resumed_batch]

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if self._kept is not None:
            self.columns = list(self._kept[0]) if self._kept else self.columns
            self._write(self._kept)
            self._kept = None
        row: dict[str, Any] = {"batch": step, **metrics}
        if new := [name for name in row if name not in self.columns]:
            earlier = read_metrics(self.path.parent)
            self.columns += new
            self._write([*earlier, row])
            return
        try:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self.columns, lineterminator="\n").writerow(row)
        except OSError as error:  # of a full disk, which knows no file name, too
            raise UserError(f"can't write {self.path}: {error.strerror}") from error

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing: config.yaml has them."""

    def _write(self, rows: list[dict[str, Any]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.path, text.getvalue())


def read_metrics(run: Path) -> list[dict[str, str]]:
    """The rows of a run's metrics.csv; none where it has no such file yet. Raises UserError where it is another's."""
    path = run / "metrics.csv"
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # a spreadsheet puts a mark in front
            reader = csv.DictReader(file)
            rows = [{name: text or "" for name, text in row.items() if name is not None} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is damaged ({error}): put back what the run wrote, or move the file away") from error
    if "batch" not in (reader.fieldnames or ()):
        raise UserError(
            f"{path} was saved by another program: its first line is no list of columns with commas between them, one "
            "of them 'batch'; put back what the run wrote, or move the file away"
        )
    return rows


class CurvesWandbLogger(WandbLogger):
    """Weights & Biases: curves of losses over steps, of validations and pictures over epochs, or steps if by these.

    Every curve is given its axis by name when it is first logged: which sections there are is the paper's. By a glob
    W&B would choose at random between ours and Lightning's own for all names.
    """

    validated_over: Literal["epoch", "step"] = "epoch"
    _with_axis: frozenset[str] = frozenset()
    _at: Mapping[str, Any] = MappingProxyType({})  # the latest values of the axes: also for what is logged without

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        for name in sorted(metrics.keys() - self._with_axis):
            if "/" in name:
                axis = self.validated_over if name.startswith(VALIDATED) else "step"
                self.experiment.define_metric(name, step_metric=axis)
        self._with_axis |= metrics.keys()
        self._at = {axis: value for axis, value in {**self._at, **metrics}.items() if axis in ("epoch", "step")}
        super().log_metrics({**self._at, **metrics}, step)


def configured_logger(config: DictConfig, run: Path) -> Logger | None:
    """The logger that `logger=` names, writing into the run's folder. W&B gets the configuration.

    Raises UserError for any but the two there are, and where one can't work.
    """
    values = plain(config.logger)
    if not values:
        return None
    one_of("logger._target_", target := values.pop("_target_", None), (WANDB, TENSORBOARD))
    if target == WANDB and values.get("mode") != "online":
        os.environ.setdefault("WANDB_SILENT", "true")  # `suite.train` says itself how to upload an offline run
    try:
        logger = CurvesWandbLogger(save_dir=run, **values) if target == WANDB else _tensorboard(run, values)
    except ModuleNotFoundError as error:
        raise UserError(f"logger: {error.name} is not installed; {str(error).splitlines()[-1]}") from error
    if isinstance(logger, CurvesWandbLogger):
        if config.validation.every_n_steps is not None or config.model.steps is not None:
            logger.validated_over = "step"
        start_wandb(logger, config, run)
    return logger


def _tensorboard(run: Path, values: dict[str, Any]) -> Logger:
    from pytorch_lightning.loggers import TensorBoardLogger

    logger = TensorBoardLogger(save_dir=run, **values)
    if not Path(logger.log_dir).resolve().is_relative_to(run.resolve()):
        raise UserError(f"logger.name={values['name']}: {logger.log_dir} is not in the run's folder; give plain names")
    return logger


def start_wandb(logger: WandbLogger, config: DictConfig, run: Path) -> None:
    """Open the W&B run. Raises UserError where W&B does not take its settings, or can't be reached."""
    import wandb

    for file in (run / "wandb" / "settings", run / ".wandb" / "settings"):
        if file.exists():  # read where the run's folder is the working folder: it says who gets the key
            raise UserError(f"{file} would be settings of W&B, and a run's folder has none: delete it")
    # Pictures of tables wait for their upload in a folder of the user's, which no one would clear, unless told where.
    if _STAGED not in os.environ:
        os.environ[_STAGED] = str(run.resolve() / "wandb" / "tables")
        _staged_by_us.add(os.environ[_STAGED])
    logger._wandb_init.pop("anonymous", None)  # Lightning passes it, and W&B warns that it no longer means anything
    try:
        logger.log_hyperparams(plain(config))
    except (wandb.errors.Error, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"logger: {reason}; logger.mode=offline needs no account") from error


def finish_wandb(exit_code: int) -> None:
    """Close the open W&B run, if any, so that the next job of a multirun opens its own."""
    wandb = sys.modules.get("wandb")
    if wandb is not None and wandb.run is not None:
        wandb.finish(exit_code=exit_code)
    if os.environ.get(_STAGED) in _staged_by_us:  # of this run alone
        del os.environ[_STAGED]
