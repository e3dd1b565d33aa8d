"""Sketches computed from photos, on the photos' device: what makes pairs of a data set that has photos alone.

    photo ─► sobel | dodge | xdog (styles.py) ─► sketch ─► bold | erase (strokes.py)

Photos are floats in [0, 1], (B, 1 or 3, H, W); sketches are float32 in [0, 1], (B, 1, H, W), dark lines on white paper.
A picture's sketch does not depend on the batch it is in, nothing waits for the device, and widths are stated at 256
pixels and grow with the picture, so that a sketch looks alike at 64 and at 1024.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from suite.arguments import arguments_of, check_types, one_of, shown
from suite.errors import UserError
from suite.sketching.strokes import bold, erase, rectangles
from suite.sketching.styles import dodge, sobel, xdog

__all__ = ["SKETCHES", "bold", "check_style", "dodge", "erase", "rectangles", "simulate", "sobel", "xdog"]

SKETCHES: dict[str, Callable[..., Tensor]] = {"sobel": sobel, "dodge": dodge, "xdog": xdog}


def simulate(style: str, photo: Tensor, **options: float) -> Tensor:
    """The sketch of a photo in a style of SKETCHES; `options` are the arguments of its function."""
    return SKETCHES[style](photo, **options)


def check_style(style: object, options: Mapping[str, Any] | None = None) -> None:
    """Hold `data.sketch` and `data.sketch_options` to what there is. Raises UserError that names the key."""
    one_of("data.sketch", style, tuple(SKETCHES))
    if options is None:
        return
    known = {name: kind for name, kind in arguments_of(SKETCHES[str(style)]).items() if name != "photo"}
    if not isinstance(options, Mapping):
        raise UserError(
            f"data.sketch_options={shown(options)}: give options by name, in quotes, "
            f"as in 'data.sketch_options={{{next(iter(known))}: 1}}'"
        )
    for name in options:
        if name not in known:
            raise UserError(
                f"data.sketch_options.{shown(name)}: data.sketch={style} has no such option, "
                f"choose from {', '.join(known)}"
            )
    check_types("data.sketch_options.", known, options)
