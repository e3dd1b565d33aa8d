"""The triplet losses of Liu 2021: what is of one picture shall be alike, what is of two shall not. All in fp32."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from suite.errors import UserError

Hinge = Literal["picture", "batch"]


def style_triplet(moved: Tensor, origin: Tensor, negative: Tensor, margin: float) -> Tensor:
    """Mean of max(cos(moved, negative) - cos(moved, origin) + margin, 0) over the batch: Eq. 7.

    Styles (B, F): of a photo that was turned and cut, of the photo as it is, and of another. The paper prints the two
    cosines the other way round, which would push apart what its text wants alike. With a margin of 2 the maximum is
    never at 0, and the gradient is that of the cosines alone.
    """
    to_negative = F.cosine_similarity(moved.float(), negative.float(), dim=1)
    to_origin = F.cosine_similarity(moved.float(), origin.float(), dim=1)
    return F.relu(to_negative - to_origin + margin).mean()


def content_triplet(moved: Tensor, positive: Tensor, negative: Tensor, margin: float, hinge: Hinge) -> Tensor:
    """max(d(moved, positive) - d(moved, negative) + margin, 0) with d the mean squared difference: Eq. 10.

    Contents (B, C, H, W): of a changed sketch, of another sketch of its photo, and of one of another photo. hinge:
    picture: the mean over pictures of each one's maximum; batch: that of the distances' means, the authors' code.
    """
    to_positive, to_negative = _distance(moved, positive), _distance(moved, negative)
    if hinge == "batch":
        to_positive, to_negative = to_positive.mean(), to_negative.mean()
    return F.relu(to_positive - to_negative + margin).mean()


def derangement(count: int, device: torch.device | str, generator: torch.Generator | None = None) -> Tensor:
    """(count,) int64: for each of a batch another one of it, all in one random cycle; none stands for itself.

    generator: on that device; None: torch's own. Raises UserError where there is only one.
    """
    if count < 2:
        raise UserError(
            "data.batch_size=1: a triplet loss compares a picture with another of the batch; set at least 2"
        )
    order = torch.randperm(count, device=device, generator=generator)
    return torch.empty_like(order).scatter_(0, order, order.roll(1))


def _distance(x: Tensor, y: Tensor) -> Tensor:
    """Of each picture."""
    return (x.float() - y.float()).square().flatten(1).mean(dim=1)
