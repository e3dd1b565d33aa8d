"""CelebA, aligned and cropped: 202,599 photos of 10,177 people with 40 attributes (Liu et al., ICCV 2015).

The root is the folder that holds the pictures (`000001.jpg` ...) and the annotations, in any of these layouts:

| layout      | pictures                                           | annotations      |
|-------------|----------------------------------------------------|------------------|
| official    | `Img/img_align_celeba/`, `..._png/`                | `Anno/`, `Eval/` |
| torchvision | `img_align_celeba/`, also in `celeba/`             | beside it        |
| Kaggle      | `img_align_celeba/img_align_celeba/`               | `.csv` in root   |
| flat        | the root, or `images/`                             | in the root      |
| by split    | any of these in `train/`, `val/`, `test/`          | in the root      |

Only the annotations are read, and the names in one folder; no picture is looked at.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from suite.arguments import one_of
from suite.data.catalog import Catalog, PictureFile, Record, Split
from suite.data.sources.folders import existing_folder
from suite.data.sources.helpers.attributes import check_labelled, read_attribute
from suite.data.sources.helpers.reading import cells, first_file, picture_names, rows, stem_of
from suite.data.sources.helpers.roots import above, holds, is_picture, root_folder, wrong_root
from suite.data.sources.helpers.split_folders import split_folders
from suite.errors import UserError

_FOLDERS = (
    "img_align_celeba/img_align_celeba", "img_align_celeba", "Img/img_align_celeba/img_align_celeba",
    "Img/img_align_celeba", "Img/img_align_celeba_png", "img_align_celeba_png", "images", "",
)  # fmt: skip
_EXPECTED = "CelebA's pictures 000001.jpg ... in it, in img_align_celeba/ or in Img/img_align_celeba/"
_ATTRIBUTES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
_PARTITIONS = ("list_eval_partition.txt", "list_eval_partition.csv")
_IDENTITIES = ("identity_CelebA.txt",)
_SPLITS: dict[str, Split] = {"0": "train", "1": "val", "2": "test"}
_LAST_TRAIN, _LAST_VAL = 162_770, 182_637  # of the official partition, which follows the numbers of the pictures
_LAST_DAGAN_TRAIN = 160_000


def celeba(
    *,
    root: str,
    attribute: str | None = None,
    partition: Literal["official", "dagan", "dong"] = "official",
    images: str | None = None,
) -> Catalog:
    """Photos without drawings; the label is 1 for those that have the `attribute`, the group is the person.

    `partition` is the official one (162,770 / 19,867 / 19,962), or DA-GAN's 160,000 train and 42,599 test, whose rule
    the paper does not give: here the first 160,000 by number train; or Dong's, see `dong_splits`. Those cuts go through
    people: some are on both sides of them. `images` names the folder of the pictures where it has another name. Raises
    UserError where the pictures are not found, the attribute is unknown or not annotated, or Dong's partition has none.
    """
    folder = root_folder(root, _EXPECTED, _picture_folders)
    one_of("data.partition", partition, ("official", "dagan", "dong"))
    if partition == "dong" and attribute is None:
        raise UserError("data.partition=dong divides the pictures of each label: set data.attribute, as Male")
    if images is not None:
        folders: list[tuple[Split | None, Path]] = [(None, existing_folder(folder / images, "data.images"))]
    elif folders := _picture_folders(folder):
        _check_not_too_low(folder, folders[0][1])
    else:
        raise wrong_root(folder, _EXPECTED, _picture_folders)
    pictures = folders[0][1]

    of_folder: dict[str, Split | None] = {}
    files: dict[str, Path] = {}
    for of, inner in folders:
        for stem, name in picture_names(inner).items():
            key = stem if stem not in files else f"{of}/{stem}"  # each split may count from 1
            files[key], of_folder[key] = inner / name, of
    if not files:
        raise UserError(f"{pictures}: no picture in it; expected 000001.jpg ... as data.images")
    names = {key.rpartition("/")[2]: path.name for key, path in files.items()}
    catalog = Catalog("celeba", folder, [], identities=True)
    places = annotation_places(folder)
    listed: set[str] = set()
    labels: dict[str, int] = {}
    if attribute is not None:
        file = first_file(places, *_ATTRIBUTES)
        if file is None:
            expected = f"list_attr_celeba.txt or .csv in it, in Anno/ or in celeba/, for data.attribute={attribute}"
            raise wrong_root(folder, expected, _has_attributes)
        annotated = read_attribute(file, attribute)
        labels, attribute = annotated.labels, annotated.name
        catalog.label_names = (f"not {attribute}", attribute)
        catalog.warnings += annotated.warnings
        check_labelled(file, labels, names)
        listed |= labels.keys()
        _warn_unlisted(catalog, names, labels, f"listed in {file}")

    splits: dict[str, Split] = {}
    if partition == "official" and (file := partition_file(places)) is not None:
        splits = read_partition(file)
        listed |= splits.keys()
        _warn_unlisted(catalog, names, splits, f"listed in {file}: their official split is that of their numbers")
    elif partition == "dong":
        splits = dong_splits(labels)
    identities: dict[str, str] = {}
    if (file := first_file(places, *_IDENTITIES)) is not None:
        identities = _read_identities(file)

    by_number = {"official": official_split, "dagan": _dagan_split, "dong": lambda stem: None}[partition]
    for key, path in files.items():
        stem = key.rpartition("/")[2]
        split = of_folder[key] or splits.get(stem) or by_number(stem)
        photo = PictureFile(path)
        catalog.records.append(Record(key, photo, label=labels.get(stem), group=identities.get(stem), split=split))
    catalog.missing = [f"{stem} in {pictures}" for stem in sorted(listed.difference(names))]
    return catalog


def annotation_places(root: Path) -> list[Path]:
    """Where copies of CelebA keep their annotations."""
    return [root / place for place in ("", "Anno", "Eval", "celeba", "celeba/Anno", "celeba/Eval", "img_align_celeba")]


def partition_file(places: list[Path]) -> Path | None:
    return first_file(places, *_PARTITIONS)


def read_partition(path: Path) -> dict[str, Split]:
    """Stem -> split. Raises UserError where the file is no partition."""
    splits: dict[str, Split] = {}
    for number, row in enumerate(rows(path)):
        found = cells(row)[-2:]  # a csv saved with its index has the number of the row in front
        if len(found) == 2 and found[1] in _SPLITS:
            stem = stem_of(found[0])
            if splits.setdefault(stem, _SPLITS[found[1]]) != _SPLITS[found[1]]:
                raise UserError(f"{path}: {found[0]} is in two splits, {splits[stem]} and {_SPLITS[found[1]]}")
        elif number > 0 or found[-1:] not in (["partition"], ["split"]):  # the header of the csv
            raise UserError(f"{path}: {row[:60]!r} is no row of a partition; expected '000001.jpg 0'")
    return splits


def official_split(stem: str) -> Split | None:
    """The split of a picture by its number; the same as the official list says. None for a name that is no number."""
    if not stem.isdecimal():
        return None
    return "train" if int(stem) <= _LAST_TRAIN else "val" if int(stem) <= _LAST_VAL else "test"


def dong_splits(labels: Mapping[str, int]) -> dict[str, Split]:
    """Stem -> split, as the code of Dong 2017 has it: of each label the first 80 % by number train, the rest test.

    labels: of every stem that the attribute list has, so that a picture that is missing moves no other.
    """
    splits: dict[str, Split] = {}
    for label in set(labels.values()):
        stems = sorted((stem for stem, one in labels.items() if one == label), key=lambda stem: (len(stem), stem))
        last = len(stems) * 4 // 5
        splits |= {stem: "train" if number < last else "test" for number, stem in enumerate(stems)}
    return splits


def _dagan_split(stem: str) -> Split | None:
    if not stem.isdecimal():
        return None
    return "train" if int(stem) <= _LAST_DAGAN_TRAIN else "test"


def _picture_folder(root: Path) -> Path | None:
    for base in (root, root / "celeba"):
        for place in _FOLDERS:
            if holds(base / place, lambda name: is_picture(name) and name[:6].isdecimal() and name[6:7] == "."):
                return base / place
    return None


def _picture_folders(root: Path) -> list[tuple[Split | None, Path]]:
    """The folder of the pictures, or one for each split."""
    if (whole := _picture_folder(root)) is not None:
        return [(None, whole)]
    splits = split_folders(root).items() if root.is_dir() else ()
    return [(split, inner) for split, place in splits if (inner := _picture_folder(place)) is not None]


def _annotations(root: Path) -> list[Path]:
    """One of each kind that the root has."""
    places = annotation_places(root)
    kinds = (_ATTRIBUTES, _PARTITIONS, _IDENTITIES)
    return [file for names in kinds if (file := first_file(places, *names)) is not None]


def _check_not_too_low(root: Path, pictures: Path) -> None:
    """Raises UserError where the annotations of the root's pictures lie above it: people and labels would be lost."""
    if _annotations(root) or (near := above(root, _annotations)) is None:
        return
    found = _picture_folder(near)
    advice = [f"data.root={near}"]
    if found is None or not found.samefile(pictures):
        place = pictures.absolute()
        advice.append(f"data.images={place.relative_to(near) if place.is_relative_to(near) else place}")
    raise UserError(f"{root}: expected {_annotations(near)[0].name} in it; it lies in {near}: set {shlex.join(advice)}")


def _has_attributes(root: Path) -> bool:
    return first_file(annotation_places(root), *_ATTRIBUTES) is not None


def _read_identities(path: Path) -> dict[str, str]:
    identities: dict[str, str] = {}
    once: dict[str, str] = {}  # one string for all pictures of a person
    for row in rows(path):
        found = cells(row)[-2:]
        if len(found) == 2:
            identities[stem_of(found[0])] = once.setdefault(found[1], found[1])
    return identities


def _warn_unlisted(
    catalog: Catalog, names: dict[str, str], listed: dict[str, int] | dict[str, Split], what: str
) -> None:
    if unlisted := sum(stem not in listed for stem in names):
        catalog.warnings.append(f"{catalog.dataset}: {unlisted} pictures are not {what}")
