"""Every key of a configuration, held to the annotation of what takes it, before anything is made of it.

    the top                              RunKeys
    data                                 DataKeys and the source's function; sketch_options: the style's function
    model                                the paper; backbone, discriminator: the network; adversarial: the loss
    metrics                              MetricsCallback, MonitorKeys
    images, early_stopping, checkpoint   the callback
    validation, trainer, logger          ValidationKeys, TrainerKeys, WandbKeys, TensorBoardKeys

A command without such sections has a TypedDict of its own, see `checked`.
"""

import inspect
import math
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, TypedDict, TypeVar, cast

from omegaconf import DictConfig, OmegaConf

from suite import papers
from suite.arguments import (
    File,
    Filled,
    Name,
    OneOf,
    Positive,
    Range,
    Seed,
    ShareAboveZero,
    arguments_of,
    check_types,
    shown,
)
from suite.errors import UserError
from suite.papers import find_paper
from suite.run.config import plain
from suite.run.messages import unknown_key
from suite.run.stored import TENSORBOARD, WANDB

# Keys that no class or function of the suite takes as they are --------------------------------------------------------


class RunKeys(TypedDict):
    """The top of conf/train.yaml, without its groups."""

    seed: Seed
    threads: Annotated[int, Range(least=1, most=1024)] | None
    timeout: Annotated[float, Range(least=0.1, most=720)] | None
    resume: File | None
    stages: Sequence[Name] | None
    start_from: File | None
    start: Name
    name: Name
    cache_dir: File


class MonitorKeys(TypedDict):
    """Of `metrics`: what decides on best.ckpt."""

    monitor: Name | None
    mode: Literal["min", "max"]


class ValidationKeys(TypedDict):
    """Of `validation`: instead of trainer.check_val_every_n_epoch."""

    every_n_steps: Positive | None


Accelerator = Literal["auto", "cpu", "gpu", "cuda", "mps", "tpu"]
_Devices = Annotated[int, Range(least=1, most=64)]
_Index = Annotated[int, Range(least=0, most=63)]  # of a device
_Batches = Positive | ShareAboveZero  # a number of batches, or a share of them


class TrainerKeys(TypedDict):
    """What the suite leaves open of Lightning's Trainer. The rest of it would contradict how a paper is trained."""

    accelerator: Accelerator
    devices: _Devices | Literal["auto"] | Annotated[Sequence[_Index], Filled("a list, as in [0,1]")]
    num_nodes: Annotated[int, Range(least=1, most=1024)]
    strategy: Literal["auto", "ddp_find_unused_parameters_true"]
    precision: Literal["auto", "32-true", "16-mixed", "bf16-mixed"]
    max_epochs: Positive | Literal[-1]
    limit_train_batches: _Batches
    limit_val_batches: _Batches
    limit_test_batches: _Batches
    check_val_every_n_epoch: Positive
    log_every_n_steps: Positive
    benchmark: bool
    deterministic: bool


_INSTEAD = {  # of Lightning's own keys, which can't be where updates alternate
    "gradient_clip_val": "model.clip_norm",
    "accumulate_grad_batches": "data.batch_size",
    "max_steps": "model.steps",
    "val_check_interval": "validation.every_n_steps",
}


class WandbKeys(TypedDict):
    """What conf/logger/wandb.yaml offers of Lightning's WandbLogger, of which ours is one, and of wandb.init."""

    project: Name
    name: Name
    id: Name | None
    mode: Literal["online", "offline", "disabled"]
    entity: Name | None
    group: Name | None
    tags: Sequence[str]
    notes: str | None


class TensorBoardKeys(TypedDict):
    """What conf/logger/tensorboard.yaml offers of Lightning's TensorBoardLogger."""

    name: Name
    version: str
    default_hp_metric: bool


_LOGGERS: dict[str, Callable[..., Any]] = {
    WANDB: WandbKeys,
    TENSORBOARD: TensorBoardKeys,
}


# Sections and who takes their keys ------------------------------------------------------------------------------------


class Section(NamedTuple):
    """A mapping of the configuration, what each of its keys may be, and which of them must be there."""

    name: str
    node: DictConfig
    keys: Mapping[str, Any]
    required: frozenset[str]

    @property
    def where(self) -> str:
        return f"{self.name}." if self.name else ""


def check_keys(config: DictConfig, only: Sequence[str] = ()) -> None:
    """Refuse keys that nothing reads: a misspelt key in an experiment file would otherwise do nothing, silently.

    only: some sections, else all. Raises UserError naming the key and the nearest one that exists.
    """
    for section in _sections(config):
        if only and section.name.partition(".")[0] not in only:
            continue
        there = [str(key) for key in section.node]
        for key in there:
            if section.name == "trainer" and key in _INSTEAD:
                raise UserError(f"trainer.{key}: Lightning can't where updates alternate; use {_INSTEAD[key]}")
            if key not in section.keys:
                raise UserError(unknown_key(f"{section.where}{key}", list(section.keys), config))
        if missing := sorted(section.required.difference(there)):
            raise UserError(f"{section.where}{missing[0]} is not set: say {section.where}{missing[0]}=…")


def check_values(config: DictConfig, only: Sequence[str] = ()) -> None:
    """Hold every value, or those of `only` some sections, to its annotation. Raises UserError that names the key."""
    from suite.data.checks import check
    from suite.data.keys import DataKeys

    for section in _sections(config):
        if only and section.name.partition(".")[0] not in only:
            continue
        here = section.node if section.name else OmegaConf.masked_copy(config, [*RunKeys.__annotations__])
        values = plain(here)
        check_types(section.where, section.keys, values)
        for key in ("channels_a", "channels_b"):
            if section.name == "model" and key in values and values[key] != config.data.get(key, values[key]):
                raise UserError(f"model.{key}={shown(values[key])}: it follows data.{key}, set that")
        if section.name == "data":
            check(DataKeys, values)


def check_config(config: DictConfig) -> None:
    """All that can be said of the configuration of a run before anything is made of it. Raises UserError."""
    from suite.run.cluster import check_processes, devices_of, nodes_of
    from suite.run.compiler import check_compiler, keep_compiled
    from suite.run.trainer import find_device

    check_keys(config)
    check_values(config)
    epochs = config.model.epochs + config.model.decay_epochs
    if config.model.steps is None and not 0 < config.trainer.max_epochs <= epochs:
        raise UserError(
            f"trainer.max_epochs={config.trainer.max_epochs}: the learning rate is 0 after {epochs} epochs; "
            "raise model.epochs or model.decay_epochs, which it follows"
        )
    if late := [at for at in config.checkpoint.at_steps if at > most_steps(config)]:
        raise UserError(
            f"checkpoint.at_steps={late[0]}: the training ends after {most_steps(config)} steps; "
            "leave it out, or raise model.steps"
        )
    find_device(config.trainer.accelerator, "trainer.accelerator")  # before the data is decoded
    check_processes(nodes_of(config), devices_of(config), trains=True)
    if config.model.compile:
        keep_compiled(config.cache_dir)  # first, as torch looks for its compiler there, too
        check_compiler(config.trainer.accelerator)


def most_steps(config: DictConfig) -> float:
    """After how many steps a training ends by its configuration alone; infinity, where that counts epochs."""
    return math.inf if config.model.steps is None else config.model.steps + config.model.decay_steps


T = TypeVar("T")


def checked(config: DictConfig, keys: type[T]) -> T:
    """The plain values of a command, held to its TypedDict. Raises UserError that names the key."""
    known = arguments_of(keys)
    for key in map(str, config):
        if key not in known:
            raise UserError(unknown_key(key, list(known), config))
    values = plain(config)
    check_types("", known, values)
    return cast(T, values)


def _sections(config: DictConfig) -> Iterator[Section]:
    """In an order in which none takes a value from one that comes later."""
    from suite.losses.adversarial import AdversarialLoss
    from suite.metrics.callback import MetricsCallback
    from suite.run.callbacks import StopEarly
    from suite.run.checkpoints import EpochCheckpoints, LastCheckpoint, StepCheckpoints
    from suite.run.picture_grids import PictureGrids

    inner = (
        "data", "model", "metrics", "logger", "trainer", "images", "validation", "early_stopping", "checkpoint",
    )  # fmt: skip
    top = arguments_of(RunKeys)
    yield Section("", config, {**top, **dict.fromkeys(inner, Any)}, frozenset((*top, *inner)))
    yield _section(config, "data", _data_keys(config))
    model = _model_keys(config)
    required = set(model) - {"stage", "d_lr", "freeze_d", "recorded"}  # runs of before, to be resumed, lack some
    yield _section(config, "model", {"paper": Name, **model}, required)
    for role in ("backbone", "discriminator"):
        if role in model:
            yield _network(config, role)
    if "adversarial" in model:
        yield _section(config, "model.adversarial", arguments_of(AdversarialLoss), _required(AdversarialLoss))
    metrics, monitor = arguments_of(MetricsCallback), arguments_of(MonitorKeys)
    yield _section(config, "metrics", {**metrics, **monitor}, _required(MetricsCallback) | set(monitor))
    yield _logger(config)
    yield _section(config, "trainer", arguments_of(TrainerKeys), _required(TrainerKeys) - {"num_nodes"})
    yield _section(config, "validation", arguments_of(ValidationKeys), _required(ValidationKeys))
    for name, callback in (("images", PictureGrids), ("early_stopping", StopEarly), ("checkpoint", LastCheckpoint)):
        keys = _without(callback, "folder")
        if name == "checkpoint":
            keys |= _without(StepCheckpoints, "folder") | _without(EpochCheckpoints, "folder")
        if name == "early_stopping":
            keys["loss"] = Name | None  # null: there is no such callback
        yield _section(config, name, keys, set(keys) - {"keep"})  # to resume runs of before, which have none


def _section(config: DictConfig, name: str, keys: Mapping[str, Any], required: set[str] | None = None) -> Section:
    return Section(name, _node(config, name, next(iter(keys), "")), keys, frozenset(required or ()))


def _node(config: DictConfig, name: str, example: str = "…") -> DictConfig:
    node = OmegaConf.select(config, name)
    if not isinstance(node, DictConfig):
        raise UserError(f"{name}={shown(node)}: it has keys of its own, as in {name}.{example}=…")
    return node


def _model_keys(config: DictConfig) -> dict[str, Any]:
    name = _node(config, "model", "lr").get("paper")
    check_types("model.", {"paper": Name}, {"paper": name})
    paper = find_paper(name)
    keys = papers.arguments_of(paper)
    return keys if paper.stages else {key: kind for key, kind in keys.items() if key != "stage"}


def _data_keys(config: DictConfig) -> dict[str, Any]:
    from suite.data.keys import DataKeys
    from suite.data.sources import find_source, source_options

    source = _node(config, "data", "source").get("source")
    check_types("data.", DataKeys, {"source": source})
    options = source_options(source)
    of_source = {name: kind for name, kind in arguments_of(find_source(source)).items() if name in options}
    return {**arguments_of(DataKeys), **of_source}


def _network(config: DictConfig, role: str) -> Section:
    from suite.networks.build import DISCRIMINATORS, GENERATORS

    table: Mapping[str, Callable[..., Any]] = GENERATORS if role == "backbone" else DISCRIMINATORS
    where, known = f"model.{role}", Annotated[str, OneOf(tuple(table))]
    name = _node(config, where, "name").get("name")
    check_types(f"{where}.", {"name": known}, {"name": name})
    return _section(config, where, {"name": known} | _without(table[name], "in_channels", "out_channels"), {"name"})


def _logger(config: DictConfig) -> Section:
    node = _node(config, "logger")
    if not node:
        return Section("logger", node, {}, frozenset())
    target = {"_target_": Annotated[str, OneOf(tuple(_LOGGERS))]}
    check_types("logger.", target, {"_target_": node.get("_target_")})  # any other class would be code to be run
    keys = _LOGGERS[node["_target_"]]
    return _section(config, "logger", {**target, **arguments_of(keys)}, _required(keys))


def _without(owner: Callable[..., Any], *names: str) -> dict[str, Any]:
    """What can be given to it, but for what the suite itself gives."""
    return {name: kind for name, kind in arguments_of(owner).items() if name not in names}


def _required(owner: Callable[..., Any]) -> set[str]:
    if typing.is_typeddict(owner):
        return set(arguments_of(owner))
    parameters = inspect.signature(owner).parameters
    return {name for name in arguments_of(owner) if parameters[name].default is inspect.Parameter.empty}
