"""What a command asks for: a fresh run or a resumed one, of which settings, in which folder."""

import logging
import os
import secrets
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from suite.errors import UserError
from suite.run import folder, stored
from suite.run.cluster import nodes_of, restarted, several_processes, started_by
from suite.run.config import CONF, epochs_of, plain
from suite.run.words import command, escaped, output_folder, say, task_words, typed

log = logging.getLogger("suite")

# What two runs of one folder would differ in; stages change some of the second row.
_OF_A_RUN: tuple[str, ...] = ("name", "seed", "model.paper")
_OF_ONE_STAGE = ("model.adversarial", "model.backbone", "model.discriminator", "data.source", "data.root")


def prepare_config(config: DictConfig) -> tuple[DictConfig, Path]:
    """The configuration to train with and the run's folder.

    A resumed run takes its settings from its own config.yaml; key=value of the command line changes what is in there.
    Raises UserError for a command that can't work.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    asked = HydraConfig.get()
    run = output_folder()
    run = run.relative_to(Path.cwd()) if run.is_relative_to(Path.cwd()) else run  # shorter to read and to type
    if config.resume is not None and asked.mode == RunMode.MULTIRUN:
        raise UserError(f"resume={config.resume} in a multirun: resume one run at a time, without -m")
    if config.resume is None and restarted() and is_same(config, run):
        log.info("%s has begun before, and goes on", run)
        config.resume = escaped(str(run))
    if config.resume is None:
        if asked.runtime.choices.get("experiment") is None:
            names = ", ".join(sorted(path.stem for path in (CONF / "experiment").glob("*.yaml")))
            raise UserError(f"which experiment? Say experiment=<name>, one of: {names}")
        check_commands(config)
    elif folder.has_stages(run):
        return config, run
    else:
        config, composed = changed(with_own(folder.read_config(run), config), changes()), config
        config.resume = escaped(composed.resume)
    if config.logger and "id" in config.logger and config.logger.id is None:
        config.logger.id = new_id()
    return config, run


def is_same(config: DictConfig, run: Path) -> bool:
    """Whether a folder holds the run that a command begins: Slurm and torchrun start the same command once more."""
    if not (run / "config.yaml").is_file() and not folder.has_stages(run):
        return False
    if folder.has_stages(run):
        saved, keys = next(iter(folder.read_stages(run).values())), _OF_A_RUN
    else:
        saved, keys = folder.read_config(run), _OF_A_RUN + _OF_ONE_STAGE
    return all(OmegaConf.select(saved, key) == OmegaConf.select(config, key) for key in keys)


def changes() -> list[str]:
    """The words that change a resumed run: those beside `resume=`, without which they are those that it began with."""
    words = task_words()
    return [word for word in words if not _resumes(word)] if any(map(_resumes, words)) else []


def check_commands(config: DictConfig) -> None:
    """Refuse a fresh run of several processes that each would make a folder, or a sweep, of its own. UserError."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from suite.run.checks import check_keys, check_values

    check_keys(config, only=("trainer",))
    check_values(config, only=("trainer",))
    asked = HydraConfig.get()
    if not several_processes(config):
        return
    if asked.mode == RunMode.MULTIRUN and started_by() is None:
        several = "num_nodes" if nodes_of(config) > 1 else "devices"
        raise UserError(
            f"trainer.{several}={config.trainer[several]} in a multirun: every further process would start the whole "
            f"sweep again; use trainer.{several}=1, or one command a run"
        )
    apart = started_by() or ("each node" if nodes_of(config) > 1 else None)
    if apart and asked.mode == RunMode.RUN and not any(map(_says_folder, asked.overrides.hydra)):
        raise UserError(
            f"hydra.run.dir is not set: {apart} starts the command of a process, and all have one folder; say "
            "hydra.run.dir=runs/<name>"
        )


def with_own(saved: DictConfig, composed: DictConfig) -> DictConfig:
    """A saved configuration, with what is never the run's as the command has it that goes on with it."""
    logger = composed.logger if composed.logger.get("_target_") == stored.WANDB else {}
    own = stored.Own(
        composed.cache_dir,
        mode=logger.get("mode", stored.own_mode()),
        entity=logger.get("entity"),
        weights=plain(composed.metrics)["weights"],
        features_weights=composed.model.get("features_weights"),
    )
    for key, ours in (("mode", own.mode), ("entity", own.entity)):
        theirs = OmegaConf.select(saved, f"logger.{key}") if OmegaConf.is_dict(saved.get("logger")) else None
        if theirs not in (None, ours):
            log.info("logger.%s=%s is of the run and not taken: say it again to go on so", key, theirs)
    stored.take_own(saved, own)
    if "timeout" not in saved and "timeout" in composed:  # runs of before have none
        saved.timeout = composed.timeout
    if "num_nodes" not in saved.trainer and "num_nodes" in composed.trainer:
        saved.trainer.num_nodes = 1
    return saved


def to_go_on(run: Path) -> str:
    """The command that goes on with a run that this one began: what is never the run's is said again as it was said."""
    of_person = ("cache_dir", "logger.mode", "logger.entity", "metrics.weights", "model.features_weights")
    keys = [(word.lstrip("+").partition("=")[0], word) for word in task_words()]
    again = [typed(word) for key, word in keys if key.startswith(of_person)]
    return command("train", say("resume", run), *again)


def new_id() -> str:
    """A W&B run's: in config.yaml from the start, so that a resumed run goes on in it.

    Under a W&B agent it is the one that the agent has begun, also of every stage: W&B takes no other there.
    """
    given = os.environ.get("WANDB_RUN_ID") if os.environ.get("WANDB_SWEEP_ID") else None
    return given or secrets.token_hex(4)


def _resumes(word: str) -> bool:
    return word.startswith("resume=")


def _says_folder(word: str) -> bool:
    return word.startswith("hydra.run.dir=")


def changed(saved: DictConfig, overrides: list[str]) -> DictConfig:
    """A saved configuration with some of its values changed. Raises UserError for a key it does not have.

    overrides: as Hydra has them, see `suite.run.words`.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from suite.run.checks import check_values
    from suite.run.messages import unknown_key

    for word in (override.removeprefix("++") for override in overrides):
        key = word.partition("=")[0]
        if "." not in key and key not in ("cache_dir", "threads", "timeout", "start"):
            raise UserError(
                f"{typed(word)}: a resumed run keeps its groups, name and seed; change single values, as in "
                "model.epochs=300"
            )
        where, _, name = key.rpartition(".")
        node = OmegaConf.select(saved, where) if where else saved
        there = [str(known) for known in node] if isinstance(node, DictConfig) else []
        if not key.startswith("+") and name not in there:
            raise UserError(unknown_key(key, there, saved))
        change = OverridesParser.create().parse_override(word)
        OmegaConf.set_struct(saved, not key.startswith("+"))
        OmegaConf.update(saved, change.key_or_group, change.value(), merge=True)
        # What config.yaml holds is resolved; these are the values that a fresh run derives from others.
        if key in ("model.epochs", "model.decay_epochs", "model.steps"):
            check_values(saved, only=("model",))  # of anything but numbers there is no sum
            saved.trainer.max_epochs = epochs_of(saved.model.epochs, saved.model.decay_epochs, saved.model.steps)
        if key == "cache_dir":
            saved.data.cache_dir = saved.metrics.cache_dir = escaped(saved.cache_dir)
    return saved
