"""`python -m suite.bench.sheet gpu` (or `cpu`): the tables of docs/speed.md, measured on this machine, as Markdown.

Each variant is a command `python -m suite.bench` of its own, so that one that fails, or takes too long, leaves the
others. Nothing is fetched: pictures are drawn, networks of features have random weights.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from suite.errors import UserError

ENOUGH = 10.0  # seconds: with less left, no other variant is begun


class Variant(NamedTuple):
    """Words of suite.bench, and the seconds after which they are given up."""

    words: tuple[str, ...]
    limit: float


class Plan(NamedTuple):
    """Variants, the most telling first, and the seconds that all of them may take."""

    variants: tuple[Variant, ...]
    limit: float


def _gpu() -> Plan:
    often, seldom = ("bench.steps=20", "bench.repeats=2"), ("bench.steps=5", "bench.repeats=2")
    cyclegan = [
        ("experiment=cyclegan_lsgan", f"data.batch_size={batch}", f"trainer.precision={precision}", *recorded, *steps)
        for batch, steps in ((1, often), (16, seldom))
        for precision in ("bf16-mixed", "32-true")
        for recorded in (("model.recorded=true",), ("model.recorded=false", "bench.profile=true"))
    ]
    others = [
        ("experiment=pix2pix_final", "data.batch_size=1"),
        ("experiment=dagan_celeba_cufsf",),
        ("experiment=csi_celeba",),
        *(("experiment=two_step_faces", f"stage={name}", "data.size=64") for name in ("generator", "encoder")),
        *(("experiment=sketch_to_image_celeba_hq_256", f"stage={name}") for name in ("tom", "autoencoder", "refine")),
    ]
    compiled = [(*words, "model.compile=true") for words in (cyclegan[0], cyclegan[4])]
    every = ("trainer=gpu", "bench.warmup=5")
    return Plan(
        (
            *(Variant((*words, *every), 50) for words in cyclegan),
            *(Variant((*words, *every, "bench.steps=10", "bench.repeats=1"), 40) for words in others),
            *(Variant((*words, *every), 100) for words in compiled),
        ),
        520,
    )


def _cpu() -> Plan:
    one = ("data.batch_size=1",)
    two = ("data.batch_size=2",)  # the least: a triplet wants another picture, BatchNorm of a vector another row
    papers = [
        ("experiment=cyclegan_lsgan", *one),
        ("experiment=pix2pix_final", *one),
        ("experiment=pix2pix_unet", *one),
        ("experiment=dagan_celeba_cufsf", *one),
        ("experiment=csi_celeba", *one),
        *(("experiment=two_step_faces", f"stage={name}", *two) for name in ("generator", "encoder")),
        ("experiment=sketch_to_image_celeba_hq_256", "stage=tom", *one),
        ("experiment=sketch_to_image_celeba_hq_256", "stage=autoencoder", *two),
        ("experiment=sketch_to_image_celeba_hq_256", "stage=refine", *one),
    ]
    found = [
        (*words, "trainer=cpu", "data.workers=0", f"data.size={size}", f"data.load_size={size}", steps, precision)
        for size, steps in ((64, "bench.steps=3"), (128, "bench.steps=1"))
        for words in papers
        for precision in ("trainer.precision=32-true", "trainer.precision=bf16-mixed")
    ]
    return Plan(tuple(Variant(words, 180) for words in found), 3600)


PLANS = {"gpu": _gpu, "cpu": _cpu}
HEAD = (
    "| experiment | size | batch | precision | how | ms a step | pictures/s | published / ours | of it Lightning | "
    "first step, s | memory, MiB |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def measure_all(plan: Plan, words: Sequence[str]) -> int:
    """Print the rows as they are measured, then the profiles; how many variants there are no figures of.

    words: said behind those of each variant.
    """
    until, profiles, failed = time.monotonic() + plan.limit, [], 0
    print(HEAD, flush=True)
    for variant in plan.variants:
        left = until - time.monotonic()
        figures, why = (
            measured((*variant.words, *words), min(variant.limit, left)) if left > ENOUGH else ({}, "no time")
        )
        failed += not figures
        print(row(figures) if figures else failure([*variant.words, *words], why), flush=True)
        if figures.get("profile"):
            profiles.append(profile_line(figures))
    if profiles:
        print("\n".join(["", *profiles]), flush=True)
    return failed


def measured(words: Sequence[str], limit: float) -> tuple[dict[str, Any], str]:
    """The figures of one command, none where it failed; and why."""
    print(f"{limit:.0f} s for: python -m suite.bench {' '.join(words)}", file=sys.stderr, flush=True)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "suite.bench", *words], stdout=subprocess.PIPE, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return {}, f"more than {limit:.0f} s"
    if done.returncode != 0:
        return {}, f"exit code {done.returncode}"
    stage = next((word.partition("=")[2] for word in words if word.startswith("stage=")), "")
    (line,) = done.stdout.splitlines()
    return {"stage": stage} | json.loads(line), ""


def row(figures: dict[str, Any]) -> str:
    cells = [
        named(figures),
        f"{figures['size']}²",
        figures["batch"],
        figures["precision"],
        how(figures),
        f"{1e3 * figures['s_per_step']:.1f}",
        f"{figures['images_per_s']:.1f}",
        number(figures["reference_over_ours"], ".2f"),
        f"{100 * figures['lightning_share']:.0f} %",
        f"{figures['s_first_step']:.1f}",
        number(figures["peak_memory_mb"], ".0f"),
    ]
    return f"| {' | '.join(map(str, cells))} |"


def failure(words: Sequence[str], why: str) -> str:
    print(f"not measured ({why}): {' '.join(words)}", file=sys.stderr, flush=True)
    return f"| not measured ({why}): `{' '.join(words)}` |{' |' * 10}"


def named(figures: dict[str, Any]) -> str:
    return f"`{figures['experiment']}` {figures['stage']}".rstrip()


def how(figures: dict[str, Any]) -> str:
    return ", ".join(["recorded" if figures["recorded"] else "plain", *(["compiled"] if figures["compile"] else [])])


def number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def profile_line(figures: dict[str, Any]) -> str:
    """Where the time goes, of one variant: by kinds, and by phases."""
    profile = figures["profile"]
    kinds, phases = (
        ", ".join(f"{name} {100 * share:.0f} %" for name, share in profile[of].items()) for of in ("kinds", "phases")
    )
    of = f"{named(figures)} {figures['size']}², batch {figures['batch']}, {figures['precision']}, {how(figures)}"
    return f"- {of}, {profile['ms']:.1f} ms at work: {kinds}. {phases}."


def main(arguments: list[str]) -> int:
    """Exit code 1 where a variant has no figures. Raises UserError for a plan that is not there."""
    import torch

    name, *words = arguments or [""]
    if name not in PLANS:
        raise UserError(f"plan {name!r}: say python -m suite.bench.sheet {'|'.join(PLANS)}")
    if name == "gpu" and not torch.cuda.is_available():
        raise UserError("no GPU is found here: say python -m suite.bench.sheet cpu")
    return 1 if measure_all(PLANS[name](), words) else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
