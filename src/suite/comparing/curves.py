"""metrics.csv of several runs as small pictures of curves, in SVG that stands in a page."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from suite.run.measured import number

Rows = Sequence[Mapping[str, str]]  # of metrics.csv
Points = list[tuple[float, float]]  # step, value

_WIDTH, _HEIGHT, _LEFT, _BELOW, _ABOVE = 320, 170, 46, 18, 6  # of the picture, and what is beside the curves
_MOST = 160  # points of a curve: more can't be told apart at this width
_GROUPS = {"val": "Validation", "train": "Losses", "scores": "Discriminators", "norms": "Gradient norms",
           "speed": "Speed"}  # fmt: skip


def by_group(runs: Sequence[Rows]) -> dict[str, list[str]]:
    """The columns that have curves, under what they are; `n`, how many pictures were measured, is none."""
    columns = dict.fromkeys(name for rows in runs for name in (rows[0] if rows else ()))
    found: dict[str, list[str]] = {title: [] for title in _GROUPS.values()}
    for name in columns:
        section, slash, figure = name.partition("/")
        group = "val" if section.startswith("val") else section
        if slash and group in _GROUPS and figure != "n" and not figure.startswith("n_real"):
            found[_GROUPS[group]].append(name)
    return {title: names for title, names in found.items() if names}


def points(rows: Rows, column: str) -> Points:
    """A column over the generator steps so far, finite values alone."""
    found, step = [], 0.0
    for row in rows:
        now = number(row.get("step", ""))
        step = now if now is not None and math.isfinite(now) else step
        value = number(row.get(column, ""))
        if value is not None and math.isfinite(value):
            found.append((step, value))
    return found


def chart(column: str, curves: Sequence[tuple[int, Points]]) -> str:
    """One picture of a column: a curve for each run that has it, with the number of its arm, whose colour it takes.

    What is beyond all but the outermost hundredth of the values is cut off: a peak would flatten all else.
    """
    there = [(arm, _thinned(of_run)) for arm, of_run in curves if of_run]
    if not there:
        return ""
    bottom, top = _range([value for _, of_run in there for _, value in of_run])
    last = max(step for _, of_run in there for step, _ in of_run) or 1.0
    wide, high = _WIDTH - _LEFT - 4, _HEIGHT - _BELOW - _ABOVE

    def place(step: float, value: float) -> str:
        share = min(1.0, max(0.0, (value - bottom) / (top - bottom)))
        return f"{_LEFT + wide * step / last:.1f},{_ABOVE + high * (1 - share):.1f}"

    lines = []
    for arm, of_run in there:
        if len(of_run) == 1:
            x, y = place(*of_run[0]).split(",")
            lines.append(f'<circle class="c{arm}" cx="{x}" cy="{y}" r="3"/>')
        else:
            lines.append(f'<polyline class="c{arm}" points="{" ".join(place(*point) for point in of_run)}"/>')
    floor = _ABOVE + high
    texts = [
        f'<text x="{_LEFT - 4}" y="{_ABOVE + 9}" text-anchor="end">{short(top)}</text>',
        f'<text x="{_LEFT - 4}" y="{floor}" text-anchor="end">{short(bottom)}</text>',
        f'<text x="{_WIDTH - 4}" y="{_HEIGHT - 3}" text-anchor="end">{last:,.0f} steps</text>',
    ]
    title = escape(column)
    axes = f'<path class="axis" d="M{_LEFT} {_ABOVE}V{floor}H{_WIDTH - 4}"/>'
    return (
        f'<figure class="chart"><figcaption>{title}</figcaption>'
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title} over steps">'
        f"{axes}{''.join(lines)}{''.join(texts)}</svg></figure>"
    )


def short(value: float) -> str:
    """A number in four characters or so, as 0.0132 or 1.2e+06."""
    return f"{value:.3g}" if value == 0 or 1e-4 <= abs(value) < 1e5 else f"{value:.1e}"


def _thinned(of_run: Points) -> Points:
    """No more points than can be seen: means of as many neighbours."""
    size = math.ceil(len(of_run) / _MOST)
    parts = [of_run[start : start + size] for start in range(0, len(of_run), size)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]


def _range(values: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(values)
    cut = len(ordered) // 100
    bottom, top = ordered[cut], ordered[-1 - cut]
    return (bottom, top) if top > bottom else (bottom - (abs(bottom) or 1) / 10, top + (abs(top) or 1) / 10)
