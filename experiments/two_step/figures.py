"""The two_step sweeps in tables and grids: python -m experiments.two_step.figures runs experiments/two_step [sweep …]

Reads runs/two_step*/<time>/<arm>-<seed>, runs on built-in faces that end with an encoder; prints the tables in
Markdown, and writes into the second folder <sweep>.png: of the first seed, test faces and what each arm makes of
them, of the other sex. Of an arm that was run twice with a seed the later run counts, and only runs that ended. ± is
half a 95 % interval over the seeds (Student's t). The judges are trained first, and kept in runs/two_step.

    python -m experiments.two_step.figures pictures <run> <folder> [count]

writes the paper's figures of any run, whatever its data, of `count` test pictures a label: fig_<direction>.png, inputs
in odd and translations in even columns, as Fig. 3 and 4; classes.png, an input and it in each class; and
interpolation.png, from one input's code to another's of its label, in each class.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from experiments import seeds
from experiments.seeds import Runs, last_stage, took
from experiments.sheets import Column, draw
from experiments.two_step.judges import GROUPS, judges_of
from experiments.two_step.measure import DIRECTIONS, FIGURES, YARDSTICKS, measure, unseen_faces
from torch import Tensor

import suite
from suite.data.module import PictureData
from suite.errors import UserError
from suite.images import uint8_to_unit, unit_to_signed
from suite.run.config import plain
from suite.run.folder import has_stages, of_stage, read_config, read_stages

DIGITS = {"psnr": 2, "fd": 2}  # of the others 3
TITLES = {  # of arms, above pictures
    "two_step_paper": "paper",
    "two_step_official_code": "code",
    "embedding0__aux_False": "one-hot",
    "embedding5__aux_True": "D, of fakes",
    "latents__of_all__told_True": "E told c",
    "latents__of_female__told_False": "E of female",
    "latents__of_male__told_False": "E of male",
    "pictures__of_all__told_False": "E before G",
}
PAIRS = 4  # side by side in a row of fig_<direction>.png
ROWS = 8  # of classes.png, labels in turn
STEPS = 7  # of an interpolation, both ends included


def main(runs: Path, output: Path, *wanted: str) -> None:
    torch.set_num_threads(1)
    output.mkdir(parents=True, exist_ok=True)
    for sweep, arms in sweeps(runs).items():
        if wanted and sweep not in wanted:
            continue
        size = read_config(last_stage(next(iter(arms.values()))[0])).data.size
        judges = judges_of(runs / "two_step", size)
        measured = {arm: [measure(run, judges) for run in of_arm] for arm, of_arm in arms.items()}
        print(f"\n{sweep}\n\n{strength(next(iter(measured.values()))[0])}", flush=True)
        for direction in ("", *DIRECTIONS):
            title = f"{sweep}, {direction.replace('_', ' ') or 'both directions'}"
            print(f"\n{title}\n\n{table(measured, f'{direction}/' if direction else '')}", flush=True)
        print(f"\n{sweep}, time\n\n{table_of_time(arms)}", flush=True)
        draw(faces_of_arms({arm: of_arm[0] for arm, of_arm in arms.items()}, size), output / f"{sweep}.png")


def sweeps(runs: Path) -> dict[str, Runs]:
    """Finished runs by sweep and arm, of each seed the latest."""
    return seeds.sweeps_of("two_step", runs)


# Tables ---------------------------------------------------------------------------------------------------------------


def strength(measured: Mapping[str, float]) -> str:
    """How good the judges are on real test faces: the classifier's accuracy, and R² of each group of parameters."""
    explained = {group: 1 - (measured[f"real/{group}"] / measured[f"guess/{group}"]) ** 2 for group in GROUPS}
    said = ", ".join(f"{group} {value:.2f}" for group, value in explained.items())
    return f"The judges, on real test faces: accuracy {measured['real/target_share']:.3f}; R² {said}"


def table(measured: Mapping[str, Sequence[Mapping[str, float]]], of: str = "") -> str:
    """A line for each yardstick and each arm; of: a prefix of figures, as to_male/."""
    return seeds.table(measured, FIGURES, YARDSTICKS, lambda name: DIGITS.get(name, 3), of)


def table_of_time(arms: Runs) -> str:
    """What every stage says at its end; of one that was stopped and resumed, only the time since."""
    lines = ["| arm | stage | updates | minutes |", "|---|---|---|---|"]
    for arm, of_arm in arms.items():
        for stage, place in places_of_stages(of_arm[0]).items():
            said = [took(run / place) for run in of_arm]
            lines.append(f"| `{arm}` | {stage} | {said[0][0]} | {mean(minutes for _, minutes in said):.1f} |")
    return "\n".join(lines)


def places_of_stages(run: Path) -> dict[str, str]:
    """The folder of each stage within a run, by the stage's name; of a run of one stage alone its own."""
    if not has_stages(run):
        return {read_config(run).model.stage: "."}
    return {stage: f"{number}_{stage}" for number, stage in enumerate(read_stages(run), start=1)}


# Pictures -------------------------------------------------------------------------------------------------------------


def faces_of_arms(arms: Mapping[str, Path], size: int, count: int = 3) -> list[Column]:
    """Test faces, `count` of each sex, and what every arm makes of them."""
    test = unseen_faces(size, 2 * count)
    inputs = {to: test.of_label(source).pictures for to, (source, _) in DIRECTIONS.items()}
    found = [("input", torch.cat(list(inputs.values())))]
    for arm, run in arms.items():
        model = suite.load(run)
        found.append((TITLES.get(arm, arm), torch.cat([model.translate(x, to) for to, x in inputs.items()])))
    return found


def pictures(run: Path, output: Path, count: int = 12) -> None:
    """The paper's figures of a run on its own data. Raises UserError where it does not translate yet."""
    if count < 2:
        raise UserError(f"count={count}: an interpolation goes from one picture to another; say 2 or more")
    model: Any = suite.load(run)
    if not model.directions:
        raise UserError(f"{run} translates nothing yet: train its encoder, or take a run of both stages")
    output.mkdir(parents=True, exist_ok=True)
    write_figures(model, of_each_label(run, count), output)


def of_each_label(run: Path, count: int) -> dict[str, Tensor]:
    """By name, the first test pictures of each label (N, 3, S, S) in [-1, 1], `count` or all there are."""
    options: dict[str, Any] = {**plain(read_config(of_stage(run)).data), "eval_batch_size": count, "workers": 0}
    data = PictureData(**options)
    data.setup()
    first = {name: next(iter(data.reals("test", f"label={name}")), None) for name in data.label_names}
    return {name: unit_to_signed(uint8_to_unit(batch["picture"])) for name, batch in first.items() if batch is not None}


@torch.no_grad()
def write_figures(model: Any, inputs: Mapping[str, Tensor], output: Path) -> None:
    """inputs: pictures by label, those that the model knows."""
    for label in model.labels:
        if others := [of_one for name, of_one in inputs.items() if name != label]:
            x, direction = _in_turn(others), model.towards(label)
            draw(_side_by_side(x, model.translate(x, direction)), output / f"fig_{direction}.png")
    draw(classes(model, _in_turn(list(inputs.values()))[:ROWS]), output / "classes.png")
    draw(interpolations(model, inputs), output / "interpolation.png")


def classes(model: Any, x: Tensor) -> list[Column]:
    """Inputs, and what their codes give with each class, their own among them."""
    z = model.encode(x)
    return [("input", x), *((label, _decode(model, z, number)) for number, label in enumerate(model.labels))]


def interpolations(model: Any, inputs: Mapping[str, Tensor], pairs: int = 2) -> list[Column]:
    """Two inputs of a label, and between them what lies on the line between their codes: a row for each class."""
    starts = torch.cat([of_one[0 : 2 * pairs : 2][: len(of_one) // 2] for of_one in inputs.values()])
    ends = torch.cat([of_one[1 : 2 * pairs : 2] for of_one in inputs.values()])
    z, to = model.encode(starts), model.encode(ends)

    def of_every_class(z: Tensor) -> Tensor:
        made = [_decode(model, z, number) for number in range(len(model.labels))]
        return torch.stack(made, dim=1).flatten(0, 1)  # a pair's rows below each other

    shares = torch.linspace(0, 1, STEPS).tolist()
    between = [(f"{share:.2f}", of_every_class(z + share * (to - z))) for share in shares]
    first, last = (x.repeat_interleave(len(model.labels), 0) for x in (starts, ends))
    return [("from", first), *between, ("to", last)]


def _side_by_side(x: Tensor, made: Tensor) -> list[Column]:
    shown = [(("input", x[start::PAIRS]), ("output", made[start::PAIRS])) for start in range(min(PAIRS, len(x)))]
    return [column for pair in shown for column in pair]


def _in_turn(sets: Sequence[Tensor]) -> Tensor:
    """One picture of each set after the other, as many as the smallest has."""
    shortest = min(map(len, sets))
    return torch.stack([of_one[:shortest] for of_one in sets], dim=1).flatten(0, 1)


def _decode(model: Any, z: Tensor, label: int) -> Tensor:
    return model.decode(z, torch.full((len(z),), label))


if __name__ == "__main__":
    try:
        if sys.argv[1] == "pictures":
            pictures(Path(sys.argv[2]), Path(sys.argv[3]), *map(int, sys.argv[4:5]))
        else:
            main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
