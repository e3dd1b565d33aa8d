"""What has been measured of a run: metrics.json of its evaluations, and its last validation in metrics.csv."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suite.errors import UserError


def kept(run: Path) -> dict[str, Any]:
    """What metrics.json holds. Raises UserError where it is damaged."""
    path = run / "metrics.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (ValueError, RecursionError):  # no text, or no JSON
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged: move it away, and another is begun")
    return content


def evaluations(run: Path) -> dict[str, dict[str, float]]:
    """The figures of each evaluation, by <split>/<checkpoint>; what is no number in there is left out."""
    found = {}
    for entry, figures in kept(run).items():
        numbers = figures.items() if isinstance(figures, dict) else ()
        if there := {name: float(value) for name, value in numbers if _is_number(value) and name != "steps"}:
            found[entry] = there
    return found


def last_validation(rows: Sequence[Mapping[str, str]]) -> dict[str, float]:
    """The latest figure of every metric among the rows of metrics.csv; a resumed run may have new ones."""
    found = {}
    for row in rows:
        for name, text in row.items():
            if name.startswith("val") and "/" in name and (value := number(text)) is not None:
                found[name] = value
    return found


def number(text: str) -> float | None:
    """What a cell of metrics.csv says, NaN and infinity too; None where it is no number."""
    try:
        return float(text)
    except ValueError:
        return None


def _is_number(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(float(value))
    except OverflowError:
        return False
