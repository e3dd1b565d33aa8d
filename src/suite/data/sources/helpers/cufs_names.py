"""What the names of CUFS's files and folders say: the person, the side, the part, the split, and the version."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

from suite.data.catalog import Split
from suite.data.sources.helpers.split_folders import split_within

Side = Literal["photo", "sketch"]
Version = Literal["cropped", "original"]
PARTS = ("cuhk", "ar", "xm2vts")
# Names after `_sz1` is cut off. CUHK's training sketches have a 2 that their photos have not; AR's sketches a p.
_NAMES = {
    "cuhk": re.compile(r"([fm][12]?)-(\d{3})-01"),
    "ar": re.compile(r"([mw]p?)-(\d{3})-\d"),
    "xm2vts": re.compile(r"(\d{3})_\d_\d"),
}
_SKETCH_OF = {"f2": "f", "m2": "m", "mp": "m", "wp": "w"}
_AR_PHOTO = re.compile(r"([mw])-(\d{3})-0(\d)")  # as AR itself spells m-002-1: one of CUHK's, but for its folder
_NO_PERSON = re.compile(r"photos?|sketch(?:es)?|cropped|original|images?")
# CUHK's 88 training people by their numbers; the other 100 are test. Among f1- and m1- there are test people alone.
_CUHK_TRAIN = {"f": range(5, 39), "m": range(8, 63)}
_CUHK_TEST = {"f": range(39, 44), "m": range(63, 102)}


def person(stem: str) -> tuple[str | None, str]:
    """Part and key of an official file name without suffix; for any other name no part, and the name in lower case."""
    key = re.sub(r"[-_]sz1$", "", unicodedata.normalize("NFC", stem.lower()))
    for part, pattern in _NAMES.items():
        if match := pattern.fullmatch(key):
            first = match[1]
            return part, f"{part}/{_SKETCH_OF.get(first, first)}{key[len(first) :]}"
    return None, key


def person_in(folders: Sequence[str], stem: str, root: str) -> tuple[str | None, str, bool]:
    """Part and key of a file in these folders, lower case, below a root of that name; and whether its name is official.

    A name that alone does not tell the person keeps its folders in its key.
    """
    if part_of([root, *folders]) == "ar" and (spelled := _AR_PHOTO.fullmatch(stem.lower())):
        return "ar", "ar/{}-{}-{}".format(*spelled.groups()), True
    part, key = person(stem)
    if part is not None:
        return part, key, True
    return part_of([root, *folders, stem.lower()]), renamed(folders, key), False


def renamed(folders: Iterable[str], name: str) -> str:
    """The key of a picture whose name alone does not tell the person."""
    places = [re.sub(_NO_PERSON, "", folder).strip("-_ ") for folder in folders]
    return unicodedata.normalize("NFC", "/".join([place for place in places if place] + [name]))


def side_and_version(folders: list[str]) -> tuple[Side | None, Version]:
    """What the nearest folder that says anything says of the side, and of the version."""
    side: Side | None = None
    version: Version | None = None
    for name in reversed(folders):
        if side is None and ("photo" in name) != ("sketch" in name):
            side = "photo" if "photo" in name else "sketch"
            if name in ("photo", "sketch"):
                version = version or "original"
        if version is None and ("cropped" in name or "original" in name):
            version = "cropped" if "cropped" in name else "original"
    return side, version or "cropped"


def part_of(names: Sequence[str]) -> str | None:
    """The part that the last of the names says that says one."""
    for name in reversed(names):
        for word in re.split("[^a-z0-9]+", name):
            for part in PARTS:
                if word == part or (part != "ar" and word.startswith(part)):
                    return part
    return None


def split_of(folders: Sequence[str]) -> Split | None:
    """The split that the nearest folder says that says one."""
    return next((split for name in reversed(folders) if (split := split_within(name)) is not None), None)


def split_of_cuhk(stem: str) -> Split | None:
    """CUHK's official split, by the name of a sketch or photo: its number, a 1 or 2 before it; None for others' names.

    Of numbers that CUHK has not, a 2 is of a training sketch, and `-sz1` without it of a test sketch.
    """
    stem = stem.lower()
    if (match := re.match(r"([fm])([12]?)-(\d{3})(?!\d)", stem)) is None:
        return None
    sex, mark, number = match[1], match[2], int(match[3])
    if mark:
        return "train" if mark == "2" else "test"
    if number in _CUHK_TRAIN[sex]:
        return "train"
    return "test" if number in _CUHK_TEST[sex] or stem.endswith("-sz1") else None
