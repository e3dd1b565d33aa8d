"""The sketched styles of a built-in face: contours by ten hands, aligned with the photo, and a loose pencil sketch."""

from dataclasses import replace
from math import cos, pi, sin, tau
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suite.faces.canvas import Canvas
from suite.faces.features import face_shapes
from suite.faces.geometry import NATURAL, Points, Rig
from suite.faces.parameters import Colour, FaceParameters

PAPER: Colour = (255, 255, 255)
# Areas whose edge is drawn and that hide what lies behind them; the fine ones get a finer line.
FINE = {"mouth", "iris", "lower_lip", "upper_lip", "earring"}
EDGED = FINE | {"hair_back", "hair", "band", "neck", "ear", "skin", "cloth", "collar", "moustache", "beard"}
BLANK = {"sclera", "teeth"}  # these hide, but other lines already bound them
SOLID = {"pupil", "lash", "nostril"}


class Hand(NamedTuple):
    """One draughtsman: how the pen is held and what is thought worth drawing."""

    width: float  # of the pen, in picture widths
    wobble: float  # how far lines stray, in picture widths
    detail: int  # 0 outlines only .. 2 every strand
    ink: float  # grey level, 0..255
    taper: float  # how much thinner lines end, 0..1
    solid_brows: bool
    tinted_hair: bool


HANDS = (
    Hand(0.0165, 0.0000, 1, 24, 0.5, solid_brows=True, tinted_hair=False),
    Hand(0.0120, 0.0025, 2, 52, 0.8, solid_brows=True, tinted_hair=False),
    Hand(0.0230, 0.0015, 0, 16, 0.2, solid_brows=True, tinted_hair=False),
    Hand(0.0145, 0.0040, 1, 70, 0.7, solid_brows=False, tinted_hair=False),
    Hand(0.0185, 0.0010, 2, 34, 0.9, solid_brows=True, tinted_hair=True),
    Hand(0.0130, 0.0030, 0, 40, 0.4, solid_brows=False, tinted_hair=False),
    Hand(0.0210, 0.0035, 1, 60, 0.8, solid_brows=True, tinted_hair=True),
    Hand(0.0115, 0.0010, 1, 20, 0.3, solid_brows=True, tinted_hair=True),
    Hand(0.0170, 0.0045, 2, 48, 0.6, solid_brows=False, tinted_hair=True),
    Hand(0.0150, 0.0020, 0, 30, 0.9, solid_brows=True, tinted_hair=True),
)


class _Wobble:
    """A smooth random displacement of the whole sheet, so that lines that meet still meet."""

    def __init__(self, amount: float, rng: np.random.Generator) -> None:
        direction, self._phase = rng.uniform(0, tau, (2, 4)).astype(np.float32)
        self._waves = np.stack((np.cos(direction), np.sin(direction))) * np.array((7, 13, 23, 31), np.float32)
        self._amount = 0.7 * amount

    def __call__(self, points: Points) -> Points:
        wave = np.sin(points @ self._waves + self._phase)
        return points + self._amount * (wave[:, :2] + 0.6 * wave[:, 2:])


def contour(p: FaceParameters, size: int, hand: int) -> NDArray[np.uint8]:
    """Clean dark lines on white along the outlines of the photo, by one of HANDS; (size, size, 3)."""
    style = HANDS[hand]
    wobble = _Wobble(style.wobble, np.random.default_rng((p.seed, p.index, 1, hand)))
    ink: Colour = (style.ink,) * 3
    tinted = {"hair", "hair_back", "beard", "moustache"} if style.tinted_hair else set()
    canvas = Canvas(size, PAPER)
    for shape in face_shapes(p, NATURAL, size):
        role = shape.role
        if shape.detail > style.detail or (role == "beard" and p.beard == "stubble"):
            continue
        points = wobble(shape.points)
        if not shape.closed:
            width = 0.4 + 0.6 * shape.width
            canvas.stroke(points, ink, style.width * width, taper=style.taper, floor=width)
        elif role in SOLID or (role == "brow" and style.solid_brows):
            canvas.fill(points, ink)
        elif role in EDGED or role == "brow":
            canvas.fill(points, (226, 226, 226) if role in tinted else PAPER)
            width = 0.6 if role in FINE or role == "brow" else 1.0
            canvas.stroke(points, ink, style.width * width, closed=True, floor=width)
        elif role in BLANK or role == "glint":
            canvas.fill(points, PAPER)
    return canvas.pixels()


SKETCHED = NATURAL._replace(eye_width=1.15, eye_height=1.25, shadows=True)
# What is hatched how darkly, 0..255; red: shadow, green: hair, blue: clothes
HATCHED: dict[str, Colour] = {
    "neck": (200, 0, 0), "skin_shadow": (220, 0, 0), "hair": (0, 200, 0), "hair_back": (0, 255, 0),
    "beard": (0, 230, 0), "moustache": (0, 255, 0), "cloth": (0, 0, 200),
}  # fmt: skip
# Angle (radians), distance from stroke to stroke (picture widths) and darkness (of 1) of the three hatchings.
HATCHINGS = ((0.7, 0.036, 0.14), (1.2, 0.028, 0.26), (0.8, 0.044, 0.10))


def loose(p: FaceParameters, size: int) -> NDArray[np.uint8]:
    """A quick pencil sketch from memory: moved, leaning, exaggerated, every outline searched for twice; grey."""
    rng = np.random.default_rng((p.seed, p.index, 2))
    p = _misremembered(p, rng)
    first, second = _Wobble(0.007, rng), _Wobble(0.007, rng)
    canvas, hatched = Canvas(size, PAPER), Canvas(size)
    _construction_lines(p, canvas, first, size)
    for shape in face_shapes(p, SKETCHED, size):
        role, points = shape.role, first(shape.points)
        if role == "beard" and p.beard == "stubble":
            continue
        if role in EDGED or role in BLANK:
            canvas.fill(points, PAPER)
            hatched.fill(points, HATCHED.get(role, (0, 0, 0)))
        if not shape.closed or role in EDGED:
            width = 0.4 + 0.6 * shape.width * (0.5 if role in FINE else 1.0)
            canvas.stroke(points, (84, 84, 84), 0.013 * width, shape.closed, 0.7, 0.8 * width)
            if role in EDGED and role not in FINE:
                canvas.stroke(second(shape.points), (128, 128, 128), 0.010 * width, shape.closed, 0.8, 0.7 * width)
        elif role in SOLID or role == "brow":
            canvas.fill(points, (92, 92, 92))
        elif role in HATCHED:
            hatched.fill(points, HATCHED[role])
    grey = canvas.pixels()[..., 0] - _hatching(size, hatched.pixels(), rng)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, 2)


def _misremembered(p: FaceParameters, rng: np.random.Generator) -> FaceParameters:
    """The face moved, turned and with its proportions off."""
    off = rng.uniform(-1, 1, 12).tolist()
    return replace(
        p,
        centre=(p.centre[0] + 0.06 * off[0], p.centre[1] + 0.01 + 0.03 * off[1]),
        unit=p.unit * (0.93 + 0.09 * off[2]),
        roll=p.roll + 0.10 * off[3],
        yaw=p.yaw * 1.2 + 0.08 * off[4],
        width=p.width * (1 + 0.08 * off[5]),
        jaw=p.jaw * (1 + 0.12 * off[6]),
        length=p.length * (1 + 0.06 * off[7]),
        nose_length=p.nose_length * (1 + 0.10 * off[8]),
        mouth_width=p.mouth_width * (1 + 0.20 * off[9]),
        eye_spacing=p.eye_spacing * (1 + 0.07 * off[10]),
        brow_thickness=p.brow_thickness * (1.1 + 0.3 * off[11]),
    )


def _construction_lines(p: FaceParameters, canvas: Canvas, wobble: _Wobble, size: int) -> None:
    """The faint axis, eye line and oval that a sketch begins with; the face covers most of them."""
    rig = Rig(p, size)
    turns = [tau * i / 40 for i in range(41)]
    oval = [((p.width + 0.16) * sin(turn), -0.12 - 1.18 * cos(turn), 0.0) for turn in turns]
    axis = rig.smooth(rig.face([(0, -1.45), (0, -0.5), (0, 0.4), (0, 1.35)], 0, 0), closed=False)
    eyes = rig.smooth(rig.face([(-1.15, 0.06), (-0.4, 0.06), (0.4, 0.06), (1.15, 0.06)], 0, 0), closed=False)
    for line in (rig.solid(oval), axis, eyes):
        canvas.stroke(wobble(line), (205, 205, 205), 0.008, taper=0.6, floor=0.6)


def _hatching(size: int, areas: NDArray[np.uint8], rng: np.random.Generator) -> Points:
    """How much darker parallel strokes make each pixel, (size, size); areas are (size, size, 3)."""
    steps = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    x, y = steps[None], steps[:, None]
    dark = np.zeros((size, size), np.float32)
    for channel, (angle, period, tone) in enumerate(HATCHINGS):
        angle += rng.uniform(-0.2, 0.2)
        pixels = period * size
        # The share of the paper that strokes cover: never thinner than a pixel, but equally dark at every size.
        share = min(0.6, max(0.28, 1.1 / pixels))
        bend = 0.5 * np.sin(9 * y + channel) + 0.4 * np.sin(14 * x)
        wave = np.sin((x * cos(angle) + y * sin(angle)) * (tau / period) + bend)
        strokes = np.clip(0.5 + (wave - cos(pi * share)) * (pixels / tau), 0, 1)
        pressure = 1 + 0.3 * np.sin(11 * y - 6 * x + channel)
        dark += areas[..., channel] * strokes * pressure * (tone / share)
    return dark
