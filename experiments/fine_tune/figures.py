"""Table, curves and grid of training on: python -m experiments.fine_tune.figures runs/fine_tune experiments/fine_tune

Reads <arm>-<seed> in the first folder; prints the table in Markdown, writes curves.svg and grid.png into the second.
± is half a 95 % interval over the seeds (Student's t).
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from experiments import seeds, sheets

import suite
from suite.data.module import PictureData
from suite.run.folder import read_config

ARMS = {
    "untouched": "as it came, not trained on",
    "scratch": "from scratch",
    "weights": "from the weights",
    "freeze": "from the weights, `freeze_d=2`",
}
FIGURES = {"val/fd_random_vgg": "FD random VGG ↓", "val/ssim": "SSIM ↑", "val/psnr": "PSNR ↑"}
SHOWN = 6  # faces


def main(runs: Path, output: Path) -> None:
    torch.set_num_threads(1)
    arms = {arm: sorted(runs.glob(f"{arm}-*")) for arm in ARMS}
    print(table(arms))
    curves(arms, output / "curves.svg")
    grid(arms, output / "grid.png")


def table(arms: dict[str, list[Path]]) -> str:
    """The last validation of each run, and that after the first hundred steps."""
    lines = ["| arm | updates | " + " | ".join(FIGURES.values()) + " |", "|---" * (2 + len(FIGURES)) + "|"]
    for arm, of_arm in arms.items():
        for place in (0, -1) if arm != "untouched" else (-1,):
            steps = 0 if arm == "untouched" else seeds.points(of_arm[0], "val/ssim")[0][place]
            cells = [
                seeds.spread([seeds.points(run, column)[1][place] for run in of_arm], 3 if "psnr" not in column else 2)
                for column in FIGURES
            ]
            lines.append(f"| {ARMS[arm]} | {steps} | {' | '.join(cells)} |")
    return "\n".join(lines)


def curves(arms: dict[str, list[Path]], path: Path) -> None:
    """Each run's validations; a grey line where the weights were before."""
    figure, axes = plt.subplots(1, len(FIGURES), figsize=(12, 3.4), constrained_layout=True)
    for axis, (column, title) in zip(axes, FIGURES.items(), strict=True):
        before = [seeds.points(run, column)[1][-1] for run in arms["untouched"]]
        axis.axhline(sum(before) / len(before), color="grey", linestyle=":", label=ARMS["untouched"])
        for number, arm in enumerate(arm for arm in arms if arm != "untouched"):
            for run in arms[arm]:
                label = ARMS[arm].replace("`", "") if run == arms[arm][0] else None
                axis.plot(*seeds.points(run, column), color=f"C{number}", linewidth=1, marker=".", label=label)
        axis.set(title=title, xlabel="updates")
    axes[0].set_yscale("log")
    axes[-1].legend(fontsize=7)
    figure.savefig(path)
    plt.close(figure)


def grid(arms: dict[str, list[Path]], path: Path) -> None:
    """Cartoons of the first seed's validation, what each arm makes of them, and the photos."""
    data = PictureData(**read_config(arms["scratch"][0]).data)
    data.setup()
    batch = data.finish(next(iter(data.eval_dataloader("val"))))
    columns = {"cartoon": batch["a"]}
    columns |= {arm: suite.load(of_arm[0]).translate(batch["a"]) for arm, of_arm in arms.items()}
    columns["photo"] = batch["b"]
    sheets.draw([(title, pictures[:SHOWN]) for title, pictures in columns.items()], path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
