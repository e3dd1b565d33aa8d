"""What a run needs of its machine, said before its first step: memory for a step, room for what it writes."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from omegaconf import DictConfig

from suite.files import free_bytes, readable_bytes
from suite.run.machine import free_memory
from suite.run.trainer import precision

if TYPE_CHECKING:
    from suite.papers.base import Paper

_CALCULATED_FROM = 256 * 256  # pixels in a batch; below, a calculation of seconds is not worth its while
_COLUMNS = 3  # of a grid: input, output, truth
_ON_SHEET = 7 * 7  # pictures at most on one of sketches by styles, which stand along its sides


def needs(
    config: DictConfig, model: "Paper", run: Path, holds_out: bool = True, batches: float | None = None
) -> dict[str, str]:
    """Lines by title: the memory and the disk that a run needs, and, as a warning, which of them the machine lacks.

    batches: of an epoch, None where that is not known. holds_out: whether there are pictures to validate on.
    """
    said, lacking = _memory(config, model)
    on_disk, no_room = _disk(config, model, run, holds_out, batches)
    warning = "; ".join(filter(None, (lacking, no_room)))
    return {"memory": said, "disk": on_disk} | ({"warning": warning} if warning else {})


def _memory(config: DictConfig, model: "Paper") -> tuple[str, str]:
    from suite.updates.memory import lasting_memory, memory_of

    count, size, kind = config.data.batch_size, config.data.size, precision(config)
    calculated = count * size * size >= _CALCULATED_FROM
    if calculated:
        found = memory_of(model, lambda: model.example(count, size), half=kind != "32-true")
    else:
        found = lasting_memory(model)
    parts = {"weights": found.weights, "their average": found.average, "gradients": found.gradients}
    parts |= {"the optimizers": found.optimizers, f"a step of {count}": found.step}
    shares = ", ".join(f"{name} {readable_bytes(part)}" for name, part in parts.items() if part)
    total = readable_bytes(found.total)
    if calculated:
        said = f"{total} by calculation: {shares}; kernels' own work space not counted"
    else:
        said = f"at least {total}: {shares}; what a step takes comes on top"
    has = free_memory(model.device) + found.weights + found.average  # which are there already
    if has >= found.total:
        return said, ""
    where = "this GPU" if model.device.type == "cuda" else "this machine"
    mend = f"lower data.batch_size{' or set trainer.precision=bf16-mixed' if kind == '32-true' else ''}"
    return said, f"{where} has {readable_bytes(has)} of memory for it: {mend}"


class _Length(NamedTuple):
    """Of a whole run, at most; 0: not known."""

    epochs: int
    steps: int
    validations: int


def _disk(config: DictConfig, model: "Paper", run: Path, holds_out: bool, batches: float | None) -> tuple[str, str]:
    from suite.updates.memory import lasting_memory

    length = _length(config, model, int(batches) if batches and math.isfinite(batches) else 0)
    bare = sum(value.nbytes for value in model.state_dict().values() if hasattr(value, "nbytes"))
    whole = bare + lasting_memory(model).optimizers
    has_best = bool(holds_out and config.metrics.names and config.metrics.monitor)
    keep = config.checkpoint.get("keep")  # runs of before have none
    of_steps = [at for at in config.checkpoint.at_steps if not length.steps or at <= length.steps]
    kept = len(of_steps) + (length.epochs // keep if keep else 0)
    checkpoints = (2 + has_best) * whole + kept * bare  # one of them being written, beside its place
    images = config.images
    columns = max(_COLUMNS + model.needs_style, 1 + len(model.labels))
    drawn = (images.count + images.train) * columns * (max(1, len(model.directions)) + model.needs_style)
    drawn += _ON_SHEET * (model.needs_style and images.count > 0)
    shown = length.validations // images.every_n_validations if holds_out else 0
    grids = 3 * config.data.size**2 * drawn * shown  # bytes, as if PNG packed nothing

    named = ["last", *["best"] * has_best, *[f"{kept} without optimizers"] * bool(kept)]
    said = f"{readable_bytes(checkpoints)} for checkpoints ({', '.join(named)}, one being written)"
    if grids:
        said += f", up to {readable_bytes(grids)} for picture grids"
    there = sum(file.stat().st_size for part in ("checkpoints", "images") for file in (run / part).glob("*.*"))
    if (free := free_bytes(run)) + there >= checkpoints + grids:
        return said, ""
    return said, (
        f"the disk of {run} has {readable_bytes(free)} free: free space there, keep fewer checkpoints "
        "(checkpoint.at_steps, checkpoint.keep) and pictures (images.count), or name another folder, hydra.run.dir=…"
    )


def _length(config: DictConfig, model: "Paper", batches: int) -> _Length:
    schedule, most = model.schedule, config.trainer.max_epochs
    if schedule.unit == "epoch" or most > 0:
        epochs = most if most > 0 else schedule.total
        steps = epochs * batches // model.batches_per_step
        steps = min(steps or schedule.total, schedule.total) if schedule.unit == "step" else steps
    else:
        steps = schedule.total
        epochs = math.ceil(steps * model.batches_per_step / batches) if batches else 0
    if (every := config.validation.every_n_steps) is not None:
        return _Length(epochs, steps, steps // every)
    return _Length(epochs, steps, epochs // config.trainer.check_val_every_n_epoch if most > 0 else 1)
