"""A picture through a model in overlapping tiles, blended where they overlap: for pictures that no memory holds."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from suite.papers.base import Direction, Paper


def in_tiles(picture: Tensor, tile: int, at_once: int, translate: Callable[[Tensor], Tensor]) -> Tensor:
    """The translation, uint8 (C', H, W), of a picture, uint8 (C, H, W), by tiles of at most `tile` pixels a side.

    Tiles overlap by a quarter of their side at least; there the weight of each falls linearly towards its edge.
    at_once: tiles in a pass. translate: uint8 (B, C, h, w) to (B, C', h, w).
    """
    height, width = (min(side, tile) for side in picture.shape[1:])
    rows, columns = (_starts(side, tile) for side in picture.shape[1:])
    places = [(top, left) for top in rows for left in columns]
    weight = _ramp(height)[:, None] * _ramp(width)
    blended, weights = torch.zeros(0), torch.zeros(picture.shape[1:])
    for some in _groups(places, at_once):
        made = translate(torch.stack([picture[:, top : top + height, left : left + width] for top, left in some]))
        if not len(blended):
            blended = torch.zeros(made.shape[1], *picture.shape[1:])
        for (top, left), one in zip(some, made, strict=True):
            blended[:, top : top + height, left : left + width] += weight * one
            weights[top : top + height, left : left + width] += weight
    return blended.div_(weights).round_().to(torch.uint8)


def sees_tiles(model: Paper, direction: Direction) -> bool:
    """Whether what a tile becomes depends on all that is in it, so that tiles may differ in colour."""
    network = model.translator(model.directions[direction])
    norms = (nn.InstanceNorm2d, nn.GroupNorm)
    return any(
        isinstance(part, norms) or (isinstance(part, _BatchNorm) and part.training) for part in network.modules()
    )


def _starts(side: int, tile: int) -> list[int]:
    """Where tiles begin along a side: evenly, the first at its start and the last up to its end."""
    if side <= tile:
        return [0]
    overlap = tile // 4
    count = math.ceil((side - overlap) / (tile - overlap))
    return [round(number * (side - tile) / (count - 1)) for number in range(count)]


def _ramp(side: int) -> Tensor:
    """The weight of each line of a tile: up over a quarter of it, and down again over the last."""
    line = torch.arange(1.0, side + 1)
    return torch.minimum(line, line.flip(0)).clamp(max=side // 4 + 1) / (side // 4 + 1)


def _groups(places: list[tuple[int, int]], size: int) -> Iterator[list[tuple[int, int]]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]
