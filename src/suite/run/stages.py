"""A run in stages: each a complete run of its own in a sub-folder, which starts from the weights of the one before.

<run>/stages.yaml   the configuration of each stage, as it was composed when the run began
<run>/1_<stage>/    config.yaml, metrics.csv, checkpoints/ …, as of any run; conclusion.txt when it is finished
<run>/2_<stage>/    …
"""

import logging
import math
import re
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from omegaconf import DictConfig, OmegaConf

from suite.arguments import Name, OneOf, check_value, shown
from suite.errors import UserError
from suite.files import write_whole
from suite.papers import find_paper
from suite.run import console, folder
from suite.run.checkpoints import step_name
from suite.run.checks import check_config, check_keys, check_values, most_steps
from suite.run.cluster import on_rank_zero
from suite.run.config import compose_again, instantiate, resolved
from suite.run.fit import fit
from suite.run.request import changed, changes, new_id, with_own
from suite.run.summary import what_next
from suite.run.words import escaped, say, typed

log = logging.getLogger("suite")


def fit_stages(config: DictConfig, run: Path, words: list[str]) -> None:
    """Train the stages of an experiment in order; with `config.resume`, those that are not finished.

    words: of the command, as Hydra has them. Every stage is checked before the first begins, so that none fails hours
    later for what can be known now. Raises as `fit` does.
    """
    console.start(speaks=on_rank_zero())
    configs = resumed_stages(config, run, changes()) if config.resume else fresh_stages(config, run, words)
    share_steps(list(configs.values()))
    for of_one in configs.values():
        check_config(of_one)
        model, data = instantiate(of_one)  # in the end, those of the last stage
    for (name, of_one), after in zip(configs.items(), list(configs.values())[1:], strict=False):
        check_start(after.start, name, of_one)
    saved = OmegaConf.to_yaml(OmegaConf.create({name: resolved(of_one) for name, of_one in configs.items()}))
    if on_rank_zero():
        folder.refuse_another(run, resumed=bool(config.resume))
    as_they_were = (run / folder.STAGES).read_text(encoding="utf-8") if config.resume else None
    before: Path | None = None
    starts = [*(of_one.start for of_one in list(configs.values())[1:]), None]  # of each stage: where the next starts
    for number, (name, of_one) in enumerate(configs.items(), start=1):
        own = run / f"{number}_{name}"
        if not folder.is_finished(own):
            memory = console.start(speaks=on_rank_zero())
            log.info("stage %d of %d: %s", number, len(configs), name)
            begun = (own / "config.yaml").is_file()
            of_one.resume = escaped(str(own)) if begun and config.resume else None
            if before is not None:
                of_one.start_from = escaped(str(before))
            write_stages = partial(write_whole, run / folder.STAGES, saved)
            try:
                fit(of_one, own, memory, run, next_start=starts[number - 1], before_writing=write_stages)
            except UserError:
                refused = not (own / "config.yaml").is_file()
                if refused and as_they_were is not None and on_rank_zero():  # an earlier one has written the changes
                    write_whole(run / folder.STAGES, as_they_were)
                raise
        before = own
    log.info("\nall %d stages are trained: %s", len(configs), ", ".join(configs))
    log.info("\n".join(what_next(run, model, data.holds_out)))


def share_steps(configs: Sequence[DictConfig]) -> None:
    """Leave to each stage those of checkpoint.at_steps that it reaches, as one command says them for all.

    One that no stage reaches is left for `check_config` to refuse.
    """
    for of_one in configs:
        check_keys(of_one)
        check_values(of_one, only=("model", "checkpoint"))  # of anything but numbers there is no sum
    longest = max(map(most_steps, configs))
    for of_one in configs:
        at_steps = [at for at in of_one.checkpoint.at_steps if at <= most_steps(of_one) or at > longest]
        of_one.checkpoint.at_steps = at_steps


def check_start(start: str, name: str, before: DictConfig) -> None:
    """Raises UserError where the stage of that name, by its configuration, keeps no checkpoint called `start`."""
    has_best = bool(before.metrics.names and before.metrics.monitor)
    if start == "best" and not has_best:
        raise UserError("start=best: without metrics.monitor a stage has no best checkpoint; say start=last")
    at_steps = before.checkpoint.at_steps
    stored = ["last", *["best"] * has_best, *map(step_name, at_steps)]
    most = before.trainer.max_epochs if before.trainer.max_epochs > 0 else math.inf
    every, epoch = before.checkpoint.get("keep"), re.fullmatch(r"epoch([1-9]\d*)(\.ckpt)?", start)
    if every is not None:
        stored.append(f"epoch{every} and its multiples")
        if epoch and int(epoch[1]) % every == 0 and int(epoch[1]) <= most:
            return
    if start.removesuffix(".ckpt") not in stored and not (start == "first" and at_steps):
        raise UserError(
            f"start={start}: stage {name} keeps {', '.join(stored)}; choose from these, or add to checkpoint.at_steps"
        )


def fresh_stages(config: DictConfig, run: Path, words: list[str]) -> dict[str, DictConfig]:
    """The configuration of each stage, by name and in order."""
    configs: dict[str, DictConfig] = {}
    before: Path | None = None
    for name in names_of(config):
        configs[name] = of_stage(config, run, name, words)
        if before is not None:
            configs[name].start_from = escaped(str(before))  # so that its data may lie there: ${start_from}/…
        before = run / f"{len(configs)}_{name}"
    return configs


def resumed_stages(config: DictConfig, run: Path, changes: list[str]) -> dict[str, DictConfig]:
    """As they were when the run began, or since they began; with what the words change in those that go on."""
    configs = folder.read_stages(run)
    for number, name in enumerate(configs, start=1):
        own = run / f"{number}_{name}"
        if (own / "config.yaml").is_file():  # it may have been resumed alone, with changes
            configs[name] = folder.read_config(own)
        configs[name] = with_own(configs[name], config)
        if not folder.is_finished(own):
            configs[name] = changed(configs[name], changes)
        elif changes and number == len(configs):
            alone = shlex.quote(say("resume", own))
            raise UserError(f"{typed(changes[0])}: all stages of {run} are finished; resume one alone, as in {alone}")
    return configs


def names_of(config: DictConfig) -> list[str]:
    """The stages that an experiment lists. Raises UserError where they are not those of its paper."""
    check_value("model.paper", config.model.get("paper"), Name)
    paper = find_paper(config.model.paper)
    listed: Any = OmegaConf.to_container(config.stages) if OmegaConf.is_config(config.stages) else config.stages
    if not paper.stages:
        raise UserError(f"stages={shown(listed)}: the model {paper.name} does not train in stages; leave it out")
    check_value("stages", listed, Sequence[Annotated[str, OneOf(paper.stages)]])
    for name, others in paper.in_place_of.items():
        if name in listed and (beside := [other for other in others if other in listed]):
            raise UserError(
                f"stages={shown(listed)}: {name} is in place of {', '.join(others)}; leave out {name}, or "
                f"{', '.join(beside)}"
            )
    if listed != (in_order := sorted(set(listed), key=paper.stages.index)):
        raise UserError(f"stages={shown(listed)}: each builds on those before it; say stages=[{','.join(in_order)}]")
    return listed


def of_stage(config: DictConfig, run: Path, name: str, words: list[str]) -> DictConfig:
    """The configuration of one stage: what the command would give with stage=<name>."""
    own = compose_again([*words, f"stage={name}"])
    own.stages = None
    if own.logger and "id" in own.logger:
        own.logger.id = new_id()
        own.logger.name = f"{config.logger.name}-{name}"
        own.logger.group = f"{config.logger.group}-{run.name}"
    return own
