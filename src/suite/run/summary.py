"""What a training run says of itself: before it begins, on one screen, and at its end."""

import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from suite.metrics.sets import SET_METRICS
from suite.metrics.table import rows_of
from suite.run.cluster import devices_of, nodes_of
from suite.run.config import plain
from suite.run.machine import has_bf16
from suite.run.needs import needs
from suite.run.trainer import precision
from suite.run.words import command, say

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from suite.papers.base import Paper


def summary(
    config: DictConfig,
    model: "Paper",
    run: Path,
    done: str,
    started_from: dict[str, str],
    holds_out: bool = True,
    batches: float | None = None,
) -> str:
    """What is about to run, on one screen; the whole configuration is in the file it names.

    done: what a resumed run has behind it, else empty. started_from: further lines, by title.
    holds_out: whether there are pictures to validate on. batches: of an epoch, where that is known.
    """
    data = config.data
    single = {key: value for key, value in plain(config.model).items() if key != "paper"}
    settings = ", ".join(f"{key} {value}" for key, value in single.items() if not isinstance(value, dict))
    metrics = [name for name in config.metrics.names if name != "l1_closest" or data.drawings == "all"]
    measured = ", ".join(metrics) or "none"
    if any(SET_METRICS[name].features == "features" for name in metrics if name in SET_METRICS):
        measured += f" ({config.metrics.features})"
    if metrics and config.metrics.monitor:
        measured += f", best by {config.metrics.monitor}"
    rows = {
        "run": f"{run}" + (f"   (resumed after {done})" if done else ""),
        **model.summary(),
        **started_from,
        "settings": textwrap.fill(settings, 100, subsequent_indent=" " * 14),
        "data": f"{data.source} ({data.task}) at {data.size}x{data.size}, batch {data.batch_size}" + _devices(config),
        "training": f"{duration(config, model)}, {precision(config)}, seed {config.seed}",
        "metrics": measured if holds_out else "none: no pictures are held out",
        **_recording(model),
        **_faster(config, model),
        **needs(config, model, run, holds_out, batches),
        "config": f"{run / 'config.yaml'}",
    }
    return "\n".join(f"  {name:12s}{value}" for name, value in rows.items())


def _devices(config: DictConfig) -> str:
    """Of how many a batch is one's, where there are several."""
    nodes, devices = nodes_of(config), devices_of(config)
    if nodes > 1:
        return f" on each of {nodes} nodes x {devices} {'device' if devices == 1 else 'devices'}"
    return f" on each of {devices} devices" if devices > 1 else ""


def _recording(model: "Paper") -> dict[str, str]:
    """The line on how steps are made, where it could be either way."""
    if model.device.type != "cuda":
        return {}
    why = model.not_recorded()
    return {"steps": "recorded as CUDA graphs" if why is None else f"made one operation at a time, {why}"}


def _faster(config: DictConfig, model: "Paper") -> dict[str, str]:
    """The line on bfloat16, where a processor has it and is not asked for it."""
    if model.device.type != "cpu" or precision(config) != "32-true" or not has_bf16():
        return {}
    took = "a step of CycleGAN took 0.54 to 0.61 of the time, of the small one of scale=demo 0.93"
    return {"faster": f"perhaps with trainer.precision=bf16-mixed, which this processor has: {took}"}


def conclude(trainer: "pl.Trainer", model: "Paper", run: Path, seconds: float, holds_out: bool = True) -> str:
    """What came out, on one screen: the metrics, where the pictures are, and what can be done next.

    holds_out: whether there are pictures to test on.
    """
    from suite.papers.styled import STYLES
    from suite.run.picture_grids import latest

    time = _count(round(seconds), "second") if seconds < 120 else _count(round(seconds / 60), "minute")
    by_steps = model.schedule.unit == "step"
    done = _count(model.steps, "step") if by_steps else _count(trainer.current_epoch, "epoch")
    lines = [f"\n{done}, {time}"]
    metrics = {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith("val")}
    lines += [f"  {row.name:28s}{row.value:10.4f}  n {row.n}" for row in sorted(rows_of(metrics))]
    if grid := latest(run / "images", STYLES if model.needs_style else None):
        lines.append(f"  pictures    {grid}")
    lines.append(f"  run         {run}")
    lines += what_next(run, model, holds_out)
    if any((run / "wandb").glob("offline-run-*")):
        lines.append(f"  W&B         wandb sync {shlex.quote(f'{run}/wandb')}/offline-run-*")
    return "\n".join(lines)


def what_next(run: Path, model: "Paper", holds_out: bool = True) -> list[str]:
    """The commands that take a finished run, or one in stages that ends with this model; what is theirs in capitals.

    holds_out: whether there are pictures to test on; else those of training are all that can be measured.
    """
    of_run = say("run", run)
    lines = []
    if model.directions:
        further = [say("target", model.labels[-1])] if model.labels else []
        further += ["style=PICTURE_OR_FOLDER"] if model.needs_style else []
        translate = command("translate", of_run, "input=FILE_OR_FOLDER", "output=FOLDER", *further)
        lines.append(f"  translate   {translate}")
    if model.needs_style:
        grid = command("style_grid", of_run, "input=SKETCHES", "styles=PICTURES", "output=GRID.png")
        lines.append(f"  style grid  {grid}")
    return [*lines, f"  evaluate    {command('evaluate', of_run, *(['split=train'] * (not holds_out)))}"]


def duration(config: DictConfig, model: "Paper") -> str:
    """How long it trains, as in 200 epochs, or 3 epochs of 200 epochs where the trainer ends it before its model."""
    of_model, most = model.schedule, config.trainer.max_epochs
    if most < 0 or (of_model.unit == "epoch" and most == of_model.total):
        return str(of_model)
    return f"{_count(most, 'epoch')} of {of_model}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
