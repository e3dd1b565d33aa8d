"""How the losses went, from metrics.csv: what the report says of training in IV.C and V."""

import math
import statistics
from pathlib import Path

from experiments.seeds import Runs, interval, plus_minus, points

CYCLE = ("train/cycle_a", "train/cycle_b")
IDENTITY = ("train/identity_a", "train/identity_b")
CRITIC = ("train/D_a", "train/D_b")
GENERATOR = ("train/G_adv_a", "train/G_adv_b")
COLUMNS = (
    *("arm", "L_CYCLE, first and last quarter", "its trend", "L_IDENTITY, first and last quarter", "its trend"),
    *("D, first and last quarter", "spread of D", "D, third to last quarter"),
    *("G_adv, first and last quarter", "G_adv, third to last quarter"),
)


def training_table(arms: Runs) -> str:
    """One row an arm, each cell over its seeds.

    Losses are sums over both directions, with their weights and without gradient penalties, as means of a quarter of
    the generator steps. A trend is the change from the first to the last quarter, in per cent of the first one's size;
    its interval includes 0 where it says "no trend". The spread is the standard deviation of the logged means within
    the last quarter, in each run, relative to its mean. Third to last is a change in per cent, too: what does not
    converge is "still moving" there.
    """
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for arm, of_arm in arms.items():
        cycle, identity, critic, generator = (
            [quarters(run, columns) for run in of_arm] for columns in (CYCLE, IDENTITY, CRITIC, GENERATOR)
        )
        cells = [
            *(first_and_last(cycle), trend(cycle), first_and_last(identity), trend(identity)),
            *(first_and_last(critic), number([spread(of_run) for of_run in critic]), late(critic)),
            *(first_and_last(generator), late(generator)),
        ]
        lines.append(f"| `{arm}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def quarters(run: Path, columns: tuple[str, ...]) -> list[list[float]]:
    """The sum of some losses, as logged, by quarter of the run; no values where the model has none of them."""
    logged = [points(run, column) for column in columns]
    steps, sums = logged[0][0], [sum(of_row) for of_row in zip(*(values for _, values in logged), strict=True)]
    of_quarter: list[list[float]] = [[], [], [], []]
    for step, value in zip(steps, sums, strict=True):
        of_quarter[min(3, max(0, math.ceil(4 * step / steps[-1]) - 1))].append(value)
    return of_quarter


def means(seeds: list[list[list[float]]], quarter: int) -> list[float]:
    return [statistics.mean(of_run[quarter]) for of_run in seeds]


def changes(seeds: list[list[list[float]]], since: int) -> list[float]:
    """From a quarter to the last one in per cent, for each seed."""
    pairs = zip(means(seeds, since), means(seeds, 3), strict=True)
    return [100 * (after - before) / abs(before) for before, after in pairs]


def spread(of_run: list[list[float]]) -> float:
    """Standard deviation within the last quarter over its mean."""
    last = of_run[3]
    return statistics.stdev(last) / abs(statistics.mean(last)) if len(last) > 1 else math.nan


def first_and_last(seeds: list[list[list[float]]]) -> str:
    return f"{statistics.mean(means(seeds, 0)):.3g} → {statistics.mean(means(seeds, 3)):.3g}"


def trend(seeds: list[list[list[float]]]) -> str:
    mean, half = interval(per_cent := changes(seeds, since=0))
    if math.isfinite(half) and abs(mean) <= half:
        return f"no trend ({number(per_cent)} %)"
    return f"{'falls' if mean < 0 else 'rises'} by {number(per_cent, unsigned=True)} %"


def late(seeds: list[list[list[float]]]) -> str:
    mean, half = interval(per_cent := changes(seeds, since=2))
    moving = "level" if math.isfinite(half) and abs(mean) <= half else "still moving"
    return f"{moving} ({number(per_cent)} %)"


def number(values: list[float], unsigned: bool = False) -> str:
    """Mean ± half the interval."""
    mean, half = interval(values)
    form = ".0f" if abs(mean) >= 10 else ".2g"
    return f"{abs(mean) if unsigned else mean:{form}}{plus_minus(half, '.0f' if half >= 10 else '.2g')}"
