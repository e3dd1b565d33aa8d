"""`python -m suite.bench experiment=<name>`: how fast an experiment trains on this machine, as one JSON line.

The same updates on the same batch are made in three ways: under Lightning, as a run makes them; bare, by the same
training step without Lightning; and as the published algorithm has them, written plainly (`suite.papers.reference`).
The ways take turns, because a machine's speed drifts, and the median of the turns counts, because it jumps.

With `bench.loader=true` the loader alone is measured, see `suite.bench.loader`.
"""

import contextlib
import json
import sys
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

from omegaconf import DictConfig, OmegaConf

from suite.arguments import Positive, check_types
from suite.data.batch import Batch
from suite.errors import UserError
from suite.run import cli
from suite.run.allocator import hand_freed_memory_back, keep_freed_memory
from suite.run.config import instantiate, plain


def bench(config: DictConfig) -> None:
    """Print the figures; `config` is composed from conf/bench.yaml."""
    from hydra.core.hydra_config import HydraConfig

    from suite.run.checks import check_config

    experiment = HydraConfig.get().runtime.choices.get("experiment")
    if experiment is None:
        raise UserError("which experiment? Say experiment=<name>")
    options = plain(config.bench)
    config = OmegaConf.masked_copy(config, [key for key in config if key != "bench"])  # type: ignore[misc]
    check_config(config)
    check(config, options)
    with contextlib.redirect_stdout(sys.stderr):  # what libraries have to say is no part of the line
        figures = measure(config, **options)
    print(json.dumps({"experiment": experiment, **figures}), flush=True)


def check(config: DictConfig, options: dict[str, Any]) -> None:
    """Raises UserError for what can't be measured."""
    from suite.run.trainer import precision

    check_types("bench.", measure, options)
    for key in ("devices", "num_nodes"):
        if config.trainer[key] not in (1, "1"):
            raise UserError(f"trainer.{key}={config.trainer[key]}: suite.bench measures one device, trainer.{key}=1")
    if precision(config) not in ("32-true", "bf16-mixed"):
        raise UserError(f"trainer.precision={precision(config)}: suite.bench measures 32-true and bf16-mixed")
    if options["loader"] and config.data.task not in ("unpaired", "paired"):
        raise UserError(f"data.task={config.data.task}: bench.loader=true measures the tasks unpaired and paired")


def measure(
    config: DictConfig,
    steps: Positive,
    warmup: Positive,
    repeats: Positive,
    reference: bool,
    loader: bool,
    profile: bool,
) -> dict[str, Any]:
    """The figures of conf/bench.yaml's help, and what they were measured with."""
    import pytorch_lightning as pl
    import torch

    from suite.bench import phases, timing
    from suite.bench.shares import shares_of_networks
    from suite.bench.trace import trace_steps
    from suite.run.fit import settle
    from suite.run.trainer import find_device, make_trainer, precision, quiet_lightning
    from suite.updates.recording import EAGER

    settings = {
        "accelerator": find_device(config.trainer.accelerator, "trainer.accelerator"),
        "devices": 1,
        "precision": precision(config),
        "benchmark": config.trainer.benchmark,
        "deterministic": config.trainer.deterministic,
    }

    def bare_trainer(**more: Any) -> pl.Trainer:
        return make_trainer(
            **settings,
            **more,
            max_epochs=-1,
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )

    quiet_lightning()
    warnings.filterwarnings("ignore", ".*no `val_dataloader`.*")
    settle(config.seed, config.threads)
    if loader:
        from suite.bench.loader import measure_loader

        return measure_loader(config, bare_trainer(), steps, warmup, repeats, reference)
    config.model.steps, config.model.decay_steps = None, 0  # a short schedule would end a turn
    if "features" in config.model:
        config.model.features = "random_vgg"  # as much work as the published ones, which would have to be there
    if config.start_from is None and "sketch_sets" in config.data:
        config.data.sketch_sets = None  # no stage came before that would have drawn them: the data's own drawings
    model, data = instantiate(config)
    device = bare_trainer().strategy.root_device
    if device.type == "cuda" and model.recorded is not False:
        warmup = max(warmup, (EAGER + 1) * model.batches_per_step)
    # Whole rounds of critic steps, or turns would hold unequally many generator steps.
    steps, warmup = (-(-number // model.batches_per_step) * model.batches_per_step for number in (steps, warmup))

    say(f"{timing.name_of(device)}: {warmup} + {steps} steps fed by {config.data.source}")
    waiting, first, batch = timing.time_loader(model, data, warmup, steps, bare_trainer)
    memory = timing.peak_memory(device)  # of one model in training, before the others are there

    bare = type(model)(**model.hparams).to(device).train()  # a step of a model outside of a Trainer needs none
    published = bare.published_step(batch) if reference else None
    bare.setup("fit")  # compiles it, if asked to
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision(config) == "bf16-mixed")

    def bare_step(batch: Batch) -> None:
        bare.training_step(batch, 0)

    ways: dict[str, Callable[[], float]] = {
        "lightning": lambda: timing.time_lightning(model, batch, warmup, steps, bare_trainer),
        "bare": lambda: timing.time_steps(bare_step, batch, warmup, steps, autocast),
    }
    if published:

        def as_published() -> float:
            hand_freed_memory_back()  # the published code leaves that as it is
            try:
                return timing.time_steps(published, batch, warmup, steps, autocast)
            finally:
                keep_freed_memory()

        ways["reference"] = as_published
    turns: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(repeats):
        say(f"turn {number + 1} of {repeats}: {warmup} + {steps} steps of {', '.join(ways)}")
        for way, time_it in ways.items():
            turns[way].append(time_it())
    seconds = {way: median(times) for way, times in turns.items()}
    recorder = bare.recorder()
    recorded = recorder is not None and recorder.records
    bare.stop_recording()
    trace = trace_steps(bare, bare_step, batch, autocast, bare.batches_per_step)  # those of a round are of two kinds
    times = phases.times_of(trace) if profile else {}
    if times:
        say(phases.table_of(times))

    return {
        "device": timing.name_of(device),
        "precision": precision(config),
        "compile": bool(config.model.compile),
        "recorded": recorded,
        "data": config.data.source,
        "size": config.data.size,
        "batch": config.data.batch_size,
        "images_per_s": rounded(config.data.batch_size / seconds["lightning"]),
        "s_per_step": rounded(seconds["lightning"]),
        "s_per_step_bare": rounded(seconds["bare"]),
        "s_per_step_reference": rounded(seconds.get("reference")),
        "s_first_step": rounded(first),
        "peak_memory_mb": rounded(memory),
        "data_wait_share": rounded(waiting),
        "lightning_share": rounded(1 - seconds["bare"] / seconds["lightning"]),
        "reference_over_ours": rounded(seconds["reference"] / seconds["bare"] if published else None),
        # Operations of compiled networks have no numbers, by which the way back is known for theirs.
        "shares": None if config.model.compile else rounded_each(shares_of_networks(trace)),
        "profile": {
            "ms": rounded(sum(times.values())),
            "phases": rounded_each(phases.shares_by(times, 0)),
            "kinds": rounded_each(phases.shares_by(times, 1)),
        }
        if profile
        else None,
        "steps": steps,
        "repeats": repeats,
    }


def rounded(value: float | None) -> float | None:
    """Four digits: more would be noise."""
    return None if value is None else float(f"{value:.4g}")


def rounded_each(values: dict[str, float]) -> dict[str, float | None]:
    return {name: rounded(value) for name, value in values.items()}


def say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> None:
    """The console script `suite-bench`."""
    keep_freed_memory()
    cli.run("bench", bench)
