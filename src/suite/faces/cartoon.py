"""The cartoon style of a built-in face: flat saturated colours, hard shadows, dark outlines, large glossy eyes."""

import numpy as np
from numpy.typing import NDArray

from suite.faces.canvas import Canvas
from suite.faces.features import face_shapes
from suite.faces.geometry import Look
from suite.faces.parameters import Colour, FaceParameters, mix, scale

LOOK = Look(eye_width=1.18, eye_height=2.2, anime=True, shadows=True)
PEN = 0.0165  # picture widths
INK: Colour = (44, 30, 42)
WHITE: Colour = (252, 250, 250)
OUTLINED = {"hair_back", "hair", "neck", "ear", "skin", "cloth", "collar", "earring", "band", "mouth"}


def cartoon(p: FaceParameters, size: int) -> NDArray[np.uint8]:
    """The same face, pose and features as the photo but for the size of the eyes, (size, size, 3)."""
    areas, lines = _palette(p)
    outlined = OUTLINED if p.beard == "stubble" else OUTLINED | {"beard"}
    canvas = Canvas(size, mix(_vivid(p.background_colours[0], 1.2), (255, 250, 240), 0.25))
    for shape in face_shapes(p, LOOK, size):
        if not shape.closed:
            colour = lines.get(shape.role, INK)
            canvas.stroke(shape.points, colour, PEN * shape.width, taper=0.5, floor=min(1.0, shape.width))
        elif shape.role in areas:
            canvas.fill(shape.points, areas[shape.role])
            if shape.role in outlined:
                canvas.stroke(shape.points, INK, PEN, closed=True)
    return canvas.pixels()


def _palette(p: FaceParameters) -> tuple[dict[str, Colour], dict[str, Colour]]:
    """Colours of areas and of lines, by role."""
    hair, cloth = _vivid(p.hair_colour, 1.22, 1.10), _vivid(p.clothes_colour, 1.15, 1.06)
    skin = mix(_vivid(p.skin, 1.1, 1.04), (255, 255, 250), 0.08)
    shadow = mix(scale(skin, 0.80), (196, 92, 84), 0.14)
    iris, lips = _vivid(p.eye_colour, 1.7, 1.3), _vivid(p.lip_colour, 1.2)
    areas: dict[str, Colour] = {
        "skin": skin, "ear": skin, "neck": shadow, "skin_shadow": shadow,
        "cheek": mix(skin, (240, 96, 104), 0.10 + 0.22 * p.blush),
        "hair": hair, "hair_back": scale(hair, 0.74), "hair_shine": mix(hair, (255, 255, 255), 0.35),
        "brow": scale(hair, 0.55), "beard": mix(skin, hair, 0.30) if p.beard == "stubble" else hair, "moustache": hair,
        "cloth": cloth, "collar": scale(cloth, 1.22), "band": cloth, "earring": p.earring_colour,
        "sclera": WHITE, "lid_shade": mix(WHITE, skin, 0.55), "lash": INK, "glint": (255, 255, 255),
        "iris": scale(iris, 0.85), "iris_low": scale(iris, 1.35), "pupil": scale(iris, 0.3),
        "mouth": (122, 36, 46), "teeth": WHITE, "upper_lip": scale(lips, 0.9), "lower_lip": lips,
    }  # fmt: skip
    lines: dict[str, Colour] = {
        "strand": scale(hair, 0.62), "cloth_line": scale(cloth, 0.6), "cord": WHITE, "frame": p.glasses_colour,
        "lower_lash": shadow, "crease": scale(shadow, 0.8), "fold": shadow, "lip_line": shadow,
    }  # fmt: skip
    return areas, lines


def _vivid(colour: Colour, saturation: float, lift: float = 1.0) -> Colour:
    """The colour moved away from its grey and lightened, clipped."""
    grey = sum(colour) / 3
    r, g, b = (max(0.0, min(255.0, (grey + (value - grey) * saturation) * lift)) for value in colour)
    return r, g, b
