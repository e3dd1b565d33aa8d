"""Sketchy: 125 categories of 100 photos, each sketched from memory by several people (Sangkloy et al., 2016).

    [rendered_256x256/][256x256/]photo/tx_000000000000/<category>/n02691156_58.jpg
    [rendered_256x256/][256x256/]sketch/tx_000000000000/<category>/n02691156_58-1.png ...
    info/testset.txt, info/invalid-{error,ambiguous,pose,context}.txt

Copies without the tx folders, with train/ and test/ below or above them, or with other spellings of a category are
read, too. The sketches of tx_000000000000 are scaled as its photos are; they are not drawn over them.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from suite.arguments import one_of
from suite.data.catalog import Catalog, PictureFile, Record, Split
from suite.data.sources.helpers.reading import first_file, only_cell, picture_names, rows, words
from suite.data.sources.helpers.roots import root_folder, undoubled, wrong_root
from suite.data.sources.helpers.split_folders import dividing_folders, parts
from suite.data.sources.helpers.walking import in_natural_order, inner_folders
from suite.errors import UserError

DROP = ("error", "ambiguous", "pose", "context")
_PLACES = ("", "256x256", "rendered_256x256/256x256", "rendered_256x256", "Sketchy")
_EXPECTED = "photo/ and sketch/ in it, in 256x256/ or in rendered_256x256/256x256/"
Sketches = dict[str, list[Path]]  # by the stem of their photo
Categories = dict[str, dict[Split | None, Path]]  # by category the folder of each split


def sketchy(
    *,
    root: str,
    categories: Sequence[str] | str | None = None,
    drop: Sequence[str] | str | None = ("error",),
    photo_tx: str = "tx_000000000000",
    sketch_tx: str = "tx_000000000000",
) -> Catalog:
    """Photos with all their sketches; label and group are the category, in alphabetical order.

    `categories` in any spelling (`car (sedan)`), all if None. `drop` leaves out the sketches that the lists of those
    names call invalid: error, ambiguous, pose, context. Both may come as one string, 'error,ambiguous'. Split: by
    folder, else `testset.txt`. Raises UserError where folders or lists are not found, where no sketch belongs to a
    photo, and for an unknown category.
    """
    folder = root_folder(root, _EXPECTED, _sides)
    dropped = words("drop", drop)
    for name in dropped:
        one_of("data.drop", name, DROP)
    rendered = _sides(folder)
    if not rendered:
        raise wrong_root(folder, _EXPECTED, _sides)
    photo_folders = _categories([(split, place / "photo") for split, place in rendered], photo_tx, "photo_tx")
    sketch_folders = _categories([(split, place / "sketch") for split, place in rendered], sketch_tx, "sketch_tx")
    wanted = _wanted(photo_folders, None if categories is None else words("categories", categories))
    first = rendered[0][1]
    places = [folder, *(place / "info" for place in (folder, first, *list(first.parents)[:3]))]
    invalid = _invalid(folder, places, dropped)
    test = first_file(places, "testset.txt")
    tested = _photo_names(test) if test is not None else None

    names = {slug: min(place.name for place in photo_folders[slug].values()) for slug in wanted}
    catalog = Catalog("sketchy", folder, [], label_names=tuple(names[slug] for slug in wanted))
    for label, slug in enumerate(wanted):
        sketches: dict[Split | None, Sketches] = {}
        every: Sketches = defaultdict(list)
        for split, place in sketch_folders.get(slug, {}).items():
            of_split = sketches.setdefault(split, defaultdict(list))
            for stem, name in picture_names(place).items():
                if stem not in invalid:  # the number is the sketch's; the rest is the name of the photo
                    of_split[re.sub(r"-\d+$", "", stem)].append(place / name)
                    every[re.sub(r"-\d+$", "", stem)].append(place / name)
        there: set[str] = set()
        drawn: set[Path] = set()
        for split, place in photo_folders[slug].items():
            theirs = sketches.get(split, every)
            for stem, name in picture_names(place).items():
                key = f"{slug}/{stem}" if stem not in there else f"{slug}/{split}/{stem}"
                there.add(stem)
                if stem not in theirs:
                    catalog.orphan_photos.append(str(place / name))
                    continue
                of: Split | None = split
                if split is None and None not in sketches:  # a photo is where its sketches are
                    of = next((one for one in reversed(sketches) if stem in sketches[one]), None)
                elif split is None and tested is not None:
                    of = "test" if (slug, stem) in tested else "train"
                drawings = tuple(PictureFile(path) for path in theirs[stem])
                drawn.update(theirs[stem])
                catalog.records.append(Record(key, PictureFile(place / name), drawings, label, names[slug], of))
        catalog.orphan_drawings += [str(path) for paths in every.values() for path in paths if path not in drawn]
        listed = sorted(stem for of, stem in tested or () if of == slug and stem not in there)
        catalog.missing += [f"{slug}/{stem}" for stem in listed]
    if not catalog.records:
        example = f"for example {catalog.orphan_drawings[0]}" if catalog.orphan_drawings else "there is none at all"
        raise UserError(
            f"{first}: no sketch of data.sketch_tx={sketch_tx} is named after a photo of data.photo_tx={photo_tx}, "
            f"<stem>-1.png; {example}"
        )
    if tested is None and not any(record.split for record in catalog.records):
        catalog.split_warnings.append(f"sketchy: no info/testset.txt below {folder}, so no official split")
    return catalog


def slug(category: str) -> str:
    """One spelling of a category: `hot-air balloon`, `hot_air_balloon` and `hot-air_balloon` are the same."""
    return re.sub("[^a-z0-9]+", "_", category.lower()).strip("_")


def _rendered(root: Path) -> Path | None:
    found = (root / place for place in _PLACES)
    return next((place for place in found if (place / "photo").is_dir() and (place / "sketch").is_dir()), None)


def _sides(root: Path) -> list[tuple[Split | None, Path]]:
    """The folder of photo/ and sketch/, or one for each split, whether its folder lies above the rendering or in it."""
    for place in (root / name for name in _PLACES):
        if place.is_dir() and (found := parts(place, _rendered)):
            return [(split, inner) for split, one in found if (inner := _rendered(one)) is not None]
    return []


def _tx(side: Path, tx: str, key: str) -> Path:
    """The folder of one rendering, or the side itself in copies without renderings."""
    there = [place.name for place in inner_folders(side) if place.name.startswith("tx_")]
    if there and tx not in there:
        raise UserError(f"data.{key}={tx}: {side} has no such folder; there is {', '.join(there)}")
    return side / tx if there else side


def _categories(sides: list[tuple[Split | None, Path]], tx: str, key: str) -> Categories:
    """Category -> its folder, or one for each split."""
    found: Categories = defaultdict(dict)
    for of, side in sides:
        folder = _tx(undoubled(side), tx, key)
        splits = dividing_folders(folder) if of is None else {}
        by_split: dict[Split | None, Path] = dict(splits.items()) if splits else {of: folder}
        if splits and "train" not in splits:
            by_split[None] = folder
        for split, place in by_split.items():
            for category in inner_folders(place):
                if category not in splits.values():
                    found[slug(category.name)][split] = category
    return found


def _wanted(there: Categories, categories: Sequence[str] | None) -> list[str]:
    if categories is None:
        return in_natural_order(there)
    for category in categories:
        if slug(category) not in there:
            names = ", ".join(sorted(there)) or "none"
            raise UserError(f"data.categories: {category} is not among the photos; there is {names}")
    return in_natural_order({slug(category) for category in categories})


def _invalid(root: Path, places: list[Path], dropped: list[str]) -> set[str]:
    """Sketches on the lists, by stem. Some copies write `stem,number` for `stem-number`."""
    invalid: set[str] = set()
    for name in dropped:
        path = first_file(places, f"invalid-{name}.txt")
        if path is None:
            raise UserError(
                f"{root}: data.drop={name} needs info/invalid-{name}.txt, of the archive info-06-04; "
                "put it there, or set data.drop=[] to keep all sketches"
            )
        invalid |= {re.sub(r"[,;\t]\s*", "-", only_cell(row)) for row in rows(path)}
    return invalid


def _photo_names(path: Path) -> set[tuple[str, str]]:
    """Category and stem of each `category/photo.jpg`."""
    found: set[tuple[str, str]] = set()
    for row in map(only_cell, rows(path)):
        category, slash, name = row.partition("/")
        if not slash:
            raise UserError(f"{path}: {row[:60]!r} is no photo; expected 'airplane/n02691156_10151.jpg'")
        found.add((slug(category), name.rpartition(".")[0] or name))
    return found
