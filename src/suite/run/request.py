"""What a command asks for: a fresh run or a resumed one, of which settings, in which folder."""

import logging
import os
import secrets
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from suite.errors import UserError
from suite.run import folder, stored
from suite.run.config import CONF, epochs_of, plain
from suite.run.words import command, escaped, output_folder, say, task_words, typed

log = logging.getLogger("suite")


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
    if config.resume is not None and not folder.has_stages(run):
        changes = [word for word in task_words() if not word.startswith("resume=")]
        config, composed = changed(with_own(folder.read_config(run), config), changes), config
        config.resume = escaped(composed.resume)
    elif config.resume is not None:
        return config, run
    elif asked.runtime.choices.get("experiment") is None:
        names = ", ".join(sorted(path.stem for path in (CONF / "experiment").glob("*.yaml")))
        raise UserError(f"which experiment? Say experiment=<name>, one of: {names}")
    if asked.mode == RunMode.MULTIRUN and several_devices(config):
        raise UserError(
            f"trainer.devices={config.trainer.devices} in a multirun: every further process would start the whole "
            "sweep again; use trainer.devices=1, or one command a run"
        )
    if config.logger and "id" in config.logger and config.logger.id is None:
        config.logger.id = new_id()
    return config, run


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


def several_devices(config: DictConfig) -> bool:
    """Whether a run takes more than one process; `devices: [1]` is one device, the second."""
    devices = config.trainer.devices
    if devices == "auto":
        import torch

        return config.trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.device_count() > 1
    return devices not in (1, "1") and not (OmegaConf.is_list(devices) and len(devices) == 1)


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
