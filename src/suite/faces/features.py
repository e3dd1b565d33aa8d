"""The shapes of a whole face, back to front. Hair comes from hair.py, neck and clothes from body.py."""

from math import cos, pi, sin

import numpy as np

from suite.faces.body import body
from suite.faces.geometry import Look, Points, Rig, Shape, head_outline
from suite.faces.hair import back_hair, beard, forehead_shadow, front_hair
from suite.faces.parameters import FaceParameters

CIRCLE = np.array([(cos(i * pi / 12), sin(i * pi / 12)) for i in range(24)], np.float32)


def face_shapes(p: FaceParameters, look: Look, size: int) -> list[Shape]:
    """All shapes of a face, back to front, in as many points as a picture `size` pixels wide deserves."""
    rig = Rig(p, size)
    return [
        *back_hair(p, rig),
        *body(p, rig),
        *_ears(p, rig),
        *_head(p, rig, look),
        *beard(p, rig),
        *_mouth(p, rig),
        *_nose(p, rig, look),
        *_eye(p, rig, look, -1),
        *_eye(p, rig, look, 1),
        *_brow(p, rig, look, -1),
        *_brow(p, rig, look, 1),
        *_glasses(p, rig, look),
        *front_hair(p, rig),
    ]


def shaded_side(p: FaceParameters) -> int:
    """-1 or 1: the side away from the light."""
    return -1 if p.light[0] > 0 else 1


def _head(p: FaceParameters, rig: Rig, look: Look) -> list[Shape]:
    outline = head_outline(p)
    shapes = [Shape("skin", rig.smooth(rig.solid(outline)))]
    if look.shadows:
        side = shaded_side(p)
        edge = [(side * x * 0.99, y, z) for x, y, z in outline[2:9]]
        inner = [(x * s, y, z) for (x, y, z), s in zip(edge, (0.98, 0.92, 0.86, 0.82, 0.80, 0.82, 0.95), strict=True)]
        shapes.append(Shape("skin_shadow", rig.smooth(rig.solid([*edge, *inner[::-1]]))))
        shapes += forehead_shadow(p, rig)
        for side in (-1, 1):
            cheek = CIRCLE[::2] * (0.125, 0.065) + (side * 0.43, 0.345)
            shapes.append(Shape("cheek", rig.face(cheek, side * 0.43, 0.33)))
    if p.age > 0.7:
        for side in (-1, 1):
            fold = [(side * 0.17, p.nose_length), (side * 0.25, 0.54), (side * (p.mouth_width + 0.06), 0.63)]
            shapes.append(Shape("fold", rig.smooth(rig.face(fold, side * 0.2, 0.5), False), False, 0.55, 2))
    return shapes


def _ears(p: FaceParameters, rig: Rig) -> list[Shape]:
    shapes = []
    s = p.ears
    for side in (-1, 1):
        x = p.width + 0.015
        outline = [
            (x - 0.10, -0.06, 0), (x + 0.03 * s, -0.09 * s, -0.1), (x + 0.095 * s, 0.0, -0.1),
            (x + 0.085 * s, 0.15, -0.1), (x + 0.03, 0.15 + 0.16 * s, -0.05), (x - 0.08, 0.28, 0),
        ]  # fmt: skip
        inner = [(x, 0.0, -0.1), (x + 0.05 * s, 0.03, -0.1), (x + 0.04 * s, 0.16, -0.1)]
        shapes.append(Shape("ear", rig.smooth(rig.solid([(side * x, y, z) for x, y, z in outline]))))
        line = rig.solid([(side * x, y, z) for x, y, z in inner])
        shapes.append(Shape("ear_line", rig.smooth(line, False), False, 0.6, 2))
        if p.earrings:
            lobe = rig.solid([(side * (x + 0.035), 0.21 + 0.16 * s, 0.0)])
            shapes.append(Shape("earring", lobe + CIRCLE[::2] * np.float32(0.065 * p.unit), detail=1))
    return shapes


_T = np.sin(np.linspace(-pi / 2, pi / 2, 15)).astype(np.float32)  # -1..1, denser at the ends
_BULGE = 1 - np.abs(_T) ** np.float32(2.3)
_ROUND = np.sqrt(1 - _T**2)


def _eye(p: FaceParameters, rig: Rig, look: Look, side: int) -> list[Shape]:
    """t runs from the inner corner (-1) to the outer one (1)."""
    anime = look.anime
    x0, y0 = side * p.eye_spacing, 0.085 if anime else 0.055
    w, h = p.eye_width * look.eye_width, p.eye_height * look.eye_height
    slant = -p.eye_tilt * _T
    lid = 0.55 * _ROUND + 0.45 * _BULGE if anime else 0.35 * _ROUND + 0.65 * _BULGE
    x, upper = x0 + side * w * _T, y0 - h * lid + slant
    lower = y0 + 0.61 * h * (1 - 0.14 * max(p.smile, 0.0)) * (lid if anime else _BULGE) + slant
    rx, ry = (w * 0.62, h * 0.98) if anime else (0.078, 0.078)
    cx, cy = x0 + (p.gaze + 0.25 * p.yaw) * w * 0.8, y0 - (0.13 if anime else 0.16) * h

    def between(xs: Points, above: Points, below: Points) -> Points:
        edges = np.concatenate((above, below[::-1]))
        return rig.face(np.stack((np.concatenate((xs, xs[::-1])), edges), 1), x0, y0)

    def disc(dx: float, dy: float, ax: float, ay: float) -> Points:
        """An ellipse cut off by the lids."""
        points = CIRCLE * (ax, ay) + (cx + dx, cy + dy)
        t = (points[:, 0] - x0) * (side / w)  # np.interp holds its ends, so nothing leaves the corners
        points[:, 1] = np.clip(points[:, 1], np.interp(t, _T, upper), np.interp(t, _T, lower))
        return rig.face(points, x0, y0)

    thick = 0.040 + 0.016 * p.lashes if anime else 0.022 + 0.012 * p.lashes
    edge = thick * (0.35 + 0.65 * np.clip(0.75 + 0.5 * _T, 0, 1))
    wing = 0.05 * p.lashes + 0.02 * anime
    tip = np.float32(x[-1] + side * wing), np.float32(upper[-1] - wing * 0.55)
    lash = np.concatenate((np.stack((x, upper - edge), 1), (tip,), np.stack((x, upper + 0.006), 1)[::-1]))
    crease = np.stack((x, upper - thick - 0.033), 1)[2:-2]
    glint = -0.32 * shaded_side(p) * rx
    shapes = [Shape("sclera", between(x, upper, lower)), Shape("iris", disc(0, 0, rx, ry))]
    if anime:
        shapes.append(Shape("iris_low", disc(0, ry * 0.42, rx * 0.72, ry * 0.50)))
    shapes += [
        Shape("pupil", disc(0, 0, rx * 0.45, ry * 0.48)),
        Shape("lid_shade", between(x, upper, upper + h * 0.22)),
        Shape("glint", disc(glint, -0.34 * ry, rx * 0.34, ry * (0.26 if anime else 0.34))),
    ]
    if anime:
        shapes.append(Shape("glint", disc(-1.1 * glint, 0.42 * ry, rx * 0.17, ry * 0.13)))
    shapes += [
        Shape("lash", rig.face(lash, x0, y0)),
        Shape("lower_lash", rig.face(np.stack((x, lower), 1)[4:-1], x0, y0), False, 0.5, 1),
        Shape("crease", rig.face(crease, x0, y0), False, 0.5, 1 if anime else 2),
    ]
    return shapes


def _brow(p: FaceParameters, rig: Rig, look: Look, side: int) -> list[Shape]:
    x0, w = side * p.eye_spacing, p.eye_width
    y = 0.055 - p.brow_height - (look.eye_height - 1) * 0.075
    inner, peak, outer = x0 - side * w * 1.02, x0 + side * w * 0.45, x0 + side * w * 1.35
    t, arch, rise = p.brow_thickness, p.brow_arch, p.brow_angle
    start, middle, top = y - 0.3 * arch + rise, y - 0.7 * arch + 0.4 * rise, y - arch
    controls = [
        (inner, start + t * 0.42), (inner, start - t * 0.42), (x0 - side * 0.2 * w, middle - t * 0.58),
        (peak, top - t * 0.46), (outer, y + 0.012 - rise), (peak, top + t * 0.36),
        (x0 - side * 0.2 * w, middle + t * 0.46),
    ]  # fmt: skip
    return [Shape("brow", rig.smooth(rig.face(controls, x0, -0.12)))]


def _nose(p: FaceParameters, rig: Rig, look: Look) -> list[Shape]:
    w, base = p.nose_width, p.nose_length
    shade = shaded_side(p)
    if look.anime:
        tip = [(-0.5 * w, base - 0.01), (0.0, base + 0.025), (0.5 * w, base - 0.01)]
        shadow = [(shade * 0.10 * w, base - 0.17), (shade * 0.75 * w, base - 0.005), (0.0, base + 0.015)]
        return [
            Shape("skin_shadow", rig.face(shadow, 0, base, 0.16)),
            Shape("nose", rig.smooth(rig.face(tip, 0, base, 0.16), False), False, 0.75),
        ]
    shapes = []
    for side in (-1, 1):
        nostril = [(side * (0.42 * w + 0.26 * w * c), base + 0.004 + 0.020 * s) for c, s in CIRCLE[::4].tolist()]
        shapes.append(Shape("nostril", rig.smooth(rig.face(nostril, 0, base, 0.12)), detail=1))
        wing = [(side * w * 0.80, base - 0.10), (side * w * 1.04, base - 0.035), (side * w * 0.86, base + 0.012),
                (side * w * 0.62, base - 0.004)]  # fmt: skip
        shapes.append(Shape("nose", rig.smooth(rig.face(wing, 0, base, 0.10), False), False, 0.6))
    tip = [(-0.34 * w, base + 0.018), (0, base + 0.034), (0.34 * w, base + 0.018)]
    shapes.append(Shape("nose", rig.smooth(rig.face(tip, 0, base, 0.16), False), False, 0.5))
    bridge = [(shade * 0.075, 0.06), (shade * 0.055, 0.18), (shade * 0.068, base - 0.14)]
    shapes.append(Shape("bridge", rig.smooth(rig.face(bridge, 0, 0.2, 0.10), False), False, 0.5, 2))
    return shapes


_U = np.linspace(-1, 1, 17, dtype=np.float32)
_LIP = (1 - _U**2) ** np.float32(0.8)
_BOW = (1 - np.abs(_U) ** np.float32(1.6)) * (1 - np.float32(0.30) * np.exp(-((_U / np.float32(0.16)) ** 2)))


def _mouth(p: FaceParameters, rig: Rig) -> list[Shape]:
    x, y = _U * p.mouth_width, p.mouth_height
    middle = y - 0.105 * p.smile * (_U**2 - 0.4)
    gap = p.opening * 0.165 * (1 - _U**2)
    top, bottom = middle - 0.12 * gap, middle + 0.88 * gap
    lips = p.lips * (1 - 0.25 * p.opening)

    def line(edge: Points) -> Points:
        return rig.face(np.stack((x, edge), 1), 0, y, 0.04)

    def between(above: Points, below: Points) -> Points:
        return np.concatenate((line(above), line(below)[::-1]))

    shapes = []
    if p.opening > 0:
        shapes.append(Shape("mouth", between(top, bottom)))
        shapes.append(Shape("teeth", between(top + 0.004, top + np.minimum(0.6 * gap, 0.065)), detail=1))
    return [
        *shapes,
        Shape("lower_lip", between(bottom, bottom + 1.05 * lips * _LIP), detail=2),
        Shape("upper_lip", between(top - 0.85 * lips * _BOW, top), detail=2),
        Shape("mouth_line", line(top), False, 0.8),
        Shape("lip_line", line(bottom + 1.2 * lips * _LIP)[5:-5], False, 0.5),
    ]


def _glasses(p: FaceParameters, rig: Rig, look: Look) -> list[Shape]:
    if p.glasses == "none":
        return []
    round_ = p.glasses == "round"
    w, h = 0.235 + 0.07 * (look.eye_width - 1), (0.205 if round_ else 0.17) * (0.75 + 0.25 * look.eye_height)
    unit_rim = CIRCLE if round_ else np.sign(CIRCLE) * np.sqrt(np.abs(CIRCLE))
    rim = np.concatenate((unit_rim, unit_rim[:1])) * (w, h)
    shapes = []
    for side in (-1, 1):
        x0, y0 = side * 0.335, 0.085
        shapes.append(Shape("frame", rig.face(np.add(rim, (x0, y0)), x0, y0, 0.06), False, 1.2))
        temple = rig.face([(x0 + side * w, 0.03)], x0, y0, 0.06)
        hinge = rig.solid([(side * (p.width + 0.01), 0.0, -0.05)])
        shapes.append(Shape("frame", np.concatenate((temple, hinge)), False, 1.0))
    bridge = [(-0.335 + w, 0.06), (0, 0.025), (0.335 - w, 0.06)]
    shapes.append(Shape("frame", rig.smooth(rig.face(bridge, 0, 0.05, 0.10), False), False, 1.1))
    return shapes
