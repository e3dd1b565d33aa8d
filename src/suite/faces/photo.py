"""The photo-like style of a built-in face: shaded colours, soft light, a blurred background, a little grain.

shapes ─► albedo and three materials (skin, hair, body), anti-aliased ─► light on each material ─► background, grain
"""

from functools import lru_cache
from math import cos, sin, tau
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageFilter

from suite.faces.canvas import Canvas
from suite.faces.features import face_shapes, shaded_side
from suite.faces.geometry import NATURAL, Rig
from suite.faces.parameters import Colour, FaceParameters, mix, scale

Field = NDArray[np.floating[Any]]  # (size, size) or (3, size, size)

SKIN, HAIR, BODY = (255, 0, 0), (0, 255, 0), (0, 0, 255)
MATERIALS: dict[str, Colour] = {
    "skin": SKIN, "ear": SKIN, "earring": SKIN, "beard": SKIN, "hair": HAIR, "hair_back": HAIR,
    "neck": BODY, "cloth": BODY, "collar": BODY, "band": BODY,
}  # fmt: skip
# How much of the skin whiskers hide, 0..255: they fade out beyond the beard and leave the lips free.
WHISKERS = {
    "beard_edge": 150, "beard": 255, "moustache": 255, "mouth": 0, "lower_lip": 0, "upper_lip": 0, "mouth_line": 0,
}  # fmt: skip
GRAIN = 1.8  # standard deviation of the film grain, 0..255


def photo(p: FaceParameters, size: int) -> NDArray[np.uint8]:
    """The face as a camera might see it, (size, size, 3)."""
    colours, materials = Canvas(size), Canvas(size)
    whiskers = Canvas(size) if p.beard != "none" else None
    palette = _palette(p)
    for shape in face_shapes(p, NATURAL, size):
        if whiskers and shape.role in WHISKERS:
            whiskers.fill(shape.points, (WHISKERS[shape.role],) * 3)
        colour = palette.get(shape.role)
        if colour is None:
            continue
        if not shape.closed:
            colours.stroke(shape.points, colour, 0.012 * shape.width, taper=0.6)
            continue
        colours.fill(shape.points, colour)
        if shape.role in MATERIALS:
            materials.fill(shape.points, MATERIALS[shape.role])
    albedo = _channels(colours.picture())
    coverage = materials.picture()
    cover = _channels(coverage) / 255
    if whiskers:
        soft = whiskers.picture().getchannel(0).filter(ImageFilter.BoxBlur(0.014 * size))
        share = np.asarray(soft, np.float32) * ((0.3 if p.beard == "stubble" else 0.9) / 255)
        albedo += (_column(scale(p.hair_colour, 0.85)) * cover[0] - albedo) * share
    blurred = _channels(coverage.filter(ImageFilter.BoxBlur(0.035 * size))) / 255
    x, y = _grid(size)
    picture = albedo * _light(p, size, cover, blurred)
    picture += _background(p, x, y) * (1 - cover[0] - cover[1] - cover[2])
    picture *= _column((1 + 0.025 * p.warmth, 1, 1 - 0.035 * p.warmth))
    picture += _grain(p, size)
    return np.clip(picture, 0, 255).astype(np.uint8).transpose(1, 2, 0)


def _palette(p: FaceParameters) -> dict[str, Colour]:
    skin, hair, cloth = p.skin, p.hair_colour, p.clothes_colour
    dark = mix(scale(skin, 0.45), (60, 20, 20), 0.25)
    palette: dict[str, Colour] = {
        "skin": skin, "ear": scale(skin, 0.92), "ear_line": scale(skin, 0.72), "neck": scale(skin, 0.93),
        "fold": scale(skin, 0.88), "nose": scale(skin, 0.74), "nostril": dark,
        "hair": hair, "hair_back": scale(hair, 0.62), "band": scale(cloth, 0.9),
        "cloth": cloth, "collar": scale(cloth, 1.16), "cloth_line": scale(cloth, 0.75), "cord": (232, 230, 224),
        "sclera": mix((238, 234, 232), skin, 0.10), "lid_shade": mix((170, 160, 160), skin, 0.35),
        "iris": p.eye_colour, "pupil": (16, 12, 14), "glint": (255, 255, 255),
        "lash": (38, 26, 26) if p.lashes else dark, "lower_lash": scale(skin, 0.66), "crease": scale(skin, 0.72),
        "brow": mix(scale(hair, 0.72), skin, 0.18),
        "mouth": (84, 26, 30), "teeth": (240, 236, 230), "upper_lip": scale(p.lip_colour, 0.86),
        "lower_lip": p.lip_colour, "mouth_line": mix(scale(p.lip_colour, 0.5), (60, 20, 20), 0.3),
        "frame": p.glasses_colour, "earring": p.earring_colour,
    }  # fmt: skip
    if p.beard != "stubble":  # which is only a shade on the skin
        palette["beard"] = mix(skin, scale(hair, 0.85), 0.9)
    return palette


def _light(p: FaceParameters, size: int, cover: Field, blurred: Field) -> Field:
    """What the albedo is multiplied by, (3, size, size).

    cover and blurred are (3, size, size) in 0..1: where skin, hair and body show, and the same out of focus, which
    is the shadow that each throws on what lies below it.
    """
    x, y = _grid(size)
    lx, ly, lz = p.light
    u, v = _head_coordinates(p, x - p.centre[0], y - p.centre[1])
    nx, ny = u * (1 / 0.86), v * (1 / 1.18)  # the normal of an ellipsoid
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0.02))
    lambert = np.maximum(nx * lx + ny * ly + nz * lz, 0)

    face = _relief(p, size, u, v, (0.72 + 0.46 * lambert) * (0.80 + 0.22 * np.sqrt(nz)))
    drop = max(1, round(0.03 * size))
    face[drop:] *= 1 - 0.30 * blurred[1, :-drop]
    face -= 0.6 * np.maximum(face - 1, 0)  # highlights are compressed, so that light skin keeps its colour
    cheeks = np.exp(-(((np.abs(u) - 0.42) * (1 / 0.20)) ** 2) - ((v - 0.30) * (1 / 0.15)) ** 2) * p.blush

    strands = _strands(p, size, u, v)
    sheen = np.exp(-(((v + 0.72 - 0.45 * u * u) * (1 / 0.14)) ** 2) - ((u - 0.5 * lx) * (1 / 0.45)) ** 2)
    # Dark hair shines as much as light hair does, which takes a larger factor on a smaller albedo.
    gloss = 0.40 + 14 / (20 + max(p.hair_colour))
    hair = 0.82 + 0.42 * lambert + 0.11 * strands + sheen * (gloss + 0.20 * strands)

    body = 0.94 + 0.32 * lx * (x - 0.5)
    drop = max(1, round(0.05 * size))
    body[drop:] *= 1 - 0.48 * np.minimum(blurred[0, :-drop] * 1.3, 1)

    # In shadow skin loses blue before red; cheeks lose green.
    warm = _column((0.78, 1.0, 1.08))
    shade = 1 + ((face - 1) * cover[0] + (body - 1) * cover[2]) * warm + (hair - 1) * cover[1]
    shade *= 1 + _column((0.05, -0.13, -0.10)) * (cheeks * cover[0])
    return shade


def _relief(p: FaceParameters, size: int, u: Field, v: Field, face: Field) -> Field:
    """The light on a smooth head, changed in place by what eyes, nose, mouth and chin add to its form."""
    rig, away = Rig(p, size), shaded_side(p)

    def spot(x: float, y: float, width: float, height: float, amount: float, bump: float = 0.0) -> None:
        """Lighten or darken around (x, y) of the face; the sizes are those of a Gaussian."""
        column, row = rig.point(x, y, bump)
        reach = 2.5 * max(width, height) * p.unit
        rows, columns = (slice(max(0, int((at - reach) * size)), int((at + reach) * size) + 1) for at in (row, column))
        at_u, at_v = _head_coordinates(p, column - p.centre[0], row - p.centre[1])
        a, b = (u[rows, columns] - at_u) * (1 / width), (v[rows, columns] - at_v) * (1 / height)
        face[rows, columns] += amount * np.exp(-(a * a + b * b))

    for side in (-1, 1):
        spot(side * p.eye_spacing, 0.0, 0.20, 0.15, -0.10)  # eye sockets
        spot(side * 0.13, 0.05, 0.07, 0.10, -0.07)
        spot(side * 0.42, 0.26, 0.16, 0.12, 0.05)  # cheek bones
    spot(away * 0.13, 0.26, 0.06, 0.17, -0.15, 0.1)  # the shaded side, ridge, tip and underside of the nose
    spot(-away * 0.02, 0.15, 0.045, 0.20, 0.10, 0.15)
    spot(-away * 0.02, p.nose_length - 0.08, 0.06, 0.055, 0.16, 0.2)
    spot(0, p.nose_length + 0.04, 0.15, 0.05, -0.22, 0.1)
    spot(0, p.mouth_height + p.lips + 0.09 + 0.1 * p.opening, 0.15, 0.05, -0.10)  # below the lip
    spot(0, p.length - 0.14, 0.12, 0.09, 0.07)  # chin
    spot(-away * 0.15, -0.40, 0.30, 0.16, 0.07)  # forehead
    return face


def _strands(p: FaceParameters, size: int, u: Field, v: Field) -> Field:
    """The texture of the hair, about -1..1: rays from the parting, or curls."""
    if p.hair == "curly":
        return np.sin(26 * u + 2.5 * np.sin(19 * v)) * np.sin(24 * v + 2.5 * np.sin(21 * u))
    angle = np.arctan2(u - p.part * 0.6, v + 0.95)
    wave = 1.2 * np.sin(7 * v) if p.hair == "wavy" else 0.5 * v
    coarse, fine = (_noise()[((angle * rays + wave) * 8).astype(np.int32) & 1023] for rays in (15, 47))
    return 0.7 * coarse + min(1.0, size / 200) * fine  # strands finer than pixels would glitter


def _background(p: FaceParameters, x: Field, y: Field) -> Field:
    first, second = (_column(colour) for colour in p.background_colours)
    s = p.background_seed
    if p.background == "gradient":
        share = np.clip(0.5 + (x - 0.5) * cos(tau * s) + (y - 0.5) * sin(tau * s), 0, 1)
    elif p.background == "spot":
        share = np.clip(1.5 * np.sqrt((x - 0.3 - 0.4 * s) ** 2 + (y - 0.35) ** 2), 0, 1)
    elif p.background == "stripes":
        share = 0.5 + 0.5 * np.tanh(3 * np.sin((x + 0.25 * (s - 0.5) * y) * (14 + 20 * s) + 9 * s))
    else:  # lights out of focus
        share = 0.2 + 0.5 * y
        for i in range(7):
            a, b, c = (s * (3.1 + i)) % 1, (s * 7.7 + i * 0.37) % 0.9, (s * 5.3 + i * 0.61) % 1
            distance = np.sqrt((x - a) ** 2 + (y - b) ** 2)
            share -= 0.35 * np.clip((0.05 + 0.09 * c - distance) * 40, 0, 1)
    return first + (second - first) * share


def _head_coordinates(p: FaceParameters, dx: Any, dy: Any) -> tuple[Any, Any]:
    """An offset from the head's centre, in picture widths, as (right, down) of the leaning head, in head units."""
    along, across = cos(p.roll) / p.unit, sin(p.roll) / p.unit
    return dx * along + dy * across, dy * along - dx * across


def _channels(picture: Image.Image) -> Field:
    """An RGB picture as (3, size, size), 0..255."""
    return np.asarray(picture).transpose(2, 0, 1).astype(np.float32)


def _column(colour: ArrayLike) -> Field:
    """Three numbers as (3, 1, 1), to meet pictures (3, size, size)."""
    return np.array(colour, np.float32)[:, None, None]


@lru_cache(maxsize=4)
def _grid(size: int) -> tuple[Field, Field]:
    """x and y of every pixel's middle, in picture widths."""
    steps = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    x, y = np.meshgrid(steps, steps)
    return x, y


@lru_cache(maxsize=1)
def _noise() -> Field:
    """Smooth periodic noise over 1024 steps, -1..1."""
    knots = np.random.default_rng(1).uniform(-1, 1, 128)
    return np.interp(np.arange(1024) / 8, np.arange(129), np.append(knots, knots[0])).astype(np.float32)


@lru_cache(maxsize=1)
def _film() -> Field:
    return GRAIN * np.random.default_rng(0).standard_normal((1280, 1280), dtype=np.float32)


def _grain(p: FaceParameters, size: int) -> Field:
    """A piece of the film that few pictures share."""
    row, column = divmod(int(p.background_seed * 65536), 256)
    return _film()[row : row + size, column : column + size]
