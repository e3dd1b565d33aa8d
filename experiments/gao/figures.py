"""Tables, curves and grids of the sweeps: python experiments/gao/figures.py runs experiments/gao

Reads runs/gao_<comparison>/<time>/<arm>-<seed>; prints the tables in Markdown, writes <comparison>_curves.png and
<comparison>_grid.png into the second folder. Of an arm that was run again with a seed, the later run counts.
"""

import csv
import statistics
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn.functional import max_pool2d

import suite
from suite.data.module import PictureData
from suite.images import signed_to_uint8, to_pil, to_rgb
from suite.metrics.distances import frechet_distance
from suite.metrics.features import RandomVGG
from suite.metrics.pairwise import psnr, ssim
from suite.papers.pix2pix import closest_l1
from suite.runs import read_config

Runs = dict[str, list[Path]]  # by arm, a run for each seed
ARMS = (  # in the order of the report
    *("pix2pix_unet_noskip", "pix2pix_unet", "pix2pix_resnet", "pix2pix_unetpp"),
    *("pix2pix_lambda0", "pix2pix_lambda10", "pix2pix_lambda100", "pix2pix_lambda200"),
    *("patch16", "patch34", "patch70", "global", "pix2pix_lsgan"),
    *("pix2pix_plain", "pix2pix_dropout", "pix2pix_noise", "pix2pix_smoothing", "pix2pix_erasing"),
    *("pix2pix_early_stop", "pix2pix_final"),
    *("pix2pix_sketchy", "pix2pix_sketchy_lambda0", "pix2pix_sketchy_wgan", "cyclegan_sketchy"),
)
FIGURES = {
    "l1": "L1 ↓",
    "l1_train": "L1, training faces ↓",
    "l1_paper": "L1, mode=paper ↓",
    "psnr": "PSNR ↑",
    "ssim": "SSIM ↑",
    "stray": "stray ink ↓",
    "missed": "missed ink ↓",
    "fd": "FD random VGG ↓",
    "variety": "variety",
    "one_hand": "one hand",
}
CURVES = {
    "train/L1": "train, L1 to the closest",
    "val/l1": "val, L1 to the first",
    "val/psnr": "val, PSNR to the first",
}


@dataclass
class Faces:
    """Faces of one split: photos (N, 3, H, W) and all their drawings (N, K, 1, H, W), in [-1, 1]."""

    photos: Tensor
    drawings: Tensor


def main(runs: Path, output: Path) -> None:
    for comparison, arms in sorted(comparisons(runs).items()):
        print(f"\n{comparison}\n\n{table(arms)}")
        curves(arms, output / f"{comparison}_curves.png")
        grid(arms, output / f"{comparison}_grid.png")


def comparisons(runs: Path) -> dict[str, Runs]:
    """Finished runs by comparison and arm. Those on aligned and on loose drawings have tables of their own."""
    latest: dict[tuple[str, str, str], Path] = {}
    for checkpoint in sorted(runs.glob("gao_*/*/*/checkpoints/last.ckpt")):
        run = checkpoint.parents[1]
        config = read_config(run)
        arm, _, seed = run.name.rpartition("-")
        comparison = run.parents[1].name.removeprefix("gao_")
        if comparison == "alignment":
            arm, _, style = arm.rpartition("-")
            comparison = f"alignment_{style}"
        if arm == "patch":
            arm = f"patch{config.model.discriminator.field}"
        if "translate   python" in (run / "log.txt").read_text(encoding="utf-8"):  # said at the end
            latest[comparison, arm, seed] = run
    found: dict[str, Runs] = defaultdict(lambda: defaultdict(list))
    for (comparison, arm, _), run in sorted(latest.items(), key=lambda item: (ARMS.index(item[0][1]), item[0][2])):
        found[comparison][arm].append(run)
    return found


# Tables ---------------------------------------------------------------------------------------------------------------


def table(arms: Runs) -> str:
    lines = [
        "| arm | seeds | G parameters | G steps | " + " | ".join(FIGURES.values()) + " |",
        "|---" * (4 + len(FIGURES)) + "|",
    ]
    first = next(iter(arms.values()))[0]
    for name, figures in yardsticks(faces(first, "val")).items():
        lines.append(f"| {name} | | | | " + " | ".join(cell([figures], key) for key in FIGURES) + " |")
    for arm, of_arm in arms.items():
        measured = [measure(run) for run in of_arm]
        cells = [cell(measured, key) for key in FIGURES]
        steps, weights = (round(statistics.mean(figures[key] for figures in measured)) for key in ("steps", "weights"))
        lines.append(f"| `{arm}` | {len(of_arm)} | {weights:,} | {steps} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(measured: list[dict[str, float]], key: str) -> str:
    """Mean and standard deviation over the seeds."""
    values = [figures[key] for figures in measured if key in figures]
    if not values:
        return ""
    mean = statistics.mean(values)
    digits = 1 if abs(mean) >= 10 else 2 if abs(mean) >= 1 else 3
    return f"{mean:.{digits}f}" + (f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else "")


def measure(run: Path) -> dict[str, float]:
    """The figures of a run's last checkpoint, on faces that it never saw unless the name says otherwise."""
    model = suite.load(run)
    seen, unseen = faces(run, "train"), faces(run, "val")
    made = model.translate(unseen.photos)
    torch.manual_seed(0)  # of the dropout of mode=paper
    as_tested = suite.load(run, mode="paper")
    one_by_one = torch.cat([as_tested.translate(photo[None]) for photo in unseen.photos])
    return {
        **compare(made, unseen.drawings),
        "l1_train": float(closest_l1(model.translate(seen.photos)[None], seen.drawings)),
        "l1_paper": float(closest_l1(one_by_one[None], unseen.drawings)),
        "steps": model.g_steps,
        "weights": sum(weight.numel() for weight in model.generators()["G"].parameters()),
    }


def compare(made: Tensor, drawings: Tensor) -> dict[str, float]:
    """made: (N, 1, H, W), drawings: (N, K, 1, H, W), both in [-1, 1].

    l1 is to the closest drawing (Gao 2020, section 6.1), psnr, ssim and fd to the first. Ink is darkness in [0, 1]:
    stray ink is its mean where no drawing has any within a pixel; missed ink is the share that is lacking where all
    drawings agree that there is some. Variety is the mean distance between two outputs, divided by that between two
    first drawings: 0 when every face gets the same picture. One hand is the share of the faces whose closest drawing
    is by the hand that most are closest to.
    """
    closest = (made[:, None] - drawings).abs().mean(dim=(2, 3, 4)).argmin(dim=1)
    ink, inks = (1 - made) / 2, (1 - drawings) / 2
    empty = max_pool2d(inks.amax(dim=1), 3, stride=1, padding=1) < 0.05
    agreed = inks.amin(dim=1)
    return {
        "l1": float(closest_l1(made[None], drawings)),
        "psnr": float(psnr(made, drawings[:, 0]).mean()),
        "ssim": float(ssim(made, drawings[:, 0]).mean()),
        "stray": float(ink[empty].mean()),
        "missed": float((agreed - ink).clamp(min=0).sum() / agreed.sum()),
        "fd": frechet_distance(features(drawings[:, 0]), features(made)),
        "variety": distance_between(made) / distance_between(drawings[:, 0]),
        "one_hand": float(closest.bincount().max()) / len(closest),
    }


def features(pictures: Tensor) -> Tensor:
    return RandomVGG()(to_rgb(signed_to_uint8(pictures)))


def distance_between(pictures: Tensor) -> float:
    return float((pictures - pictures.roll(1, dims=0)).abs().mean())


def yardsticks(unseen: Faces) -> dict[str, dict[str, float]]:
    """What an empty sheet scores, what the mean drawing of all faces does, and one draughtsman against the others."""
    drawings = unseen.drawings
    sheets = {"a white sheet": torch.ones_like(drawings[:, 0])}
    sheets["the mean drawing"] = drawings.mean(dim=(0, 1)).expand_as(drawings[:, 0])
    figures = {name: compare(sheet, drawings) for name, sheet in sheets.items()}
    if drawings.shape[1] > 1:
        figures["the second hand, to the other four"] = compare(drawings[:, 1], drawings[:, [0, 2, 3, 4]])
    return figures


def faces(run: Path, split: str) -> Faces:
    """64 faces of a split, or as many as it has, with all their drawings, also for a run not trained on pairs."""
    options: dict[str, Any] = {**read_config(run).data, "task": "paired"}
    options["batch_size"] = options["eval_batch_size"] = min(64, options["count"][split])
    several = options["hands"] > 1
    options["drawings"] = "all" if several else "one"
    del options["_target_"]
    data = PictureData(**options)
    data.setup()
    batch = next(iter(data.train_dataloader() if split == "train" else data.val_dataloader()))
    batch = data.finish(batch)
    return Faces(batch["a"], batch["drawings"] if several else batch["b"][:, None])


# Pictures -------------------------------------------------------------------------------------------------------------


def curves(arms: Runs, path: Path) -> None:
    figure, axes = plt.subplots(1, len(CURVES), figsize=(12, 3.4), constrained_layout=True)
    for axis, (column, title) in zip(axes, CURVES.items(), strict=True):
        for number, (arm, of_arm) in enumerate(arms.items()):
            for run in of_arm:
                label = arm.removeprefix("pix2pix_") if run == of_arm[0] else None
                axis.plot(*points(run, column), color=f"C{number}", linewidth=0.9, alpha=0.8, label=label)
        axis.set(title=title, xlabel="generator steps")
    axes[1].legend(fontsize=7)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def points(run: Path, column: str) -> tuple[list[int], list[float]]:
    """A column of metrics.csv over the generator steps made so far; none where the model has no such loss."""
    steps, values, so_far = [], [], 0
    for row in rows_of(run):
        so_far = int(row["g_steps"] or so_far)
        if row.get(column):
            steps.append(so_far)
            values.append(float(row[column]))
    return steps, values


def grid(arms: Runs, path: Path, count: int = 6, edge: int = 96) -> None:
    """Photo, outputs of the arms and first drawing, of the first validation faces and the first seed."""
    unseen = faces(next(iter(arms.values()))[0], "val")
    columns = {"photo": unseen.photos[:count]}
    for arm, of_arm in arms.items():
        columns[arm.removeprefix("pix2pix_")] = suite.load(of_arm[0]).translate(unseen.photos)[:count]
    columns["drawn"] = unseen.drawings[:count, 0]
    sheet = Image.new("RGB", (edge * len(columns), edge * count + 14), "white")
    for x, (name, pictures) in enumerate(columns.items()):
        ImageDraw.Draw(sheet).text((x * edge + 2, 1), name, fill="black")
        for y, picture in enumerate(pictures):
            tile = to_pil(signed_to_uint8(to_rgb(picture[None]))[0])
            sheet.paste(tile.resize((edge, edge), Image.Resampling.BICUBIC), (x * edge, y * edge + 14))
    sheet.quantize(64).save(path, optimize=True)


def rows_of(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
