"""What a paper makes of a batch, as grids show it and metrics compare it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from suite.data.batch import Batch


@dataclass(frozen=True)
class Translation:
    """One kind of output for a whole batch: one section of the metrics, one picture grid.

    All pictures are (B, C, H, W) in [-1, 1], the columns of a row of one H; C may differ between them. A paper gives
    the same translations of every batch, in the same order.
    """

    name: str  # as a2b or to_male: the grid's file, and the metrics' section but for the paper's first: val, val_<name>
    output: Tensor | None  # what is measured; None: a row to be shown, and nothing else
    row: Mapping[str, Tensor] = field(default_factory=dict)  # the grid's columns in order, by title; empty: no grid
    reals: str | None = None  # the set of real pictures that outputs should look like: a, b, label=<name>; None: none
    truth: Tensor | None = None  # the true counterparts, where they are known
    luma_where_grey: bool = False  # compare luma where the truth has three equal channels: its colours are unknown
    drawings: Tensor | None = None  # (B, K, C, H, W), where there are several, padded to K
    drawing_count: Tensor | None = None  # (B,) int64, how many there are of each
    style: Tensor | None = None  # (B, C, H', W'), the exemplars whose style outputs should have
    figures: Mapping[str, Tensor] = field(default_factory=dict)  # by name, (B,): what the paper itself measures
    counts: Tensor | None = None  # (B,) bool: False where an input has been measured before; None: all True


def between_sides(batch: Batch, direction: str, output: Tensor, luma_where_grey: bool = False) -> Translation:
    """What a paper gives that translates one side of its batches into the other: `output` (B, C, H, W), of a2b or b2a.

    With the truth where the batch is paired, and all drawings of a photo where it has them and they are the target.
    """
    source, target = direction.split("2")
    truth = batch[target] if batch["paired"] else None
    row = {"input": batch[source], "output": output} | ({} if truth is None else {"truth": truth})
    several = batch.get("drawing_side") == target
    return Translation(
        name=direction,
        output=output,
        row=row,
        reals=target,
        truth=truth,
        drawings=batch["drawings"] if several else None,
        drawing_count=batch["drawing_count"] if several else None,
        counts=batch.get(f"fresh_{source}"),
        luma_where_grey=luma_where_grey,
    )


def of_target(batch: Batch, output: Tensor) -> Translation:
    """What a paper makes of the pictures `target` of a batch, those of a second set: `output` (B, C, H, W).

    With the truth where that set has it. Where not there is nothing to measure: the photos of `b` are of other faces.
    """
    truth = batch.get("target_truth")
    return Translation(
        name="target",
        output=output,
        row={"input": batch["target"], "output": output} | ({} if truth is None else {"truth": truth}),
        reals=None if truth is None else "target_truth",
        truth=truth,
        counts=batch.get("fresh_target"),
        luma_where_grey=True,
    )
