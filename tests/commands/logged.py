"""What a run has logged that repeats: metrics.csv, but for how fast it went."""

import csv
from pathlib import Path


def logged(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0].pop("speed/images_per_s"), "the first row is of training, and says how fast it was"
    return [rows[0], *({name: value for name, value in row.items() if name in rows[0]} for row in rows[1:])]
