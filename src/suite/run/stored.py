"""What a run folder says, which may be someone else's: it is data, and decides nothing about whoever reads it.

It is read without interpolation, so that `${oc.env:…}` in it stays a text. Caches, files of weights, and where W&B
sends what it logs are those of the command that goes on with the run or measures it. Nothing is written through a link.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import AliasToken

from suite.errors import UserError
from suite.run.words import escaped, say, unescaped

log = logging.getLogger("suite")

# The classes that a configuration may name, compared as whole names: nothing else is ever imported for one.
WANDB, TENSORBOARD = "suite.run.loggers.CurvesWandbLogger", "pytorch_lightning.loggers.TensorBoardLogger"
_PLACES = ("root", "streaming", "line_drawings", "sketch_sets")  # of `data` and `data.target`
_OF_WANDB = ("wandb", ".wandb")  # folders in which W&B makes links of its own, and replaces them


def read_settings(path: Path) -> DictConfig:
    """The settings in a file, texts as they stand there. Raises UserError where it is damaged."""
    try:
        # An alias of aliases of aliases would be more than any memory holds; no run writes one.
        if any(isinstance(token, AliasToken) for token in yaml.scan(path.read_text(encoding="utf-8"))):
            raise UserError(f"{path} is damaged: it has an alias, *name; write out what is meant")
        config = OmegaConf.load(path)
        if not isinstance(config, DictConfig) or not config:
            raise UserError(f"{path} is damaged: it holds no settings")
        return OmegaConf.create(escaped(unescaped(OmegaConf.to_container(config, resolve=False))))
    except (yaml.YAMLError, UnicodeDecodeError, OmegaConfBaseException, RecursionError) as error:
        raise UserError(f"{path} is damaged: {' '.join(str(error).split())}") from error


class Own(NamedTuple):
    """What is the person's who reads a run, and never the run's."""

    cache_dir: str
    mode: str  # W&B's
    entity: str | None = None  # W&B's
    weights: Mapping[str, Any] | None = None  # paths by name, as `metrics.weights`
    features_weights: str | None = None  # as of `model`


def own_mode() -> str:
    """W&B's mode where the command names none."""
    return os.environ.get("WANDB_MODE", "offline")


def take_own(saved: DictConfig, own: Own) -> None:
    """Put what is the person's in place of what is stored, and say which files of weights are left out."""
    for section in (saved, saved.get("data"), saved.get("metrics")):
        if isinstance(section, DictConfig):
            section.cache_dir = escaped(own.cache_dir)
    metrics, model, logger = (saved.get(name) for name in ("metrics", "model", "logger"))
    weights, theirs = dict(own.weights or {}), OmegaConf.create({})
    if isinstance(metrics, DictConfig):
        theirs = metrics.weights if isinstance(metrics.get("weights"), DictConfig) else theirs
        for name in map(str, theirs):
            _say_left(f"metrics.weights.{name}", theirs.get(name), weights.get(name))
        metrics.weights = escaped(weights)
    if isinstance(model, DictConfig) and "features_weights" in model:
        before, features_weights = model.features_weights, own.features_weights
        if before is not None and before == theirs.get("vgg19"):  # it was one file for both
            features_weights = features_weights or weights.get("vgg19")
        _say_left("model.features_weights", before, features_weights)
        model.features_weights = escaped(features_weights)
    if isinstance(logger, DictConfig) and logger.get("_target_") == WANDB:
        logger.entity, logger.mode = escaped(own.entity), escaped(own.mode)


def _say_left(key: str, theirs: Any, own: Any) -> None:
    if theirs is not None and own is None:
        log.info("%s is of the run and not read: say it again where it is a file of yours", say(key, str(theirs)))


def said_places(data: DictConfig) -> str:
    """The folders and URLs that the data are read from, as a line; empty where there are none."""
    return "  ".join(say(f"data.{key}", place) for key, place in _places(data))


def distant_place(data: DictConfig) -> str:
    """The first place of the data that is not on this machine; empty where all are."""
    from suite.data.sources.helpers.stores import is_distant

    places = (data.get("streaming"), (data.get("target") or {}).get("streaming"))
    return next((place for place in places if place and is_distant(place)), "")


def _places(data: DictConfig) -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        if key == "target" and isinstance(value, DictConfig):
            yield from ((f"target.{inner}", place) for inner, place in _places(value))
        elif isinstance(value, str) and key != "cache_dir" and (key in _PLACES or Path(value).is_absolute()):
            yield str(key), value


def refuse_links(run: Path) -> None:
    """Raises UserError where a link in a run's folder leads out of it: what is written there would be elsewhere."""
    inside = Path(os.path.realpath(run))  # `resolve` raises for links in a circle
    for folder, folders, files in os.walk(run):
        for path in (Path(folder) / name for name in (*folders, *files)):
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside):
                raise UserError(
                    f"{path} is a link that leads out of the run's folder, and nothing is written through it: delete "
                    "it, or put in its place what it leads to"
                )
        folders[:] = [name for name in folders if name not in _OF_WANDB]
