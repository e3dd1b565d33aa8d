"""Which record belongs to train, val and test: the source's own splits, or a draw with a seed."""

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np

from suite.data.catalog import Catalog, Record, Split
from suite.errors import UserError

SPLITS: tuple[Split, ...] = get_args(Split)
HELD_OUT: dict[str, float] = {
    "train": 0.9,
    "test": 0.1,
}  # where the source names no val or test split and the user gives none

Splits = dict[Split, list[Record]]
_DRAW, _HALVES = 1, 2  # numbers that keep the two uses of one seed apart


def assign_splits(catalog: Catalog, wanted: Mapping[str, float] | None, seed: int, key: str = "data") -> Splits:
    """The records of each split, in the catalog's order; a split without records is left out.

    Pairs, photos and drawings are each divided on their own, so 1000 means 1000 of each. `wanted` (counts, or
    fractions of 1) draws anew. Without it the source's splits are kept, records that it names no split for become
    train, and a kind of record that has no val or test at all gives up a tenth as test. `key` is where the data set
    stands in the configuration. Raises UserError where there are too few records.
    """
    kinds: dict[str, list[Record]] = {"pairs": [], "photos": [], "drawings": []}
    for record in catalog.records:
        kinds["pairs" if record.paired else "photos" if record.photo is not None else "drawings"].append(record)
    where = catalog.dataset + ("" if catalog.root is None else f" in {catalog.root}")
    split_of: dict[int, Split] = {}
    for number, (kind, records) in enumerate(kinds.items()):
        if not records:
            continue
        generator = np.random.default_rng((seed, _DRAW, number))
        found = f"{where} has {len(records)} {kind}"
        if wanted is not None:
            split_of |= _draw(records, wanted, generator, f"{key}.split={dict(wanted)}: {found}, too few for that")
        elif any(record.split in ("val", "test") for record in records):
            split_of |= {id(record): record.split or "train" for record in records}
        else:
            split_of |= _draw(records, HELD_OUT, generator, f"{found}: too few to train and to test on; add some")
            catalog.warnings.append(
                f"{catalog.dataset}: no val or test {kind}; a tenth of the {len(records)} is held out as test, "
                f"drawn with the seed; {key}.split={{train: ..., test: ...}} draws otherwise"
            )
    drawn: Splits = {split: [] for split in SPLITS}
    for record in catalog.records:
        if id(record) in split_of:
            drawn[split_of[id(record)]].append(record)
    return {split: records for split, records in drawn.items() if records}


def check_wanted(wanted: Mapping[str, float], key: str = "data.split") -> None:
    """Raises UserError where a split is unknown, or is neither a count nor a fraction."""
    for split, amount in wanted.items():
        if split not in SPLITS:
            raise UserError(f"{key}.{split}: no such split; choose from {', '.join(SPLITS)}")
        number = isinstance(amount, int | float) and not isinstance(amount, bool)
        if not number or amount <= 0 or (isinstance(amount, float) and amount > 1):
            raise UserError(f"{key}.{split}={amount}: give a count (1000) or a fraction of 1 (0.8)")
    if (total := sum(amount for amount in wanted.values() if isinstance(amount, float))) > 1 + 1e-9:
        raise UserError(f"{key}={dict(wanted)}: the fractions sum to {total:g}, more than 1")


def halves(scenes: Sequence[int], seed: int) -> tuple[list[int], list[int]]:
    """The numbers shuffled and dealt into two halves that share none."""
    shuffled = np.random.default_rng((seed, _HALVES)).permutation(scenes).tolist()
    middle = len(shuffled) // 2
    return shuffled[:middle], shuffled[middle:]


def _draw(
    records: Sequence[Record], wanted: Mapping[str, float], generator: np.random.Generator, too_few: str
) -> dict[int, Split]:
    order = generator.permutation(len(records)).tolist()
    drawn: dict[int, Split] = {}
    start, share = 0, 0.0
    for split in reversed(SPLITS):  # train last: of few records, the others still get one
        if split not in wanted:
            continue
        left = len(records) - start
        if isinstance(amount := wanted[split], int):
            count = amount
        else:  # rounded where they end, so that fractions of 1 in sum leave nothing over
            share += amount
            count = min(left, max(1, round(share * len(records)) - round((share - amount) * len(records))))
        if not 0 < count <= left:
            raise UserError(too_few)
        drawn |= {id(records[place]): split for place in order[start : start + count]}
        start += count
    return drawn
