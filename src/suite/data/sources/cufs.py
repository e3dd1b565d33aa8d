"""CUFS, the CUHK face sketch database: 606 photos, each with one artist's sketch (Wang & Tang, PAMI 2009).

Parts: CUHK student (188 people), AR (123), XM2VTS (295). Every folder below the root is read, so that the official
archives can lie in any order. A folder's name says what is in it:

| in the name of a folder            | meaning                                               |
|------------------------------------|-------------------------------------------------------|
| `photo` or `sketch`                | the side                                              |
| `cropped`, or `photos`, `sketches` | cropped: 200 x 250, eyes at (75, 125) and (125, 125)  |
| `original`, or `photo`, `sketch`   | original: aligned by the `.dat` files below the root  |
| `train...`, `val...`, `test...`    | the split; the name of the root counts, too           |
| `cuhk`, `ar`, `xm2vts`             | the part, where the file's name does not say          |

A photo and its sketch have one key. Official names differ (`f-005-01` and `F2-005-01-sz1`, `m-002-1` and
`Mp-002-1-sz1`) and give the person; renamed copies share the name, and the key keeps the folder, as they count
from 0 in each. Such copies' lists (`list_train.txt`, `AR/test.txt`) count before folders: papers report on them. Where
neither says the split, CUHK's numbers do.
"""

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from suite.arguments import one_of
from suite.data.catalog import Catalog, Picture, PictureFile, Record, Split
from suite.data.sources.folders import existing_folder
from suite.data.sources.helpers.alignment import AlignedPicture
from suite.data.sources.helpers.cufs_names import (
    PARTS,
    Side,
    Version,
    person,
    person_in,
    renamed,
    side_and_version,
    split_of,
    split_of_cuhk,
)
from suite.data.sources.helpers.reading import fixed_draw, repackaged_split, repackaged_splits
from suite.data.sources.helpers.roots import archives, is_picture, nearby, root_folder, wrong_root
from suite.data.sources.helpers.split_folders import side_folders, split_of_root
from suite.data.sources.helpers.walking import natural_order, walk
from suite.errors import UserError

_PEOPLE = 606
_MOST_FILES = 200_000  # below the root; the archives hold some 3000
_EXPECTED = f"folders with photo and sketch in their names, of up to {_PEOPLE} people"
_PUBLISHED = {"cuhk": (88, 100), "ar": (80, 43), "xm2vts": (100, 195)}  # train and test
_HELD_OUT_FIRST: tuple[Split, ...] = ("test", "val", "train")


@dataclass(frozen=True)
class _Found:
    """What the path of a file says."""

    path: Path
    side: Side
    version: Version
    part: str | None
    split: Split | None  # of its folders
    key: str
    official: bool  # its name


def cufs(
    *,
    root: str,
    part: str = "all",
    version: Literal["auto", "cropped", "original"] = "auto",
    photos: str | None = None,
) -> Catalog:
    """Pairs of a photo and a sketch; the group is the part.

    `part` is cuhk, ar, xm2vts or all. `version` auto takes of each part what has more pairs, cropped rather than
    original. `photos` is a folder of photos that has no photo in its name: its name below the root, or where it lies.
    Without any photo (those of AR and XM2VTS have licences of their own) the sketches come alone. Splits: as lists,
    folders and CUHK's names say (88 / 100); of AR and XM2VTS only the counts are published, 80 / 43 and 100 / 195, so
    without lists they are drawn once, alike in every run, and so are CUHK's renamed ones. Raises UserError where no
    sketch is found, and where there are photos, and none belongs to a sketch.
    """
    folder = root_folder(root, _EXPECTED, _reads)
    one_of("data.part", part, ("all", *PARTS))
    one_of("data.version", version, ("auto", "cropped", "original"))
    paths = [folder / name for name in walk(folder, _is_wanted, most=_MOST_FILES)]
    files = [found for path in paths if is_picture(path.name) for found in _interpret(path, folder, photos)]
    files += _photos_elsewhere(folder, photos, paths)
    people = {found.key for found in files}
    if len(people) > 2 * _PEOPLE:
        raise wrong_root(folder, _EXPECTED, _reads)
    if not any(found.side == "sketch" for found in files):
        raise _no_sketch(folder, files)

    catalog = Catalog("cufs", folder, [])
    points = {(side, key): path for side, key, path in _points(paths, folder)}
    listed = _listed(paths, folder, people)
    unaligned: set[str] = set()
    chosen: list[_Found] = []
    for one in sorted({found.part or "" for found in files}):
        if part not in ("all", one):
            continue
        of_part = [found for found in files if (found.part or "") == one]
        of_photos, sketches = _choose(of_part, version)
        chosen += [*of_photos.values(), *sketches.values()]
        catalog.orphan_photos += [str(found.path) for key, found in of_photos.items() if key not in sketches]
        catalog.orphan_drawings += [str(found.path) for key, found in sketches.items() if key not in of_photos]
        people_of_part = {key: [one for one in (sketches[key], of_photos.get(key)) if one] for key in sketches}
        splits = {key: split for key, both in people_of_part.items() if (split := _split(both)) is not None}
        if one in _PUBLISHED and listed.keys().isdisjoint(sketches):
            drawn = _drawn([key for key in sketches if key not in splits], splits, *_PUBLISHED[one])
            splits |= drawn
            if one == "cuhk" and drawn:
                catalog.split_warnings.append(
                    f"cufs: {len(drawn)} sketches of CUHK are not named as officially, so nothing says who of them is "
                    "one of its 88 training people; their split is drawn once, alike in every run"
                )
        for key, both in people_of_part.items():
            pictures = _aligned(both, points)
            if any(one.version == "original" and one.official for one in both) and isinstance(pictures[0], PictureFile):
                unaligned.add(key)
            photo = pictures[1] if key in of_photos else None
            split = listed.get(key) or splits.get(key)
            catalog.records.append(Record(key, photo, (pictures[0],), group=one or None, split=split))
    catalog.records.sort(key=lambda record: natural_order(record.key))
    if any(record.paired for record in catalog.records):
        catalog.orphans = [record for record in catalog.records if not record.paired]
        catalog.records = [record for record in catalog.records if record.paired]
    elif not catalog.records:
        counts = Counter(found.part or "no part" for found in files if found.side == "sketch")
        there = ", ".join(f"{name} ({count} sketches)" for name, count in counts.items())
        raise UserError(f"{folder}: no sketch of data.part={part}, data.version={version}; there is {there}")
    else:
        _check_no_partners(folder, chosen, paths)
        alone = f"cufs: no photo belongs to any of the {len(catalog.records)} sketches below {folder}"
        catalog.warnings.append(alone + "".join(f"; {name} is not unpacked" for name in archives(folder)[:1]))
        catalog.orphan_drawings = []
    if listed and (unlisted := sum(record.split is None for record in catalog.records)):
        catalog.split_warnings.append(f"cufs: {unlisted} pairs are in no list; they train")
    if bare := unaligned.intersection(record.key for record in catalog.records):
        other = ", or take data.version=cropped" * any(one.version == "cropped" and one.key in bare for one in files)
        catalog.warnings.append(
            f"cufs: {len(bare)} originals have no fiducial points (.dat) and are not aligned; unpack the archives "
            f"Faducial_Points below the root{other}"
        )
    return catalog


def _interpret(path: Path, root: Path, photos: str | None, below: Path | None = None) -> Iterator[_Found]:
    """What a picture is; nothing where its folders do not say the side. `photos` names the folder that is of photos.

    Folders are those below the root, or `below` another place.
    """
    folders = [name.lower() for name in path.relative_to(below or root).parts[:-1]]
    above = os.path.basename(os.path.abspath(root)).lower()
    side, version = side_and_version(folders)
    split = split_of(folders) or split_of_root(above)
    versions: tuple[Version, ...] = (version,)
    if photos is not None and (name := Path(photos).name.lower()) in folders:
        side, versions = "photo", ("cropped", "original")  # it is asked for, whichever the sketches are
        folders.remove(name)
    if side is not None:
        part, key, official = person_in(folders, path.stem, above)
        yield from (_Found(path, side, one, part, split, key, official) for one in versions)


def _photos_elsewhere(root: Path, photos: str | None, paths: list[Path]) -> Iterator[_Found]:
    """Those of a folder `data.photos` outside the root. Raises UserError where there is no such folder at all."""
    if photos is None:
        return
    place = root / Path(photos).expanduser()
    if any(place.name.lower() in map(str.lower, path.relative_to(root).parts[:-1]) for path in paths):
        return
    place = existing_folder(place, "data.photos")
    for name in walk(place, is_picture, most=_MOST_FILES):
        yield from _interpret(place / name, root, photos, place.parent)


def _split(both: list[_Found]) -> Split | None:
    """Of a sketch and its photo: what folders say, held out where they differ; else what CUHK's numbers say."""
    said = {found.split for found in both}
    if (split := next((split for split in _HELD_OUT_FIRST if split in said), None)) is not None:
        return split
    return split_of_cuhk(both[0].path.stem) if both[0].part == "cuhk" else None


def _no_sketch(root: Path, files: list[_Found]) -> UserError:
    """The error for a root without sketches, which may lie nearby."""
    if not files and "train" in side_folders(root):
        return UserError(f"{root}: photos and sketches as trainA/ and trainB/: read them with data=paired_folders")
    if not files or nearby(root, _reads) is not None:
        return wrong_root(root, _EXPECTED, _reads)
    return UserError(
        f"{root}: {len(files)} photos, such as {files[0].path}, and no sketch: sketches are found in folders with "
        "sketch in their names; put them beside the photos, in such a folder"
    )


def _check_no_partners(root: Path, chosen: list[_Found], paths: list[Path]) -> None:
    """Raises UserError where there are photos after all: of other names, or in a folder that was not read."""
    photos = [found for found in chosen if found.side == "photo"]
    sketches = {found.key: found for found in chosen if found.side == "sketch"}
    first = next(iter(sketches.values()))
    if photos:
        folders = [photos[0].path.parent, first.path.parent]
        offer = ""
        if len(photos) == len(sketches) and {found.path.parent for found in chosen} == {*folders}:
            a, b = (folder.relative_to(root) if folder.is_relative_to(root) else folder for folder in folders)
            words = shlex.join(["data=paired_folders", f"data.a={a}", f"data.b={b}", "data.pairs=sorted"])
            offer = f"; if the first belongs to the first, the second to the second ..., {words} reads them so"
        raise UserError(
            f"{root}: no photo has the name of a sketch, for example {photos[0].path} and {first.path}; name partners "
            f"alike{offer}"
        )
    for path in paths:
        if not is_picture(path.name) or next(_interpret(path, root, None), None) is not None:
            continue
        if any(found.key in sketches for found in _interpret(path, root, path.parent.name)):
            advice = shlex.quote(f"data.photos={path.parent.name}")
            raise UserError(
                f"{root}: no photo for {first.path}, and {path.parent} was not read, where {path.name} is named after "
                f"one: set {advice}"
            )


def _choose(files: list[_Found], version: str) -> tuple[dict[str, _Found], dict[str, _Found]]:
    """Photos and sketches of the wanted version by key; of several copies the first."""
    sides: dict[str, tuple[dict[str, _Found], dict[str, _Found]]] = {"cropped": ({}, {}), "original": ({}, {})}
    for found in files:
        photos, sketches = sides[found.version]
        (photos if found.side == "photo" else sketches).setdefault(found.key, found)
    if version != "auto":
        return sides[version]

    def worth(sides: tuple[dict[str, _Found], dict[str, _Found]]) -> tuple[int, int]:
        return len(sides[0].keys() & sides[1].keys()), len(sides[1])

    return max(sides["cropped"], sides["original"], key=worth)


def _drawn(without: list[str], known: Mapping[str, Split], train: int, test: int) -> dict[str, Split]:
    """A split of those that have none, by which all have the published counts, or come near them."""
    counts = Counter(known.values())
    left = max(train - counts["train"], 0), max(test - counts["test"], 0)
    return fixed_draw(without, *(left if any(left) else (train, test)))


def _aligned(files: list[_Found], points: dict[tuple[str, str], Path]) -> list[Picture]:
    """The pictures, aligned where all of them are originals with points: one alone would not match the other."""
    if all(found.version == "original" and (found.side, found.key) in points for found in files):
        return [AlignedPicture(PictureFile(found.path), points[found.side, found.key]) for found in files]
    return [PictureFile(found.path) for found in files]


def _is_wanted(name: str) -> bool:
    return is_picture(name) or name.lower().endswith(".dat") or repackaged_split(Path(name)) is not None


def _listed(paths: Iterable[Path], root: Path, keys: set[str]) -> dict[str, Split]:
    """Key -> split, from the lists of prepared copies; their rows start at their own folder, or at one elsewhere."""
    ends = {"/".join(parts[start:]): key for key in keys for parts in [key.split("/")] for start in range(len(parts))}

    def key_of(photo: str, file: Path) -> str | None:
        here = [name.lower() for name in file.relative_to(root).parts[:-1]]
        *folders, name = photo.lower().split("/")
        official, key = person(name.rpartition(".")[0] or name)
        below = key if official else renamed([*here, *folders], key)
        return below if below in keys else ends.get(renamed(folders, key)) if folders else None

    return repackaged_splits(paths, key_of)


def _points(paths: Iterable[Path], root: Path) -> Iterator[tuple[str, str, Path]]:
    """Side and person of each file of fiducial points."""
    for path in paths:
        if path.suffix.lower() != ".dat":
            continue
        side, _ = side_and_version([name.lower() for name in path.relative_to(root).parts[:-1]])
        part, key = person(path.stem.removesuffix("_f02"))  # an ending of XM2VTS's photos
        if side is not None and part is not None:
            yield side, key, path


def _looks_right(place: Path) -> bool:
    """Folders of both sides, or of a part, lie in it."""
    names = [inner.name.lower() for inner in place.iterdir() if inner.is_dir()] if place.is_dir() else []
    both = all(any(re.fullmatch(f"(.*_)?{side}", name) for name in names) for side in ("photos?", "sketch(es)?"))
    return both or "cuhk" in names or "ar" in names


def _reads(place: Path) -> bool:
    """Whether it looks right and sketches are found in it: else who follows a hint to it would be sent on."""
    if not _looks_right(place):
        return False
    pictures = walk(place, is_picture, most=_MOST_FILES)
    found = (one for name in pictures for one in _interpret(place / name, place, None))
    return any(one.side == "sketch" for one in found)
