"""Precision and recall of two sets of pictures (Kynkäänniemi et al. 2019), from features that are already computed.

A set's manifold is the union of balls around its pictures, each as wide as to its third-nearest neighbour. Precision is
the share of generated pictures within that of the real ones, recall the share of real pictures within that of the
generated ones. The paper's features are those of VGG-16's second fully connected layer.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from suite.metrics.jackknife import Without, blocks, kept_of

NEIGHBOURS = 3  # k of the paper, section 3
NEIGHBOURS_NEED = NEIGHBOURS + 1  # pictures on either side
ROWS_AT_A_TIME = 512  # of a matrix of distances: 200 MB where there are 50,000 pictures


def precision(real: Tensor, fake: Tensor) -> float:
    """The share of fake (M, d) on the manifold of real (N, d), in float64: 1 where all look real."""
    return _share(fake, real)


def recall(real: Tensor, fake: Tensor) -> float:
    """The share of real (N, d) on the manifold of fake (M, d), in float64: 1 where nothing real is missing."""
    return _share(real, fake)


def precision_without(real: Tensor, fake: Tensor) -> Without:
    """Precision without each block of real pictures, and without each of fake ones."""
    of_points, of_centres = _share_without(fake, real)
    return of_centres, of_points


def recall_without(real: Tensor, fake: Tensor) -> Without:
    """Recall without each block of real pictures, and without each of fake ones."""
    return _share_without(real, fake)


def _share(points: Tensor, centres: Tensor) -> float:
    points, centres = points.double(), centres.double()
    return float(_within(points, centres, _reach(centres)[None]).double().mean())


def _share_without(points: Tensor, centres: Tensor) -> Without:
    """The share of points on the manifold of the centres, without each block of points, and of centres."""
    points, centres = points.double(), centres.double()
    reach = torch.cat([_reach(centres)[None], _reach_without(centres)])
    within = _within(points, centres, reach).double()
    of_points = [within[0, kept_of(block, len(points))].mean() for block in blocks(len(points))]
    return torch.stack(of_points), within[1:].mean(dim=1)


def _within(points: Tensor, centres: Tensor, reach: Tensor) -> Tensor:
    """Which points (P, d) lie in any of the balls around centres (N, d), for each row of radii (R, N): (R, P)."""
    parts = [
        torch.stack([(distances <= radii).any(dim=1) for radii in reach]) for distances in _distances(points, centres)
    ]
    return torch.cat(parts, dim=1)


def _reach(centres: Tensor) -> Tensor:
    """The radii (N,). Nearest of all to a picture is the picture itself."""
    return torch.cat([rows.kthvalue(NEIGHBOURS + 1, dim=1).values for rows in _distances(centres, centres)])


def _reach_without(centres: Tensor) -> Tensor:
    """The radii (blocks, N) with each block left out, and -1 for what is in it: no point is as near as that.

    The nearest of each block are found once; the third-nearest of all others is among theirs.
    """
    left_out = blocks(len(centres))
    parts = []
    for rows in _distances(centres, centres):
        nearest = torch.stack([_nearest(rows[:, block]) for block in left_out], dim=1)  # (rows, blocks, k + 1)
        radii = []
        for number in range(len(left_out)):
            others = torch.cat([nearest[:, :number], nearest[:, number + 1 :]], dim=1).flatten(1)
            radii.append(others.kthvalue(NEIGHBOURS + 1, dim=1).values)
        parts.append(torch.stack(radii))
    reach = torch.cat(parts, dim=1)
    for number, block in enumerate(left_out):
        reach[number, block] = -1
    return reach


def _nearest(distances: Tensor) -> Tensor:
    """The NEIGHBOURS + 1 smallest of each row, infinity where there are fewer."""
    found = distances.topk(min(NEIGHBOURS + 1, distances.shape[1]), dim=1, largest=False).values
    return F.pad(found, (0, NEIGHBOURS + 1 - found.shape[1]), value=torch.inf)


def _distances(points: Tensor, centres: Tensor) -> Iterator[Tensor]:
    """Euclidean distances of points (P, d) to centres (N, d), some rows (rows, N) at a time."""
    return (torch.cdist(rows, centres) for rows in points.split(ROWS_AT_A_TIME))
