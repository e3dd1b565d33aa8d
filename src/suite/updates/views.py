"""Other views of pictures, drawn for a training step: zoomed in, turned, mirrored; and pictures of another size."""

from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from suite.arguments import Range
from suite.data.finish import seen
from suite.images import signed_to_unit, unit_to_signed

Zoom = Annotated[float, Range(least=1, most=10)]
Degrees = Annotated[float, Range(least=0, most=180)]


def draw_views(
    count: int,
    size: int,
    zoom: tuple[float, float],
    rotation: float,
    device: torch.device,
    generator: torch.Generator | None = None,
) -> Tensor:
    """What `viewed` needs of `count` pictures of `size` pixels a side: (count, 6) float32, as `suite.data.finish.seen`.

    Each is enlarged by a factor between the two of `zoom` and a window of the old size cut out of it, which is turned
    by at most `rotation` degrees to either side, and mirrored or not. Source: Liu 2021, section 4.1; its code enlarges
    by 1.3 and turns by 30.
    """
    least, most = zoom
    factor, down, across, turn, mirror = torch.rand(count, 5, device=device, generator=generator).unbind(1)
    share = 1 / (least + factor * (most - least))
    top, left = ((2 * place - 1) * (1 - share) / 2 * size for place in (down, across))
    return torch.stack([top, left, (mirror < 0.5).float(), share, share, (2 * turn - 1) * rotation], dim=1)


def viewed(pictures: Tensor, views: Tensor) -> Tensor:
    """Pictures (B, C, size, size) in [-1, 1], each in its view (B, 6); what lies beyond their edges is black."""
    return unit_to_signed(seen(signed_to_unit(pictures), views, pictures.shape[-1], beyond="zeros"))


def resized(pictures: Tensor, size: int) -> Tensor:
    """Pictures (B, C, H, W) brought to a square of `size` pixels, without aliases; themselves where they are that."""
    if pictures.shape[-2:] == (size, size):
        return pictures
    return interpolate(pictures.float(), size=(size, size), mode="bilinear", antialias=True)
