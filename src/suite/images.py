"""The only place that converts between the three ranges of a picture.

| where                         | range    | type    |
|-------------------------------|----------|---------|
| files, cache, grids, FID      | 0 .. 255 | uint8   |
| simulated sketches            | 0 .. 1   | float32 |
| networks, losses, batches     | -1 .. 1  | float32 |
"""

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

_SHORTEST = 8  # pixels; networks that halve twice and then reflect can't do with less


def uint8_to_unit(pictures: Tensor) -> Tensor:
    """uint8 0..255 to float32 0..1, any shape."""
    # In place, here and below: of a large batch each copy takes longer than the arithmetic, as its memory is new.
    return pictures.to(torch.float32, copy=True).div_(255)


def unit_to_signed(pictures: Tensor) -> Tensor:
    """float 0..1 to -1..1, any shape."""
    return pictures * 2 - 1


def uint8_to_signed(pictures: Tensor) -> Tensor:
    """uint8 0..255 to float32 -1..1, any shape: by way of 0..1, to the last bit."""
    return uint8_to_unit(pictures).mul_(2).sub_(1)


def signed_to_unit(pictures: Tensor) -> Tensor:
    """float -1..1 to 0..1 in float32, clamped, any shape."""
    return (pictures.float() / 2 + 0.5).clamp(0, 1)


def signed_to_uint8(pictures: Tensor) -> Tensor:
    """float -1..1 to uint8 0..255, clamped and rounded to nearest, any shape."""
    return unit_to_uint8(signed_to_unit(pictures))


def unit_to_uint8(pictures: Tensor) -> Tensor:
    """float 0..1 to uint8 0..255, rounded to nearest, any shape."""
    return (pictures * 255).round().to(torch.uint8)


def to_rgb(pictures: Tensor) -> Tensor:
    """(B, 1 or 3, H, W) to (B, 3, H, W): a grey picture is repeated."""
    return pictures.expand(-1, 3, -1, -1) if pictures.shape[1] == 1 else pictures


def luma(pictures: Tensor) -> Tensor:
    """(B, 1 or 3, H, W) of either range to float32 (B, 1, H, W) of the same: ITU-R 601, as files are read to grey."""
    from kornia.color import rgb_to_grayscale  # half a second, which few need

    pictures = pictures.float()
    return pictures if pictures.shape[1] == 1 else rgb_to_grayscale(pictures)


def is_grey(pictures: Tensor) -> Tensor:
    """(B, 3, H, W) to (B,) bool: whether all channels of a picture are equal."""
    return (pictures == pictures[:, :1]).flatten(1).all(dim=1)


def padded(pictures: Tensor, divisor: int) -> Tensor:
    """(…, H, W) of any type, grown at the lower right until both sides are multiples that networks read, 8 at least.

    What is added is their reflection, as often as it takes; of a single line that is the line itself.
    """
    height, width = pictures.shape[-2:]
    rows, columns = (_reflected(side, side + _missing(side, divisor), pictures.device) for side in (height, width))
    if (len(rows), len(columns)) == (height, width):
        return pictures
    return pictures[..., rows[:, None], columns]


def _missing(side: int, divisor: int) -> int:
    return -max(side, _SHORTEST) % divisor + max(0, _SHORTEST - side)


def _reflected(side: int, wanted: int, device: torch.device) -> Tensor:
    """Which line stands at each of so many places."""
    period = max(1, 2 * (side - 1))
    place = torch.arange(wanted, device=device) % period
    return torch.minimum(place, period - place)


def table(left: Tensor, top: Tensor, columns: Sequence[Tensor]) -> Tensor:
    """Columns of as many uint8 pictures (R, 3, S, S) as stand at the left, each below one of the top (N, 3, S, S).

    One picture (3, (R + 1) * S, (N + 1) * S), white in its corner.
    """
    strips = [torch.cat([torch.full_like(left[:1], 255), left])]
    strips += [torch.cat([head[None], column]) for head, column in zip(top, columns, strict=True)]
    return torch.cat([torch.cat([*strip], dim=1) for strip in strips], dim=2)


def to_pil(picture: Tensor) -> Image.Image:
    """uint8 (C, H, W) to a PIL picture of mode L or RGB."""
    array = picture.permute(1, 2, 0).cpu().numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
