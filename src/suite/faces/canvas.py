"""Anti-aliased shapes on pixels: drawn by Pillow at several times the size and averaged down."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from suite.faces.geometry import Points
from suite.faces.parameters import Colour

_RIGHT_ANGLE = np.array((-1, 1), np.float32)


class Canvas:
    """A square RGB picture, painted back to front, whose corners are (0, 0) and (1, 1) whatever its size."""

    def __init__(self, size: int, background: Colour = (0, 0, 0)) -> None:
        self._size = size
        self._factor = 4 if size <= 192 else 3 if size <= 384 else 2
        self._picture = Image.new("RGB", (size * self._factor,) * 2, _ink(background))
        self._draw = ImageDraw.Draw(self._picture)

    def fill(self, points: Points, colour: Colour) -> None:
        """Fill the closed outline (n, 2)."""
        # Pillow counts from the middle of the first pixel.
        self._draw.polygon((points * (self._size * self._factor) - 0.5).ravel().tolist(), fill=_ink(colour))

    def stroke(
        self, points: Points, colour: Colour, width: float, closed: bool = False, taper: float = 0.0, floor: float = 1.0
    ) -> None:
        """A line through points (n, 2), `width` picture widths wide but never below `floor` pixels.

        `taper`, 0..1, is how much thinner it ends.
        """
        self.fill(_ribbon(points, max(width, floor / self._size), closed, taper), colour)

    def picture(self) -> Image.Image:
        """What was painted, at the size asked for."""
        return self._picture.reduce(self._factor)

    def pixels(self) -> NDArray[np.uint8]:
        """What was painted, (size, size, 3)."""
        return np.asarray(self.picture())


def _ink(colour: Colour) -> tuple[int, int, int]:
    return int(colour[0]), int(colour[1]), int(colour[2])


@lru_cache(maxsize=256)
def _ends(points: int) -> Points:
    """(points, 1): 0 in the middle, 1 at both ends."""
    return np.linspace(-1, 1, points, dtype=np.float32)[:, None] ** 2


def _ribbon(points: Points, width: float, closed: bool, taper: float) -> Points:
    """The outline of a line of the given width through points (n, 2)."""
    if closed:
        points = np.concatenate((points, points[:1]))
    direction = np.empty_like(points)
    direction[1:-1] = points[2:] - points[:-2]
    if closed:
        direction[0] = direction[-1] = points[1] - points[-2]
    else:
        direction[0], direction[-1] = points[1] - points[0], points[-1] - points[-2]
    dx, dy = direction[:, 0], direction[:, 1]
    direction *= (width / 2 / (np.sqrt(dx * dx + dy * dy) + 1e-9))[:, None]
    normal = direction[:, ::-1] * _RIGHT_ANGLE
    if taper:
        normal *= 1 - taper * _ends(len(points))
    return np.concatenate((points + normal, (points - normal)[::-1]))
