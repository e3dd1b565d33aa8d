"""The dagan sweeps in tables and grids: python -m experiments.dagan.figures runs experiments/dagan [sweep …]

Reads runs/dagan*/<time>/<arm>-<seed>; prints the tables in Markdown, and writes into the second folder, of the first
seed: fig1.png, CSI on both styles; fig3.png and fig4.png, sketch | photo | CSI | DA-GAN and the other arm, on simulated
and on hand-drawn sketches, as the paper's figures of those numbers; of the other sweeps the latter. Of an arm that was
run twice with a seed the later run counts, and only runs that ended. ± is half a 95 % interval over the seeds
(Student's t).

    python -m experiments.dagan.figures grids <run of CSI> <run of DA-GAN> <folder>

writes fig1.png, fig3.png and fig4.png of any two runs, whatever their data; fig4.png without photos where hand-drawn
sketches have none.
"""

import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import torch
from experiments import seeds, sheets
from experiments.dagan.measure import DOMAINS, FIGURES, OF_CODES, Faces, faces, measure, yardsticks
from experiments.seeds import Runs, arm_and_seed, finished
from torch import Tensor

import suite

SWEEPS = ("dagan", "dagan_readings", "dagan_ratio")
MAIN = "dagan_celeba_cufsf"
# sweep=dagan_readings names its runs by all that may differ; what is as in DA-GAN's own run is left out.
DEFAULTS = {"sees_sample", "kl0.02", "vae_True", "tv1e-05", "bce"}
TITLES = {"csi_celeba": "CSI", MAIN: "DA-GAN", "dagan_no_adaptation": "not adapted"}
DIGITS = {"psnr": 2, "ssim": 3, "fd": 2, "lp_mean": 3, "lp_norm": 1, "lp_sum": 0, "probe": 2, "nats": 3, "shuffled": 2}


def main(runs: Path, output: Path, *wanted: str) -> None:
    torch.set_num_threads(1)
    found = sweeps(runs)
    for sweep, arms in found.items():
        if wanted and sweep not in wanted:
            continue
        for domain, title in DOMAINS.items():
            print(f"\n{sweep}, {title} sketches\n\n{table(arms, domain)}", flush=True)
        print(f"\n{sweep}, codes\n\n{table_of_codes(arms)}", flush=True)
        first = {arm: of_arm[0] for arm, of_arm in arms.items()}
        if sweep == "dagan":
            grids(first, output)
        else:
            draw(columns(first, "target"), output / f"{sweep}.png")


def sweeps(runs: Path) -> dict[str, Runs]:
    """Finished runs by sweep and arm; what the readings are compared with is trained in `dagan`, and shown in both."""
    latest: dict[tuple[str, str, str], Path] = {}
    for run in finished(runs.glob("dagan*/*/*-*")):
        arm, seed = arm_and_seed(run)
        arm = "__".join(part for part in arm.split("__") if part not in DEFAULTS)
        latest[run.parents[1].name, arm, seed] = run
    found: dict[str, Runs] = {}
    for sweep in SWEEPS:
        arms: Runs = defaultdict(list)
        for (of_sweep, arm, _), run in sorted(latest.items()):
            if of_sweep == sweep or (of_sweep, arm, sweep) == ("dagan", MAIN, "dagan_readings"):
                arms[arm].append(run)
        if any(of_sweep == sweep for of_sweep, _, _ in latest):
            found[sweep] = arms
    return found


# Tables ---------------------------------------------------------------------------------------------------------------


def table(arms: Runs, domain: str) -> str:
    lines = ["| arm | seeds | " + " | ".join(FIGURES.values()) + " |", "|---" * (2 + len(FIGURES)) + "|"]
    for name, figures in yardsticks(next(iter(arms.values()))[0]).items():
        lines.append(f"| {name} | | " + " | ".join(cell([figures], f"{domain}/{key}") for key in FIGURES) + " |")
    for arm, of_arm in arms.items():
        measured = [measure(run) for run in of_arm]
        cells = " | ".join(cell(measured, f"{domain}/{key}") for key in FIGURES)
        lines.append(f"| `{arm}` | {len(of_arm)} | {cells} |")
    return "\n".join(lines)


def table_of_codes(arms: Runs) -> str:
    lines = ["| arm | updates | " + " | ".join(OF_CODES.values()) + " |", "|---" * (2 + len(OF_CODES)) + "|"]
    for arm, of_arm in arms.items():
        measured = [measure(run) for run in of_arm]
        cells = " | ".join(cell(measured, key) for key in OF_CODES)
        lines.append(f"| `{arm}` | {measured[0]['steps']:.0f} | {cells} |")
    return "\n".join(lines)


def cell(measured: list[dict[str, float]], key: str) -> str:
    return seeds.cell(measured, key, lambda mean: DIGITS[key.rpartition("/")[2]])


# Pictures -------------------------------------------------------------------------------------------------------------


def grids(arms: Mapping[str, Path], output: Path) -> None:
    """Fig. 1, 3 and 4 of the paper, of a run for each arm."""
    output.mkdir(parents=True, exist_ok=True)
    draw(columns(arms, "source"), output / "fig3.png")
    draw(columns(arms, "target"), output / "fig4.png")
    if (csi := arms.get("csi_celeba")) is not None:
        model = suite.load(csi)
        seen, unseen = (faces(csi, "test", domain).sketches for domain in ("source", "target"))
        both = {"seen": seen, "CSI": model.translate(seen), "unseen": unseen, " CSI": model.translate(unseen)}
        draw(both, output / "fig1.png")


def columns(arms: Mapping[str, Path], domain: str) -> dict[str, Tensor]:
    """Sketch, photo where all are there, and what each arm makes of the sketch, by title."""
    shown: Faces = faces(next(iter(arms.values())), "test", domain)
    found = {"sketch": shown.sketches} | ({} if shown.photos is None else {"photo": shown.photos})
    order = sorted(arms, key=lambda arm: (arm != "csi_celeba", arm != MAIN))
    return found | {TITLES.get(arm, arm): suite.load(arms[arm]).translate(shown.sketches) for arm in order}


def draw(pictures: Mapping[str, Tensor], path: Path, count: int = 6) -> None:
    """The first pictures of each column, (N, 1 or 3, H, W) in [-1, 1], below its title."""
    sheets.draw([(name.strip(), of_column[:count]) for name, of_column in pictures.items()], path)


if __name__ == "__main__":
    if sys.argv[1] == "grids":
        grids({"csi_celeba": Path(sys.argv[2]), MAIN: Path(sys.argv[3])}, Path(sys.argv[4]))
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
