"""One built-in face as numbers: what every picture of it, in any style and at any size, is drawn from.

Lengths are in head units: 1 is half the height of the head without hair; x runs to the viewer's right, y down,
the origin is the middle of the head. Colours are sRGB, 0..255.
"""

import colorsys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]

FEMALE, MALE = 0, 1

# Light to dark; a face lies anywhere between two neighbours.
SKIN: tuple[Colour, ...] = (
    (250, 216, 192), (244, 204, 176), (240, 198, 166), (226, 177, 140),
    (203, 151, 112), (171, 119, 83), (140, 94, 66), (110, 73, 53),
)  # fmt: skip
NATURAL_HAIR: tuple[Colour, ...] = (
    (32, 27, 29), (52, 37, 31), (82, 54, 38), (116, 76, 47), (138, 72, 40), (176, 92, 44),
    (178, 134, 80), (214, 178, 112), (236, 214, 164),
)  # fmt: skip
DYED_HAIR: tuple[Colour, ...] = ((204, 92, 130), (74, 104, 172), (52, 134, 134), (128, 84, 160), (172, 44, 58))
GREY_HAIR: tuple[Colour, ...] = ((150, 148, 148), (206, 204, 202))
EYES: tuple[Colour, ...] = ((92, 58, 34), (62, 42, 30), (128, 92, 46), (92, 122, 70), (74, 116, 158), (108, 124, 134))
EYE_WEIGHTS = (0.32, 0.22, 0.12, 0.12, 0.15, 0.07)

FEMALE_HAIR = {"long": 0.24, "wavy": 0.17, "bob": 0.17, "bun": 0.10, "ponytail": 0.11, "pigtails": 0.07,
               "curly": 0.10, "short": 0.04}  # fmt: skip
MALE_HAIR = {"short": 0.31, "crew": 0.17, "quiff": 0.21, "curly": 0.10, "receding": 0.09, "bald": 0.07, "long": 0.05}
FRINGES = {"swept": 0.36, "centre": 0.28, "bangs": 0.36}  # where the style lets hair fall over the forehead
CLOTHES = {"tee": 0.30, "vneck": 0.20, "turtleneck": 0.16, "shirt": 0.20, "hoodie": 0.14}
BACKGROUNDS = {"gradient": 0.30, "bokeh": 0.30, "stripes": 0.16, "spot": 0.24}
GLASSES = {"none": 0.80, "round": 0.11, "square": 0.09}
BEARDS = {"none": 0.50, "stubble": 0.18, "full": 0.18, "moustache": 0.06, "goatee": 0.08}


class _Dice:
    """Uniform numbers in the order they are asked for; one draw of many is far faster than many draws."""

    def __init__(self, seed: int, index: int) -> None:
        self._numbers: Iterator[float] = iter(np.random.default_rng((seed, index)).random(160).tolist())

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * next(self._numbers)

    def bell(self, middle: float, spread: float) -> float:
        """Bell-shaped and bounded: the middle plus or minus at most 2 spreads."""
        return middle + spread * (next(self._numbers) + next(self._numbers) - 1) * 2

    def chance(self, probability: float) -> bool:
        return next(self._numbers) < probability

    def pick(self, weights: dict[str, float]) -> str:
        left = next(self._numbers)
        for name, weight in weights.items():
            left -= weight
            if left < 0:
                return name
        return name

    def blend(self, colours: tuple[Colour, ...], low: float = 0.0, high: float = 1.0) -> Colour:
        """A colour on the way through `colours`, between the fractions `low` and `high` of it."""
        position = self.between(low, high) * (len(colours) - 1)
        first = min(int(position), len(colours) - 2)
        return mix(colours[first], colours[first + 1], position - first)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the second colour in the first."""
    r, g, b = (a + (c - a) * share for a, c in zip(first, second, strict=True))
    return r, g, b


def scale(colour: Colour, factor: float) -> Colour:
    """The colour made lighter or darker, clipped to 255."""
    r, g, b = (min(255.0, value * factor) for value in colour)
    return r, g, b


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Hue (in turns, wraps), saturation and value (0..1) as a colour."""
    r, g, b = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return r * 255, g * 255, b * 255


@dataclass(frozen=True)
class FaceParameters:
    """Everything that tells one face from another. Every style and size is drawn from these alone."""

    seed: int
    index: int
    sex: int  # 0 female, 1 male

    # pose and light
    yaw: float  # radians, positive looks to the viewer's right
    pitch: float  # radians, positive looks down
    roll: float  # radians, positive leans to the viewer's right
    centre: tuple[float, float]  # of the head, in picture widths
    unit: float  # picture widths per head unit
    light: tuple[float, float, float]  # unit vector towards the light
    warmth: float  # of the light, -1 cool .. 1 warm

    # head
    width: float
    jaw: float  # half width at the corner of the jaw
    chin: float  # half width at the chin
    length: float  # y of the chin
    neck: float  # half width
    shoulders: float  # half width
    ears: float  # size
    skin: Colour
    blush: float  # 0..1
    age: float  # 0..1

    # features
    eye_spacing: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    gaze: float
    eye_colour: Colour
    lashes: float  # 0..1
    brow_thickness: float
    brow_height: float  # above the eye
    brow_arch: float
    brow_angle: float  # positive: the outer end is higher
    nose_width: float
    nose_length: float  # y of its base
    mouth_width: float
    mouth_height: float  # y of the mouth
    lips: float  # thickness
    lip_colour: Colour
    smile: float  # -0.3 sad .. 1
    opening: float  # 0 closed .. 1

    # hair
    hair: str
    fringe: str
    part: float  # x of the parting
    volume: float
    tail_side: int  # -1 or 1
    hair_colour: Colour
    beard: str

    # things worn
    glasses: str
    glasses_colour: Colour
    earrings: bool
    earring_colour: Colour
    clothes: str
    clothes_colour: Colour

    # behind
    background: str
    background_colours: tuple[Colour, Colour]
    background_seed: float  # 0..1

    @classmethod
    def sample(cls, seed: int, index: int) -> "FaceParameters":
        """The face number `index` of the series `seed`; both must not be negative."""
        dice = _Dice(seed, index)
        male = dice.chance(0.5)

        def sexed(female: tuple[float, float], male_: tuple[float, float]) -> float:
            return dice.bell(*(male_ if male else female))

        tone = dice.between(0, 1) ** 1.15
        skin = dice.blend(SKIN, max(0.0, tone - 0.05), min(1.0, tone + 0.05))
        age = dice.between(0, 1) ** 1.6
        hair_colour = _hair_colour(dice, tone, age, male)
        hair = dice.pick(MALE_HAIR if male else FEMALE_HAIR)
        azimuth, height = dice.between(-1.0, 1.0), dice.between(0.25, 0.75)
        light = np.array((np.sin(azimuth), -height, np.cos(azimuth)))
        light /= np.linalg.norm(light)
        hue, value = dice.between(0, 1), dice.between(0.5, 0.97)
        background = hsv(hue, dice.between(0.05, 0.38), value)
        other = hsv(hue + dice.bell(0, 0.07), dice.between(0.10, 0.42), value * dice.between(0.65, 0.95))
        vivid = dice.chance(0.7)
        smile = dice.between(-0.1, 1.1)
        blush = dice.between(0.15, 0.6) if male else dice.between(0.3, 1.0)
        lip_tone = mix(scale(skin, 0.86), (198, 74, 84), 0.26 if male else dice.between(0.35, 0.85))
        return cls(
            seed=seed,
            index=index,
            sex=MALE if male else FEMALE,
            yaw=dice.bell(0, 0.135),
            pitch=dice.bell(0.02, 0.05),
            roll=dice.bell(0, 0.055),
            centre=(0.5 + dice.bell(0, 0.018), 0.478 + dice.bell(0, 0.014)),
            unit=dice.between(0.328, 0.358),
            light=(float(light[0]), float(light[1]), float(light[2])),
            warmth=dice.between(-1, 1),
            width=sexed((0.69, 0.022), (0.705, 0.022)),
            jaw=sexed((0.46, 0.028), (0.535, 0.028)),
            chin=sexed((0.21, 0.025), (0.30, 0.035)),
            length=sexed((0.955, 0.03), (1.01, 0.035)),
            neck=sexed((0.305, 0.018), (0.405, 0.025)),
            shoulders=sexed((1.16, 0.06), (1.50, 0.08)),
            ears=dice.between(0.75, 1.0),
            skin=skin,
            blush=blush,
            age=age,
            eye_spacing=dice.bell(0.313, 0.014),
            eye_width=sexed((0.174, 0.010), (0.163, 0.010)),
            eye_height=sexed((0.104, 0.012), (0.084, 0.010)),
            eye_tilt=sexed((0.018, 0.014), (0.004, 0.014)),
            gaze=dice.bell(0, 0.12),
            eye_colour=_eye_colour(dice, tone),
            lashes=0.0 if male else dice.between(0.5, 1.0),
            brow_thickness=sexed((0.036, 0.007), (0.060, 0.010)),
            brow_height=sexed((0.215, 0.016), (0.180, 0.016)),
            brow_arch=sexed((0.050, 0.012), (0.030, 0.010)),
            brow_angle=dice.bell(0.0, 0.016),
            nose_width=sexed((0.125, 0.013), (0.152, 0.016)),
            nose_length=dice.bell(0.425, 0.022),
            mouth_width=sexed((0.225, 0.020), (0.250, 0.020)) + 0.035 * max(smile, 0.0),
            mouth_height=sexed((0.640, 0.016), (0.665, 0.018)),
            lips=sexed((0.068, 0.012), (0.046, 0.010)),
            lip_colour=lip_tone,
            smile=smile,
            opening=dice.between(0.45, 1.0) if smile > 0.3 and dice.chance(0.5) else float(dice.chance(0.06)) * 0.6,
            hair=hair,
            fringe="back" if hair in ("bun", "quiff", "crew", "curly") and dice.chance(0.75) else dice.pick(FRINGES),
            part=dice.between(0.12, 0.36) * (-1 if dice.chance(0.5) else 1),
            volume=dice.between(0.07, 0.15),
            tail_side=-1 if dice.chance(0.5) else 1,
            hair_colour=hair_colour,
            beard=dice.pick(BEARDS) if male else "none",
            glasses=dice.pick(GLASSES),
            glasses_colour=dice.blend(((28, 26, 30), (70, 44, 34), (128, 40, 44), (44, 60, 100))),
            earrings=dice.chance(0.04 if male else 0.45),
            earring_colour=dice.blend(((232, 192, 92), (226, 228, 236))),
            clothes=dice.pick(CLOTHES),
            clothes_colour=hsv(
                hue + dice.between(0.2, 0.8), dice.between(0.35, 0.72) if vivid else 0.12, dice.between(0.3, 0.9)
            ),
            background=dice.pick(BACKGROUNDS),
            background_colours=(background, other),
            background_seed=dice.between(0, 1),
        )


def _hair_colour(dice: _Dice, tone: float, age: float, male: bool) -> Colour:
    natural = dice.blend(NATURAL_HAIR, 0.0, max(0.12, 1.0 - 1.25 * tone))
    dyed, grey = DYED_HAIR[int(dice.between(0, len(DYED_HAIR)))], dice.blend(GREY_HAIR)
    if dice.chance(0.0 if male or age > 0.6 else 0.1):
        return dyed
    return grey if age > 0.72 and dice.chance(0.75) else natural


def _eye_colour(dice: _Dice, tone: float) -> Colour:
    colour = EYES[int(dice.pick({str(i): weight for i, weight in enumerate(EYE_WEIGHTS)}))]
    dark = dice.blend(EYES[:2])
    return dark if tone > 0.5 and dice.chance(0.9) else colour
