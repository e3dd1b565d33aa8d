"""The table and the curves of a sweep: python experiments/dalva/summarise.py runs/dalva/<time> experiments/dalva

Reads the last validation of every run's metrics.csv; writes results.md, curves.png and grid.png into the second folder.
"""

import csv
import statistics
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from PIL import Image, ImageDraw

import suite
from suite.images import signed_to_uint8
from suite.metrics.features import RandomVGG
from suite.metrics.pairwise import l1, psnr, ssim
from suite.metrics.table import join, summarise

METRICS = {
    "val/fd_random_vgg": "FD random VGG ↓",
    "val/kd_random_vgg": "KD random VGG ↓",
    "val/psnr": "PSNR ↑",
    "val/ssim": "SSIM ↑",
    "val/l1": "L1 ↓",
}
CURVES = {"train/cycle_a": "cycle, a", "train/identity_b": "identity, b", "train/D_b": "discriminator, b"}


def main(sweep: Path, output: Path) -> None:
    runs: dict[str, list[Path]] = defaultdict(list)
    for run in sorted(sweep.glob("*-*")):
        if (run / "metrics.csv").is_file():
            runs[run.name.rpartition("-")[0]].append(run)
    results = table(runs) + untranslated()
    (output / "results.md").write_text(results, encoding="utf-8")
    curves(runs, output / "curves.png")
    grid({name: of_name[0] for name, of_name in runs.items()}, output / "grid.png")
    print(results)


def table(runs: dict[str, list[Path]]) -> str:
    lines = ["| arm | seeds | generator steps | " + " | ".join(METRICS.values()) + " |"]
    lines.append("|---" * (len(METRICS) + 3) + "|")
    for name, of_name in runs.items():
        rows = [rows_of(run) for run in of_name]
        last = [next(row for row in reversed(of_run) if row.get("val/psnr")) for of_run in rows]
        steps = next(row["g_steps"] for row in reversed(rows[0]) if row.get("g_steps"))
        cells = []
        for metric in METRICS:
            values = [float(row[metric]) for row in last]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            cells.append(f"{statistics.mean(values):.4g} ± {spread:.2g}")
        lines.append(f"| `{name}` | {len(last)} | {steps} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def untranslated() -> str:
    """The table's yardstick: the validation photos as they are, held against the cartoons."""
    _, data = suite.build("cyclegan_lsgan", ["scale=demo"])
    data.setup()
    extractor, parts = RandomVGG(), []
    for batch in data.val_dataloader():
        pictures = data.finish(batch)
        photo, cartoon = pictures["a"], pictures["b"]
        columns = {"psnr": psnr(photo, cartoon), "ssim": ssim(photo, cartoon), "l1": l1(photo, cartoon)}
        parts.append({"index": batch["index"], "features": extractor(signed_to_uint8(photo)), **columns})
    reals = [extractor(batch["picture"]) for batch in data.reals("val", "b")]
    names = ("fid", "kid", "psnr", "ssim", "l1")
    figures, _ = summarise(join(parts), {"": torch.cat(reals)}, names, "random_vgg")
    cells = " | ".join(f"{figures[metric.removeprefix('val/')]:.4g}" for metric in METRICS)
    return f"| the photos, untranslated | | | {cells} |\n"


def curves(runs: dict[str, list[Path]], path: Path) -> None:
    figure, axes = plt.subplots(1, len(CURVES), figsize=(12, 3.2), constrained_layout=True)
    for axis, (column, title) in zip(axes, CURVES.items(), strict=True):
        for number, (name, of_name) in enumerate(runs.items()):
            for run in of_name:
                points = [(float(row["step"]), float(row[column])) for row in rows_of(run) if row.get(column)]
                label = name.removeprefix("cyclegan_") if run == of_name[0] else None
                axis.plot(*zip(*points, strict=True), color=f"C{number}", linewidth=0.8, alpha=0.8, label=label)
        axis.set(title=title, xlabel="batches")
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def grid(runs: dict[str, Path], path: Path) -> None:
    """The last picture grid of the first seed of every arm, one above the other."""
    grids = {name: Image.open(sorted((run / "images").glob("a2b_*.png"))[-1]) for name, run in runs.items()}
    width, height = next(iter(grids.values())).size
    sheet = Image.new("RGB", (width, (height + 14) * len(grids)), "white")
    for number, (name, picture) in enumerate(grids.items()):
        sheet.paste(picture, (0, number * (height + 14) + 14))
        ImageDraw.Draw(sheet).text((2, number * (height + 14) + 1), f"{name}: photo, cartoon made, truth", fill="black")
    sheet.save(path)


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
