"""Faces brought to one place by their eyes: what the cropped copies of CUFS and CUFSF are made with."""

from cmath import isfinite
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from suite.data.catalog import Picture, flatten

SIZE = (200, 250)  # pixels, width and height of the cropped copies
LEFT_EYE, RIGHT_EYE = complex(75, 125), complex(125, 125)  # where the eyes lie in them, x and y
# Lines of the eyes' centres in the 35 points of CUFS (.dat), counted from 0, and in the three of CUFSF (.3pts).
_MOST_BYTES = 1 << 20  # of a file of points
_EYES = {".dat": (16, 18), ".3pts": (0, 1), ".pos": (0, 1)}


@dataclass(frozen=True)
class AlignedPicture:
    """A picture turned, scaled and moved on loading, so that its eyes lie where the cropped copies have them.

    `points` is the file of its fiducial points. What lies outside the picture is white.
    """

    picture: Picture
    points: Path

    def load(self) -> Image.Image:
        """RGB, 200 x 250 pixels. Raises OSError or ValueError where the picture or its points can't be read."""
        picture = flatten(self.picture.load(), "RGB")
        left, right = read_eyes(self.points)
        # A similarity in complex numbers: target = turn * source + shift.
        turn = (RIGHT_EYE - LEFT_EYE) / (right - left)
        if (scale := abs(turn)) < 1:  # shrink with a filter first: an affine warp alone leaves jagged lines
            size = tuple(max(1, round(length * scale)) for length in picture.size)
            shrunk = picture.resize((size[0], size[1]), Image.Resampling.BICUBIC)
            wide, high = (after / before for after, before in zip(shrunk.size, picture.size, strict=True))
            left, right = (complex(eye.real * wide, eye.imag * high) for eye in (left, right))
            picture, turn = shrunk, (RIGHT_EYE - LEFT_EYE) / (right - left)
        back = 1 / turn
        start = left - back * LEFT_EYE
        matrix = (back.real, -back.imag, start.real, back.imag, back.real, start.imag)
        return picture.transform(SIZE, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor="white")

    def identity(self) -> str:
        stat = self.points.stat()
        return f"{self.picture.identity()}:{self.points.name}:{stat.st_size}:{stat.st_mtime_ns}"

    @property
    def name(self) -> str:
        return self.picture.name


def read_eyes(path: Path) -> tuple[complex, complex]:
    """The eye on the left of the picture and the one on its right, x + iy in pixels. ValueError: no such points."""
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path} does not hold the points of the eyes")
    lines = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    if path.suffix.lower() == ".pos":  # both eyes in one line
        lines = [cells[start : start + 2] for cells in lines[:1] for start in (0, 2)]
    pairs = [cells for cells in lines if len(cells) == 2]
    try:
        eyes = [complex(*map(float, pairs[line])) for line in _EYES[path.suffix.lower()]]
        if not all(map(isfinite, eyes)):
            raise ValueError
    except (IndexError, ValueError) as error:
        raise ValueError(f"{path} does not hold the points of the eyes") from error
    left, right = sorted(eyes, key=lambda eye: eye.real)
    if abs(right - left) < 1:
        raise ValueError(f"{path} has both eyes in one place")
    return left, right
