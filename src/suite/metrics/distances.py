"""Distances between two sets of pictures, from features that are already computed: (N, d) real against (M, d) fake."""

import warnings

import torch
from torch import Tensor

from suite.metrics.features import Precomputed

FRECHET_NEEDS = 2  # pictures on either side: a covariance
KERNEL_NEEDS = 4  # pictures on either side: two subsets of two
KERNEL_SUBSETS = 100
KERNEL_SUBSET_SIZE = 1000


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """Frechet distance of two Gaussians fitted to the features, in float64; with Inception features this is FID.

    Heusel et al. 2017, Eq. 6. It is biased upwards for few pictures, the more so the larger d is.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    # The sets are gathered already, and only one process computes: torchmetrics must not wait for the others.
    metric = FrechetInceptionDistance(feature=Precomputed(real.shape[1]), sync_on_compute=False)
    metric.update(real.double(), real=True)
    metric.update(fake.double(), real=False)
    return float(metric.compute())


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """Unbiased squared MMD with the cubic polynomial kernel, in float64; with Inception features this is KID.

    Binkowski et al. 2018, section 4: the mean over 100 subsets of min(1000, half of the smaller set). Subsets are drawn
    from a fixed seed, so equal features give equal figures, and the process's random generator is left as it was.
    """
    from torchmetrics.image.kid import KernelInceptionDistance

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Metric `Kernel Inception Distance` will save all")
        metric = KernelInceptionDistance(
            feature=Precomputed(real.shape[1]),
            subsets=KERNEL_SUBSETS,
            subset_size=min(KERNEL_SUBSET_SIZE, min(len(real), len(fake)) // 2),
            sync_on_compute=False,
        )
    metric.update(real.double(), real=True)
    metric.update(fake.double(), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)  # torch.manual_seed would reseed CUDA as well
        mean, _ = metric.compute()
    return float(mean)
