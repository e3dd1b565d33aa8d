"""Tables, curves and a grid of the dalva sweeps: python -m experiments.dalva.summarise runs experiments/dalva

Reads runs/dalva*/<time>/<arm>-<seed>; of an arm that was run twice with a seed the later run counts, and only runs that
ended. Writes results.md, curves.png and grid.png into the second folder. ± is half a 95 % interval (Student's t).
"""

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from experiments.dalva.training import training_table
from experiments.seeds import Runs, apart, arm_and_seed, finished, interval, of_each_seed, plus_minus, points, rows_of
from PIL import Image, ImageDraw

from suite.data.module import PictureData
from suite.images import signed_to_uint8
from suite.metrics.features import RandomVGG
from suite.metrics.pairwise import l1, psnr, ssim
from suite.metrics.table import join, summarise
from suite.run.folder import read_config

ARMS = (  # in the order of the tables
    *("cyclegan_vanilla", "cyclegan_lsgan", "cyclegan_wgan_dalva"),
    *("cyclegan_wgan_dalva_no_momentum", "cyclegan_wgan_dalva_sgd", "cyclegan_wgan_gp"),
)
METRICS = {
    "val/fd_random_vgg": "FD random VGG ↓",
    "val/kd_random_vgg": "KD random VGG ↓",
    "val/psnr": "PSNR ↑",
    "val/ssim": "SSIM ↑",
    "val/l1": "L1 ↓",
}
CURVES = {
    "train/cycle_a": "cycle, a",
    "train/identity_b": "identity, b",
    "train/G_adv_b": "generator's adversarial loss, b",
    "train/D_b": "discriminator, b",
}
Values = dict[str, list[float]]  # by metric, one for each seed


def main(runs: Path, output: Path) -> None:
    torch.set_num_threads(1)  # the networks are too small to share out
    arms = found(runs)
    if not arms:
        sys.exit(f"{runs}: no finished run in dalva*/*/<arm>-<seed>")
    results = f"{table(arms)}\n{training_table(arms)}"
    (output / "results.md").write_text(results, encoding="utf-8")
    curves(arms, output / "curves.png")
    grid({arm: of_arm[0] for arm, of_arm in arms.items()}, output / "grid.png")
    print(results)


def found(runs: Path) -> Runs:
    latest = {arm_and_seed(run): run for run in finished(runs.glob("dalva*/*/*-*"))}
    arms: Runs = defaultdict(list)
    for arm, seed in sorted(latest, key=lambda key: (_place(key[0]), key)):
        arms[arm].append(latest[arm, seed])
    return arms


def _place(arm: str) -> int:
    return ARMS.index(arm) if arm in ARMS else len(ARMS)


# The table of figures -------------------------------------------------------------------------------------------------


def table(arms: Runs) -> str:
    yardstick = untranslated(arms)
    figures = {arm: last_validation(of_arm) for arm, of_arm in arms.items()}
    lines = ["| arm | seeds | generator steps | " + " | ".join(METRICS.values()) + " |"]
    lines.append("|---" * (len(METRICS) + 3) + "|")
    for arm, values in figures.items():
        others = [other for name, other in figures.items() if name != arm] + [yardstick]
        cells = " | ".join(cell(metric, values, others) for metric in METRICS)
        steps = points(arms[arm][0], "train/D_b")[0][-1]
        lines.append(f"| `{arm}` | {len(arms[arm])} | {steps} | {cells} |")
    cells = " | ".join(cell(metric, yardstick, []) for metric in METRICS)
    lines.append(f"| the photos, untranslated | {len(of_each_seed(arms))} | | {cells} |")
    sentences = [worse_than_untranslated(metric, figures, yardstick) for metric in METRICS]
    return "\n".join(lines) + "\n\n" + "\n".join(sentences) + "\n"


def last_validation(of_arm: list[Path]) -> Values:
    rows = [next(row for row in reversed(rows_of(run)) if row.get("val/psnr")) for run in of_arm]
    return {metric: [float(row[metric]) for row in rows] for metric in METRICS}


def cell(metric: str, values: Values, others: list[Values]) -> str:
    """Bold where it is better than all others and its interval overlaps none of theirs."""
    mean, half = interval(values[metric])
    text = f"{mean:.4g}{plus_minus(half, '.2g')}"
    best = others and all(better(metric, values, other) and apart(values[metric], other[metric]) for other in others)
    return f"**{text}**" if best else text


def better(metric: str, one: Values, other: Values) -> bool:
    (mean, _), (other_mean, _) = interval(one[metric]), interval(other[metric])
    return mean < other_mean if METRICS[metric].endswith("↓") else mean > other_mean


def worse_than_untranslated(metric: str, figures: dict[str, Values], yardstick: Values) -> str:
    """Which arms a model that does nothing would beat."""
    name = METRICS[metric].split()[0]
    beaten = [
        f"`{arm}`" + ("" if apart(values[metric], yardstick[metric]) else " (the intervals overlap)")
        for arm, values in figures.items()
        if better(metric, yardstick, values)
    ]
    return f"- By {name}, not translating beats {', '.join(beaten)}." if beaten else f"- By {name}, it beats no arm."


def untranslated(arms: Runs) -> Values:
    """The table's yardstick: every seed's validation photos as they are, held against its cartoons."""
    of_seeds = [photos_as_cartoons(run) for run in of_each_seed(arms).values()]
    return {metric: [figures[metric.removeprefix("val/")] for figures in of_seeds] for metric in METRICS}


def photos_as_cartoons(run: Path) -> dict[str, float]:
    options: dict[str, Any] = dict(read_config(run).data)
    data = PictureData(**options)
    data.setup()
    extractor, parts = RandomVGG(), []
    for batch in data.val_dataloader():
        pictures = data.finish(batch)
        photo, cartoon = pictures["a"], pictures["b"]
        columns = {"psnr": psnr(photo, cartoon), "ssim": ssim(photo, cartoon), "l1": l1(photo, cartoon)}
        parts.append({"index": batch["index"], "features": extractor(signed_to_uint8(photo)), **columns})
    reals = [extractor(batch["picture"]) for batch in data.reals("val", "b")]
    figures, _ = summarise(join(parts), {"": torch.cat(reals)}, ("fid", "kid", "psnr", "ssim", "l1"), "random_vgg")
    return figures


# Pictures -------------------------------------------------------------------------------------------------------------


def curves(arms: Runs, path: Path) -> None:
    figure, axes = plt.subplots(1, len(CURVES), figsize=(16, 3.6), constrained_layout=True)
    for axis, (column, title) in zip(axes, CURVES.items(), strict=True):
        for number, (arm, of_arm) in enumerate(arms.items()):
            for run in of_arm:
                label = arm.removeprefix("cyclegan_") if run == of_arm[0] else None
                axis.plot(*points(run, column), color=f"C{number}", linewidth=0.8, alpha=0.8, label=label)
        axis.set(title=title, xlabel="generator steps")
    for axis in axes[2:]:
        axis.set_yscale("symlog", linthresh=1)  # a critic's values have no bounds, and leave the other arms no room
    axes[0].legend(fontsize=7)
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


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
