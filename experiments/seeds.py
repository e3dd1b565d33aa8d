"""What the papers' scripts share: the finished runs of a sweep, their curves, and figures over seeds."""

import csv
import math
import re
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from scipy.stats import t

from suite.errors import UserError
from suite.run.folder import has_stages, read_stages

Runs = dict[str, list[Path]]  # by arm, a run for each seed


def finished(folders: Iterable[Path]) -> list[Path]:
    """The runs that came to their end, in stages those whose last stage did, the earliest first."""
    ended = [run for run in folders if last_checkpoint(run).is_file() and _concluded(last_stage(run))]
    return sorted(ended, key=lambda run: last_checkpoint(run).stat().st_mtime)


def last_stage(run: Path) -> Path:
    """Where the last of a run's stages is, finished or not; of a run without stages the run itself."""
    if not has_stages(run):
        return run
    *_, name = names = list(read_stages(run))
    return run / f"{len(names)}_{name}"


def last_checkpoint(run: Path) -> Path:
    return last_stage(run) / "checkpoints" / "last.ckpt"


def _concluded(run: Path) -> bool:
    return "translate   python" in (run / "log.txt").read_text(encoding="utf-8")  # said at the end


def arm_and_seed(run: Path) -> tuple[str, str]:
    """Of a folder <arm>-<seed>."""
    arm, _, seed = run.name.rpartition("-")
    return arm, seed


def sweeps_of(paper: str, runs: Path) -> dict[str, Runs]:
    """Finished runs of a paper, <paper>*/<time>/<arm>-<seed>, by sweep and arm; of each seed the latest."""
    latest = {(run.parents[1].name, *arm_and_seed(run)): run for run in finished(runs.glob(f"{paper}*/*/*-*"))}
    found: dict[str, Runs] = {}
    for (sweep, arm, _), run in sorted(latest.items()):
        found.setdefault(sweep, defaultdict(list))[arm].append(run)
    return found


def of_each_seed(arms: Runs) -> dict[str, Path]:
    """A run for every seed that there is, whatever its arm."""
    by_seed = {arm_and_seed(run)[1]: run for of_arm in arms.values() for run in reversed(of_arm)}
    return dict(sorted(by_seed.items()))


def took(stage: Path) -> tuple[str, float]:
    """As in ("20000 steps", 34.0 minutes), of its conclusion.txt."""
    said = (stage / "conclusion.txt").read_text(encoding="utf-8")
    if (found := re.search(r"^(\d+ \w+), (\d+) (second|minute)s?$", said, re.MULTILINE)) is None:
        raise UserError(f"{stage / 'conclusion.txt'} does not say how long the stage took")
    return found[1], int(found[2]) / (60 if found[3] == "second" else 1)


def rows_of(run: Path) -> list[dict[str, str]]:
    """metrics.csv."""
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def points(run: Path, column: str) -> tuple[list[int], list[float]]:
    """A column of metrics.csv over the generator steps so far; nothing where the run has none."""
    steps, values, so_far = [], [], 0
    for row in rows_of(run):
        so_far = int(row["step"] or so_far)
        if row.get(column):
            steps.append(so_far)
            values.append(float(row[column]))
    return steps, values


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval over seeds, by Student's t; of one seed infinitely wide."""
    mean, count = statistics.mean(values), len(values)
    if count == 1:
        return mean, math.inf
    return mean, float(t.ppf(0.975, count - 1)) * statistics.stdev(values) / math.sqrt(count)


def plus_minus(half: float, form: str) -> str:
    """What follows a mean; nothing for a single seed, nor for what is the same with every seed."""
    return f" ± {half:{form}}" if 0 < half < math.inf else ""


def spread(values: Sequence[float], digits: int) -> str:
    """Mean ± half the distance of two seeds, of more half the 95 % interval; so many digits behind the point."""
    mean, half = interval(values)
    if len(values) == 2:  # an interval of two says nothing
        half = abs(values[0] - values[1]) / 2
    return f"{mean:.{digits}f}{plus_minus(half, f'.{digits}f')}"


def cell(measured: Sequence[Mapping[str, float]], key: str, digits: Callable[[float], int]) -> str:
    """A figure over the seeds that have it, with its spread; `digits` behind the point of a mean of that size."""
    values = [figures[key] for figures in measured if key in figures]
    if not values:
        return ""
    return spread(values, digits(statistics.mean(values)))


def apart(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two intervals do not overlap."""
    (mean, half), (other_mean, other_half) = interval(one), interval(other)
    return abs(mean - other_mean) > half + other_half


def table(
    measured: Mapping[str, Sequence[Mapping[str, float]]],
    figures: Mapping[str, str],
    yardsticks: Mapping[str, str],
    digits: Callable[[str], int],
    of: str = "",
) -> str:
    """Markdown: a line for each yardstick, whose figures are <yardstick>/<figure>, and for each arm.

    figures, yardsticks: titles by name. digits: behind the point, by a figure's name. of: a prefix of figures, as
    to_male/.
    """
    lines = ["| arm | seeds | " + " | ".join(figures.values()) + " |", "|---" * (2 + len(figures)) + "|"]

    def cells(of_arm: Sequence[Mapping[str, float]], prefix: str) -> str:
        return " | ".join(cell(of_arm, f"{prefix}{of}{name}", lambda _, n=name: digits(n)) for name in figures)

    first = next(iter(measured.values()))
    lines += [f"| {title} | | {cells(first[:1], f'{name}/')} |" for name, title in yardsticks.items()]
    lines += [f"| `{arm}` | {len(of_arm)} | {cells(of_arm, '')} |" for arm, of_arm in measured.items()]
    return "\n".join(lines)
