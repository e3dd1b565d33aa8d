"""CUFS, the CUHK face sketch database: 606 photos, each with one artist's sketch (Wang & Tang, PAMI 2009).

Parts: CUHK student (188 people), AR (123), XM2VTS (295). Every folder below the root is read, so that the official
archives can lie in any order. A folder's name says what is in it:

| in the name of a folder            | meaning                                               |
|------------------------------------|-------------------------------------------------------|
| `photo` or `sketch`                | the side                                              |
| `cropped`, or `photos`, `sketches` | cropped: 200 x 250, eyes at (75, 125) and (125, 125)  |
| `original`, or `photo`, `sketch`   | original: aligned by the `.dat` files below the root  |
| `train...`, `test...`              | the split                                             |
| `cuhk`, `ar`, `xm2vts`             | the part, where the file's name does not say          |

A photo and its sketch have one key. Official names differ (`f-005-01` and `F2-005-01-sz1`, `m-002-1` and
`Mp-002-1-sz1`) and give the person; renamed copies share the name, and the key keeps the folder, as they count
from 0 in each. Such copies' lists (`list_train.txt`, `AR/test.txt`) count before folders: papers report on them.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from suite.arguments import one_of
from suite.data.catalog import Catalog, Picture, PictureFile, Record, Split
from suite.data.sources.helpers.alignment import AlignedPicture
from suite.data.sources.helpers.reading import fixed_draw, repackaged_photos, repackaged_split
from suite.data.sources.helpers.roots import is_picture, root_folder, wrong_root
from suite.data.sources.helpers.walking import natural_order, walk
from suite.errors import UserError

Version = Literal["cropped", "original"]
PARTS = ("cuhk", "ar", "xm2vts")
_PEOPLE = 606
_MOST_FILES = 200_000  # below the root; the archives hold some 3000
_EXPECTED = f"folders with photo and sketch in their names, of up to {_PEOPLE} people"
_PUBLISHED = {"cuhk": (88, 100), "ar": (80, 43), "xm2vts": (100, 195)}  # train and test
# Names after `_sz1` is cut off. CUHK's training sketches have a 2 that their photos have not; AR's sketches a p.
_NAMES = {
    "cuhk": re.compile(r"([fm][12]?)-(\d{3})-01"),
    "ar": re.compile(r"([mw]p?)-(\d{3})-\d"),
    "xm2vts": re.compile(r"(\d{3})_\d_\d"),
}
_SKETCH_OF = {"f2": "f", "m2": "m", "mp": "m", "wp": "w"}
_AR_PHOTO = re.compile(r"([mw])-(\d{3})-0(\d)")  # as AR itself spells m-002-1: one of CUHK's, but for its folder
_NO_PERSON = re.compile(r"photos?|sketch(?:es)?|cropped|original|images?")


@dataclass(frozen=True)
class _Found:
    """What the path of a file says."""

    path: Path
    side: Literal["photo", "sketch"]
    version: Version
    part: str | None
    split: Split | None
    key: str


def cufs(*, root: str, part: str = "all", version: Literal["auto", "cropped", "original"] = "auto") -> Catalog:
    """Pairs of a photo and a sketch; the group is the part.

    `part` is cuhk, ar, xm2vts or all. `version` auto takes of each part what has more pairs, cropped rather than
    original. Without any photo (those of AR and XM2VTS have licences of their own) the sketches come alone. Splits:
    as lists, folders and CUHK's names say (88 / 100); of AR and XM2VTS only the counts are published, 80 / 43 and
    100 / 195, so without lists they are drawn once, alike in every run, and so are CUHK's renamed ones. Raises
    UserError where no sketch is found.
    """
    folder = root_folder(root, _EXPECTED, _looks_right)
    one_of("data.part", part, ("all", *PARTS))
    one_of("data.version", version, ("auto", "cropped", "original"))
    paths = [folder / name for name in walk(folder, _is_wanted, most=_MOST_FILES)]
    files = [found for path in paths if is_picture(path.name) and (found := _interpret(path, folder)) is not None]
    people = {found.key for found in files}
    if not files and all((folder / side).is_dir() for side in ("trainA", "trainB")):
        raise UserError(f"{folder}: photos and sketches as trainA/ and trainB/: read them with data=paired_folders")
    if not any(found.side == "sketch" for found in files) or len(people) > 2 * _PEOPLE:
        raise wrong_root(folder, _EXPECTED, _looks_right)

    catalog = Catalog("cufs", folder, [])
    points = {(side, key): path for side, key, path in _points(paths, folder)}
    listed = _listed(paths, folder, people)
    unaligned = 0
    for one in sorted({found.part or "" for found in files}):
        if part not in ("all", one):
            continue
        of_part = [found for found in files if (found.part or "") == one]
        photos, sketches = _choose(of_part, version)
        catalog.orphan_photos += [str(found.path) for key, found in photos.items() if key not in sketches]
        catalog.orphan_drawings += [str(found.path) for key, found in sketches.items() if key not in photos]
        drawn: dict[str, Split] = {}
        if one in _PUBLISHED and listed.keys().isdisjoint(sketches):
            drawn = _drawn(sketches, *_PUBLISHED[one])
            if one == "cuhk" and drawn:
                catalog.warnings.append(
                    f"cufs: {len(drawn)} sketches of CUHK are not named as officially, so nothing says who of them is "
                    "one of its 88 training people; their split is drawn once, alike in every run"
                )
        for key, sketch in sketches.items():
            both = [sketch] if key not in photos else [sketch, photos[key]]
            pictures = _aligned(both, points)
            unaligned += any(found.version == "original" for found in both) and isinstance(pictures[0], PictureFile)
            split = listed.get(key) or next((found.split for found in both if found.split), drawn.get(key))
            photo = pictures[1] if key in photos else None
            catalog.records.append(Record(key, photo, (pictures[0],), group=one or None, split=split))
    catalog.records.sort(key=lambda record: natural_order(record.key))
    if any(record.paired for record in catalog.records):
        catalog.orphans = [record for record in catalog.records if not record.paired]
        catalog.records = [record for record in catalog.records if record.paired]
    elif not catalog.records:
        raise UserError(f"{folder}: no sketch of data.part={part}, data.version={version}")
    else:
        catalog.warnings.append(f"cufs: no photo belongs to any of the {len(catalog.records)} sketches below {folder}")
        catalog.orphan_drawings = []
    if listed and (unlisted := sum(record.split is None for record in catalog.records)):
        catalog.warnings.append(f"cufs: {unlisted} pairs are in no list; they train")
    if unaligned:
        catalog.warnings.append(
            f"cufs: {unaligned} originals have no fiducial points (.dat) and are not aligned; unpack the archives "
            "Faducial_Points below the root, or take data.version=cropped"
        )
    return catalog


def person(stem: str) -> tuple[str | None, str]:
    """Part and key of an official file name without suffix; for any other name no part, and the name in lower case."""
    key = re.sub(r"[-_]sz1$", "", unicodedata.normalize("NFC", stem.lower()))
    for part, pattern in _NAMES.items():
        if match := pattern.fullmatch(key):
            first = match[1]
            return part, f"{part}/{_SKETCH_OF.get(first, first)}{key[len(first) :]}"
    return None, key


def _interpret(path: Path, root: Path) -> _Found | None:
    folders = [name.lower() for name in path.relative_to(root).parts[:-1]]
    side, version = side_and_version(folders)
    if side is None:
        return None
    within = _part([root.name.lower(), *folders])
    part, key = person(path.stem)
    if within == "ar" and (spelled := _AR_PHOTO.fullmatch(path.stem.lower())):
        part, key = "ar", "ar/{}-{}-{}".format(*spelled.groups())
    split = split_of(folders)
    if part == "cuhk" and split is None and side == "sketch":
        split = _split_of_cuhk(path.stem.lower())
    if part is None:
        part, key = within, _renamed(folders, key)
    return _Found(path, side, version, part, split, key)


def _split_of_cuhk(sketch: str) -> Split | None:
    """By the official name of a sketch: a 2 marks those of the 88 training people, a 1 people of the other 100.

    A sketch that has its photo's name, `f-005-01`, may be of either.
    """
    if re.match("[fm]2-", sketch):
        return "train"
    return "test" if re.match("[fm]1-", sketch) or sketch.endswith("-sz1") else None


def _renamed(folders: list[str], name: str) -> str:
    """The key of a picture whose name alone does not tell the person."""
    places = [re.sub(_NO_PERSON, "", folder).strip("-_ ") for folder in folders]
    return unicodedata.normalize("NFC", "/".join([place for place in places if place] + [name]))


def side_and_version(folders: list[str]) -> tuple[Literal["photo", "sketch"] | None, Version]:
    """What the nearest folder that says anything says of the side, and of the version."""
    side: Literal["photo", "sketch"] | None = None
    version: Version | None = None
    for name in reversed(folders):
        if side is None and ("photo" in name) != ("sketch" in name):
            side = "photo" if "photo" in name else "sketch"
            if name in ("photo", "sketch"):
                version = version or "original"
        if version is None and ("cropped" in name or "original" in name):
            version = "cropped" if "cropped" in name else "original"
    return side, version or "cropped"


def _part(folders: list[str]) -> str | None:
    for name in reversed(folders):
        for word in re.split("[^a-z0-9]+", name):
            for part in PARTS:
                if word == part or (part != "ar" and word.startswith(part)):
                    return part
    return None


def split_of(folders: list[str]) -> Split | None:
    for name in reversed(folders):
        for word in re.split("[^a-z]+", name):
            if word.startswith(("train", "test")):
                return "train" if word.startswith("train") else "test"
    return None


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


def _drawn(sketches: dict[str, _Found], train: int, test: int) -> dict[str, Split]:
    """A split of the sketches that have none, by which all of them have the published counts, or come near them."""
    without = [key for key, found in sketches.items() if found.split is None]
    known = Counter(found.split for found in sketches.values())
    left = max(train - known["train"], 0), max(test - known["test"], 0)
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
    splits: dict[str, Split] = {}
    ends = {"/".join(parts[start:]): key for key in keys for parts in [key.split("/")] for start in range(len(parts))}
    for path in paths:
        if (split := repackaged_split(path)) is None:
            continue
        here = [name.lower() for name in path.relative_to(root).parts[:-1]]
        for photo in repackaged_photos(path):
            *folders, name = photo.lower().split("/")
            official, person_key = person(name.rpartition(".")[0] or name)
            below = person_key if official else _renamed([*here, *folders], person_key)
            key = below if below in keys else ends.get(_renamed(folders, person_key)) if folders else None
            if key is not None:
                splits[key] = split
    return splits


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
