"""How far a figure of two sets of pictures would move with other pictures: a grouped jackknife.

Each set is cut into BLOCKS runs of neighbours, and the figure is computed anew without each of them. Bootstraps won't
do: a picture that is drawn twice makes a set look narrower than it is, and FID, whose bias grows the fewer pictures
there are, larger. Leaving out 1 in 20 changes that bias by little, and what is the same in all the values falls out.
Neighbours go together because they are more alike than others: frames of a film, pictures of one person.
"""

from itertools import pairwise

import torch
from torch import Tensor

BLOCKS = 20
QUANTILE = 2.093  # of Student's t with BLOCKS - 1 degrees of freedom: 95 % lie within it on both sides

Without = tuple[Tensor, Tensor]  # a figure without each block of real pictures, and without each of generated ones


def blocks(count: int) -> list[slice]:
    """BLOCKS runs, as long as each other up to one picture, of `count` pictures in their order."""
    ends = [count * number // BLOCKS for number in range(BLOCKS + 1)]
    return [slice(start, end) for start, end in pairwise(ends)]


def kept_of(block: slice, count: int) -> Tensor:
    """Which of `count` pictures are not in the block, (count,) bool."""
    kept = torch.ones(count, dtype=torch.bool)
    kept[block] = False
    return kept


def enough(counts: tuple[int, int], needs: int) -> bool:
    """Whether every block of either set can be left out, and what is left be measured."""
    return all(count >= BLOCKS and count - -(-count // BLOCKS) >= needs for count in counts)


def interval(without: Without) -> float:
    """Half of the 95 % interval of a figure, from its values without each block of one set and of the other.

    The two sets count as independent of each other. It knows nothing of a figure's bias: FIDs of other numbers of
    pictures differ by more than it says.
    """
    variance = sum(float((values - values.mean()).square().sum()) * (BLOCKS - 1) / BLOCKS for values in without)
    return QUANTILE * variance**0.5
