"""The figures that are of two sets of pictures, by their names in `metrics.names`."""

from collections.abc import Callable
from math import inf
from typing import NamedTuple

from torch import Tensor

from suite.metrics import distances, neighbours
from suite.metrics.jackknife import Without, enough, interval


class SetMetric(NamedTuple):
    elsewhere: str  # how its name begins with other features than those it is defined by
    needs: int  # pictures on either side
    figure: Callable[[Tensor, Tensor], float]  # of the features of real ones (N, d) and of generated ones (M, d)
    without: Callable[[Tensor, Tensor], Without] | None  # the same without blocks of them; None: as kid, it has a std
    features: str = "features"  # the column of the table; else those of a network of its own
    range: float = inf  # no interval is wider


_FRECHET = (distances.FRECHET_NEEDS, distances.frechet_distance, distances.frechet_distance_without)
SET_METRICS = {
    "fid": SetMetric("fd", *_FRECHET),
    "kid": SetMetric("kd", distances.KERNEL_NEEDS, distances.kernel_distance, None),
    "precision": SetMetric(
        "precision", neighbours.NEIGHBOURS_NEED, neighbours.precision, neighbours.precision_without, range=1
    ),
    "recall": SetMetric("recall", neighbours.NEIGHBOURS_NEED, neighbours.recall, neighbours.recall_without, range=1),
    "mind": SetMetric("sw", distances.SLICED_NEEDS, distances.sliced_distance, distances.sliced_distance_without),
    "fd_dinov2": SetMetric("fd_dinov2", *_FRECHET, features="dinov2"),
}
BEGINNINGS = tuple(f"{metric.elsewhere}_" for metric in SET_METRICS.values())


def is_of_sets(figure: str) -> bool:
    """Whether a figure, by its name without section and reference, is one of two sets."""
    return figure in SET_METRICS or figure.startswith(BEGINNINGS)


def measured(name: str, real: Tensor, fake: Tensor, spread: bool) -> dict[str, float]:
    """The figure, and with `spread` how far it would move with other pictures, by the ending of its name.

    `_interval` is half of the 95 % interval, where either side has pictures enough; for kid `_std`, the deviation over
    its subsets, as papers have it.
    """
    metric = SET_METRICS[name]
    if spread and metric.without is None:
        return dict(zip(("", "_std"), distances.kernel_distance_and_std(real, fake), strict=True))
    figure = {"": metric.figure(real, fake)}
    if spread and metric.without is not None and enough((len(real), len(fake)), metric.needs):
        figure["_interval"] = min(interval(metric.without(real, fake)), metric.range)
    return figure
