"""The attribute lists of CelebA and CelebA-HQ: which pictures have one attribute."""

from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from suite.data.sources.reading import rows
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
    announced = int(header) if header.isdecimal() else None
    if announced is not None:  # official: a count, then the names alone
        names, separator = next(lines, "").split(), None
    elif "," in header:  # csv: the column of file names is `image_id`, or has no name
        names, separator = [name.strip() for name in header.split(",")[1:]], ","
    else:
        raise UserError(f"{path}: line 1 is {header[:60]!r}; expected the number of rows, or the header of a csv")

    by_lower = {name.lower(): place for place, name in enumerate(names)}
    if attribute.lower() not in by_lower:
        near = get_close_matches(attribute, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(names)}"
        raise UserError(f"data.attribute={attribute}: {path} has no such attribute; {hint}")
    column = by_lower[attribute.lower()]

    labels: dict[str, int] = {}
    unreadable = 0
    for row in lines:
        cells = row.split(separator)
        value = _VALUES.get(cells[1 + column].strip()) if len(cells) == len(names) + 1 else None
        if value is None:
            unreadable += 1
        else:
            labels[cells[0].rpartition(".")[0] or cells[0]] = value
    if not labels:
        raise UserError(f"{path}: no row reads '000001.jpg -1 1 ...'; it is cut off or no attribute list, get it again")
    warnings = [f"{path}: {unreadable} rows can't be read"] if unreadable else []
    if announced is not None and announced != len(labels) + unreadable:
        warnings.append(f"{path}: line 1 says {announced} rows, there are {len(labels) + unreadable}")
    return Attribute(names[column], labels, warnings)
