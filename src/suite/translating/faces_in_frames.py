"""Faces cut out of frames as training pictures were cut out of videos, and put back without a visible border."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from suite.data.pictures.decode import Array
from suite.data.tools.video_faces import Box, Detector, widened

_SOFT = 0.1  # of the square's side: the least width of the border in which the translation fades in


def face_squares(frame: Array, find: Detector, margin: float) -> list[Box]:
    """The squares to cut out of a frame, uint8 RGB (H, W, 3), those of small faces first."""
    boxes = find(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return [widened(box, margin, *frame.shape[:2]) for box in reversed(boxes)]


def cut_out(frame: Array, square: Box) -> Array:
    """The pixels in a square, (side, side, 3): a view of the frame."""
    return frame[square.top : square.top + square.side, square.left : square.left + square.side]


def paste(frame: Array, square: Box, face: Array, margin: float) -> None:
    """Put a translated face, uint8 (side, side, 3), into its square of the frame, in place.

    It fades in over the margin around the face: the face itself is the translation, the border of the square the frame.
    """
    mask = _soft_mask(square.side, margin)[..., None]
    place = cut_out(frame, square)
    place[:] = np.rint(place + mask * (face.astype(np.float32) - place)).astype(np.uint8)


@lru_cache(maxsize=64)  # a mask is small, and faces of a video are of few sizes
def _soft_mask(side: int, margin: float) -> NDArray[np.float32]:
    """How much of the translation is seen, 0 to 1, (side, side): a smooth step inwards from each border."""
    width = min(max(margin / (1 + 2 * margin), _SOFT), 0.5) * side
    middle = np.arange(side, dtype=np.float32) + 0.5
    way = np.clip(np.minimum(middle, side - middle) / width, 0, 1)
    step = way * way * (3 - 2 * way)
    return np.outer(step, step)
