"""One folder an identity: what face swapping is trained on (Dong et al., 2017), and any set of that shape.

[train/]<identity>/*.jpg   or with folders inside: <identity>/<video>/*.jpg
[val/, test/ alike]
"""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from suite.data.catalog import Catalog, PictureFile, Record, Split
from suite.data.sources.folders import list_pictures
from suite.data.sources.helpers.reading import words
from suite.data.sources.helpers.roots import beside_a_split, holds, is_picture, root_folder, wrong_root
from suite.data.sources.helpers.walking import in_natural_order, inner_folders
from suite.errors import UserError

_EXPECTED = "one folder of pictures for each identity in it, two at least"


def identity_folders(*, root: str, identities: Sequence[str] | str | None = None) -> Catalog:
    """Photos whose label and group are the folder, in natural order, or in the order of `identities`.

    The split is that of train/, val/ and test/ where the root has a train/; an identity may be in any of them. Without
    val/ and test/ the last tenth of each identity's pictures is test: frames of a video are nearly alike, and a draw
    would put neighbours on both sides. Raises UserError for fewer than two identities, for one that is not there, and
    for a folder without pictures.
    """
    folder = root_folder(root, _EXPECTED, _looks_right)
    places = _people(folder)
    there = _names(folder)
    if len(there) < 2:
        # Any two folders of pictures look right: those above count only where the root is one of them.
        above = () if holds(folder, is_picture) else folder.resolve().parents
        raise wrong_root(folder, _EXPECTED, lambda place: place not in above and _looks_right(place))
    wanted = there if identities is None else words("identities", identities)
    for name in wanted:
        if name not in there:
            raise UserError(f"data.identities: {name} has no folder in {folder}; there is {', '.join(there)}")
    if len(set(wanted)) < 2:
        raise UserError(f"data.identities={wanted}: give two identities at least; there is {', '.join(there)}")

    names = tuple(dict.fromkeys(wanted))
    catalog = Catalog("identity_folders", folder, [], label_names=names, identities=True)
    catalog.warnings += beside_a_split(folder)
    held_out = any(split in ("val", "test") for split, _ in places)
    for label, name in enumerate(catalog.label_names):
        for split, person in places:
            if person.name != name:
                continue
            pictures = list_pictures(person, recursive=True)
            training = len(pictures) if held_out else len(pictures) - _tenth(len(pictures))
            for place, (key, path) in enumerate(pictures.items()):
                of: Split | None = split if held_out else "train" if place < training else "test"
                catalog.records.append(Record(f"{name}/{key}", PictureFile(path), label=label, group=name, split=of))
    if loose := sum(holds(place, is_picture) for place in {person.parent for _, person in places}):
        catalog.warnings.append(f"identity_folders: pictures of no identity in {loose} folders at or below {folder}")
    if not held_out:
        catalog.warnings.append(
            "identity_folders: no test/, so the last tenth of each identity's pictures, in natural order, is held out "
            "as test; data.split={train: ..., test: ...} draws instead"
        )
    return catalog


def _tenth(count: int) -> int:
    """Of one picture none; of more one at least."""
    return max(1, round(count / 10)) if count > 1 else 0


def _people(root: Path) -> list[tuple[Split | None, Path]]:
    """Split and folder of each identity."""
    if (root / "train").is_dir() and inner_folders(root / "train"):
        there = [split for split in get_args(Split) if (root / split).is_dir()]
        return [(split, person) for split in there for person in inner_folders(root / split)]
    return [(None, person) for person in inner_folders(root)]


def _names(root: Path) -> list[str]:
    return in_natural_order({person.name for _, person in _people(root)})


def _looks_right(place: Path) -> bool:
    return sum(holds(person, is_picture) for _, person in _people(place)) > 1
