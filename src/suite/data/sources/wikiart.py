"""WikiArt as ArtGAN refined it: 81,446 paintings of 27 styles (Tan et al., IEEE TIP 2019).

    [wikiart/]<Style>/<artist>_<title>.jpg
    style_train.csv, style_val.csv, style_class.txt      also genre_..., artist_...; in the root, in Style/ ...

The lists name the pictures and their class by number. The class Art_Nouveau lies in the folder Art_Nouveau_Modern, so
the number counts and not the folder. Unpacking mangles names that are not ASCII: what is listed and not found under
its name is counted as missing and left out. A copy may have its styles in train/ and test/, which then say the split.
"""

import os
import re
import shlex
import unicodedata
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Literal, get_args

from suite.arguments import one_of
from suite.data.catalog import Catalog, PictureFile, Record, Split
from suite.data.sources.helpers.reading import first_file, picture_names, rows
from suite.data.sources.helpers.roots import above, holds, is_picture, root_folder, wrong_root
from suite.data.sources.helpers.split_folders import parts
from suite.data.sources.helpers.walking import in_natural_order, inner_folders
from suite.errors import UserError

By = Literal["style", "genre", "artist"]
_EXPECTED = "folders of styles (Impressionism/ ...) in it or in wikiart/"
_STYLES = {  # the official folders
    "Abstract_Expressionism", "Action_painting", "Analytical_Cubism", "Art_Nouveau_Modern", "Baroque",
    "Color_Field_Painting", "Contemporary_Realism", "Cubism", "Early_Renaissance", "Expressionism", "Fauvism",
    "High_Renaissance", "Impressionism", "Mannerism_Late_Renaissance", "Minimalism", "Naive_Art_Primitivism",
    "New_Realism", "Northern_Renaissance", "Pointillism", "Pop_Art", "Post_Impressionism", "Realism", "Rococo",
    "Romanticism", "Symbolism", "Synthetic_Cubism", "Ukiyo_e",
}  # fmt: skip
_SPLITS: tuple[Split, Split] = ("train", "val")
_LAST_CLASS = 9999  # more classes than any list has artists; a larger number is none of a class
# Also as spreadsheets save it, with quotes and other separators. A title may hold a comma.
_ROW = re.compile(r'"?(?P<name>[^"]+?[/\\][^"]+?)"?\s*(?:[,;\t]\s*)+"?(?P<label>[0-9]{1,20})"?[,;\t]*')


def wikiart(*, root: str, by: By = "style") -> Catalog:
    """Paintings alone, as photos of their records: what sketches are made of. The group is the folder.

    The label is the class in the lists of `by`, which also give the split (train, val) and, for genre and artist, which
    paintings have one. Without lists the label is the folder's place in the alphabet, and there is no split. Raises
    UserError where no painting, or for genre and artist no list, is found.
    """
    folder = root_folder(root, _EXPECTED, _paintings)
    one_of("data.by", by, get_args(By))
    found = _paintings(folder)
    if not found:
        raise wrong_root(folder, _EXPECTED, _paintings)
    paintings = found[0][1]
    places = _list_places(folder, by)
    if paintings != folder:
        places += [paintings, paintings / by.capitalize()]
    lists = _lists(places, by)

    catalog = Catalog("wikiart", folder, [])
    files = _files(found)
    if not lists:

        def holds_lists(place: Path) -> bool:
            theirs = _paintings(place) if _lists(_list_places(place, by), by) else []
            return any(folder.samefile(paintings) for _, folder in theirs)

        if (near := above(folder, holds_lists)) is not None:
            advice = shlex.quote(f"data.root={near}")
            raise UserError(f"{folder}: expected {by}_train.csv in it; it lies in {near}: set {advice}")
        if by != "style":
            raise UserError(f"{folder}: data.by={by} needs {by}_train.csv and {by}_val.csv of ArtGAN's wikiart_csv.zip")
        split_of = "without a split" if found[-1][0] is None else "and so is the split"
        catalog.warnings.append(f"wikiart: no style_train.csv below {folder}: labels are the folders, {split_of}")
        styles = in_natural_order({style for style, _, _ in files.values()})
        catalog.label_names = tuple(styles)
        for key, (style, path, of_folder) in files.items():
            photo = PictureFile(path)
            catalog.records.append(Record(key, photo, label=styles.index(style), group=style, split=of_folder))
        return catalog

    listed: dict[str, tuple[int, Split]] = {}
    for split in _SPLITS:
        if split not in lists:
            catalog.warnings.append(f"wikiart: no {by}_{split}.csv beside the other list; its paintings are left out")
        else:
            for key, label in _read_list(lists[split]):
                of = listed.setdefault(key, (label, split))[1]
                if of != split:
                    raise UserError(f"{lists[split]}: {key} is in {lists[of].name}, too; take it out of one of them")
    catalog.label_names = _class_names(first_file(places, f"{by}_class.txt", f"{by}_class"), listed)
    for key in in_natural_order(listed):
        label, of = listed[key]
        if key in files:
            style, path, of_folder = files[key]
            photo = PictureFile(path)
            catalog.records.append(Record(key, photo, label=label, group=style, split=of_folder or of))
        else:
            catalog.missing.append(f"{key}.jpg")
    if catalog.missing:
        mangled = sum(not key.isascii() for key in catalog.missing)
        catalog.warnings.append(
            f"wikiart: {len(catalog.missing)} listed paintings are not there under their names and are left out, "
            f"{mangled} of them with names that are not ASCII"
        )
    if by == "style" and (unlisted := len(files.keys() - listed.keys())):
        catalog.warnings.append(f"wikiart: {unlisted} pictures are in no list and are left out")
    if not catalog.records:
        raise UserError(f"{paintings}: none of the {len(listed)} listed paintings is there, like {catalog.missing[0]}")
    return catalog


def _read_list(path: Path) -> Iterator[tuple[str, int]]:
    """Key and class of each row `Style/name.jpg,12`; the repository's own files have a heading and a second comma."""
    for number, row in enumerate(rows(path)):
        if (match := _ROW.fullmatch(row)) is not None:
            if int(match["label"]) > _LAST_CLASS:
                raise UserError(f"{path}: {row[:60]!r} names class {match['label']}; expected 0 to {_LAST_CLASS}")
            yield _key(match["name"].replace("\\", "/")), int(match["label"])
        elif number > 0:
            raise UserError(f"{path}: {row[:60]!r} is no row of a list; expected 'Style/artist_title.jpg,12'")


def _class_names(path: Path | None, listed: dict[str, tuple[int, Split]]) -> tuple[str, ...]:
    """The names by number; a class of no name is called by its number."""
    names: dict[int, str] = {}
    for row in rows(path) if path is not None else ():
        number, _, name = re.sub('["]', "", row).replace(",", " ").replace(";", " ").replace("\t", " ").partition(" ")
        if number.isdecimal() and len(number) <= len(str(_LAST_CLASS)):
            names[int(number)] = re.sub(r"\s+", " ", name).strip()
    count = 1 + max([*names, *(label for label, _ in listed.values())], default=-1)
    return tuple(names.get(number, str(number)) for number in range(count))


def _files(places: Sequence[tuple[Split | None, Path]]) -> dict[str, tuple[str, Path, Split | None]]:
    """`Style/name` -> style, file and the split of its folder, in natural order; one listing a folder."""
    found: dict[str, tuple[str, Path, Split | None]] = {}
    for split, paintings in places:
        for style in inner_folders(paintings):
            for name in picture_names(style).values():
                key = _key(f"{style.name}/{name}")
                # Copies may count from 0 in each split; of two files that differ in their suffix the last is taken.
                key = f"{split}/{key}" if key in found and found[key][2] != split else key
                found[key] = (style.name, style / name, split)
    return found


def _list_places(root: Path, by: str) -> list[Path]:
    """Where the lists lie that are kept beside the paintings or in the folder of their archive."""
    return [root, root / "wikiart_csv", root / by.capitalize(), root / "wikiart_csv" / by.capitalize()]


def _lists(places: list[Path], by: str) -> dict[Split, Path]:
    """The list of each split that has one."""
    found = {split: first_file(places, f"{by}_{split}.csv", f"{by}_{split}") for split in _SPLITS}
    return {split: file for split, file in found.items() if file is not None}


def _paintings(root: Path) -> list[tuple[Split | None, Path]]:
    """The folder of the styles, or one for each split: official styles, else those that a list beside them names."""
    places = [place for place in (root, root / "wikiart", root / "wikiart" / "wikiart") if place.is_dir()]
    if found := _with_folders(places, _STYLES):
        return found
    beside = [(by, _list_places(place, by)) for place in places for by in get_args(By)]
    lists = [file for by, where in beside for file in _lists(where, by).values()]
    return _with_folders(places, {key.partition("/")[0] for file in lists for key, _ in _read_list(file)})


def _with_folders(places: list[Path], names: Set[str]) -> list[tuple[Split | None, Path]]:
    """The first of the places in which one of the named folders holds a picture, or its splits that are such places."""

    def fits(place: Path) -> bool:
        styles = (folder for folder in inner_folders(place) if unicodedata.normalize("NFC", folder.name) in names)
        return any(holds(folder, is_picture) for folder in styles)

    return next((found for place in places if (found := parts(place, fits))), [])


def _key(name: str) -> str:
    """Without the suffix, which is another in converted copies, and with Unicode in one form."""
    return unicodedata.normalize("NFC", os.path.splitext(name)[0])
