"""Compose, check and instantiate the configuration: the way from words on a command line to objects."""

import difflib
import errno
import inspect
import re
import shlex
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

from omegaconf import DictConfig, OmegaConf

from suite.errors import UserError
from suite.papers import arguments_of, find_paper

if TYPE_CHECKING:
    from suite.data.module import PictureData
    from suite.papers.base import Paper

_INSTALLED = Path(__file__).parents[1] / "conf"  # inside the wheel
_CHECKOUT = Path(__file__).parents[3] / "conf"  # an editable install
CONF = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT

GROUPS = ("model", "data", "metrics", "logger", "trainer")  # what has keys of its own; the rest mounts inside them


def register_resolvers() -> None:
    """The functions that configuration files call: `${add:1,2}`, `${home:}`, `${unet_downs:256}` ...."""
    OmegaConf.register_new_resolver("add", lambda *numbers: sum(numbers), replace=True)
    OmegaConf.register_new_resolver("epochs_of", epochs_of, replace=True)
    OmegaConf.register_new_resolver("twice", lambda number: 2 * number, replace=True)
    OmegaConf.register_new_resolver("unet_downs", _unet_downs, replace=True)
    OmegaConf.register_new_resolver("l1_of_drawings", _l1_of_drawings, replace=True)
    OmegaConf.register_new_resolver("home", lambda: str(Path.home()), replace=True)
    OmegaConf.register_new_resolver("run_folder", _run_folder, replace=True)


def epochs_of(epochs: int, decay_epochs: int, steps: int | None) -> int:
    """How many epochs the trainer makes of a model's durations; -1 is as many as its steps take."""
    return epochs + decay_epochs if steps is None else -1


def _unet_downs(size: int) -> int:
    """As many levels as a U-Net can have for pictures of this size, and no more than the eight of pix2pix."""
    downs = next((downs for downs in range(8, 3, -1) if size % 2**downs == 0), None)
    if downs is None:
        near = max(16, round(size / 16) * 16)
        raise UserError(
            f"data.size={size} can't be halved four times, the least for a U-Net: use data.size={near}, "
            "or say model.backbone.downs"
        )
    return downs


def _l1_of_drawings(drawings: str) -> str:
    """The L1 that validation has of data with these `drawings`: to the closest of all, or to the one."""
    return "val/l1_closest" if drawings == "all" else "val/l1"


def _run_folder(resume: str | None, fresh: str) -> str:
    if resume is None:
        return fresh
    if not any(
        (Path(resume) / name).is_file() for name in ("config.yaml", "stages.yaml")
    ):  # before Hydra makes the folder
        raise UserError(f"resume={resume} is not a run folder: it has no config.yaml")
    return resume


def compose(config_name: str, overrides: list[str]) -> DictConfig:
    """The configuration a command line would give, checked. Raises UserError with Hydra's reason."""
    import hydra

    register_resolvers()
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            config = hydra.compose(config_name, overrides)
    except Exception as error:
        raise (UserError(reason) if (reason := user_message(error)) else error) from error
    check_keys(config)
    return config


def compose_again(words: list[str]) -> DictConfig:
    """Another configuration of the command that runs, from other words, within Hydra's own main. Raises UserError."""
    import hydra

    try:
        return hydra.compose("train", words)
    except Exception as error:
        raise (UserError(reason) if (reason := user_message(error)) else error) from error


def user_message(error: BaseException) -> str | None:
    """Why the user's input can't work, as one line; None for an error that is not the user's.

    Those are our own UserErrors, what Hydra and OmegaConf say of a configuration, and files that can't be used.
    """
    from hydra.errors import HydraException, InstantiationException, MissingConfigException, OverrideParseException
    from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OmegaConfBaseException):
        inner = error.__cause__ or error.__context__
        while inner is not None:  # an interpolation wraps what its resolver raised
            if isinstance(inner, UserError):
                return str(inner)
            inner = inner.__cause__ or inner.__context__
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} is not set: say {error.full_key}=…"
    if isinstance(error, OverrideParseException):
        if "=" not in error.override:
            return f"can't read '{error.override}': say key=value"
        return f"can't read '{error.override}': {error.message.splitlines()[0]}; is a bracket or a quote missing?"
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        choices = [option for option in error.options if not option.startswith("_")]
        return f"{group}={choice}: there is none of that name; choose from {', '.join(choices)}"
    if isinstance(error, HydraException | OmegaConfBaseException) and not isinstance(error, InstantiationException):
        reason = str(error).split("Config search path:")[0]
        if sweep := re.match(r"Ambiguous value for argument '([^=]+)=(.*)'\n", reason):
            key, values = sweep.groups()
            as_list = f"{shlex.quote(f'{key}=[{values}]')} for a list, or " if "." in key else ""
            return f"{key}={values} is a sweep: say {as_list}-m for several runs"
        if unknown := re.match(r"Could not override '([\w./@]+)'", reason):
            if whole := _as_whole(unknown[1], reason.rpartition(f"+{unknown[1]}=")[2].strip()):
                return f"{unknown[1]}: say {whole[0]} with all its keys, as in {shlex.quote('='.join(whole))}"
            return _unknown_key(unknown[1], _keys_of_files(unknown[1].rpartition(".")[0]))
        told = [line for line in reason.splitlines() if not line.strip().startswith(("full_key:", "object_type="))]
        return " ".join(" ".join(told).split())
    if isinstance(error, OSError) and (error.filename or error.errno in _NO_ROOM):
        return f"{error.filename or 'a file could not be written'}: {error.strerror}"
    return None


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # raised by a write, which knows no file name


def _as_whole(key: str, value: str) -> tuple[str, str] | None:
    """The key of `data` that is null and could be a mapping with this key in it, and the mapping as a word."""
    from suite.data.keys import DataKeys

    group, *names = key.split(".")
    if group != "data" or len(names) < 2 or names[0] not in _mappings(DataKeys):
        return None
    for name in reversed(names[1:]):
        value = f"{{{name}: {value}}}"
    return f"{group}.{names[0]}", value


def _mappings(function: Any) -> set[str]:
    """Arguments that take a mapping, or nothing."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name for p in parameters if any(get_origin(kind) is Mapping for kind in get_args(p.annotation))}


def _keys_of_files(group: str) -> set[str]:
    """All keys that the files of a group have; without a group, those of the commands and the groups themselves."""
    files = (CONF / group.replace(".", "/") if group else CONF).glob("*.yaml")
    keys = {str(key) for file in files for key in OmegaConf.load(file)} - {"defaults"}
    return keys if group else keys | {folder.name for folder in CONF.iterdir() if folder.is_dir()}


def check_keys(config: DictConfig) -> None:
    """Refuse keys that nothing reads: a misspelt key in an experiment file would otherwise do nothing, silently.

    Raises UserError naming the key and the nearest one that exists.
    """
    from suite.data.keys import DataKeys
    from suite.data.sources import source_options
    from suite.losses.adversarial import AdversarialLoss

    of_file: Any = OmegaConf.load(CONF / "train.yaml")
    _refuse_unknown("", config, set(of_file) - {"defaults"} | set(GROUPS))
    for section in ("images", "early_stopping", "checkpoint"):
        _refuse_unknown(f"{section}.", config[section], set(of_file[section]))
    source = OmegaConf.select(config, "data.source")
    for group in GROUPS:
        node = config.get(group)
        if not node:
            continue
        allowed = set(node)
        if group == "model":
            paper = find_paper(node.get("paper"))
            allowed = {"paper", *arguments_of(paper)} - (set() if paper.stages else {"stage"})
        if group == "trainer":
            from pytorch_lightning import Trainer

            allowed = _arguments(Trainer)
        if group == "logger" and "_target_" in node:
            allowed = _arguments(node._target_)
        if group == "data":
            allowed = _arguments(DataKeys) | source_options(source)
        if group == "metrics":
            from suite.metrics.callback import MetricsCallback

            allowed = _arguments(MetricsCallback) | {"monitor", "mode"}
        if group == "logger" and node.get("_target_", "").endswith("WandbLogger"):
            import wandb

            allowed |= _arguments(wandb.init)
        _refuse_unknown(f"{group}.", node, allowed | {"_target_"})
    if "adversarial" in config.model:
        _refuse_unknown("model.adversarial.", config.model.adversarial, _arguments(AdversarialLoss))


def _arguments(target: Any) -> set[str]:
    if isinstance(target, str):
        from hydra.utils import get_object

        target = get_object(target)
    parameters = inspect.signature(target).parameters.values()
    return {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def _refuse_unknown(where: str, node: DictConfig, allowed: Collection[str]) -> None:
    for key in map(str, node):
        if key not in allowed:
            raise UserError(_unknown_key(f"{where}{key}", allowed))


def _unknown_key(key: str, allowed: Collection[str]) -> str:
    where, dot, last = key.rpartition(".")
    if key.partition(".")[0] in ("backbone", "discriminator", "adversarial"):
        return f"unknown key {key}: did you mean model.{key}?"
    near = [f"{where}{dot}{name}" for name in difflib.get_close_matches(last, sorted(allowed), n=1)]
    if not near or near == [key]:
        near = [f"{group}.{last}" for group in GROUPS if last in _keys_of_files(group)]
    if key in near:
        # Scales take other data: an option said of one source would be left behind when they swap it.
        mend = "; an experiment has it in a file of its own in conf/data, which a scale swaps whole"
        return f"unknown key {key}: only other choices of {where}= have it" + mend * (where == "data")
    return f"unknown key {key}: " + (f"did you mean {' or '.join(near)}?" if near else "--cfg job shows every key")


def need_data(config: DictConfig) -> None:
    """Raises UserError, with the choices, where a command that has no data set of its own was told none."""
    if config.get("data") is None:
        choices = sorted(path.stem for path in (CONF / "data").glob("[!_]*.yaml"))
        raise UserError(f"data is not set: say data=<name>; choose from {', '.join(choices)}")


def plain(node: DictConfig) -> dict[str, Any]:
    """A configuration node as plain resolved values: what constructors and checkpoints take."""
    from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

    try:
        return OmegaConf.to_container(node, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except InterpolationResolutionError as error:  # what a resolver of ours has refused
        raise (UserError(reason) if (reason := user_message(error)) else error) from error
    except MissingMandatoryValue as error:
        raise UserError(f"{error.full_key} is not set: say {error.full_key}=…") from error


def instantiate(config: DictConfig) -> "tuple[Paper, PictureData]":
    """The model and the data, matched against each other. Opens no file of the data set."""
    from suite.data.module import PictureData

    data = PictureData(**plain(config.data))
    values = plain(config.model)
    paper = find_paper(values.pop("paper"))
    model = paper(**values)
    data.rounds = model.batches_per_step
    model.check_data(data)
    return model, data


@cache
def _defaults(paper: str) -> DictConfig:
    return compose("train", [f"model={paper}"])


def defaults_of(paper: str) -> dict[str, Any]:
    """What conf/model/<paper>.yaml says: the arguments of the paper's class."""
    return {key: value for key, value in plain(_defaults(paper).model).items() if key != "paper"}
