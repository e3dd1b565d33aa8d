"""What the papers' scripts share: how alike two pictures are in shape, whatever their colours."""

from torch import Tensor

from suite.images import luma, signed_to_uint8, uint8_to_unit
from suite.sketching.styles import sobel


def edges(pictures: Tensor) -> Tensor:
    """How dark a Sobel sketch of a picture is, (N, S * S); pictures (N, 1 or 3, S, S) in [-1, 1]."""
    return 1 - sobel(uint8_to_unit(signed_to_uint8(luma(pictures)))).flatten(1)


def correlation(one: Tensor, other: Tensor) -> Tensor:
    """Pearson's, of each row."""
    one, other = (x - x.mean(1, keepdim=True) for x in (one, other))
    return (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1)).clamp(min=1e-6)
