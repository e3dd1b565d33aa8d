"""Tables, curves and grids of the gao sweeps: python -m experiments.gao.figures runs experiments/gao [comparison …]

Reads runs/gao_<comparison>/<time>/<arm>-<seed>; prints the tables in Markdown, writes <comparison>_curves.png and
<comparison>_grid.png into the second folder. Of an arm that was run twice with a seed the later run counts, and only
runs that ended. ± is half a 95 % interval over the seeds (Student's t), of the yardsticks too.
"""

import sys
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from experiments import seeds, sheets
from experiments.gao.measure import FIGURES, faces, measure, yardsticks
from experiments.seeds import Runs, arm_and_seed, finished, of_each_seed, points

import suite
from suite.run.folder import read_config

ARMS = (  # in the order of the report
    *("pix2pix_unet_noskip", "pix2pix_unet", "pix2pix_resnet", "pix2pix_unetpp"),
    *("lambda0", "lambda10", "lambda100", "lambda200"),
    *("patch16", "patch34", "patch70", "global"),
    *("lr0.0004", "lr0.0008", "lr0.0016", "batch1", "batch4", "batch8", "batch16", "vanilla", "lsgan"),
    *("plain", "dropout0.5", "noise0.1", "label0.9", "erasing0.5", "pix2pix_early_stop", "pix2pix_final"),
    *("pix2pix_sketchy", "pix2pix_sketchy_lambda0", "pix2pix_sketchy_wgan", "cyclegan_sketchy"),
)
# One arm of these is what pix2pix_unet is among the generators: trained there, shown here too, by its name here.
SHARED = {
    "lambda": "lambda100",
    "discriminator": "patch34",
    "loss": "vanilla",
    "lr": "lr0.0004",
    "batch": "batch4",
}
# sweep=gao_regularisers names its runs by all that regularises; what is switched off is left out of an arm's name.
OFF = {"dropout0.0", "noise0.0", "label1.0", "erasing0.0"}
WITH_TRAINING_FACES = ("regularisers",)  # the report's Fig. 22 sets training pictures beside those of the test
CURVES = {
    "train/L1": "train, L1 to the closest",
    "val/l1": "val, L1 to the first",
    "val/psnr": "val, PSNR to the first",
}


def main(runs: Path, output: Path, *wanted: str) -> None:
    torch.set_num_threads(1)  # the networks are too small to share out: a hundred times as fast as on two busy cores
    for comparison, arms in sorted(comparisons(runs).items()):
        if wanted and comparison not in wanted:
            continue
        print(f"\n{comparison}\n\n{table(arms)}", flush=True)
        curves(arms, output / f"{comparison}_curves.png")
        grid(arms, "val", output / f"{comparison}_grid.png")
        if comparison in WITH_TRAINING_FACES:
            grid(arms, "train", output / f"{comparison}_train_grid.png")


def comparisons(runs: Path) -> dict[str, Runs]:
    """Finished runs by comparison and arm. Those on aligned and on loose drawings have tables of their own."""
    latest: dict[tuple[str, str, str], Path] = {}
    for run in finished(runs.glob("gao_*/*/*-*")):
        comparison, (arm, seed) = run.parents[1].name.removeprefix("gao_"), arm_and_seed(run)
        arm = "_".join(part for part in arm.split("_") if part not in OFF) or "plain"
        if comparison == "alignment":
            arm, _, style = arm.rpartition("-")
            comparison = f"alignment_{style}"
        latest[comparison, arm, seed] = run
    shown = {comparison for comparison, _, _ in latest}
    for (comparison, arm, seed), run in list(latest.items()):
        if (comparison, arm) == ("generators", "pix2pix_unet"):
            latest |= {(other, SHARED[other], seed): run for other in shown & set(SHARED)}
    found: dict[str, Runs] = defaultdict(lambda: defaultdict(list))
    for comparison, arm, seed in sorted(latest, key=lambda key: (_place(key[1]), key)):
        found[comparison][arm].append(latest[comparison, arm, seed])
    return found


def _place(arm: str) -> int:
    return ARMS.index(arm) if arm in ARMS else len(ARMS)


def table(arms: Runs) -> str:
    lines = [
        "| arm | seeds | G parameters | G steps | " + " | ".join(FIGURES.values()) + " |",
        "|---" * (4 + len(FIGURES)) + "|",
    ]
    of_seeds = [yardsticks(faces(run, "val")) for run in of_each_seed(arms).values()]
    for name in of_seeds[0]:
        cells = " | ".join(cell([of_seed[name] for of_seed in of_seeds], key) for key in FIGURES)
        lines.append(f"| {name} | {len(of_seeds)} | | | {cells} |")
    for arm, of_arm in arms.items():
        measured = [measure(run) for run in of_arm]
        cells = " | ".join(cell(measured, key) for key in FIGURES)
        weights = round(measured[0]["weights"])
        lines.append(f"| `{arm}` | {len(of_arm)} | {weights:,} | {steps(measured)} | {cells} |")
    return "\n".join(lines)


def steps(measured: list[dict[str, float]]) -> str:
    """Generator steps; the fewest and the most where runs stopped early."""
    made = sorted({round(figures["steps"]) for figures in measured})
    return str(made[0]) if len(made) == 1 else f"{made[0]} to {made[-1]}"


def cell(measured: list[dict[str, float]], key: str) -> str:
    return seeds.cell(measured, key, lambda mean: 1 if abs(mean) >= 10 else 2 if abs(mean) >= 1 else 3)


# Pictures -------------------------------------------------------------------------------------------------------------


def curves(arms: Runs, path: Path) -> None:
    figure, axes = plt.subplots(1, len(CURVES), figsize=(12, 3.4), constrained_layout=True)
    for axis, (column, title) in zip(axes, CURVES.items(), strict=True):
        for number, (arm, of_arm) in enumerate(arms.items()):
            for run in of_arm:
                label = arm.removeprefix("pix2pix_") if run == of_arm[0] else None
                axis.plot(*curve(run, column), color=f"C{number}", linewidth=0.9, alpha=0.8, label=label)
        axis.set(title=title, xlabel="generator steps")
    axes[1].legend(fontsize=7)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def curve(run: Path, column: str) -> tuple[list[int], list[float]]:
    """A column over the generator steps; L1, which is logged with its weight, without it."""
    steps, values = points(run, column)
    weight = read_config(run).model.lambda_l1 if values and column == "train/L1" else 1
    return steps, [value / weight for value in values]


def grid(arms: Runs, split: str, path: Path, count: int = 6) -> None:
    """Photo, outputs of the arms and first drawing, of the first faces of a split and the first seed."""
    shown = faces(next(iter(arms.values()))[0], split)
    columns = {"photo": shown.photos[:count]}
    for arm, of_arm in arms.items():
        columns[arm.removeprefix("pix2pix_")] = suite.load(of_arm[0]).translate(shown.photos)[:count]
    columns["drawn"] = shown.drawings[:count, 0]
    sheets.draw(list(columns.items()), path, colours=64)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
