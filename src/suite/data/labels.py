"""The labels of a data set: their names, and how many pictures each has."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from suite.data.catalog import Catalog
from suite.errors import UserError


def names_of(catalog: Catalog) -> tuple[str, ...]:
    """The name of each label, of one without name its number."""
    names = catalog.label_names
    count = max([len(names), *(record.label + 1 for record in catalog.records if record.label is not None)])
    return tuple(names[label] if label < len(names) else str(label) for label in range(count))


def count_by_name(names: Sequence[str], labels: Iterable[int | None]) -> dict[str, int]:
    """How many of the labels are of each name, also of a name that none is of."""
    counts = Counter(labels)
    return {name: counts[label] for label, name in enumerate(names)}


def check_none_empty(counts: Mapping[str, int]) -> None:
    """Raises UserError for the first label that has no picture to train on."""
    for name, count in counts.items():
        if count == 0:
            raise UserError(
                f"data has no training picture of label {name}: data.balanced=true needs some of each; add some, "
                "or draw new splits with 'data.split={train: 0.9, test: 0.1}'"
            )


def check_balanced(counts: Mapping[str, int], batch_size: int) -> None:
    """Raises UserError where no batch can hold as many pictures of each label. `counts`: training pictures by label."""
    check_none_empty(counts)
    if batch_size % len(counts):
        nearest = max(1, round(batch_size / len(counts))) * len(counts)
        raise UserError(
            f"data.batch_size={batch_size} is not a multiple of the {len(counts)} labels, which data.balanced=true "
            f"needs: use data.batch_size={nearest}"
        )
