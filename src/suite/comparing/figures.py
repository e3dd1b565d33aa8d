"""What was measured of several runs, as tables of arms: the mean over seeds, and how far seeds are apart."""

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from suite.comparing.curves import Rows
from suite.comparing.runs import Arm
from suite.metrics.table import rows_of
from suite.run import measured

VALIDATION = "validation, at the end of training"
_BETTER = {"psnr": "↑", "ssim": "↑", "sr": "↑", "fid": "↓", "kid": "↓", "fd": "↓", "kd": "↓", "lpips": "↓", "l1": "↓",
           "lp": "↓"}  # fmt: skip


class Cell(NamedTuple):
    """A figure of an arm: values of its runs, and of how many pictures each is, in words."""

    values: Sequence[float]
    pictures: str

    def mean(self) -> float:
        return statistics.fmean(self.values) if all(map(math.isfinite, self.values)) else math.nan

    def spread(self) -> float | None:
        """The standard deviation of the runs; None of a single one."""
        if len(self.values) < 2 or not all(map(math.isfinite, self.values)):
            return None
        return statistics.stdev(self.values)

    def __str__(self) -> str:
        spread = self.spread()
        return f"{self.mean():.4g}" + (f" ± {spread:.2g}" if spread is not None else "")


Table = dict[str, list[Cell | None]]  # by figure a cell for each arm


def tables(arms: Sequence[Arm], rows: Mapping[Path, Rows]) -> dict[str, Table]:
    """By evaluation, <split>/<checkpoint>, what metrics.json has; where a run has none, of all the last validation.

    rows: of metrics.csv, by folder of each run. Raises UserError where a metrics.json is damaged.
    """
    evaluated = [[measured.evaluations(run.last) for run in arm.runs] for arm in arms]
    entries = dict.fromkeys(entry for arm in evaluated for run in arm for entry in run)
    found = {entry: _table([[run.get(entry, {}) for run in arm] for arm in evaluated]) for entry in sorted(entries)}
    if not all(run for arm in evaluated for run in arm):
        validated = [[measured.last_validation(rows[run.folder]) for run in arm.runs] for arm in arms]
        found[VALIDATION] = _table(validated)
    return {entry: table for entry, table in found.items() if table}


def _table(arms: Sequence[Sequence[dict[str, float]]]) -> Table:
    rows = [[{row.name: row for row in rows_of(figures)} for figures in arm] for arm in arms]
    names = dict.fromkeys(name for arm in rows for run in arm for name in run)

    def cell(arm: Sequence[dict], name: str) -> Cell | None:
        there = [run[name] for run in arm if name in run]
        return Cell([row.value for row in there], _pictures([row.n for row in there])) if there else None

    return {name: [cell(arm, name) for arm in rows] for name in names}


def _pictures(counts: Sequence[str]) -> str:
    """How many pictures the runs were measured on: one number, or the least and the most."""
    unlike = sorted({*counts} - {""}, key=lambda count: [int(part) for part in re.findall(r"\d+", count)])
    return " to ".join(dict.fromkeys((unlike[0], unlike[-1]))) if unlike else ""


def better(name: str) -> str:
    """An arrow to where a figure is better; empty where that is not known of it."""
    figure = name.rpartition("/")[2]
    return _BETTER.get(figure.partition("_")[0], "")
