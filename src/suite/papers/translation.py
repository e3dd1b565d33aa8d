"""What a paper makes of a batch, as grids show it and metrics compare it."""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Translation:
    """One kind of output for a whole batch: one section of the metrics, one picture grid.

    All pictures are (B, C, H, W) in [-1, 1]; C may differ between them.
    """

    name: str  # as a2b or to_male: the grid's file, and the metrics' section but for the paper's first: val, val_<name>
    output: Tensor  # what is measured
    row: dict[str, Tensor] = field(default_factory=dict)  # the grid's columns in order, by title; with the output
    reals: str | None = None  # the set of real pictures that outputs should look like: a, b, label=<name>; None: none
    truth: Tensor | None = None  # the true counterparts, where they are known
    drawings: Tensor | None = None  # (B, K, C, H, W), where there are several, padded to K
    drawing_count: Tensor | None = None  # (B,) int64, how many there are of each
    counts: Tensor | None = None  # (B,) bool: False where an input has been measured before; None: all True
