"""The first ten losses of every experiment at scale=smoke, as they were when last decided upon: golden_losses.csv.

    python tests/commands/golden.py [experiment …]

writes them anew, of all experiments or of some. Do so only where a change of the losses is meant, and give its reason
in the commit: every other change of the code is held to these figures.

Processors round differently, and a GAN's steps amplify that. The row `processors` is the largest difference, relative
to losses above 1, between this processor and what it is without AVX, or with AVX2 alone; `tolerance` makes of it what
a loss may differ by.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from itertools import accumulate
from pathlib import Path

FILE = Path(__file__).with_name("golden_losses.csv")
STEPS = 10
WORDS = ["scale=smoke", "trainer=cpu", "trainer.precision=32-true", "threads=1", f"trainer.limit_train_batches={STEPS}"]
PROCESSORS_DIFFER = "processors"  # by so much
PROCESSORS: list[dict[str, str]] = [
    {},
    {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
    {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
]

Losses = dict[str, list[float | None]]  # by name, a value a step; None where a critic's step has none of the generator


def losses(run: Path) -> Losses:
    """What a run of ten steps has logged, step by step; of one in stages each, by <stage>/<name>."""
    if stages := sorted(run.glob("[0-9]_*")):
        return {f"{one.name.partition('_')[2]}/{name}": of for one in stages for name, of in losses(one).items()}
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["train/lr"]]
    assert [int(row["batch"]) for row in rows] == list(range(1, STEPS + 1))
    names = sorted(name for name in rows[0] | rows[-1] if name.startswith("train/") and name != "train/lr")
    return {name.removeprefix("train/"): [float(row[name]) if row[name] else None for row in rows] for name in names}


def difference(one: Losses, other: Losses) -> list[float]:
    """By step the largest between two runs, relative to losses above 1."""
    assert one.keys() == other.keys()
    return [
        max(
            0.0 if values[step] is None else abs(values[step] - other[name][step]) / max(1, abs(values[step]))  # type: ignore[arg-type, operator]
            for name, values in one.items()
        )
        for step in range(STEPS)
    ]


def tolerance(content: dict[str, Losses], experiment: str) -> list[float]:
    """Ten times what processors differ by at most in an experiment of the same paper, as luck decides in which."""
    paper = experiment.partition("_")[0]
    rows = [losses[PROCESSORS_DIFFER] for name, losses in content.items() if name.startswith(paper)]
    by_step = [max(value or 0 for value in of_step) for of_step in zip(*rows, strict=True)]
    # Whatever there was of a difference is still there in the next step.
    return [max(1e-4, 10 * value) for value in accumulate(by_step, max)]


def golden() -> dict[str, Losses]:
    """By experiment; `processors` is one of the names."""
    found: dict[str, Losses] = {}
    with FILE.open(newline="", encoding="utf-8") as file:
        for experiment, name, *values in list(csv.reader(file))[1:]:
            found.setdefault(experiment, {})[name] = [float(value) if value else None for value in values]
    return found


def train_all(experiments: list[str]) -> dict[str, Losses]:
    """The losses of some experiments on this process' processor."""
    from suite.run import cli
    from suite.train import train

    found = {}
    for name in experiments:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder) / "run"
            sys.argv = ["suite.train", f"experiment={name}", *WORDS, "metrics=none", f"hydra.run.dir={run}"]
            cli.run("train", train)
            found[name] = losses(run)
    return found


def main(experiments: list[str]) -> None:
    from suite.run.config import CONF

    experiments = experiments or sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
    of_processors: list[dict[str, Losses]] = []
    for processor in PROCESSORS:
        with tempfile.NamedTemporaryFile() as file:
            subprocess.run(
                [sys.executable, __file__, "--into", file.name, *experiments], env=os.environ | processor, check=True
            )
            of_processors.append(json.loads(Path(file.name).read_text(encoding="utf-8")))
    first, *others = of_processors
    content = golden() if FILE.is_file() else {}
    for name in experiments:
        by_step = [max(of) for of in zip(*(difference(first[name], other[name]) for other in others), strict=True)]
        content[name] = first[name] | {PROCESSORS_DIFFER: list(by_step)}
    with FILE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["experiment", "loss", *range(1, STEPS + 1)])
        for name in sorted(content):
            for loss, values in content[name].items():
                digits = 2 if loss == PROCESSORS_DIFFER else 7
                writer.writerow([name, loss, *("" if value is None else f"{value:.{digits}g}" for value in values)])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--into"]:
        into, chosen = Path(sys.argv[2]), sys.argv[3:]
        into.write_text(json.dumps(train_all(chosen)), encoding="utf-8")
    else:
        main(sys.argv[1:])
