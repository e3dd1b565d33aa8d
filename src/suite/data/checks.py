"""Checks of the keys of `data`, before anything touches the disk."""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from suite.arguments import Example, NonNegative, Range, ShareBelowOne, arguments_of, check_types, shown
from suite.data.depth import check_depth
from suite.data.sources import check_options, source_arguments
from suite.data.splits import check_wanted
from suite.errors import UserError

# What is done to training pictures on the device, and its range; what is left out is 0.
Augment = Annotated[Mapping[Literal["zoom", "rotation"], NonNegative], Example("{zoom: 0.05, rotation: 10}")]
_AUGMENT = {"zoom": ShareBelowOne, "rotation": Annotated[float, Range(least=0, most=180)]}
_OF_TARGET = ("source", "root", "streaming", "split", "seed")  # keys of data.target that are no options of its source


def check(pictures: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Hold the keys of `data` to the annotations of `DataKeys`, of the source, and of what else they are handed to.

    Raises UserError for the first of them, or two of them together, that can't work.
    """
    kinds = arguments_of(pictures)
    check_types("data.", kinds, given)
    if "source" not in given:
        raise UserError("data.source is not set: say data=<name>")
    options = {name: value for name, value in given.items() if name not in kinds}
    check_options(given["source"], options)
    defaults = {name: parameter.default for name, parameter in inspect.signature(pictures).parameters.items()}
    _check_together({**defaults, **given})
    _check_sketch(given.get("sketch"), given.get("sketch_options"))
    if (target := given.get("target")) is not None:
        _check_target(target, kinds)


def _check_together(given: Mapping[str, Any]) -> None:
    size, load_size, task, target = given["size"], given["load_size"], given["task"], given["target"]
    if given["crop"] and size > load_size:
        raise UserError(
            f"data.size={size} is larger than data.load_size={load_size}, which it is cropped from: "
            "raise data.load_size, or set data.crop=false"
        )
    check_depth("data.depth", given["depth"])
    if given["drawings"] == "all" and task not in ("paired", "semi_supervised"):
        raise UserError(f"data.drawings=all is for data.task=paired or semi_supervised, not {task}: set one of them")
    if given["balanced"] and task != "labelled":
        raise UserError(f"data.balanced=true is for data.task=labelled, not {task}: set one of them")
    if (augment := given["augment"]) is not None:
        check_types("data.augment.", _AUGMENT, augment)
        if task != "labelled":
            raise UserError(
                f"data.augment={shown(augment)} is for data.task=labelled, not {task}: set data.augment=null"
            )
    streamed = given["streaming"] is not None and (target is None or "streaming" in target)
    if given["on_broken"] == "skip" and not given["cache"] and not streamed:
        raise UserError("data.on_broken=skip needs data.cache=true: broken pictures are found while it is built")
    if given["split"] is not None:
        check_wanted(given["split"])
    _check_other_drawings(given)
    _check_self_supervised(given)
    if target is None and task == "semi_supervised":
        raise UserError(
            "data.task=semi_supervised needs a data.target, sketches of the style to learn: as in "
            "'data.target={source: cufsf, root: …}'"
        )
    if target is not None and task not in ("semi_supervised", "unpaired"):
        raise UserError(
            f"data.task={task} has no data.target: leave it out, or set data.task=semi_supervised or unpaired"
        )
    if target is not None and task == "unpaired" and given["sketch"] is not None:
        raise UserError(
            f"data.sketch={given['sketch']} with data.target and data.task=unpaired: sketches made of the photos, "
            "or drawings of another set; leave one out"
        )


def _check_other_drawings(given: Mapping[str, Any]) -> None:
    """Those of `line_drawings` and `sketch_sets`; of both, as stages of one command have them, the latter is read."""
    task, sets, lines = given["task"], given["sketch_sets"], given["line_drawings"]
    if sets is not None:
        if task not in ("paired", "semi_supervised", "self_supervised"):
            raise UserError(f"data.sketch_sets={sets} gives photos their sketches, and data.task={task} has no pairs")
        if given["sketch"] is not None:
            raise UserError(f"data.sketch={given['sketch']} with data.sketch_sets={sets}: leave one out")
        if given["streaming"] is not None:
            raise UserError(f"data.sketch_sets={sets} is no part of a packed set: set data.root, not data.streaming")
        if given["resize"] == "cover":
            raise UserError(
                f"data.resize=cover with data.sketch_sets={sets}: sketches are of the squashed photo; set "
                "data.resize=squash"
            )
    elif lines is not None:
        if task != "unpaired":
            raise UserError(f"data.line_drawings={lines} is for data.task=unpaired, not {task}: set one of them")
        for key in ("target", "sketch"):
            if (other := given[key]) is not None:
                raise UserError(
                    f"data.line_drawings={lines} with data.{key}={shown(other)}: both say which drawings stand against "
                    "the photos; leave one out"
                )


def _check_self_supervised(given: Mapping[str, Any]) -> None:
    # An earlier stage of the same command has drawings of another place, and reads nothing of this.
    elsewhere = given["line_drawings"] is not None or given["target"] is not None
    if given["task"] == "self_supervised" or (given["task"] == "unpaired" and elsewhere):
        return
    for key in ("subset", "mismatched"):
        if (value := given[key]) is not None:
            raise UserError(
                f"data.{key}={value} is for data.task=self_supervised, not {given['task']}: set data.{key}=null"
            )


def _check_sketch(style: str | None, options: Mapping[str, Any] | None) -> None:
    if style is not None:
        from suite.sketching import check_style  # torch and kornia: half a gigabyte, which no reader needs

        check_style(style, options or {})
    elif options:
        raise UserError(f"data.sketch_options={shown(options)} without data.sketch: say which style, as sobel")


def _check_target(target: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    if "source" not in target:
        raise UserError(
            f"data.target={shown(target)}: say which source it is, as in 'data.target={{source: cufsf, root: …}}'"
        )
    check_types("data.target.", kinds, {key: value for key, value in target.items() if key in _OF_TARGET})
    options = {key: value for key, value in target.items() if key not in _OF_TARGET}
    check_options(target["source"], options, "data.target")
    if "seed" in target and "seed" not in source_arguments(target["source"]):
        raise UserError(f"data.target.seed: the source {target['source']} draws nothing; leave it out")
    if target.get("split") is not None:
        check_wanted(target["split"], "data.target.split")
