"""The attribute lists of CelebA and CelebA-HQ: which pictures have one attribute."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from suite.data.sources.helpers.reading import cells, rows, stem_of
from suite.errors import UserError

_VALUES = {"1": 1, "-1": 0, "0": 0}


class Attribute(NamedTuple):
    """One column of an attribute list."""

    name: str  # as the list spells it
    labels: dict[str, int]  # file name without suffix -> 1 where the picture has it, else 0
    warnings: list[str]


def read_attribute(path: Path, attribute: str) -> Attribute:
    """Reads one attribute, from the official text or a csv with a header; the rows count, not the number on line 1.

    Raises UserError for an attribute that the list does not have, and for a file that is no such list.
    """
    lines = rows(path)
    header = next(lines, "")
    columns = cells(header)
    count = columns[0] if columns and not any(columns[1:]) else ""  # a spreadsheet fills the row up
    announced = int(count) if count.isdecimal() else None
    if announced is not None:  # official: a count, then the names alone
        columns = ["image_id", *filter(None, cells(next(lines, "")))]
    elif not any(separator in header for separator in ",;\t"):
        raise UserError(f"{path}: line 1 is {header[:60]!r}; expected the number of rows, or the header of a csv")

    # A csv saved with its index has a column without a name; saved by the pictures' names, these have no name instead.
    pictures = columns.index("image_id") if "image_id" in columns else 0
    by_lower = {name.lower(): place for place, name in enumerate(columns) if name and place != pictures}
    if attribute.lower() not in by_lower:
        names = [columns[place] for place in by_lower.values()]
        near = get_close_matches(attribute, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}"
        raise UserError(f"data.attribute={attribute}: {path} has no such attribute; {hint}")
    column = by_lower[attribute.lower()]

    labels: dict[str, int] = {}
    unreadable = 0
    for row in lines:
        found = cells(row)
        value = _VALUES.get(found[column]) if len(found) == len(columns) else None
        if value is None:
            unreadable += 1
        else:
            labels[stem_of(found[pictures])] = value
    if not labels:
        raise UserError(f"{path}: no row reads '000001.jpg -1 1 ...'; it is cut off or no attribute list, get it again")
    warnings = [f"{path}: {unreadable} rows can't be read"] if unreadable else []
    if announced is not None and announced != len(labels) + unreadable:
        warnings.append(f"{path}: line 1 says {announced} rows, there are {len(labels) + unreadable}")
    return Attribute(columns[column], labels, warnings)


def check_labelled(
    path: Path, labels: Mapping[str, int] | Mapping[int, int], names: Mapping[str, str] | Mapping[int, str]
) -> None:
    """Raises UserError where the list names none of the pictures; both are given by stem, or by number."""
    if labels.keys().isdisjoint(names):
        example = next(iter(names.values()))
        raise UserError(f"{path}: none of its rows names a picture that is there, like {example}; get the right list")
