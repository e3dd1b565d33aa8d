"""metrics.csv in the run folder, and the loggers that the configuration asks for."""

import csv
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger

from suite.config import plain
from suite.errors import UserError


class MetricsCSV(CSVLogger):
    """Lightning's CSV logger, writing `<run>/metrics.csv` and going on with it when a run is resumed.

    Rows past `resumed_step` belong to an epoch that the resumed run trains again; they are dropped.
    """

    def __init__(self, run: Path, resumed_step: int | None = None) -> None:
        super().__init__(save_dir=run, name="", version="", flush_logs_every_n_steps=1)
        self._earlier: list[dict[str, Any]] = []
        path = run / "metrics.csv"
        if resumed_step is not None and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.DictReader(file) if int(row["step"]) <= resumed_step]
            self._earlier = [{key: value for key, value in row.items() if value} for row in rows]
        path.unlink(missing_ok=True)  # Lightning would delete it too, with a warning

    @property
    def experiment(self) -> Any:
        new = self._experiment is None
        writer = super().experiment
        if new and self._earlier:
            writer.metrics = self._earlier
        return writer


def build_loggers(config: DictConfig, run: Path, resumed_step: int | None) -> list[Logger]:
    """metrics.csv always, and what `logger=` names. W&B gets the whole configuration and sensible axes."""
    from hydra.utils import get_class

    loggers: list[Logger] = [MetricsCSV(run, resumed_step)]
    values = plain(config.logger)
    if not values:
        return loggers
    try:
        logger = get_class(values.pop("_target_"))(save_dir=run, **values)
    except ModuleNotFoundError as error:
        raise UserError(f"logger: {error.name} is not installed; {str(error).splitlines()[-1]}") from error
    loggers.append(logger)
    if isinstance(logger, WandbLogger):
        logger.log_hyperparams(plain(config))
        axes = {"train/*": "g_steps", "val/*": "epoch", "val_b2a/*": "epoch", "pictures/*": "epoch"}
        for metrics, axis in axes.items():
            logger.experiment.define_metric(metrics, step_metric=axis)
    return loggers
