"""What Liu et al. 2021 (Self-Supervised Sketch-to-Image Synthesis) do to sketches so that a model bears rough ones."""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from suite.sketching.styles import scale


def bold(sketch: Tensor, radius: float = 1.0) -> Tensor:
    """The sketch with thicker lines: each pixel becomes the darkest within `radius`, in a square around it.

    `radius` is in pixels at 256; the paper's code has a 3 x 3 minimum filter, radius 1. Between whole pixels of the
    sketch at hand it is interpolated, so that lines at 64 pixels don't grow to blots.
    """
    whole, part = divmod(radius * scale(sketch), 1)
    thick = _darkest(sketch, int(whole))
    return torch.lerp(thick, _darkest(sketch, int(whole) + 1), part) if part else thick


def rectangles(
    count: int,
    height: int,
    width: int,
    probability: float = 0.8,
    area: tuple[float, float] = (0.02, 0.1),
    aspect: tuple[float, float] = (0.3, 3.3),
    times: int = 2,
    generator: Generator | None = None,
) -> Tensor:
    """What to erase of `count` pictures: (count, times, 4) int64, first row, end row, first column, end column.

    `times` rectangles in each picture, each there with `probability` (Zhong et al. 2017). Liu et al.'s settings by
    default: `area` is the least and greatest share of the picture, `aspect` of height over width; about 9 % of the
    paper is erased. The numbers come from `generator`, which must be on the CPU, or from torch's global one: the same
    for every device.
    """
    there, size, shape, down, right = torch.rand(count, times, 5, generator=generator).unbind(-1)
    pixels = height * width * (area[0] + size * (area[1] - area[0]))
    stretch = torch.exp(math.log(aspect[0]) + shape * math.log(aspect[1] / aspect[0]))
    high, wide = (pixels * stretch).sqrt().round().clamp(max=height), (pixels / stretch).sqrt().round().clamp(max=width)
    high *= there < probability  # what is not there is a rectangle without height
    top, left = (down * (height - high + 1)).floor(), (right * (width - wide + 1)).floor()
    return torch.stack([top, top + high, left, left + wide], -1).long()


def erase(sketch: Tensor, corners: Tensor) -> Tensor:
    """The sketch (B, C, H, W) with white rectangles, (B, times, 4) as `rectangles` gives them."""
    height, width = sketch.shape[-2:]
    corners = corners.to(sketch.device, non_blocking=True)
    first_row, end_row, first_column, end_column = corners[..., None].unbind(-2)  # each (B, times, 1)
    row, column = torch.arange(height, device=sketch.device), torch.arange(width, device=sketch.device)
    rows = (row >= first_row) & (row < end_row)
    columns = (column >= first_column) & (column < end_column)
    inside = (rows[..., :, None] & columns[..., None, :]).any(1)
    return sketch.masked_fill(inside[:, None], 1.0)


def _darkest(sketch: Tensor, pixels: int) -> Tensor:
    """The minimum over squares of side 2 * pixels + 1; a square is a row of columns, so it takes two short passes."""
    rows = F.max_pool2d(-sketch, (1, 2 * pixels + 1), 1, (0, pixels))
    return -F.max_pool2d(rows, (2 * pixels + 1, 1), 1, (pixels, 0))
