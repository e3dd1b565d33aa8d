"""CelebA-HQ, also as CelebAMask-HQ: 30,000 of CelebA's photos at up to 1024 pixels (Karras et al., ICLR 2018).

| layout        | pictures                                            | label                | split                |
|---------------|-----------------------------------------------------|----------------------|----------------------|
| CelebAMask-HQ | `CelebA-HQ-img/0.jpg` ... `29999.jpg`               | its attribute list   | through the mapping  |
| flat          | `00000.jpg`, `imgHQ00000.png` ... in the root       | the same, if there   | the same             |
| flat, split   | the same in `{train,val,test}/`                     | the same             | the folder           |
| StarGAN v2    | `{train,val}/{female,male}/*.jpg`                   | the folder           | the folder           |

The number in a picture's name counts, not how it is padded. The official split is that of CelebA: the mapping names
the file of CelebA (`orig_file`) that each picture was made from. Lee et al.'s own script compares `orig_idx`, which
counts from 0, with CelebA's numbers, which count from 1; that error is not repeated here.
"""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from suite.data.catalog import Catalog, PictureFile, Record, Split
from suite.data.sources.celeba import annotation_places, official_split, partition_file, read_partition
from suite.data.sources.folders import list_pictures
from suite.data.sources.helpers.attributes import check_labelled, read_attribute
from suite.data.sources.helpers.reading import cells, first_file, picture_names, rows, stem_of
from suite.data.sources.helpers.roots import above, holds, is_picture, root_folder, undoubled, wrong_root
from suite.data.sources.helpers.split_folders import split_folders
from suite.data.sources.helpers.walking import in_natural_order, inner_folders
from suite.errors import UserError

_FOLDERS = ("CelebA-HQ-img", "celeba_hq_256", "")
_EXPECTED = "CelebA-HQ-img/0.jpg, or 00000.jpg, or train/female/ in it"
_NUMBERED = re.compile(r"(?:imgHQ)?(\d+)", re.IGNORECASE)
_MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
_ATTRIBUTES = "CelebAMask-HQ-attribute-anno.txt"


def celeba_hq(*, root: str, attribute: str | None = None) -> Catalog:
    """Photos without drawings, keyed by their number.

    The label is 1 for those that have the `attribute`; in StarGAN v2's folders, without `attribute`, the number of the
    folder. A copy of CelebA's `list_eval_partition.txt` in the root is read; without it the official numbers serve.
    Without the mapping there is no split. Raises UserError where the pictures are not found or the attribute is
    unknown or not annotated.
    """
    fits = (_is_named_stargan, _is_stargan, _flat)  # the folder above has other sets of that layout as well: afhq
    folder = root_folder(root, _EXPECTED, *fits)
    if _is_stargan(folder):
        if attribute is not None:
            raise UserError(
                f"data.attribute={attribute}: the labels of {folder} are the names of its folders; leave it out"
            )
        return _stargan(folder)
    if not (places := _flat(folder)):
        raise wrong_root(folder, _EXPECTED, *fits)
    pictures = places[0][1]
    _check_not_too_low(folder, pictures)

    catalog = Catalog("celeba_hq", folder, [])
    of_split = {split: _numbered(place, catalog) for split, place in places}
    names = {number: path for files in of_split.values() for number, path in files.items()}
    labels: dict[int, int] = {}
    if attribute is not None:
        if (file := first_file([folder], _ATTRIBUTES)) is None:
            expected = f"{_ATTRIBUTES} in it, for data.attribute={attribute}"
            raise wrong_root(folder, expected, lambda place: (place / _ATTRIBUTES).is_file())
        annotated = read_attribute(file, attribute)
        labels = {number: value for stem, value in annotated.labels.items() if (number := _number(stem)) is not None}
        catalog.label_names = (f"not {annotated.name}", annotated.name)
        catalog.warnings += annotated.warnings
        check_labelled(file, labels, {number: path.name for number, path in names.items()})
    official = _official_splits(folder, names, catalog) if None in of_split else {}
    there: set[int] = set()
    for split, files in of_split.items():
        for number, path in files.items():
            key = str(number) if number not in there else f"{split}/{number}"  # each split may count from 0
            of = split or official.get(number)
            catalog.records.append(Record(key, PictureFile(path), label=labels.get(number), split=of))
        there |= files.keys()
    listed = sorted({*labels, *official}.difference(names))
    catalog.missing = [f"{number}.jpg in {pictures}" for number in listed]
    return catalog


def _numbered(folder: Path, catalog: Catalog) -> dict[int, Path]:
    """Number -> file, in the order of the numbers."""
    files: dict[int, Path] = {}
    for stem, name in picture_names(folder).items():
        number = _number(stem)
        if number is None or number in files:
            reason = "has no number for a name" if number is None else f"has the number of {files[number].name}"
            catalog.warnings.append(f"{folder / name}: left out, it {reason}")
        else:
            files[number] = folder / name
    return dict(sorted(files.items()))


def _official_splits(root: Path, names: Mapping[int, Path], catalog: Catalog) -> dict[int, Split]:
    """CelebA-HQ's number -> CelebA's split."""
    if (mapping := first_file([root], _MAPPING)) is None:
        catalog.split_warnings.append(f"{root}: no {_MAPPING}, so no official split")
        return {}
    listed = partition_file(annotation_places(root))
    partition = read_partition(listed) if listed is not None else {}
    splits: dict[int, Split] = {}
    for row in rows(mapping):
        found = cells(row)[-3:]  # a csv saved with its index has a column in front
        if found[0] == "idx":
            continue
        if len(found) != 3 or not found[0].isdecimal():
            raise UserError(f"{mapping}: {row[:60]!r} is no row of the mapping; expected '0 119613 119614.jpg'")
        stem = stem_of(found[2]).zfill(6)
        if (split := partition.get(stem) or official_split(stem)) is not None:
            splits[int(found[0])] = split
    if unnamed := len(names.keys() - splits.keys()):
        catalog.warnings.append(
            f"celeba_hq: {unnamed} pictures have no official split: {mapping} names no file of theirs"
        )
    return splits


def _check_not_too_low(root: Path, pictures: Path) -> None:
    """Raises UserError where the annotations of the root's pictures lie above it: split and labels would be lost."""

    def annotation(place: Path) -> Path | None:
        return first_file([place], _MAPPING, _ATTRIBUTES)

    def annotates(place: Path) -> bool:
        found = _picture_folder(place) if annotation(place) is not None else None
        return found is not None and found.samefile(pictures)

    near = above(root, annotates)
    if near is not None and annotation(root) is None and (file := annotation(near)) is not None:
        advice = shlex.quote(f"data.root={near}")
        raise UserError(f"{root}: expected {file.name} in it; it lies in {near}: set {advice}")


def _stargan(root: Path) -> Catalog:
    places = split_folders(root).items()
    labels = in_natural_order({place.name for _, folder in places for place in _domains(folder)})
    catalog = Catalog("celeba_hq", root, [], label_names=tuple(labels))
    for split, folder in places:
        for domain in _domains(folder):
            catalog.records += [
                Record(f"{domain.name}/{key}", PictureFile(path), label=labels.index(domain.name), split=split)
                for key, path in list_pictures(domain, recursive=False).items()
            ]
    return catalog


def _domains(folder: Path) -> list[Path]:
    return [place for place in inner_folders(folder) if holds(place, is_picture)]


def _is_stargan(root: Path) -> bool:
    train = split_folders(root).get("train") if root.is_dir() else None
    return train is not None and bool(_domains(train))


def _is_named_stargan(root: Path) -> bool:
    return "celeba" in root.name.casefold() and _is_stargan(root)


def _flat(root: Path) -> list[tuple[Split | None, Path]]:
    """The folder of the numbered pictures, or one for each split."""
    if (whole := _picture_folder(root)) is not None:
        return [(None, whole)]
    splits = split_folders(root).items() if root.is_dir() else ()
    return [(split, inner) for split, place in splits if (inner := _picture_folder(place)) is not None]


def _picture_folder(root: Path) -> Path | None:
    def wanted(name: str) -> bool:
        return is_picture(name) and _number(name.rpartition(".")[0]) is not None

    return next((place for place in (undoubled(root / name) for name in _FOLDERS) if holds(place, wanted)), None)


def _number(stem: str) -> int | None:
    match = _NUMBERED.fullmatch(stem)
    return int(match[1]) if match else None
