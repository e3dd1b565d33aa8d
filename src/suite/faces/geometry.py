"""Where the shapes of a face lie: the pose that places them in the picture, and the curves they are made of.

Shapes are designed in head units (see parameters) and handed out in picture widths: (0, 0) is the upper left corner
of the picture and (1, 1) the lower right one, at every resolution.
"""

from functools import lru_cache
from math import cos, sin, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suite.faces.parameters import FaceParameters

Points = NDArray[np.floating[Any]]
Flat = list[tuple[float, float]]  # on the plane of the face or of the body
Solid = list[tuple[float, float, float]]  # the third: how far in front of the head's middle


class Shape(NamedTuple):
    """One closed area or one line. `role` says what it depicts and so which colour it takes."""

    role: str
    points: Points  # (n, 2), picture widths
    closed: bool = True
    width: float = 1.0  # of a line, in pen widths
    detail: int = 0  # 0 every hand draws it, 1 most do, 2 only the patient ones


class Look(NamedTuple):
    """How far a style departs from the natural face."""

    eye_width: float = 1.0
    eye_height: float = 1.0
    anime: bool = False  # round, glossy eyes and a nose of one line
    shadows: bool = False  # areas of shadow with an edge


NATURAL = Look()


@lru_cache(maxsize=128)
def _catmull_rom(controls: int, closed: bool, steps: int) -> Points:
    """Matrix (points, controls) of the Catmull-Rom spline through the controls, `steps` points from one to the next."""
    segments = controls if closed else controls - 1
    matrix = np.zeros((segments * steps + (not closed), controls), np.float32)
    for row in range(len(matrix)):
        segment = min(row // steps, segments - 1)
        t = row / steps - segment
        weights = ((2 - t) * t - 1) * t, (3 * t - 5) * t * t + 2, ((4 - 3 * t) * t + 1) * t, (t - 1) * t * t
        for column, weight in enumerate(weights, segment - 1):
            matrix[row, column % controls if closed else min(max(column, 0), controls - 1)] += weight / 2
    return matrix


class Rig:
    """Places points of the head into the picture: turn (yaw, pitch), lean (roll), size and position."""

    def __init__(self, p: FaceParameters, size: int) -> None:
        self._cos, self._sin, self._pitch = cos(p.yaw), sin(p.yaw), sin(p.pitch)
        lean, tilt = cos(p.roll) * p.unit, sin(p.roll) * p.unit
        self._roll = (lean, tilt), (-tilt, lean)
        self._centre = p.centre
        self._shift = np.array(p.centre, np.float32)
        self._turn = np.array(((self._cos, 0), (0, 1), (self._sin, self._pitch)), np.float32)
        self._turn @= np.array(self._roll, np.float32)
        self._unit = p.unit
        self._steps = 3 if size <= 96 else 5 if size <= 256 else 10  # chords stay far closer than a pixel to the curve

    def smooth(self, controls: Points, closed: bool = True) -> Points:
        """The Catmull-Rom curve through controls (n, 2)."""
        return _catmull_rom(len(controls), closed, self._steps) @ controls

    def solid(self, points: ArrayLike) -> Points:
        """Points (n, 3) of the head as (n, 2) of the picture."""
        return np.asarray(points, np.float32) @ self._turn + self._shift

    def body(self, points: ArrayLike) -> Points:
        """Points (n, 2) of neck and clothes, which stand upright: they follow the head's place, not its lean."""
        return (np.asarray(points, np.float32) - (0, 0.08)) * self._unit + self._shift

    def point(self, x: float, y: float, bump: float = 0.0) -> tuple[float, float]:
        """One point of the front of the head, lifted by `bump`."""
        depth = depth_at(x, y) + bump
        u, v = x * self._cos + depth * self._sin, y + depth * self._pitch
        (a, b), (c, d) = self._roll
        return u * a + v * c + self._centre[0], u * b + v * d + self._centre[1]

    def face(self, points: ArrayLike, x: float, y: float, bump: float = 0.0) -> Points:
        """Points (n, 2) of the front of the head, taken as its tangent plane at (x, y) lifted by `bump`."""
        depth = depth_at(x, y)
        slope_x, slope_y = -x * (DEPTH / HALF_WIDTH) ** 2 / depth, -y * (DEPTH / HALF_HEIGHT) ** 2 / depth
        height = depth + bump - slope_x * x - slope_y * y
        # Written out: at this size plain numbers are several times faster than arrays.
        (a, b), (c, d) = self._roll
        u, v = self._cos + slope_x * self._sin, slope_x * self._pitch
        s, t = slope_y * self._sin, 1 + slope_y * self._pitch
        m, n = height * self._sin, height * self._pitch
        plane = np.array(((u * a + v * c, u * b + v * d), (s * a + t * c, s * b + t * d)), np.float32)
        shift = m * a + n * c + self._centre[0], m * b + n * d + self._centre[1]
        return np.asarray(points, np.float32) @ plane + np.array(shift, np.float32)


# Half axes of the ellipsoid that the front of the head is, a little larger than its outline.
HALF_WIDTH, HALF_HEIGHT, DEPTH = 0.82, 1.15, 0.72


def depth_at(x: float, y: float) -> float:
    """How far the front of the head stands forward at (x, y), in head units; never nearly edge-on."""
    return DEPTH * sqrt(max(0.08, 1 - (x / HALF_WIDTH) ** 2 - (y / HALF_HEIGHT) ** 2))


def on_face(points: Flat, share: float = 1.0) -> Solid:
    """The points put on the front of the head, or part of the way towards it."""
    return [(x, y, share * depth_at(x, y)) for x, y in points]


def at_depth(points: Flat, depth: float) -> Solid:
    """The points put on an upright plane."""
    return [(x, y, depth) for x, y in points]


def mirrored(half: Flat) -> Flat:
    """A closed outline from its right half, given from one end of the axis of symmetry to the other."""
    return half + [(-x, y) for x, y in half[-2:0:-1]]


def head_outline(p: FaceParameters) -> Solid:
    """From the crown down the right side to the chin and up the left."""
    w, jaw, chin, end = p.width, p.jaw, p.chin, p.length
    right: Solid = [
        (0, -1.0, 0), (0.52 * w, -0.925, 0), (0.88 * w, -0.64, 0.03), (w, -0.22, 0.06), (w * 0.985, 0.14, 0.12),
        (w * 0.46 + jaw * 0.5, 0.46, 0.15), (jaw, end - 0.30, 0.2), (chin * 0.72 + jaw * 0.22, end - 0.10, 0.25),
        (chin * 0.62, end - 0.022, 0.33), (0, end, 0.36),
    ]  # fmt: skip
    return right + [(-x, y, z) for x, y, z in right[-2:0:-1]]
