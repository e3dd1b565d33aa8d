"""From the name of a source to the catalog that a task can use. Opens no picture.

data.source ─► list_source ─► [with_sketches | with_line_drawings | with_sketch_sets] ─► [with_labels] ─► catalog
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from suite.data.catalog import Catalog, Kind, Picture, PictureFile, Record
from suite.data.sketch_sets import check_apart, followed, one_form, read_manifest, sketch_name
from suite.data.sources import find_source, source_arguments, source_options
from suite.data.sources.folders import existing_folder, list_below
from suite.data.sources.helpers.roots import is_picture, undoubled
from suite.data.sources.helpers.split_folders import doubtful_folders
from suite.data.sources.helpers.walking import natural_order, walk
from suite.data.sources.shards import open_shards
from suite.data.splits import SPLITS, Wanted
from suite.data.unread import count_unread
from suite.errors import UserError


@dataclass(frozen=True)
class SetKeys:
    """What the configuration says of one data set: of that of `data` itself, or of `data.target`."""

    key: str  # where it stands
    source: str
    root: str | None
    streaming: str | None
    options: Mapping[str, Any]  # of the source
    split: Wanted | None

    @property
    def place(self) -> str:
        """Its key and root, for a message."""
        return self.key if self.root is None else f"{self.key}.root={self.root}"


def list_source(wanted: SetKeys, size: int) -> Catalog:
    """What the source finds in its root, or found when it was packed for streaming.

    `size`: pixels, for a source that draws its pictures. Raises UserError where there is nothing, or no root is given.
    """
    key, source = wanted.key, wanted.source
    if wanted.streaming is not None:
        return open_shards(key, wanted.streaming, source, wanted.options, size)
    arguments, given = source_arguments(source), dict(wanted.options)
    if "root" in arguments:
        if wanted.root is None:
            raise UserError(f"{key}.root is missing: say where the pictures of {key}.source={source} are")
        given["root"] = wanted.root
    elif wanted.root is not None:
        raise UserError(
            f"{key}.root={wanted.root}: {key}.source={source} reads nothing from a disk; name the set that lies there, "
            "as in data=unpaired_folders, also where a scale has taken another"
        )
    if "size" in arguments:
        given["size"] = size
    catalog = find_source(source)(**given)
    catalog.warnings += doubtful_folders(catalog)
    if catalog.root is not None:
        read = {picture.name for record in (*catalog.records, *catalog.orphans) for picture in _all_of(record)}
        catalog.unread = count_unread(catalog.root, read.union(catalog.orphan_photos, catalog.orphan_drawings))
    return catalog


def _all_of(record: Record) -> tuple[Picture, ...]:
    return record.pictures("photo") + record.drawings


def with_labels(catalog: Catalog, source: str) -> Catalog:
    """The records that have a label, with a warning that counts the rest. Raises UserError where none has one."""
    labelled = [record for record in catalog.records if record.label is not None]
    if not labelled:
        mend = "set data.attribute" if "attribute" in source_options(source) else "take another data set"
        raise UserError(f"{catalog.summary()}: data.task=labelled needs labels, and there are none; {mend}")
    if left := len(catalog.records) - len(labelled):
        catalog.warnings.append(f"{left} of {len(catalog.records)} records have no label and are left out")
    return replace(catalog, records=labelled)


def check_several_drawings(catalog: Catalog) -> None:
    """Raises UserError where no photo has more than one drawing: data.drawings=all would say what is not there."""
    if all(len(record.drawings) < 2 for record in catalog.records):
        raise UserError(f"{catalog.summary()}: no photo has several drawings; use data.drawings=one, not all")


def with_sketches(catalog: Catalog, style: str) -> Catalog:
    """Every record with a photo as a pair: its drawing is that photo, of which a sketch is made when it is used.

    Drawings of the data set's own are left out, and what was missing among them is forgotten. Raises UserError where
    there are no photos.
    """
    pairs = [replace(record, drawings=(record.photo,)) for record in catalog.records if record.photo is not None]
    if not pairs:
        raise UserError(f"{catalog.summary()}: data.sketch={style} draws from photos, and there are none")
    return replace(catalog, records=pairs, simulated=style, orphan_photos=[], orphan_drawings=[], orphans=[])


def with_line_drawings(catalog: Catalog, folder: Path) -> Catalog:
    """Every photo without drawings of its own, and the drawings of a plain folder, which belong to every split.

    What was missing among the data set's own drawings is forgotten. Raises UserError where there are no photos or no
    drawings, or where some picture is both.
    """
    photos = [replace(record, drawings=()) for record in catalog.records if record.photo is not None]
    if not photos:
        raise UserError(f"{catalog.summary()}: data.line_drawings={folder} stand against photos, and there are none")
    found = list_below(undoubled(existing_folder(folder, "data.line_drawings")))
    if not found:
        raise UserError(f"data.line_drawings={folder}: no picture in it or below; 20 to 60 line drawings are enough")
    drawings = [Record(key, drawings=(PictureFile(path),), of_every_split=True) for key, path in found.items()]
    if both := shared((PictureFile(path) for path in found.values()), (one.photo for one in photos if one.photo)):
        raise UserError(
            f"data.line_drawings={folder}: {len(both)} of them are photos of the data, too, such as {both[0]}; give "
            "line drawings a folder of their own, outside the photos'"
        )
    return replace(
        catalog,
        records=[*photos, *drawings],
        drawings_from=f"data.line_drawings={folder} stand against all photos",
        warnings=[*catalog.warnings, *count_unread(folder, map(str, found.values())).lines()],
        orphan_photos=[],
        orphan_drawings=[],
        orphans=[],
    )


def with_sketch_sets(catalog: Catalog, folder: Path) -> Catalog:
    """Every photo with the sketches that a folder of sketch sets has of it, in the sets' order.

    Drawings of the data set's own are left out, and what was missing among them is forgotten. A photo without a sketch
    becomes an orphan. Raises UserError where there are no sets, where no photo has a sketch, or two have one key.
    """
    folder = followed(folder)
    manifest = read_manifest(folder)
    photos = [record for record in catalog.records if record.photo is not None]
    check_apart(photos)
    # Each set is listed once: asking for every photo would take as many trips to a distant disk.
    places = [existing_folder(folder / name, f"data.sketch_sets: set {name}") for name in manifest.sets]
    there = [{one_form(name): place / name for name in walk(place, is_picture)} for place in places]
    names = [sketch_name(record.key) for record in photos]
    drawn = [tuple(PictureFile(of_set[name]) for of_set in there if name in of_set) for name in names]
    pairs = [replace(record, drawings=found) for record, found in zip(photos, drawn, strict=True) if found]
    if not pairs:
        first = next((str(file) for of_set in there for file in of_set.values()), "no picture at all")
        wanted = f"the photo {photos[0].key} has no {places[0] / names[0]}" if photos else "the data have no photos"
        raise UserError(
            f"data.sketch_sets={folder}: no sketch of these photos; {wanted}, and what lies there is {first}; name the "
            "folder that was made of these data"
        )
    bare = [record for record, found in zip(photos, drawn, strict=True) if not found]
    warnings = _incomplete(dict(zip(manifest.sets, there, strict=True)), set(names), bare)
    return replace(
        catalog,
        records=pairs,
        drawings_from=f"data.sketch_sets={folder}, {len(places)} by photo ({', '.join(manifest.sets)}), made by "
        f"{manifest.made_by}",
        orphan_photos=[record.photo.name for record in bare if record.photo is not None],
        orphan_drawings=[],
        orphans=bare,
        warnings=[*catalog.warnings, *warnings],
    )


def _incomplete(there: Mapping[str, Mapping[str, Path]], names: set[str], bare: Sequence[Record]) -> Iterator[str]:
    """What sketch sets lack, and have too much, a line each. `names`: of every photo; `bare`: photos that none has."""
    if bare:
        yield (
            f"data.sketch_sets: {len(bare)} of {len(names)} photos have no sketch in any set and are left out, such as "
            f"{bare[0].key}"
        )
    for of, found in there.items():
        if lacking := len(names.difference(found)) - len(bare):
            yield f"data.sketch_sets: set {of} lacks the sketches of {lacking} photos, which other sets have"
        if strangers := [name for name in found if name not in names]:
            yield f"data.sketch_sets: {len(strangers)} pictures of set {of} are of no photo, such as {strangers[0]}"


def with_orphans(catalog: Catalog, kind: Kind) -> Catalog:
    """The records, and those of the pictures of a kind that have no counterpart, which are then no orphans any more."""
    joined = [record for record in catalog.orphans if record.pictures(kind)]
    if not joined:
        return catalog

    def place(record: Record) -> tuple[Any, ...]:  # the same for whichever of them has a counterpart
        return natural_order(record.key), [] if record.split is None else [SPLITS.index(record.split)]

    return replace(
        catalog,
        records=sorted([*catalog.records, *joined], key=place),
        orphans=[record for record in catalog.orphans if not record.pictures(kind)],
        orphan_photos=[] if kind == "photo" else catalog.orphan_photos,
        orphan_drawings=[] if kind == "drawing" else catalog.orphan_drawings,
    )


def shared(pictures: Iterable[Picture], others: Iterable[Picture]) -> list[str]:
    """The names of those that are among the others, too: one file, whichever way its folder is reached."""
    real_folder = cache(os.path.realpath)

    def place(name: str) -> tuple[str, str]:
        folder, file = os.path.split(name)
        return real_folder(folder), file

    places = {place(picture.name): picture.name for picture in pictures}
    files = {file for _, file in places}
    there = {place(other.name) for other in others if os.path.basename(other.name) in files}
    return [name for where, name in places.items() if where in there]
