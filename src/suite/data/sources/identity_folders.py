"""One folder an identity: what face swapping is trained on (Dong et al., 2017), and any set of that shape.

[train/]<identity>/*.jpg   or with folders inside: <identity>/<video>/*.jpg
[val/, test/ alike]        or below it: <identity>/train/*.jpg, <identity>/test/*.jpg
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from suite.data.catalog import Catalog, PictureFile, Record, Split
from suite.data.sources.folders import Pictures, by_split, list_below
from suite.data.sources.helpers.reading import words
from suite.data.sources.helpers.roots import beside_a_split, holds, is_picture, root_folder, wrong_root
from suite.data.sources.helpers.split_folders import split_folders
from suite.data.sources.helpers.walking import in_natural_order, inner_folders
from suite.errors import UserError

_EXPECTED = "one folder of pictures for each identity in it, two at least"


def identity_folders(*, root: str, identities: Sequence[str] | str | None = None) -> Catalog:
    """Photos whose label and group are the folder, in natural order, or in the order of `identities`.

    The split is that of train/, val/ and test/ in the root, or in an identity's folder; an identity may be in any of
    them. Without val/ and test/ the last tenth of each identity's pictures is test: frames of a video are nearly alike,
    and a draw would put neighbours on both sides. Raises UserError for fewer than two identities, for one that is not
    there, and for a folder without pictures.
    """
    folder = root_folder(root, _EXPECTED, _looks_right)
    places = _people(folder)
    there = _names(folder)
    if len(there) < 2 or _is_above(places):
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
    people: list[tuple[str, Split | None, Pictures]] = []
    for name in catalog.label_names:
        for split, person in places:
            if person.name == name:
                people += [(name, of, pictures) for of, pictures in by_split(person, True, of=split).items()]
    held_out = any(split in ("val", "test") for _, split, _ in people)
    for name, split, pictures in people:
        training = len(pictures) if held_out else len(pictures) - _tenth(len(pictures))
        label = catalog.label_names.index(name)
        for place, (key, path) in enumerate(pictures.items()):
            of_one: Split = (split or "train") if held_out else "train" if place < training else "test"
            catalog.records.append(Record(f"{name}/{key}", PictureFile(path), label=label, group=name, split=of_one))
    if loose := sum(holds(place, is_picture) for place in {person.parent for _, person in places}):
        catalog.warnings.append(f"identity_folders: pictures of no identity in {loose} folders at or below {folder}")
    if not held_out:
        catalog.split_warnings.append(
            "identity_folders: no identity has pictures in a test/, so the last tenth of each one's, in natural order, "
            "is held out as test; 'data.split={train: 0.9, test: 0.1}' draws instead"
        )
    return catalog


def _tenth(count: int) -> int:
    """Of one picture none; of more one at least."""
    return max(1, round(count / 10)) if count > 1 else 0


def _people(root: Path) -> list[tuple[Split | None, Path]]:
    """Split and folder of each identity."""
    splits = _split_folders(root)
    bare = [place for place in inner_folders(root) if place not in splits.values()]
    if "train" in splits and (len(splits) > 1 or inner_folders(splits["train"])):
        bare = []
    else:  # people may be called Dev or Val: their folders hold pictures, not people of the names beside them
        names = {place.name for place in bare}
        held = {of: place for of, place in splits.items() if names & {inner.name for inner in inner_folders(place)}}
        bare = [place for place in inner_folders(root) if place not in held.values()]
        splits = held
    inside = [(split, person) for split, place in splits.items() for person in inner_folders(place)]
    return [*((None, person) for person in bare), *inside]


def _split_folders(root: Path) -> dict[Split, Path]:
    """Those of the root. Of two that mean one split none counts that holds no folder: people may be Dev and Val."""
    try:
        return split_folders(root)
    except UserError:
        return split_folders(root, inner_folders)


def _is_above(places: list[tuple[Split | None, Path]]) -> bool:
    """Whether the folders are no people but sets of them: some are divided by people, or one alone holds pictures."""
    sets = [person for split, person in places if split is None]
    trains = [split_folders(one).get("train") for one in sets]
    if None in trains and any(len(inner_folders(train)) > 1 for train in trains if train is not None):
        return True
    filled = islice((one for one in sets if holds(one, is_picture) or list_below(one)), 2)
    return len(sets) > 1 and len(found := list(filled)) == 1 and bool(_looks_right(found[0]))


def _names(root: Path) -> list[str]:
    return in_natural_order({person.name for _, person in _people(root)})


def _looks_right(place: Path) -> bool:
    return sum(holds(person, is_picture) for _, person in _people(place)) > 1
