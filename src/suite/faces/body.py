"""Neck and clothes of the built-in faces."""

from suite.faces.geometry import Flat, Rig, Shape, mirrored
from suite.faces.parameters import FaceParameters

# y of the deepest point of the neckline
NECKLINE = {"tee": 1.42, "vneck": 1.66, "turtleneck": 1.24, "shirt": 1.58, "hoodie": 1.36}


def body(p: FaceParameters, rig: Rig) -> list[Shape]:
    """Neck, clothes and what belongs to their neckline."""
    n, s, deep = p.neck, p.shoulders, NECKLINE[p.clothes]
    neck: Flat = [(0, 0.35), (n, 0.5), (n, 1.0), (n * 1.12, 1.25), (n * 1.5, 1.5), (n * 1.5, 2.0), (0, 2.2)]
    side = n * (1.4 if p.clothes in ("tee", "vneck") else 1.16)
    top = 1.12 if p.clothes == "turtleneck" else 1.22
    pointed = p.clothes in ("vneck", "shirt")
    # Two controls side by side make the point of a V.
    dip: Flat = [(side * 0.52, (top + deep) / 2 + 0.03), (0.012, deep)] if pointed else [(side * 0.72, deep - 0.08)]
    half: Flat = [(0, 2.3), (s * 1.25, 2.3), (s * 1.1, 1.85), (s * 0.86, 1.55), (s * 0.5, 1.4), (side * 1.06, top)]
    return [
        Shape("neck", rig.smooth(rig.body(mirrored(neck)))),
        Shape("cloth", rig.smooth(rig.body(mirrored([*half, *dip, (0, deep)])))),
        *_collar(p, rig, side, [half[-1], *dip, (0, deep)]),
    ]


def _collar(p: FaceParameters, rig: Rig, side: float, neckline: Flat) -> list[Shape]:
    if p.clothes in ("tee", "vneck"):
        hem = [(x * 1.05, y + 0.05) for x, y in neckline]
        hem += [(-x, y) for x, y in hem[-2::-1]]
        return [Shape("cloth_line", rig.smooth(rig.body(hem), False), False, 0.7, 2)]
    if p.clothes == "turtleneck":
        roll = [(-side, 1.02), (0, 1.10), (side, 1.02), (side * 1.08, 1.24), (0, 1.34), (-side * 1.08, 1.24)]
        return [Shape("collar", rig.smooth(rig.body(roll)))]
    shapes = []
    for x in (-1, 1):
        if p.clothes == "shirt":
            flap = [(x * side * 0.98, 1.16), (x * side * 1.30, 1.28), (x * side * 0.86, 1.66), (x * 0.02, 1.56)]
            shapes.append(Shape("collar", rig.body(flap)))
        else:
            hood = [
                (x * side * 0.9, 1.10), (x * side * 1.5, 1.18), (x * side * 1.45, 1.42), (x * 0.05, 1.62),
                (x * side * 0.75, 1.38),
            ]  # fmt: skip
            shapes.append(Shape("collar", rig.smooth(rig.body(hood))))
            shapes.append(Shape("cord", rig.body([(x * 0.14, 1.56), (x * 0.16, 1.9)]), False, 1.0, 1))
    if p.clothes == "shirt":
        shapes.append(Shape("cloth_line", rig.body([(0, 1.60), (0, 2.2)]), False, 0.7, 1))
    return shapes
