"""From per-picture rows to the figures of a set.

A table is a dict of columns on the CPU, one row a picture: `index` (its position in the split), `features` (N, d) of
the generated picture, and `dinov2` (N, 1024) where that is asked for, one column (N,) for each pairwise figure and, as
`figures/<name>`, for each that the paper itself measures, and, where a paper asks for that, `grey_truth` (N,), 1 where
luma was compared with a grey truth. Because everything is kept by picture, the shards of several processes join into
exactly the table that one process would have made, a sampler's repeats fall out, and nothing depends on how pictures
were batched.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from suite.metrics.sets import SET_METRICS, is_of_sets, measured

Table = dict[str, Tensor]

# By name, the columns it stands for; each is a figure.
PAIRWISE_METRICS = {
    "lpips": ("lpips",),
    "lp": ("lp_sum", "lp_mean", "lp_norm"),
    "psnr": ("psnr",),
    "ssim": ("ssim",),
    "l1": ("l1",),
    "l1_closest": ("l1_closest",),
    "sr": ("sr_colour", "sr_texture", "sr"),
}
OTHER_THAN_TRUTH = ("l1_closest", "sr")  # those that compare with several drawings, or with an exemplar
OF_PAPER = "figures/"  # begins the columns of what a paper itself measures
FEW = 2048  # pictures on a side; FID's covariance, of as many features, has no full rank below


def join(parts: Iterable[Table]) -> Table:
    """The rows of all parts in the order of their index; a picture that came twice counts once (its first row)."""
    filled = [part for part in parts if part]
    if not filled:
        return {}
    columns = {name: torch.cat([part[name] for part in filled]) for name in filled[0]}
    order = columns["index"].argsort(stable=True)
    index = columns["index"][order]
    first = torch.ones_like(index, dtype=torch.bool)
    first[1:] = index[1:] != index[:-1]
    return {name: column[order[first]] for name, column in columns.items()}


def metric_label(name: str, features: str) -> str:
    """What a figure is called: the plain names are those of published weights, others say whose features they are.

    With other features than Inception's, `fid` and `kid` are `fd_<features>` and `kd_<features>`, `mind` is
    `sw_<features>`, and the figures of `lp` and `sr` those of a random VGG-19. `fd_dinov2` has a network of its own.
    """
    if features == "inception":
        return name
    if name in SET_METRICS:
        metric = SET_METRICS[name]
        return f"{metric.elsewhere}_{features}" if metric.features == "features" else name
    return f"{name}_random_vgg19" if name in PAIRWISE_METRICS["lp"] + PAIRWISE_METRICS["sr"] else name


def summarise(
    table: Table,
    reals: Mapping[str, Tensor],
    names: Iterable[str],
    features: str,
    of_dinov2: Mapping[str, Tensor] | None = None,
    intervals: bool = False,
) -> tuple[dict[str, float], list[str]]:
    """The figures of one set of generated pictures, and one sentence for each that can't be given.

    `table` is as `join` returns it, without repeats. `reals` maps a suffix of the metric's name ("" for the split's own
    pictures, "_to_train" for another set) to real features (M, d), `of_dinov2` to those of DINOv2. `names` are metrics
    among `SET_METRICS` and `PAIRWISE_METRICS`; a pairwise one is left out where the table has no such column. A
    pairwise figure is the mean of the pictures' figures, and so are those of the paper itself, and `grey_truth`, which
    is given where it is not 0. A set metric with too few pictures is left out: a figure would not mean anything. Beside
    the figures stand `n`, how many generated pictures they are of, and for those of two sets `n_real` with the suffix,
    how many real ones: from one distribution two pictures give a Frechet distance of 6000 where a thousand give 1800.
    With `intervals` also how far those of two sets would move with other pictures, under their names with an ending.
    """
    figures: dict[str, float] = {}
    numbers: dict[str, float] = {}
    missing: list[str] = []
    for name in names:
        if name in PAIRWISE_METRICS:
            for column in PAIRWISE_METRICS[name]:
                if column in table:
                    figures[metric_label(column, features)] = float(table[column].double().mean())
            continue
        metric = SET_METRICS[name]
        for suffix, real in (reals if metric.features == "features" else of_dinov2 or {}).items():
            label = metric_label(name, features) + suffix
            fake = table.get(metric.features, real[:0])
            if min(len(real), len(fake)) < metric.needs:
                missing.append(
                    f"{label} left out: it needs at least {metric.needs} real and {metric.needs} generated pictures, "
                    f"there are {len(real)} and {len(fake)}"
                )
                continue
            figures |= {label + ending: value for ending, value in measured(name, real, fake, intervals).items()}
            numbers[f"n_real{suffix}"] = float(len(real))
    for column in table:
        if column.startswith(OF_PAPER):
            figures[column.removeprefix(OF_PAPER)] = float(table[column].double().mean())
    if "grey_truth" in table and (share := float(table["grey_truth"].double().mean())):
        figures["grey_truth"] = share
    if figures:
        figures |= {"n": float(len(table["index"])), **numbers}
    return figures, missing


class Row(NamedTuple):
    """A figure as people read it."""

    name: str
    value: float
    n: str  # of how many pictures it is, as 1000, or of two sets as "1000, 500 real"; empty: not known
    spread: str  # as "±3.1000", half of the 95 % interval, or "std 0.0021"; empty: not known


def rows_of(figures: Mapping[str, float]) -> list[Row]:
    """Figures by <section>/<name>, each with the numbers of pictures and the spread that stand beside it."""
    rows: list[Row] = []
    for name, value in figures.items():
        section, _, metric = name.rpartition("/")
        if metric == "n" or metric.startswith("n_real") or _is_spread(name, figures):
            continue
        n = f"{figures[f'{section}/n']:.0f}" if f"{section}/n" in figures else ""
        if (real := _real_ones(name, figures)) is not None:
            n += f", {real:.0f} real"
        spread = f"±{figures[f'{name}_interval']:.4f}" if f"{name}_interval" in figures else ""
        spread = f"std {figures[f'{name}_std']:.4f}" if f"{name}_std" in figures else spread
        rows.append(Row(name, value, n, spread))
    return rows


def few(figures: Mapping[str, float]) -> str | None:
    """What is to be said where figures of two sets are of few pictures."""
    unbiased = re.compile(r".*/(kid|kd_\w+)")
    others = [name for name in figures if not unbiased.fullmatch(name)]
    sides = [(figures.get(f"{name.rpartition('/')[0]}/n", 0.0), _real_ones(name, figures)) for name in others]
    if all(real is None or min(n, real) >= FEW for n, real in sides):
        return None
    return (
        f"few pictures, below {FEW:,} on a side: but for KID, figures of two sets depend on how many there are; "
        "compare those of equal n alone"
    )


def _real_ones(name: str, figures: Mapping[str, float]) -> float | None:
    """How many real pictures a figure of two sets compares with; None for others."""
    section, _, metric = name.rpartition("/")
    of_set, to, split = metric.partition("_to_")
    return figures.get(f"{section}/n_real{to}{split}") if is_of_sets(of_set) else None


def _is_spread(name: str, figures: Mapping[str, float]) -> bool:
    return any(name.endswith(ending) and name.removesuffix(ending) in figures for ending in ("_interval", "_std"))
