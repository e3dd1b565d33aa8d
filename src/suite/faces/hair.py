"""Hair and beards of the built-in faces: what hangs behind the head, what frames the face, and the strands on it."""

from math import cos, pi, sin

from suite.faces.geometry import Flat, Rig, Shape, Solid, at_depth, head_outline, mirrored, on_face
from suite.faces.parameters import FEMALE, MALE, FaceParameters

LOOSE = ("long", "wavy", "bob")  # falls down beside the face
TIED = ("bun", "ponytail", "pigtails")


def _dome(p: FaceParameters, volume: float, low: float = 0.0, points: int = 11) -> Flat:
    """The outer edge over the top of the head, right to left, from `low` half turns below the ears."""
    rx, ry = p.width + 0.75 * volume, 0.83 + volume
    turns = [pi * (low - (1 + 2 * low) * i / (points - 1)) for i in range(points)]
    return [(rx * cos(turn), -0.18 + ry * sin(turn)) for turn in turns]


def _curled(edge: Flat, size: float) -> Flat:
    """Every other control pushed outwards from the head, the rest inwards."""
    factors = [1 + size * (1 if i % 2 else -1) * (0.8 + 0.2 * sin(1.7 * i)) for i in range(len(edge))]
    return [(x * f, -0.15 + (y + 0.15) * f) for (x, y), f in zip(edge, factors, strict=True)]


def _oval(x: float, y: float, rx: float, ry: float) -> Flat:
    return [(x + rx * cos(i * pi / 5), y + ry * sin(i * pi / 5)) for i in range(10)]


def _hairline(p: FaceParameters) -> Flat:
    """The lower edge of the hair over the forehead, left to right."""
    w = p.width
    tufts = 0.0
    if p.hair == "curly":
        low = -0.36 if p.fringe == "bangs" else -0.50
        curls = [(x, low + (0.05 if i % 2 else -0.03) + 0.45 * x * x) for i, x in _across(0.56)]
        return [(-w + 0.06, -0.05), *curls, (w - 0.06, -0.05)]
    if p.hair == "receding":
        right = [(0.0, -0.78), (0.18, -0.79), (0.40, -0.88), (0.56, -0.62), (w - 0.05, -0.20)]
    elif p.hair == "crew":
        tufts = 0.012
        right = [
            (0.0, -0.67), (0.16, -0.665), (0.32, -0.64), (0.44, -0.58), (0.52, -0.50), (0.58, -0.36), (w - 0.05, -0.16),
        ]  # fmt: skip
    elif p.fringe == "back":
        tufts = 0.016
        right = [
            (0.0, -0.69), (0.14, -0.685), (0.28, -0.645), (0.40, -0.58), (0.50, -0.48), (0.58, -0.32),
            (w - 0.05, -0.05),
        ]  # fmt: skip
    elif p.fringe == "centre":
        right = [(0.0, -0.80), (0.16, -0.66), (0.38, -0.50), (0.55, -0.25), (w - 0.08, 0.10)]
    elif p.fringe == "bangs":
        teeth = [(x, -0.27 + (0.055 if i % 2 else 0.0) + 0.16 * x * x) for i, x in _across(0.60)]
        return [(-w + 0.07, 0.05), *teeth, (w - 0.07, 0.05)]
    else:
        part = abs(p.part)
        swept = [
            (-w + 0.06, 0.02), (-0.57, -0.22), (-0.36, -0.37), (-0.08, -0.50), (0.7 * part, -0.66),
            (part + 0.01, -0.76), (part + 0.12, -0.60), (0.54, -0.36), (w - 0.05, 0.02),
        ]  # fmt: skip
        return swept if p.part > 0 else [(-x, y) for x, y in swept[::-1]]
    line = [(-x, y) for x, y in right[:0:-1]] + right
    ragged = [(x, y + tufts * (1 if i % 2 else -1) * (1 + 0.5 * sin(2.3 * i))) for i, (x, y) in enumerate(line)]
    return [line[0], *ragged[1:-1], line[-1]]


def _across(reach: float) -> list[tuple[int, float]]:
    """Nine numbered places from -reach to reach."""
    return [(i, reach * (i / 4 - 1)) for i in range(9)]


def _fall(p: FaceParameters) -> float:
    """y of the ends of loose hair."""
    return {"long": 1.42, "wavy": 1.30, "bob": 0.64 + 0.8 * p.volume}[p.hair]


def back_hair(p: FaceParameters, rig: Rig) -> list[Shape]:
    """Everything behind the neck."""
    v, s = p.volume, p.tail_side
    reach = p.width + 0.75 * v
    outlines: list[Flat] = []
    depth = -0.1
    if p.hair in LOOSE:
        end = _fall(p)
        if p.hair == "bob":
            right = [(reach + 0.10, 0.30), (reach + 0.10, end - 0.12), (reach - 0.06, end + 0.05), (0.45, end - 0.02)]
        elif p.hair == "wavy":
            right = [
                (reach + 0.10, 0.15), (reach + 0.06, 0.42), (reach + 0.20, 0.68), (reach + 0.12, 0.95),
                (reach + 0.24, 1.20), (reach + 0.06, end + 0.16), (0.45, end + 0.10),
            ]  # fmt: skip
        else:
            right = [(reach + 0.05, 0.35), (reach + 0.09, 0.85), (reach + 0.08, end), (0.5, end + 0.15)]
        outlines = [[*_dome(p, v), *[(-x, y) for x, y in right], *right[::-1]]]
    elif p.hair == "curly" and p.sex == FEMALE:
        turns = [2 * pi * i / 30 for i in range(30)]
        rx, top, bottom = p.width + 0.34 + v, 0.98 + v, 0.95
        ring = [(rx * sin(t) * (1 - 0.1 * cos(t)), -0.12 - (top if cos(t) > 0 else bottom) * cos(t)) for t in turns]
        outlines = [_curled(ring, 0.035)]
    elif p.hair == "bun":
        outlines = [_oval(0.10 * s, -1.12 - 0.3 * v, 0.27, 0.24)]
    elif p.hair == "ponytail":
        depth = -0.35
        tail = [
            (0.35, -0.95), (0.85, -0.85), (1.18, -0.35), (1.20, 0.35), (1.02, 1.02), (0.86, 0.45), (0.80, -0.1),
            (0.6, -0.45),
        ]  # fmt: skip
        outlines = [[(s * x, y) for x, y in tail]]
    elif p.hair == "pigtails":
        tail = [
            (0.62, -0.50), (0.95, -0.62), (1.22, -0.20), (1.26, 0.45), (1.02, 1.05), (0.92, 0.50), (0.78, 0.05),
        ]  # fmt: skip
        outlines = [tail, [(-x, y) for x, y in tail]]
    return [Shape("hair_back", rig.smooth(rig.solid(at_depth(outline, depth)))) for outline in outlines]


def front_hair(p: FaceParameters, rig: Rig) -> list[Shape]:
    """The hair over the top of the head, the fringe and what falls beside the face."""
    if p.hair == "bald":
        return []
    line = _hairline(p)
    cap = _loose_cap(p, line) if p.hair in LOOSE else _short_cap(p, line)
    shapes = [Shape("hair", rig.smooth(rig.solid(cap)))]
    if p.hair not in ("crew", "receding", "curly"):
        shapes += _strands(p, rig, line)
    bands: list[Flat] = []
    if p.hair == "pigtails":
        bands = [_oval(-0.74, -0.50, 0.09, 0.10), _oval(0.74, -0.50, 0.09, 0.10)]
    elif p.hair == "bun":
        bands = [_oval(0.10 * p.tail_side, -0.99 - 0.5 * p.volume, 0.20, 0.05)]
    return shapes + [Shape("band", rig.smooth(rig.solid(at_depth(band, 0.0)))) for band in bands]


def _loose_cap(p: FaceParameters, line: Flat) -> Solid:
    """Cap and the two locks beside the face in one outline."""
    end, w = _fall(p), p.width
    reach = w + 0.75 * p.volume
    if p.hair == "bob":
        lock = [
            (reach + 0.09, 0.32), (reach + 0.07, end - 0.10), (reach - 0.10, end + 0.05), (w - 0.12, end - 0.08),
            (w - 0.08, 0.42),
        ]  # fmt: skip
    elif p.hair == "wavy":
        lock = [
            (reach + 0.08, 0.15), (reach + 0.03, 0.42), (reach + 0.14, 0.70), (reach + 0.05, 0.98),
            (reach + 0.08, end - 0.02), (w - 0.12, end), (w - 0.02, 1.02), (w - 0.16, 0.74), (w - 0.02, 0.42),
        ]  # fmt: skip
    else:
        lock = [
            (reach + 0.04, 0.35), (reach + 0.05, 0.85), (reach + 0.01, end - 0.05), (w - 0.08, end), (w - 0.16, 0.90),
            (w - 0.07, 0.42),
        ]  # fmt: skip
    left = [(-x, y) for x, y in lock]
    return [*at_depth(lock[::-1], 0.02), *at_depth(_dome(p, p.volume), 0), *at_depth(left, 0.02), *on_face(line, 0.9)]


def _short_cap(p: FaceParameters, line: Flat) -> Solid:
    """Cap that ends at the ears."""
    low = {"short": 0.09, "crew": 0.06, "quiff": 0.08, "receding": 0.07, "curly": 0.12}.get(p.hair, 0.04)
    tight = {"crew": 0.035, "receding": 0.04, "quiff": 0.05, "bun": 0.05, "ponytail": 0.06, "pigtails": 0.06}
    volume = p.volume + 0.08 if p.hair == "curly" else tight.get(p.hair, p.volume)
    dome = _dome(p, volume, low, 21 if p.hair == "curly" else 13)
    if p.hair == "quiff":  # tight at the sides, combed up to one side
        side = 1 if p.part > 0 else -1
        dome = [(x, y - (0.16 - 0.10 * side * x) * min(1.0, max(0.0, -0.25 - y) * 2.2)) for x, y in dome]
    elif p.hair == "curly":
        dome = _curled(dome, 0.025)
    if p.hair in TIED and p.fringe != "back":
        x, y, z = p.width - 0.02, 0.40, 0.1  # wisps before the ears
    else:
        x, y, z = p.width - 0.035, dome[0][1] + (0.10 if p.sex == MALE else -0.04), 0.0  # sideburns
    return [(x, y, z), *at_depth(dome, 0), (-x, y, z), *on_face(line)]


def forehead_shadow(p: FaceParameters, rig: Rig) -> list[Shape]:
    """What the hair throws on the forehead; its upper part lies hidden below the hair."""
    if p.hair == "bald":
        return []
    inner = 0.95 if p.hair in LOOSE else 1.0
    edge = on_face([(x * inner, y + 0.075) for x, y in _hairline(p)[1:-1]], 0.9)
    return [Shape("skin_shadow", rig.smooth(rig.solid([*edge, (0.45, -0.85, 0.3), (-0.45, -0.85, 0.3)])))]


def _strands(p: FaceParameters, rig: Rig, line: Flat) -> list[Shape]:
    """Lines along the hair from the parting to its ends, and the sheen across them."""
    curves: list[Solid] = []
    details = []
    for i, (x, y) in enumerate(line[1:-1:2]):
        if p.fringe == "back":
            root_x, root_y = 0.7 * x - 0.1 * p.part, -1.02
        else:
            root_x, root_y = (p.part if p.fringe == "swept" else 0.0), -0.93 - p.volume * 0.4
        middle = (root_x + x) / 2 * 1.18, (root_y + y) / 2 - 0.10
        curves.append(on_face([(root_x * 0.8 + x * 0.2, root_y * 0.85 + y * 0.15), middle, (x, y - 0.02)], 0.8))
        details.append(1 + i % 2)
    if p.hair in LOOSE:
        end, sway = _fall(p), 0.05 if p.hair == "wavy" else 0.0
        for side in (-1, 1):
            for detail, inset in ((1, 0.05), (2, 0.14)):
                x = side * (p.width + 0.75 * p.volume - inset)
                lock = [(x * 0.98, -0.25), (x, 0.3), (x + sway, 0.15 + end * 0.5), (x - sway, end - 0.16)]
                curves.append(at_depth(lock, 0.04))
                details.append(detail)
    shapes = [
        Shape("strand", rig.smooth(rig.solid(curve), False), False, 0.6, detail)
        for curve, detail in zip(curves, details, strict=True)
    ]
    x = -0.28 if p.light[0] < 0 else 0.28
    crescent = [
        (-0.24, 0.0), (-0.10, -0.055), (0.08, -0.055), (0.24, 0.0), (0.16, 0.045), (0.06, 0.015), (-0.04, 0.055),
        (-0.12, 0.02),
    ]  # fmt: skip
    sheen = [(x + dx, -0.80 - 0.3 * p.volume + 0.9 * (x + dx) ** 2 + dy) for dx, dy in crescent]
    shapes.append(Shape("hair_shine", rig.smooth(rig.solid(at_depth(sheen, 0.45))), detail=2))
    return shapes


def beard(p: FaceParameters, rig: Rig) -> list[Shape]:
    """Beard and moustache; the mouth is painted over them."""
    if p.beard == "none":
        return []
    shapes = []
    m, w = p.mouth_height, p.mouth_width
    if p.beard in ("full", "stubble"):
        right = head_outline(p)[4:10]  # from beside the ear to the chin
        grown = (0.02, 0.035, 0.05, 0.06, 0.06, 0.07) if p.beard == "full" else (-0.02,) * 6
        jaw = [(x + g * (x > 0), y + g * (i > 2), z) for i, ((x, y, z), g) in enumerate(zip(right, grown, strict=True))]
        jaw += [(-x, y, z) for x, y, z in jaw[-2::-1]]
        for role, lift in (("beard_edge", 0.05), ("beard", 0.0)):
            cheek = [
                (0.0, m - 0.06), (0.20, m - 0.07), (w + 0.10 - lift, m + 0.04), (w + 0.20 - lift, m - 0.06 - lift),
                (p.width - 0.13 - lift, 0.32 - lift),
            ]  # fmt: skip
            upper = on_face([*[(-x, y) for x, y in cheek[:0:-1]], *cheek], 0.95)
            shapes.append(Shape(role, rig.smooth(rig.solid([*jaw, *upper]))))
    elif p.beard == "goatee":
        end = p.length
        patch = [(0.0, m + 0.10), (0.14, m + 0.12), (0.19, end - 0.12), (0.10, end + 0.02), (0.0, end + 0.05)]
        shapes.append(Shape("beard", rig.smooth(rig.solid(at_depth(mirrored(patch), 0.5)))))
    if p.beard != "stubble":
        top = p.nose_length + 0.055
        half = [
            (0.0, top), (w * 0.55, top + 0.015), (w * 1.08, m + 0.015), (w * 0.9, m + 0.01), (w * 0.4, m - 0.035),
            (0.0, m - 0.025),
        ]  # fmt: skip
        shapes.append(Shape("moustache", rig.smooth(rig.face(mirrored(half), 0, m - 0.1, 0.04))))
    return shapes
