"""Checks of the keys of `data`, before anything touches the disk."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from suite import arguments
from suite.data.sources import check_options, source_arguments
from suite.data.splits import check_wanted
from suite.errors import UserError

# Arguments of DataKeys that must be of their annotated kind, and the least of those that are whole numbers.
_OF_THEIR_KIND = (
    "task", "resize", "crop", "channels_a", "channels_b", "direction", "disjoint", "drawings", "on_broken", "cache",
)  # fmt: skip
_LEAST = {"size": 1, "load_size": 1, "batch_size": 1, "eval_batch_size": 1, "workers": 0, "seed": 0}
_OF_TARGET = ("source", "root", "streaming", "split", "seed")  # keys of data.target that are no options of its source


def check(constructor: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Raises UserError for the first argument of DataKeys, or two of them together, that can't work."""
    arguments.check_types("data.", constructor, {name: given[name] for name in _OF_THEIR_KIND})
    for name, least in _LEAST.items():
        whole_number(name, given[name], least)
    arguments.share("data.flip", given["flip"])
    size, load_size, task, target = given["size"], given["load_size"], given["task"], given["target"]
    if given["crop"] and size > load_size:
        raise UserError(
            f"data.size={size} is larger than data.load_size={load_size}, which it is cropped from: "
            "raise data.load_size, or set data.crop=false"
        )
    if isinstance(epoch_length := given["epoch_length"], int):
        whole_number("epoch_length", epoch_length, least=1)
    else:
        one_of("epoch_length", epoch_length, ("max", "min", "a", "b", "a number of samples"))
    if given["drawings"] == "all" and task not in ("paired", "semi_supervised"):
        raise UserError(f"data.drawings=all is for data.task=paired or semi_supervised, not {task}: set one of them")
    if (streaming := given["streaming"]) is not None and (not isinstance(streaming, str) or not streaming):
        raise UserError(f"data.streaming={streaming}: give the folder or URL of a packed set, or null")
    streamed = streaming is not None and (target is None or "streaming" in target)
    if given["on_broken"] == "skip" and not given["cache"] and not streamed:
        raise UserError("data.on_broken=skip needs data.cache=true: broken pictures are found while it is built")
    if given["split"] is not None:
        check_wanted(given["split"])
    _check_sketch(given["sketch"], given["sketch_options"])
    check_options(given["source"], given["options"])
    if target is None and task == "semi_supervised":
        raise UserError(
            "data.task=semi_supervised needs a data.target, sketches of the style to learn: as in "
            "data.target={source: cufsf, root: …}"
        )
    if target is not None:
        if task not in ("semi_supervised", "unpaired"):
            raise UserError(
                f"data.task={task} has no data.target: leave it out, or set data.task=semi_supervised or unpaired"
            )
        if task == "unpaired" and given["sketch"] is not None:
            raise UserError(
                f"data.sketch={given['sketch']} with data.target and data.task=unpaired: sketches made of the photos, "
                "or drawings of another set; leave one out"
            )
        _check_target(target)


def _check_sketch(style: str | None, options: Mapping[str, Any] | None) -> None:
    if style is not None:
        from suite.sketching import check_style  # torch and kornia: half a gigabyte, which no reader needs

        check_style(style, options or {})
    elif options:
        raise UserError(f"data.sketch_options={dict(options)} without data.sketch: say which style, as sobel")


def _check_target(target: Mapping[str, Any]) -> None:
    if "source" not in target:
        raise UserError(f"data.target={dict(target)}: say which source it is, as in {{source: cufsf, root: …}}")
    options = {key: value for key, value in target.items() if key not in _OF_TARGET}
    check_options(target["source"], options, "data.target")
    if "seed" in target and "seed" not in source_arguments(target["source"]):
        raise UserError(f"data.target.seed: the source {target['source']} draws nothing; leave it out")
    if target.get("split") is not None:
        check_wanted(target["split"], "data.target.split")


def whole_number(key: str, value: object, least: int) -> None:
    arguments.whole_number(f"data.{key}", value, least)


def one_of(key: str, value: object, choices: Sequence[object]) -> None:
    arguments.one_of(f"data.{key}", value, choices)
