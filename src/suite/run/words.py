"""The words of a command line: which of them are taken as they stand, and how a command is printed to be pasted.

Hydra reads a value by a grammar of its own, in which `2024_01_15` is a number, and a bracket or an accent an error. A
path or a name means what the shell hands over: its value is quoted by that grammar before Hydra reads it.
"""

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# Keys that hold paths and names, of every command; those of `data` hold for `data.target`, too. Not among them are keys
# with a fixed choice, of which no word means anything else to Hydra. tests/run/test_words.py finds what is forgotten.
_OF_COMMANDS = (
    "cache_dir", "checkpoint", "checkpoints", "data_root", "data_streaming", "data_target_root", "device", "direction",
    "file", "file_d", "host", "input", "licence", "name", "output", "push", "report", "resume", "run", "runs",
    "second", "second_d", "sheet", "start", "start_from", "style",
    "styles", "target", "video",
)  # fmt: skip
_OF_DATA = (
    "a", "a_suffix", "attribute", "b", "b_suffix", "cache_dir", "categories", "drop", "identities", "images",
    "line_drawings", "part", "photo_tx", "photos", "root", "sketch", "sketch_sets", "sketch_tx", "source", "streaming",
    "style", "width",
)  # fmt: skip
_OF_RUNS = (
    "logger.entity", "logger.group", "logger.id", "logger.name", "logger.notes", "logger.project", "logger.tags",
    "logger.version", "metrics.cache_dir", "metrics.weights.alexnet", "metrics.weights.inception",
    "metrics.weights.dinov2", "metrics.weights.vgg19", "model.features_weights", "model.labels",
)  # fmt: skip
_TEXT = frozenset((*_OF_COMMANDS, *(f"data.{key}" for key in _OF_DATA), *_OF_RUNS))
_FOLDERS_OF_HYDRA = frozenset(("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir"))  # `${…}` is meant in these

_WORD = re.compile(r"(\+{0,2})([\w.]+)=(.*)", re.DOTALL)
_IN_QUOTES = re.compile(r"""'([^'\\]|\\.)*'|"([^"\\]|\\.)*\"""", re.DOTALL)
_LIST = re.compile(r"\[[^\[\]]*\]", re.DOTALL)
_WHOLE = rf"(?:{_IN_QUOTES.pattern}|{_LIST.pattern}|\{{[^{{}}]*\}})(?=\s*(?:,|$))"  # a comma in it separates nothing
_ENTRY = re.compile(rf"\s*(?P<entry>{_WHOLE}|[^,]*)(?P<end>,|$)", re.DOTALL)
_BRACES = re.compile(r"\{((?:[^{}]|\{[^{}]*\})*)\}", re.DOTALL)
_ITEM = re.compile(rf"\s*(?P<key>\w+)\s*:\s*(?P<value>{_WHOLE}|.*?)\s*(?:,(?=\s*\w+\s*:)|$)", re.DOTALL)

# Hydra's own flags that take a value; any other one with a value is a key, as --run=<folder>.
_BEFORE_A_VALUE = (
    "--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd",
    "--experimental-rerun", "--info", "-i",
)  # fmt: skip


def is_text(key: str) -> bool:
    """Whether the values of a key are paths or names, taken as they stand."""
    return key.replace("data.target.", "data.") in _TEXT


def without_dashes(arguments: Sequence[str]) -> list[str]:
    """The arguments with `--key=value`, as W&B's agents type it, as key=value; flags of Hydra stay."""
    found = []
    for before, word in zip(("", *arguments), arguments, strict=False):
        flag, equals, _ = word.partition("=")
        is_key = equals and flag not in _BEFORE_A_VALUE and before not in _BEFORE_A_VALUE
        found.append(word.lstrip("-") if is_key else word)
    return found


def bare(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments that are no key=value and no flag, as the folders that a command takes by themselves; the others.

    A folder's name may have a = in it: it is one where such a folder is there.
    """
    found: list[str] = []
    others: list[str] = []
    for before, word in zip(("", *arguments), arguments, strict=False):
        is_other = word.startswith("-") or before in _BEFORE_A_VALUE or ("=" in word and not Path(word).is_dir())
        (others if is_other else found).append(word)
    return found, others


def sweeps(arguments: Sequence[str]) -> bool:
    """Whether the command is one of several runs, in which a comma separates values."""
    several = ("-m", "--multirun", "hydra.mode=MULTIRUN")
    return any(word in several or (word.startswith("sweep=") and word != "sweep=null") for word in arguments)


def literal(word: str, sweeping: bool = False) -> str:
    """The word, of a key that holds a path or a name, so that Hydra reads what was typed, whatever is in it.

    `null` alone still unsets, `[a,b]` is a list, and with `sweeping` a comma separates the values of several runs; a
    value in quotes is the text in them, whatever that is. `${seed}` outside quotes remains a reference, the only one,
    so that each run of a sweep can start from another's of its seed. So it is within `{source: a, root: b}`. Words of
    other keys stay as they are.
    """
    if not (found := _WORD.fullmatch(word)):
        return word
    add, key, value = found.groups()
    if key in _FOLDERS_OF_HYDRA:
        return f"{add}{key}={quoted(_inside(value))}"
    if not is_text(key):
        several = re.fullmatch(rf"{_BRACES.pattern}(\s*,\s*{_BRACES.pattern})*", value, re.DOTALL)
        within = _BRACES.sub(lambda braces: _literal_within(key, braces), value) if several else value
        return f"{add}{key}={within}"
    values = _entries(value) if sweeping and not _LIST.fullmatch(value) else [value]
    return f"{add}{key}={','.join(map(_literal_value, values))}"


def literal_all(arguments: Sequence[str]) -> list[str]:
    """Those of a whole command."""
    several = sweeps(arguments)
    return [literal(word, several) for word in arguments]


def typed(word: str) -> str:
    """A word of Hydra's as it is typed: `literal` the other way round, without what `cli.run` puts in front."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    word = word.removeprefix("++")
    key = word.partition("=")[0]
    if not is_text(key.lstrip("+")) or not isinstance(
        text := OverridesParser.create().parse_override(word).value(), str
    ):
        return word
    plain = re.sub(r"(\\+)\$\{", lambda escape: "\\" * (len(escape[1]) // 2) + "${", text)
    refers = re.search(r"(?<!\\)(\\\\)*\$\{", text)
    return f"{key}={plain}" if refers else say(key, plain)


def say(key: str, value: str | Path) -> str:
    """key=value as `literal` reads it: of a key that holds a path or a name."""
    text = value.as_posix() if isinstance(value, Path) else str(value)  # Windows' shells read no quotes of ours
    plain = text != "null" and "${seed}" not in text and not (_IN_QUOTES.fullmatch(text) or _LIST.fullmatch(text))
    return f"{key}={text if plain else quoted(text)}"


def command(name: str, *words: str) -> str:
    """A command of the suite, to be pasted into a shell."""
    return shlex.join(("python", "-m", f"suite.{name}", *words))


def task_words() -> list[str]:
    """The words of the command that runs, or of this job of it, as Hydra has them."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    words: Any = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)
    return words


def output_folder() -> Path:
    """The folder that Hydra made for the command: read as it stands, since it may be called `${HOME}`."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    runtime: Any = OmegaConf.to_container(HydraConfig.get().runtime, resolve=False)
    return Path(runtime["output_dir"])


def escaped(value: Any) -> Any:
    """A plain value as a configuration holds it: a text's `${` would else begin a reference to another key."""
    return _in_texts(lambda text: re.sub(r"(\\*)\$\{", r"\1\1\\${", text), value)


def unescaped(value: Any) -> Any:
    """`escaped` the other way round; a text that is a reference stays the text it is."""
    return _in_texts(lambda text: re.sub(r"(?<!\\)(\\*)\1\\\$\{", r"\1${", text), value)


def _in_texts(change: Callable[[str], str], value: Any) -> Any:
    """A plain value with every text in it changed, but for the keys of dicts."""
    if isinstance(value, dict):
        return {key: _in_texts(change, one) for key, one in value.items()}
    if isinstance(value, list):
        return [_in_texts(change, one) for one in value]
    return change(value) if isinstance(value, str) else value


def quoted(text: str) -> str:
    """The text in quotes, as Hydra reads it."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text, Quote.single).with_quotes()


def _literal_value(value: str) -> str:
    if value == "null":
        return value
    if _LIST.fullmatch(value):
        return f"[{','.join(map(_literal_value, _entries(value[1:-1])))}]"
    if _IN_QUOTES.fullmatch(value):
        return quoted(escaped(_inside(value)))
    *before, last = map(escaped, value.split("${seed}"))
    # A backslash in front would make text of the reference.
    parts = [re.sub(r"\\+$", lambda slashes: 2 * slashes[0], part) for part in before]
    return quoted("${seed}".join((*parts, last)))


def _literal_within(key: str, braces: re.Match[str]) -> str:
    """The keys and values in braces, with those that are text in quotes; as they stand where none is."""
    items = list(_ITEM.finditer(braces[1]))
    if not any(is_text(f"{key}.{item['key']}") for item in items) or "".join(item[0] for item in items) != braces[1]:
        return braces[0]
    values = [_literal_value(item["value"]) if is_text(f"{key}.{item['key']}") else item["value"] for item in items]
    return "{" + ", ".join(f"{item['key']}: {value}" for item, value in zip(items, values, strict=True)) + "}"


def _entries(text: str) -> list[str]:
    """Of a list or sweep, with or without quotes; a comma in quotes belongs to its entry."""
    return [found["entry"].rstrip() for found in _ENTRY.finditer(text) if found["entry"] or found["end"]]


def _inside(value: str) -> str:
    """The text in quotes, by Hydra's rules, where the value is all in quotes."""
    if not _IN_QUOTES.fullmatch(value):
        return value
    from hydra.core.override_parser.overrides_parser import OverridesParser

    return str(OverridesParser.create().parse_override(f"text={value}").value())
