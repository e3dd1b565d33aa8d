"""Distances between features of pictures; in fp32 whatever the precision of the run."""

from torch import Tensor

from suite.losses.reduction import Reduction, reduced


def perceptual(fake: Tensor, real: Tensor, reduction: Reduction = "sum") -> Tensor:
    """The squared distance of two batches of features (B, C, H, W): of each picture, and then their mean.

    sum: over all numbers of a picture, the squared Frobenius norm. Source: Liu 2018 (DA-GAN), Eq. 4; Johnson 2016
    divides it by C x H x W, which is `mean`.
    """
    return reduced((fake.float() - real.float()).square(), reduction)
