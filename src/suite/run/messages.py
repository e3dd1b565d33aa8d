"""From errors to the one line that a user is told: what is wrong with a command or configuration, and what to do."""

import difflib
import errno
import shlex
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from suite.arguments import arguments_of, fits
from suite.errors import UserError, printable
from suite.run.config import CONF, composing
from suite.run.exhausted import exhausted
from suite.run.extras import need

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # raised by a write, which knows no file name


def user_message(error: BaseException, command: str = "") -> str | None:
    """Why the user's input can't work, as one line; None for an error that is not the user's.

    Those are our own UserErrors, what OmegaConf says of a configuration, what a machine has too little of for the
    command of that name, and files that can't be used.
    """
    from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

    if isinstance(error, UserError):
        return printable(str(error))  # it may name a file, and a name may hold line ends and a terminal's commands
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} is not set: say {error.full_key}=…"
    if isinstance(error, OmegaConfBaseException):
        inner = error.__cause__ or error.__context__
        while inner is not None:  # an interpolation wraps what its resolver raised
            if isinstance(inner, UserError):
                return str(inner)
            inner = inner.__cause__ or inner.__context__
        key = f"{error.full_key}: " if error.full_key else ""
        return key + str(error).splitlines()[0]  # below it stand OmegaConf's own types
    if reason := exhausted(error, command):
        return printable(reason)
    if isinstance(error, OSError) and (error.filename or error.errno in _NO_ROOM):
        return f"{error.filename or 'a file could not be written'}: {error.strerror}"
    return None


# Of the words on a command line ---------------------------------------------------------------------------------------


def check_words(words: Sequence[str]) -> None:
    """Refuse what is no choice of a group, `model=1` or `data=null`: Hydra would not say which word it means."""
    from hydra.core.override_parser.types import ChoiceSweep
    from hydra.errors import OverrideParseException

    for one in words:
        if one.startswith("hydra/launcher=submitit"):
            need("submitit", "slurm", one)
    try:
        typed = _parsed(words)
    except OverrideParseException:
        return  # Hydra meets it, too
    for override in typed:
        value = override.value()
        choices = value.list if isinstance(value, ChoiceSweep) else [value]
        if _is_group(override) and not override.is_delete() and not all(isinstance(choice, str) for choice in choices):
            raise UserError(f"{override.input_line}: choose from {', '.join(_choices(override.key_or_group))}")


def composition_message(error: BaseException, config_name: str, words: Sequence[str], multirun: bool) -> str | None:
    """As `user_message`, of an error that Hydra met when it composed the words into a configuration."""
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException

    if isinstance(error, OverrideParseException):
        if "=" not in error.override:
            return f"can't read '{error.override}': say key=value"
        return f"can't read '{error.override}': {error.message.splitlines()[0]}; is a bracket or a quote missing?"
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        choices = sorted(option for option in error.options if not option.startswith("_"))
        return f"{group}={choice}: there is none of that name; choose from {', '.join(choices)}"
    if isinstance(error, HydraException):
        told = str(error).split("Config search path:")[0]
        return _wrong_word(config_name, words, multirun) or " ".join(told.split())
    return user_message(error)


def _wrong_word(config_name: str, words: Sequence[str], multirun: bool) -> str | None:
    """What is wrong with the first word that can't work, found out by composing without it: Hydra's errors hold no key.

    None where the words are not to blame.
    """
    import hydra
    from hydra.errors import HydraException

    every = _parsed(words)
    folders = [str(word.input_line) for word in every if word.key_or_group == "hydra.searchpath"]
    typed = [word for word in every if not word.is_hydra_override()]
    once = [word for word in typed if not word.is_sweep_override()]
    decide = [str(word.input_line) for word in once if word.key_or_group in ("model", "experiment")]
    stage = [str(word.input_line) for word in once if word.key_or_group == "stage"]
    try:
        with composing():
            if stage and not hydra.compose(config_name, [*folders, *decide]).get("stages"):
                return f"{stage[0]}: the experiment does not train in stages; leave it out"
            config = hydra.compose(config_name, [*folders, *decide, *stage], return_hydra_config=True)
            groups = set(config.hydra.runtime.choices)
            known = [word for word in once if word.key_or_group in groups and not isinstance(word.value(), dict)]
            config = hydra.compose(config_name, [*folders, *(str(word.input_line) for word in known)])
    except HydraException:
        return None
    for word in typed:
        key, value = word.key_or_group, (word.input_line or "").partition("=")[2]
        if _is_group(word):
            if key not in groups and "model" not in config:
                return unknown_key(key, set(map(str, config)), config)
            if key not in groups:
                return f"{word.input_line}: the model {config.model.get('paper')} has no {key}"
        elif isinstance(inside := word.value(), dict) and OmegaConf.is_dict(there := OmegaConf.select(config, key)):
            for name in inside:
                if name not in there:
                    return unknown_key(f"{key}.{name}", set(map(str, there)), config)
        elif not word.is_add() and not word.is_force_add() and not _has(config, key):
            if whole := _as_whole(key, value):
                return f"{key}: say {whole[0]} with all its keys, as in {shlex.quote('='.join(whole))}"
            parent = OmegaConf.select(config, where) if (where := key.rpartition(".")[0]) else config
            return unknown_key(key, set(map(str, parent)) if OmegaConf.is_dict(parent) else (), config)
        if word.is_sweep_override() and not multirun:
            as_list = f"{shlex.quote(f'{key}=[{value}]')} for a list, or " if "." in key else ""
            return f"{key}={value} is a sweep: say {as_list}-m for several runs"
    return None


def _parsed(words: Sequence[str]) -> "list[Override]":
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return OverridesParser.create().parse_overrides(list(words))


def _is_group(word: "Override") -> bool:
    return (CONF / word.key_or_group).is_dir() and not isinstance(word.value(), dict)


def _choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("[!_]*.yaml"))


def _has(config: Any, key: str) -> bool:
    for name in key.split("."):
        if isinstance(config, ListConfig):
            return True
        if not isinstance(config, DictConfig) or name not in config.keys():  # noqa: SIM118  # `in` leaves out ???
            return False
        config = config._get_node(name)
    return True


def _as_whole(key: str, value: str) -> tuple[str, str] | None:
    """The key of `data` that is null and could be a mapping with this key in it, and the mapping as a word."""
    from suite.data.keys import DataKeys

    group, *names = key.split(".")
    if group != "data" or len(names) < 2 or not fits({names[1]: None}, arguments_of(DataKeys).get(names[0], str)):
        return None
    for name in reversed(names[1:]):
        value = f"{{{name}: {value}}}"
    return f"{group}.{names[0]}", value


# Of keys --------------------------------------------------------------------------------------------------------------


def unknown_key(key: str, allowed: Collection[str], config: DictConfig) -> str:
    """What is said of a key that nothing reads: the nearest of those `allowed` in its place, or where it belongs.

    `config` is what was composed: only what is chosen in it is named.
    """
    where, dot, last = key.rpartition(".")
    first = key.partition(".")[0]
    if key == "model.stage":  # of a file of conf/stage, which only papers with stages read
        return f"stage={config.model.stage}: the experiment does not train in stages; leave it out"
    if first in ("backbone", "discriminator", "adversarial"):
        return f"unknown key {key}: did you mean model.{key}?"
    if where.startswith("model."):  # mounted there
        group = where.removeprefix("model.")
        if last not in allowed and last in _keys_of_files(group):
            return f"unknown key {key}: only other choices of {group}= have it"
    if where and last not in allowed and last in _keys_of_files(where):
        # Scales take other data: an option said of one source would be left behind when they swap it.
        mend = "; an experiment has it in a file of its own in conf/data, which a scale swaps whole"
        return f"unknown key {key}: only other choices of {where}= have it" + mend * (where == "data")
    near = [f"{where}{dot}{name}" for name in difflib.get_close_matches(last, sorted(allowed), n=1)]
    if not near or near == [key]:
        near = [
            f"{section}.{last}" for section, names in _sections(config) if last in names and f"{section}.{last}" != key
        ]
    return f"unknown key {key}: " + (f"did you mean {' or '.join(near)}?" if near else "--cfg job shows every key")


def _sections(config: DictConfig, where: str = "") -> Iterator[tuple[str, list[str]]]:
    for name in map(str, config):
        if isinstance(node := config._get_node(name), DictConfig) and not node._is_none():
            yield f"{where}{name}", [str(key) for key in node]
            yield from _sections(node, f"{where}{name}.")


def _keys_of_files(group: str) -> set[str]:
    """All keys that the files of a group have."""
    files = (CONF / group.replace(".", "/")).glob("*.yaml")
    return {str(key) for file in files for key in OmegaConf.load(file)} - {"defaults"}
