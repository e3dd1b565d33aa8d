"""Built-in faces: one set of parameters drawn as a photo, a cartoon, contour sketches by ten hands and a loose sketch.

    (seed, index) ─► FaceParameters ─► shapes (features, hair, body; placed by geometry) ─► photo | cartoon | sketches

A face is a function of (seed, index) alone and shows the same content at every size. Photo, cartoon and contours are
aligned to the pixel; the loose sketch is not.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from suite.errors import UserError
from suite.faces.cartoon import cartoon
from suite.faces.parameters import FEMALE, MALE, FaceParameters
from suite.faces.photo import photo
from suite.faces.sketches import HANDS, contour, loose

__all__ = [
    "FEMALE", "HANDS", "LARGEST", "MALE", "SMALLEST", "STYLES", "VERSION", "Face", "FaceParameters", "Style",
    "contact_sheet", "draw",
]  # fmt: skip

VERSION = "2"  # to be raised whenever a pixel changes: cached pictures are keyed by it
Style = Literal["photo", "cartoon", "contour", "loose"]
STYLES: tuple[Style, ...] = get_args(Style)
SMALLEST, LARGEST = 32, 1024


def draw(parameters: FaceParameters, style: Style, size: int, hand: int = 0) -> NDArray[np.uint8]:
    """One picture of a face, (size, size, 3) in RGB; sketches are grey.

    `size` is 32..1024 pixels. `hand`, 0..9, tells the draughtsmen of contours apart; the other styles have one.
    Raises UserError for a style, size or hand that there is not.
    """
    if style not in STYLES:
        raise UserError(f"there is no face style {style!r}: choose one of {', '.join(STYLES)}")
    if not SMALLEST <= size <= LARGEST:
        raise UserError(f"faces can't be drawn at {size} pixels: choose a size from {SMALLEST} to {LARGEST}")
    if not 0 <= hand < (len(HANDS) if style == "contour" else 1):
        raise UserError(f"no hand {hand} draws in the style {style!r}: contours have hands 0 to {len(HANDS) - 1}")
    if style == "photo":
        return photo(parameters, size)
    if style == "cartoon":
        return cartoon(parameters, size)
    return contour(parameters, size, hand) if style == "contour" else loose(parameters, size)


@dataclass(frozen=True)
class Face:
    """One picture of the face number `index` of the series `seed`, drawn when it is loaded (a catalog.Picture)."""

    seed: int
    index: int
    style: Style
    size: int
    hand: int = 0

    def load(self) -> Image.Image:
        return Image.fromarray(draw(FaceParameters.sample(self.seed, self.index), self.style, self.size, self.hand))

    def identity(self) -> str:
        return f"face {VERSION}:{self.seed}:{self.index}:{self.style}:{self.size}:{self.hand}"

    @property
    def name(self) -> str:
        return f"face {self.index} of series {self.seed} ({self.style})"


def contact_sheet(rows: int, size: int, seed: int) -> NDArray[np.uint8]:
    """A row for each of the first faces of a series, (rows * size, 6 * size, 3).

    The columns: photo, cartoon, contours by three hands, loose sketch.
    """
    columns: tuple[tuple[Style, int], ...] = (
        ("photo", 0), ("cartoon", 0), ("contour", 0), ("contour", 1), ("contour", 4), ("loose", 0),
    )  # fmt: skip
    faces = [FaceParameters.sample(seed, index) for index in range(rows)]
    return np.concatenate(
        [np.concatenate([draw(face, style, size, hand) for style, hand in columns], 1) for face in faces]
    )
