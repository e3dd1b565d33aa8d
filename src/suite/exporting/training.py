"""How a model was trained, told without anything of the machine: command, settings, data and its licence."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from suite.data.sources import SOURCES
from suite.errors import UserError
from suite.run.config import CONF, compose, plain
from suite.run.words import command, is_text, say

_SCALES = ("paper", "demo", "smoke", "show", "papers")
# Of a machine, and of no model: where pictures lie, what else reads them, and what is asked of the hardware.
_OF_MACHINE = frozenset(
    (
        "cache_dir", "root", "streaming", "line_drawings", "sketch_sets", "workers", "cache", "on_broken",
        "eval_batch_size", "features_weights", "compile", "recorded", "paper", "labels", "channels_a", "channels_b",
    )
)  # fmt: skip
_PRIVATE = frozenset(("cache_dir", "root", "streaming", "line_drawings", "sketch_sets", "features_weights", "weights"))


class DataSet(NamedTuple):
    """What conf/data says of a source."""

    title: str
    licence: str | None  # None: pictures of one's own
    where: str | None
    built_in: bool = False


def data_sets(config: DictConfig) -> list[DataSet]:
    """Those that a run's pictures were of: its own, then those of its target."""
    data = config.get("data")
    nodes = [data, data.get("target")] if isinstance(data, DictConfig) else []
    found = [data_set(str(node.get("source"))) for node in nodes if isinstance(node, DictConfig)]
    return [one for one in found if one is not None]


def foreign_start(config: DictConfig | None) -> str | None:
    """What the weights of a run began as, by its name alone, where its own data do not tell what it has learnt from.

    Not of a stage that went on from the one before, `<number>_<stage>`, as a run in stages has them.
    """
    start = None if config is None else config.get("start_from")
    if config is None or start is None:
        return None
    name = Path(str(start)).name
    return None if config.model.get("stage") and re.match(r"\d+_", name) else name


def built_in_alone(config: DictConfig | None) -> bool:
    """Whether a run is known to have learnt from the built-in faces, and from nothing else."""
    sets = [] if config is None else data_sets(config)
    return bool(sets) and all(one.built_in for one in sets) and foreign_start(config) is None


def data_set(source: str) -> DataSet | None:
    """What the head of the source's file in conf/data says; None where there is none of that name."""
    if source not in SOURCES:
        return None
    lines = (CONF / "data" / f"{source}.yaml").read_text(encoding="utf-8").partition("defaults:")[0].splitlines()
    told = " ".join(line.lstrip("# ") for line in lines)
    if source == "faces":
        return DataSet("The built-in faces of the suite, which are drawn by a program", "MIT, as the suite", None, True)
    licence = re.search(r"Licence: (.+?)\.?(?: data=\w|$)", told)
    if source.endswith("_folders") or licence is None:
        return DataSet("Pictures of the author's own", None, None)
    where = re.search(r"Where to get (?:it|them): (.+?)\.? Licence:", told)
    return DataSet(re.split(r"[.;] ", told)[0], licence[1], where[1].partition("; ")[0] if where else None)


def command_of(config: DictConfig) -> tuple[str, bool] | None:
    """The command that is nearest to a run's settings, and whether it says all of them; None for no experiment of ours.

    What lies on the machine stands in it in capitals.
    """
    name = str(config.get("name"))
    if not re.fullmatch(r"\w+", name) or not (CONF / "experiment" / f"{name}.yaml").is_file():
        return None
    stage = config.model.get("stage")
    folders = [f"{key}=FOLDER" for key in _roots(config)]
    folders += ["start_from=RUN"] if foreign_start(config) is not None else []
    begin = [f"experiment={name}", *([f"stage={stage}"] if stage else [])]
    best: tuple[int, list[str], bool] | None = None
    for scale in _SCALES:
        words = [*begin, *([f"scale={scale}"] if scale != "paper" else [])]
        try:
            of_scale = _settings(compose("train", [*words, *folders]))
        except UserError:
            continue
        ours = _settings(config)
        differs = [key for key in ours if key in of_scale and ours[key] != of_scale[key]]
        whole = ours.keys() == of_scale.keys()
        count = len(differs) + len(ours.keys() ^ of_scale.keys())
        if best is None or count < best[0]:
            best = count, [*words, *folders, *(_said(key, ours[key]) for key in differs)], whole
        if count == 0:
            break
    if best is None:
        return None
    return command("train", *best[1]), best[2]


def _roots(config: DictConfig) -> Iterator[str]:
    if config.data.get("root") is not None or config.data.get("streaming") is not None:
        yield "data.root"
    if isinstance(target := config.data.get("target"), DictConfig) and target.get("root") is not None:
        yield "data.target.root"


def _settings(config: DictConfig) -> dict[str, Any]:
    """What decides on the model, by key."""
    found: dict[str, Any] = {"seed": config.seed, "trainer.max_epochs": config.trainer.max_epochs}
    for section in ("data", "model"):
        found |= dict(_leaves(plain(config[section]), section))
    for key in ("limit_train_batches", "precision"):
        found[f"trainer.{key}"] = config.trainer.get(key)
    return found


def _leaves(node: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if key in _OF_MACHINE:
            continue
        if isinstance(value, dict) and value and before in ("data", "model"):
            yield from _leaves(value, f"{before}.{key}")
        else:
            yield f"{before}.{key}", value


def _said(key: str, value: Any) -> str:
    return say(key, value) if isinstance(value, str) and is_text(key) else f"{key}={_typed(value)}"


def _typed(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_typed(of_name)}" for name, of_name in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_typed, value)) + "]"
    return (
        {None: "null", True: "true", False: "false"}[value] if value is None or isinstance(value, bool) else str(value)
    )


def settings_of(config: DictConfig) -> dict[str, Any]:
    """All settings of a run as plain values, but for its logger and for where files lay."""
    values = plain(config) | {"start_from": foreign_start(config)}
    left_out = ("logger", "resume")
    return _without_places({key: value for key, value in values.items() if key not in left_out})


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_places(of_key) for key, of_key in value.items() if key not in _PRIVATE}
    if isinstance(value, list):
        return [_without_places(one) for one in value]
    if isinstance(value, str) and (Path(value).is_absolute() or value.startswith("~") or "://" in value):
        return "<a place of the machine>"
    return value
