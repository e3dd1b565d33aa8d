"""What a configuration may say, as a JSON schema (draft 2020-12), so that an editor checks and completes it.

It is made of the annotations that the checks use, and of the files of conf/: nothing is said twice. It is for files
that say a part of it, as those of conf/experiment do, and for the whole, as config.yaml of a run: no key must be there.
"""

import math
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from suite import papers
from suite.arguments import Filled, OneOf, Range, arguments_of
from suite.run.checks import MonitorKeys, RunKeys, TensorBoardKeys, TrainerKeys, ValidationKeys, WandbKeys
from suite.run.config import CONF
from suite.run.stored import TENSORBOARD, WANDB

Schema = dict[str, Any]

# A value may stand for another: ${data.size}, and ??? for one that the command has to give.
_REFERENCE: Schema = {"type": "string", "pattern": r"\$\{|^\?\?\?$"}
_PLAIN: dict[Any, str] = {
    bool: "boolean", int: "integer", float: "number", str: "string", None: "null", type(None): "null",
}  # fmt: skip


def schema() -> Schema:
    """That of what `conf/train.yaml` composes."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A configuration of suite.train",
        "$defs": {"reference": _REFERENCE},
        **_object(
            {key: _value(kind) for key, kind in arguments_of(RunKeys).items()} | _sections(),
            {"defaults": _defaults(), "hydra": {"type": "object"}},
        ),
    }


def of_annotation(wanted: Any) -> Schema:
    """What a value may be by its annotation, as `suite.arguments.fits` holds it."""
    kind, inside = get_origin(wanted), get_args(wanted)
    if kind is Annotated:
        found = of_annotation(inside[0])
        for limit in inside[1:]:
            found = found | _limits(limit, found)
        return found
    if kind is Literal:
        return {"enum": list(inside)}
    if kind in (Union, types.UnionType):
        each: list[Schema] = []
        for one in map(of_annotation, inside):
            each += [one] if one not in each else []
        return each[0] if len(each) == 1 else {"anyOf": each}
    if kind is tuple and Ellipsis not in inside:
        items = [of_annotation(one) for one in inside]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if kind in (list, tuple, Sequence):
        return {"type": "array", "items": of_annotation(inside[0])}
    if kind in (dict, Mapping):
        names, values = map(of_annotation, inside)
        return {"type": "object", "propertyNames": names, "additionalProperties": values}
    if isinstance(kind, type):  # as in PathLike[str], which is typed as text
        return {"type": "string"}
    return {"type": _PLAIN[wanted]} if wanted in _PLAIN else {}


def _limits(limit: Any, of_type: Schema) -> Schema:
    if isinstance(limit, Range):
        words = {"minimum": limit.least, "exclusiveMinimum": limit.above,
                 "maximum": limit.most, "exclusiveMaximum": limit.below}  # fmt: skip
        return {word: value for word, value in words.items() if math.isfinite(value)}
    if isinstance(limit, OneOf):
        return {"enum": list(limit.choices)}
    if isinstance(limit, Filled):
        return {"minItems": 1} if of_type.get("type") == "array" else {"minLength": 1}
    return {}


def _value(wanted: Any) -> Schema:
    of = of_annotation(wanted)
    return {"anyOf": [*of.get("anyOf", [of]), {"$ref": "#/$defs/reference"}]} if of else {}


def _object(keys: Mapping[str, Schema], more: Mapping[str, Schema] | None = None) -> Schema:
    return {"type": "object", "properties": {**keys, **(more or {})}, "additionalProperties": False}


def _keys(owner: Any, *left_out: str) -> dict[str, Schema]:
    """Of all that can be given to it, but for what the suite itself gives."""
    return {key: _value(kind) for key, kind in arguments_of(owner).items() if key not in left_out}


# Sections -------------------------------------------------------------------------------------------------------------


def _sections() -> dict[str, Schema]:
    from suite.losses.adversarial import AdversarialLoss
    from suite.metrics.callback import MetricsCallback
    from suite.run.callbacks import StopEarly
    from suite.run.checkpoints import EpochCheckpoints, LastCheckpoint, StepCheckpoints
    from suite.run.picture_grids import PictureGrids

    early = _keys(StopEarly) | {"loss": _value(str | None)}
    checkpoint = [_keys(owner, "folder") for owner in (LastCheckpoint, StepCheckpoints, EpochCheckpoints)]
    return {
        "data": _data(),
        "model": _model(_object(_keys(AdversarialLoss))),
        "metrics": _object(_keys(MetricsCallback) | _keys(MonitorKeys)),
        "logger": _by_choice("_target_", {WANDB: _keys(WandbKeys), TENSORBOARD: _keys(TensorBoardKeys)}),
        "trainer": _object(_keys(TrainerKeys)),
        "images": _object(_keys(PictureGrids, "folder")),
        "validation": _object(_keys(ValidationKeys)),
        "early_stopping": _object(early),
        "checkpoint": _object({key: kind for keys in checkpoint for key, kind in keys.items()}),
    }


def _model(adversarial: Schema) -> Schema:
    from suite.networks.build import DISCRIMINATORS, GENERATORS

    parts = {
        "backbone": _networks(GENERATORS),
        "discriminator": _networks(DISCRIMINATORS),
        "adversarial": adversarial,
    }
    by_paper = {}
    for name in papers.names():
        kinds = papers.arguments_of(papers.find_paper(name))
        by_paper[name] = {key: parts.get(key) or _value(kind) for key, kind in kinds.items()}
    return _by_choice("paper", by_paper)


def _networks(table: Mapping[str, Callable[..., Any]]) -> Schema:
    return _by_choice("name", {name: _keys(owner, "in_channels", "out_channels") for name, owner in table.items()})


def _data() -> Schema:
    from suite.data.keys import DataKeys
    from suite.data.sources import SOURCES, find_source, source_options

    common = _keys(DataKeys)
    by_source = {}
    for name in SOURCES:
        options = source_options(name)
        kinds = arguments_of(find_source(name))
        by_source[name] = common | {key: _value(kind) for key, kind in kinds.items() if key in options}
    return _by_choice("source", by_source)


def _by_choice(chosen_by: str, choices: Mapping[str, Mapping[str, Schema]]) -> Schema:
    """Keys that depend on the value of one of them; where a file leaves that open, those of any choice."""
    every: dict[str, Schema] = {}
    for keys in choices.values():
        for key, kind in keys.items():
            before = every.get(key, kind)
            every[key] = before if before == kind else {"anyOf": [*before.get("anyOf", [before]), kind]}
    chosen: Schema = {"anyOf": [{"enum": list(choices)}, {"$ref": "#/$defs/reference"}]}
    return {
        **_object({**every, chosen_by: chosen}),
        "allOf": [
            {
                "if": {"properties": {chosen_by: {"const": name}}, "required": [chosen_by]},
                "then": _object({**keys, chosen_by: {}}),
            }
            for name, keys in choices.items()
        ],
    }


# The list of defaults -------------------------------------------------------------------------------------------------


def _defaults() -> Schema:
    """Names of files, or groups with a choice each, as in `override /data: faces`."""
    groups = {str(folder.relative_to(CONF).as_posix()): folder for folder in CONF.rglob("*") if folder.is_dir()}
    named: dict[str, Schema] = {}
    for group, folder in sorted(groups.items()):
        if choices := sorted(file.stem for file in folder.glob("*.yaml")):
            one: Schema = {"anyOf": [{"enum": [*choices, None]}, {"$ref": "#/$defs/reference"}]}
            named[rf"^((override|optional) +)*/?{group}(@[\w.]+)?$"] = one
    hydra: dict[str, Schema] = {r"^((override|optional) +)*/?hydra/": {}}
    entry = {"type": "object", "patternProperties": named | hydra, "additionalProperties": False}
    return {"type": "array", "items": {"anyOf": [{"type": "string"}, entry]}}
