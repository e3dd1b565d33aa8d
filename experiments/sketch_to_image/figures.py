"""The sketch_to_image sweeps in tables and grids: python -m experiments.sketch_to_image.figures runs <folder> [sweep …]

Reads runs/sketch_to_image*/<time>/<arm>-<seed>, runs of one stage on built-in faces; prints the tables in Markdown, and
writes <sweep>.png: test sketches, the styles that they are to have, the true faces, and what each arm makes of them. Of
an arm that was run twice with a seed the later run counts, and only runs that ended. ± is half a 95 % interval over the
seeds (Student's t).

    python -m experiments.sketch_to_image.figures pictures <run> <folder> [count]

writes the paper's figures of any run in stages, whatever its data: sketches.png, TOM's sketches of test photos beside
those of edge detectors, as Fig. 5; synthesis.png, uncurated, as Fig. 4 and 12 to 15; curves.png, as Fig. 6;
transfer.png, photos in the style of others by the model and by neural style transfer, as Fig. 9.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from experiments import seeds
from experiments.seeds import Runs, arm_and_seed, finished, points
from experiments.sheets import Column, draw
from experiments.sketch_to_image.measure import FIGURES, YARDSTICKS, Pairs, measure, test_pairs
from torch import Tensor

import suite
from suite.errors import UserError
from suite.images import signed_to_unit, unit_to_signed
from suite.losses.gram import gram
from suite.papers.drawing import drawers, snapshots
from suite.run.config import instantiate
from suite.run.folder import has_stages, of_stage, read_config
from suite.sketching import simulate

DIGITS = {"psnr": 2, "own_psnr": 2, "fd": 2}  # of the others 3
TITLES = {  # of arms, above pictures
    "sketch_to_image_vanilla": "vanilla",
    "sketch_to_image_tri_c": "+ tri c",
    "sketch_to_image_tri_s": "+ tri s",
    "sketch_to_image_cls_s": "+ cls s",
    "sketch_to_image_cls": "+ cls s, c",
    "sketch_to_image_default": "all",
}


def main(runs: Path, output: Path, *wanted: str) -> None:
    torch.set_num_threads(1)
    output.mkdir(parents=True, exist_ok=True)
    for sweep, arms in sweeps(runs).items():
        if wanted and sweep not in wanted:
            continue
        measured = {arm: [measure(run) for run in of_arm] for arm, of_arm in arms.items()}
        print(f"\n{sweep}\n\n{table(measured)}", flush=True)
        draw(faces_of_arms({arm: of_arm[0] for arm, of_arm in arms.items()}), output / f"{sweep}.png")


def sweeps(runs: Path) -> dict[str, Runs]:
    """Finished runs by sweep and arm, of each seed the latest."""
    latest = {(run.parents[1].name, *arm_and_seed(run)): run for run in finished(runs.glob("sketch_to_image*/*/*-*"))}
    found: dict[str, Runs] = {}
    for (sweep, arm, _), run in sorted(latest.items()):
        found.setdefault(sweep, defaultdict(list))[arm].append(run)
    return found


def table(measured: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """A line for each yardstick and each arm."""
    lines = ["| arm | seeds | " + " | ".join(FIGURES.values()) + " |", "|---" * (2 + len(FIGURES)) + "|"]
    first = next(iter(measured.values()))
    for name, title in YARDSTICKS.items():
        lines.append(f"| {title} | | " + " | ".join(cell(first[:1], f"{name}/{key}") for key in FIGURES) + " |")
    for arm, of_arm in measured.items():
        lines.append(f"| `{arm}` | {len(of_arm)} | " + " | ".join(cell(of_arm, key) for key in FIGURES) + " |")
    return "\n".join(lines)


def cell(measured: Sequence[Mapping[str, float]], key: str) -> str:
    return seeds.cell(measured, key, lambda mean: DIGITS.get(key.rpartition("/")[2], 3))


# Pictures -------------------------------------------------------------------------------------------------------------


def faces_of_arms(arms: Mapping[str, Path], count: int = 6) -> list[Column]:
    """Test sketches in the styles of other faces, and what every arm makes of them."""
    pairs = Pairs(*(x[:count] for x in test_pairs(of_stage(next(iter(arms.values()))))))
    found = [("sketch", pairs.sketch), ("style", pairs.style), ("true face", pairs.truth)]
    for arm, run in arms.items():
        found.append((TITLES.get(arm, arm), coloured(suite.load(run), pairs.sketch, pairs.style)[-1]))
    return found


@torch.no_grad()
def coloured(model: Any, sketch: Tensor, style: Tensor) -> list[Tensor]:
    """What a model makes of sketches in styles: by the auto-encoder, and where it refines, by G2."""
    return list(model.colour(sketch, model.encode_style(style), list(range(len(sketch)))).values())


def pictures(run: Path, output: Path, count: int = 8) -> None:
    """The paper's figures of a run in stages on its own data. Raises UserError where it has none."""
    if not has_stages(run):
        raise UserError(f"{run} is a run of one stage: give one that trained tom, autoencoder and refine")
    output.mkdir(parents=True, exist_ok=True)
    config = read_config(of_stage(run))
    _, data = instantiate(config)
    data.setup()
    batch = data.finish(next(iter(data.eval_dataloader("test"))))
    sketch, photo, style = (batch[key][:count] for key in ("a", "b", "style"))
    draw(sketched(run / "1_tom", photo), output / "sketches.png")
    made = coloured(suite.load(run), sketch, style)
    titles = ("auto-encoder", "refined")[: len(made)]
    draw([("sketch", sketch), ("style", style), *zip(titles, made, strict=True)], output / "synthesis.png")
    curves(run, output / "curves.png")
    draw(transferred(suite.load(run), photo[:4], style[:4]), output / "transfer.png")


@torch.no_grad()
def sketched(tom: Path, photos: Tensor) -> list[Column]:
    """Photos, what T drew of them at each step that was kept, and two edge detectors (Fig. 5)."""
    model: Any = suite.load(tom)
    lines = model.lines_of(photos, drawers(model, snapshots(tom)))
    edges = [(style, unit_to_signed(simulate(style, signed_to_unit(photos)))) for style in ("sobel", "xdog")]
    return [("photo", photos), *lines.items(), *edges]


def transferred(model: Any, photos: Tensor, styles: Tensor) -> list[Column]:
    """Photos in styles: as the model does it, sketching them first, and by neural style transfer (Fig. 9)."""
    made = coloured(model, model.draw_lines(photos), styles)[-1]
    gatys = neural_style(photos, styles, lambda x: model.taps(x, *model.gram_layers))
    return [("photo", photos), ("style", styles), ("ours", made), ("Gatys", gatys)]


def neural_style(
    photos: Tensor, styles: Tensor, taps: Callable[[Tensor], list[Tensor]], steps: int = 150, of_style: float = 1e3
) -> Tensor:
    """Pictures, optimised, with the last features of photos and the Gram matrices of styles (Gatys 2016).

    taps: the features of pictures, of several layers. of_style: what the Gram matrices weigh.
    """
    with torch.no_grad():
        content, grams = taps(photos)[-1], [gram(f) for f in taps(styles)]
    made = photos.clone().requires_grad_()
    optimizer = torch.optim.Adam([made], lr=0.05)
    for _ in range(steps):
        found = taps(made)
        of_content = (found[-1] - content).square().mean()
        apart = torch.stack([(gram(f) - g).square().sum((1, 2)).mean() for f, g in zip(found, grams, strict=True)])
        optimizer.zero_grad()
        (of_content + of_style * apart.sum()).backward()
        optimizer.step()
        with torch.no_grad():
            made.clamp_(-1, 1)
    return made.detach()


def curves(run: Path, path: Path) -> None:
    """Validation over the updates of the auto-encoder, and on from there over those of G2 (Fig. 6)."""
    figure, axes = plt.subplots(figsize=(6, 3))
    start = 0
    for stage, title in (("2_autoencoder", "auto-encoder"), ("3_refine", "refined")):
        for column, style in (("val/fd_random_vgg", "-"), ("val_mismatched/fd_random_vgg", "--")):
            steps, values = points(run / stage, column)
            label = f"{title}, {'mismatched' if 'mis' in column else 'matched'}"
            axes.plot([start + step for step in steps], values, style, marker="o", label=label)
        start += max(steps, default=0)
    axes.set_xlabel("updates")
    axes.set_ylabel("FD random VGG")
    axes.legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    try:
        if sys.argv[1] == "pictures":
            pictures(Path(sys.argv[2]), Path(sys.argv[3]), *map(int, sys.argv[4:5]))
        else:
            main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
