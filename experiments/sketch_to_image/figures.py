"""The sketch_to_image sweeps in tables and grids: python -m experiments.sketch_to_image.figures runs <folder> [sweep …]

Reads runs/sketch_to_image*/<time>/<arm>-<seed>, runs of one stage on built-in faces; prints the tables in Markdown, and
writes <sweep>.png: test sketches, the styles that they are to have, the true faces, and what each arm makes of them;
where runs were validated more than once, also <sweep>_curves.png, as Fig. 6. Of an arm that was run twice with a seed
the later run counts, and only runs that ended. ± is half the distance between two seeds, of more half a 95 % interval
(Student's t).

    python -m experiments.sketch_to_image.figures pictures <run> <folder> [count]

writes the paper's figures of any run in stages, whatever its data: sketches.png, TOM's sketches of test photos beside
those of edge detectors, as Fig. 5; synthesis.png, uncurated, as Fig. 4 and 12 to 15; curves.png, as Fig. 6;
transfer.png, photos in the style of others by the model and by neural style transfer, as Fig. 9.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from experiments import seeds
from experiments.seeds import Runs, points
from experiments.sheets import Column, draw
from experiments.sketch_to_image.measure import FIGURES, YARDSTICKS, Pairs, measure, test_pairs
from torch import Tensor

import suite
from suite.errors import UserError
from suite.images import signed_to_unit, unit_to_signed
from suite.losses.gram import gram
from suite.papers.drawing import drawers, snapshots
from suite.run.config import instantiate
from suite.run.folder import has_stages, is_finished, kept_splits, of_stage, read_config, read_stages
from suite.sketching import simulate

Curve = tuple[list[int], list[float]]  # of updates
AT_ONCE = 16  # pictures in a batch
MADE = ("auto-encoder", "refined")
DISTANCES = {"fd_random_vgg": "FD random VGG", "fid": "FID"}  # by their columns in metrics.csv
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
        first = {arm: of_arm[0] for arm, of_arm in arms.items()}
        draw(faces_of_arms(first), output / f"{sweep}.png")
        curves_of_arms(first, output / f"{sweep}_curves.png")


def sweeps(runs: Path) -> dict[str, Runs]:
    """Finished runs by sweep and arm, of each seed the latest."""
    return seeds.sweeps_of("sketch_to_image", runs)


def table(measured: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """A line for each yardstick and each arm."""
    return seeds.table(measured, FIGURES, YARDSTICKS, lambda name: DIGITS.get(name, 3))


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
    made = []
    for x, of_style, index in zip(*(t.split(AT_ONCE) for t in (sketch, style, torch.arange(len(sketch)))), strict=True):
        made.append(list(model.colour(x, model.encode_style(of_style), index.tolist()).values()))
    return [torch.cat(parts) for parts in zip(*made, strict=True)]


def pictures(run: Path, output: Path, count: int = 8) -> None:
    """The paper's figures of a run in stages on its own data. Raises UserError where it has none."""
    stages = finished_stages(run)
    output.mkdir(parents=True, exist_ok=True)
    config = read_config(of_stage(run))
    _, data = instantiate(config, kept_splits(of_stage(run), config.data))
    data.setup()
    batches = [data.finish(batch) for batch in data.first_batches("test", count)]
    sketch, photo, style = (torch.cat([batch[key] for batch in batches]) for key in ("a", "b", "style"))
    draw(sketched(stages["tom"], photo), output / "sketches.png")
    model: Any = suite.load(run)
    made = coloured(model, sketch, style)
    draw([("sketch", sketch), ("style", style), *zip(MADE, made, strict=False)], output / "synthesis.png")
    draw(transferred(model, photo[:4], style[:4]), output / "transfer.png")
    curves(run, output / "curves.png")


def finished_stages(run: Path) -> dict[str, Path]:
    """Those of a run, by name: tom, and one that makes pictures at least. Raises UserError where it lacks them."""
    names = list(read_stages(run)) if has_stages(run) else []
    folders = {name: run / f"{number}_{name}" for number, name in enumerate(names, start=1)}
    found = {name: folder for name, folder in folders.items() if is_finished(folder)}
    if "tom" not in found or len(found) == 1:
        raise UserError(f"{run}: give a run in stages that has finished tom, and autoencoder or joint")
    return found


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


# Curves ---------------------------------------------------------------------------------------------------------------


def curves(run: Path, path: Path) -> None:
    """Validation over the updates of the auto-encoder, and on from there over those of G2 (Fig. 6).

    Raises UserError where no validation measured a distance.
    """
    stages = {name: folder for name, folder in finished_stages(run).items() if name != "tom"}
    name, start = distance_of(stages.values()), 0
    if name is None:
        raise UserError(f"{run}: no validation has measured fid, so there are no curves; train with metrics=offline")
    found: dict[str, Curve] = {}
    for stage, folder in stages.items():
        for section, styles in (("val", "matched"), ("val_mismatched", "mismatched")):
            steps, values = points(folder, f"{section}/{name}")
            found[f"{stage}, {styles}"] = [start + step for step in steps], values
        start += max(steps, default=0)
    plot(found, name, path)


def curves_of_arms(arms: Mapping[str, Path], path: Path) -> None:
    """Validation in the styles of others, a curve for each run that was validated more than once; none, no file."""
    runs = {arm: of_stage(run) for arm, run in arms.items()}
    if (name := distance_of(runs.values())) is None:
        return
    found = {TITLES.get(arm, arm): points(run, f"val_mismatched/{name}") for arm, run in runs.items()}
    if several := {title: curve for title, curve in found.items() if len(curve[0]) > 1}:
        plot(several, name, path)


def distance_of(runs: Iterable[Path]) -> str | None:
    """Which one the validations of these runs have measured, the first of DISTANCES."""
    columns = [f"{section}/" for section in ("val", "val_mismatched")]
    runs = list(runs)
    return next((d for d in DISTANCES if any(points(run, c + d)[0] for run in runs for c in columns)), None)


def plot(found: Mapping[str, Curve], distance: str, path: Path) -> None:
    figure, axes = plt.subplots(figsize=(6, 3))
    for label, (steps, values) in found.items():
        axes.plot(steps, values, "--" if label.endswith("mismatched") else "-", marker="o", label=label)
    axes.set_xlabel("updates")
    axes.set_ylabel(DISTANCES[distance])
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
