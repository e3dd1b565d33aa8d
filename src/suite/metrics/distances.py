"""Distances between two sets of pictures, from features that are already computed: (N, d) real against (M, d) fake.

Those whose interval `suite.metrics.jackknife` gives have a second function, `…_without`: the same figure with each
block of real pictures left out in turn, and with each block of fake ones, two of (blocks,), in float64.
"""

import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

from suite.metrics.features import Precomputed
from suite.metrics.jackknife import Without, blocks, kept_of

FRECHET_NEEDS = 2  # pictures on either side: a covariance
KERNEL_NEEDS = 4  # pictures on either side: two subsets of two
KERNEL_SUBSETS = 100
KERNEL_SUBSET_SIZE = 1000
SLICED_NEEDS = 1
SLICED_DIRECTIONS = 1000
DIRECTIONS_AT_A_TIME = 100  # the memory of 50,000 pictures a side stays under half a gigabyte


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


def frechet_distance_without(real: Tensor, fake: Tensor) -> Without:
    real, fake = real.double(), fake.double()
    return _frechet_without_blocks(real, fake), _frechet_without_blocks(fake, real)


def _frechet_without_blocks(changing: Tensor, constant: Tensor) -> Tensor:
    """Frechet distances (blocks,) of what is left of `changing` (N, d) to all of `constant` (M, d).

    With X and Y the centred features over the roots of N - 1 and M - 1, the covariances are X'X and Y'Y, and the trace
    of the root of their product is the sum of the singular values of XY', or of XR' where Y = QR. They are the roots of
    the eigenvalues of its Gram matrix, of whichever of N and d is less, from which a block is taken by subtraction: no
    root of a d x d product is computed anew.
    """
    factor, variances = _factor(constant), constant.var(dim=0).sum()
    apart = changing.mean(dim=0) - constant.mean(dim=0)
    centred = changing - changing.mean(dim=0)
    squares = centred.square().sum(dim=1)
    projected = centred @ factor.T
    among_rows = len(projected) <= projected.shape[1]
    gram = projected @ projected.T if among_rows else projected.T @ projected
    distances = []
    for block in blocks(len(changing)):
        keep = kept_of(block, len(changing))
        left = int(keep.sum())
        if among_rows:
            rest = gram[keep][:, keep]
            rest = rest - rest.mean(dim=0) - rest.mean(dim=1, keepdim=True) + rest.mean()
        else:
            gone, total = projected[block], projected[keep].sum(dim=0)
            rest = gram - gone.T @ gone - total[:, None] * total / left
        cross = torch.linalg.eigvalsh(rest / (left - 1)).clamp(min=0).sqrt().sum()
        shift = -centred[block].sum(dim=0) / left  # of the mean, by the block that is gone
        of_left = (squares[keep].sum() - left * shift.square().sum()) / (left - 1)
        distances.append((apart + shift).square().sum() + of_left + variances - 2 * cross)
    return torch.stack(distances)


def _factor(features: Tensor) -> Tensor:
    """F of at most d rows with F'F the covariance of the features (N, d)."""
    centred = (features - features.mean(dim=0)) / (len(features) - 1) ** 0.5
    return centred if len(centred) <= centred.shape[1] else torch.linalg.qr(centred, mode="r").R


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """Unbiased squared MMD with the cubic polynomial kernel, in float64; with Inception features this is KID.

    Binkowski et al. 2018, section 4: the mean over 100 subsets of min(1000, half of the smaller set). Subsets are drawn
    from a fixed seed, so equal features give equal figures, and the process's random generator is left as it was.
    """
    return kernel_distance_and_std(real, fake)[0]


def kernel_distance_and_std(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """With it the standard deviation over those subsets, which papers write behind KID: not that of their mean."""
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
        mean, deviation = metric.compute()
    return float(mean), float(deviation)


def sliced_distance(real: Tensor, fake: Tensor) -> float:
    """3 d times the mean over directions of the squared 2-Wasserstein distance of the features along them, in float64;
    with Inception features this is MIND.

    Berthet et al. 2026 (arXiv 2605.06797): from 5,000 pictures it tells models apart as FID does from 50,000, and from
    1,000 or 2,000 it is still informative. The directions are uniform on the sphere, 1000 of a fixed seed, as many as
    torch-fidelity takes. Sets of equal size are compared picture by picture, sorted, as there; of other sizes by the
    exact transport, where torch-fidelity drops pictures of the larger.
    """
    total = sum(_transport(*sets).sum().item() for sets in _sorted_projections(real, fake))
    return 3 * real.shape[1] * total / SLICED_DIRECTIONS


def sliced_distance_without(real: Tensor, fake: Tensor) -> Without:
    of_real, of_fake = [], []
    block_of_real, block_of_fake = (_block_numbers(len(features)) for features in (real, fake))
    for x, y, places_x, places_y in _sorted_projections(real, fake, places=True):
        of_real.append(_transport_without(x, block_of_real[places_x], y))
        of_fake.append(_transport_without(y, block_of_fake[places_y], x))
    scale = 3 * real.shape[1] / SLICED_DIRECTIONS
    return scale * torch.stack(of_real).sum(dim=0), scale * torch.stack(of_fake).sum(dim=0)


def _sorted_projections(real: Tensor, fake: Tensor, places: bool = False) -> Iterator[tuple[Tensor, ...]]:
    """By part of the directions, both sets along each, sorted: (directions, N) and (directions, M).

    places: then also which picture each value is of, (directions, N) and (directions, M).
    """
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(SLICED_DIRECTIONS, real.shape[1], generator=generator, dtype=torch.float64)
    for part in torch.nn.functional.normalize(directions, dim=1).split(DIRECTIONS_AT_A_TIME):
        of_real, of_fake = ((part @ features.double().T).sort(dim=1) for features in (real, fake))
        yield of_real.values, of_fake.values, *((of_real.indices, of_fake.indices) if places else ())


def _transport(x: Tensor, y: Tensor) -> Tensor:
    """Squared 2-Wasserstein distances (B,) of sorted samples (B, N) and (B, M).

    The integral of the squared difference of their quantile functions, which are constant between multiples of 1 / N
    and 1 / M.
    """
    n, m = x.shape[1], y.shape[1]
    if n == m:
        return (x - y).square().mean(dim=1)
    ends = torch.cat([torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]).unique()  # in units of 1 / (N M)
    widths = torch.diff(ends, prepend=ends.new_zeros(1)).double() / (n * m)
    return (x[:, (ends - 1) // m] - y[:, (ends - 1) // n]).square() @ widths


def _transport_without(x: Tensor, block_of: Tensor, y: Tensor) -> Tensor:
    """Their sum over the directions (blocks,), with each block of x (B, N) left out.

    block_of: (B, N), the number of the block that a value is of.
    """
    left = (x[block_of != block].view(len(x), -1) for block in range(int(block_of.max()) + 1))
    return torch.stack([_transport(rest, y).sum() for rest in left])


def _block_numbers(count: int) -> Tensor:
    """Which block each of so many pictures is in, (count,)."""
    numbers = torch.empty(count, dtype=torch.long)
    for number, block in enumerate(blocks(count)):
        numbers[block] = number
    return numbers
