"""CUFSF: 1194 sketches of FERET's faces, with exaggerated shapes (Zhang, Wang & Tang, CVPR 2011).

    cropped_sketch/00001.jpg, original_sketch/00001.jpg      sketches, named by the person's number
    photos/00001.jpg                                         photos of prepared copies, beside `sketches/`
    .../00001fb010_930831.tif, .../00043_931230_fb.ppm.bz2   FERET's grey and colour photos, in any folder
    names_of_photos_used_for_drawing_sketches.txt            which of FERET's photos of a person was drawn
    list_train_F.txt, list_test_F.txt                        the split, in prepared copies
    sketch_points/00001.3pts, photo_points/00001fb010_930831.3pts or .tif.pos

FERET's photos have a licence of their own and are not part of CUFSF; without them the sketches come alone.
"""

import bz2
import io
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image

from suite.arguments import one_of
from suite.data.catalog import Catalog, Picture, PictureFile, Record, Split, upright
from suite.data.sources.folders import existing_folder
from suite.data.sources.helpers.alignment import AlignedPicture
from suite.data.sources.helpers.cufs_names import side_and_version, split_of
from suite.data.sources.helpers.reading import fixed_draw, only_cell, repackaged_split, repackaged_splits, rows
from suite.data.sources.helpers.roots import holds, is_picture, root_folder, wrong_root
from suite.data.sources.helpers.walking import walk
from suite.errors import UserError
from suite.files import size_of_file

_PEOPLE = 1194
_EXPECTED = f"sketches 00001.jpg ... of up to {_PEOPLE} people in it, in cropped_sketch/ or in original_sketch/"
_MOST_FILES = 500_000  # below the root; the photos and annotations of FERET are some 100,000
_PUBLISHED = (250, 944)  # train and test
_MOST_UNPACKED = 1 << 26  # bytes; FERET's have 1.2 million, and 800 packed bytes may hold gigabytes
_GREY = re.compile(r"(?P<id>\d{5})(?P<pose>[a-z]{2})\d{3}(?P<letter>[a-z]?)_(?P<date>\d{6})", re.IGNORECASE)
_COLOUR = re.compile(r"(?P<id>\d{5})_(?P<date>\d{6})_(?P<pose>[a-z]{2})(?:_(?P<letter>[a-z]))?", re.IGNORECASE)
_LISTS = ("names_of_photos_used_for_drawing_sketches.txt", "feret_filenames.txt")


@dataclass(frozen=True)
class PackedPicture:
    """A picture file inside a .bz2, unpacked on loading."""

    path: Path

    def load(self) -> Image.Image:
        """Raises OSError where it can't be unpacked or decoded."""
        try:
            size_of_file(self.path)
            with bz2.open(self.path) as file:
                data = file.read(_MOST_UNPACKED + 1)
        except Exception as error:  # as damage goes
            raise OSError(f"{type(error).__name__}: {error}") from error
        if len(data) > _MOST_UNPACKED:
            raise OSError(f"unpacked it has more than {_MOST_UNPACKED:,} bytes, as no photo of FERET")
        return upright(io.BytesIO(data))

    def identity(self) -> str:
        stat = self.path.stat()
        return f"{self.path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"

    @property
    def name(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class _Shot:
    """Which of FERET's photos of a person: pose, date, and a letter where a day had several."""

    pose: str
    date: str
    letter: str


@dataclass(frozen=True)
class _Found:
    path: Path
    cropped: bool
    split: Split | None
    shot: _Shot | None = None  # None: a sketch, or a photo of a prepared copy


def cufsf(*, root: str, photos: str | None = None, version: Literal["auto", "cropped", "original"] = "auto") -> Catalog:
    """Sketches, with their photos where those are found below the root or below the folder `photos`.

    `version` is that of the sketches; auto takes cropped where there are any. Originals are brought to the cropped
    frame by their points, both or none. The split is that of lists or folders, else a fixed draw in the literature's
    proportion of 250 to 944. Raises UserError where no sketch is found, and for a root so far above that other
    numbered pictures lie below it, and for a folder
    `photos` that gives no sketch its photo.
    """
    folder = root_folder(root, _EXPECTED, _looks_right)
    one_of("data.version", version, ("auto", "cropped", "original"))
    files = _files(folder)
    sketches, shots = _pictures(files, folder)
    elsewhere = folder / Path(photos or "").expanduser()
    if photos is not None:
        elsewhere = existing_folder(elsewhere, "data.photos")
        for number, found in _pictures(_files(elsewhere), elsewhere)[1].items():
            shots[number] += found
    _keep_apart(sketches, shots)
    wanted_version = _version(sketches, version)
    chosen: dict[str, _Found] = {}
    for number, of_person in sketches.items():
        if wanted := [one for one in of_person if one.cropped == wanted_version]:
            chosen[number] = wanted[0]
    if not chosen or len(chosen) > 2 * _PEOPLE:
        raise wrong_root(folder, _EXPECTED, _looks_right)

    catalog = Catalog("cufsf", folder, [])
    drawn_from = _drawn_from(files)
    points = {path.name.split(".")[0].lower(): path for path in files if _is_points(path.name)}
    listed = _listed(files)
    drawn: dict[str, Split] = {}
    if listed.keys().isdisjoint(chosen):
        drawn = fixed_draw([number for number, one in chosen.items() if one.split is None], *_PUBLISHED)
    unaligned: set[str] = set()
    ambiguous = 0
    for number in sorted(chosen):
        sketch = chosen[number]
        photo, several = _pick(shots.get(number, []), drawn_from.get(number))
        ambiguous += several
        pictures = [_picture(sketch, points)] + ([_picture(photo, points)] if photo else [])
        in_frame = [isinstance(pictures[0], AlignedPicture) or sketch.cropped]
        in_frame += [isinstance(pictures[1], AlignedPicture) or photo.cropped] if photo else []
        if not all(in_frame):
            unaligned.add(number)
            pictures = [one.picture if isinstance(one, AlignedPicture) else one for one in pictures]
        split = listed.get(number) or sketch.split or (photo.split if photo else None) or drawn.get(number)
        catalog.records.append(Record(number, pictures[1] if photo else None, (pictures[0],), split=split))
    catalog.orphan_photos = [str(found[0].path) for number, found in sorted(shots.items()) if number not in chosen]
    if any(record.paired for record in catalog.records):
        catalog.orphans = [record for record in catalog.records if not record.paired]
        catalog.orphan_drawings = [record.drawings[0].name for record in catalog.orphans]
        catalog.records = [record for record in catalog.records if record.paired]
    elif photos is not None:
        raise UserError(
            f"data.photos: {elsewhere}: no photo below it belongs to a sketch; expected FERET's names "
            f"(00001fb010_930831.tif, 00001_930831_fb.ppm.bz2), one photo a person or {_LISTS[0]} below {folder}"
        )
    if ambiguous:
        catalog.warnings.append(
            f"cufsf: {ambiguous} people have several photos and no list says which was drawn; put {_LISTS[0]} below "
            f"{folder}"
        )
    if bare := unaligned.intersection(record.key for record in catalog.records):
        catalog.warnings.append(f"cufsf: {len(bare)} sketches or pairs lack points (.3pts, .pos) and are not aligned")
    return catalog


def _files(root: Path) -> list[Path]:
    """All files below the root that may say something, in natural order."""

    def wanted(name: str) -> bool:
        return _is_picture(name) or _is_points(name) or name in _LISTS or repackaged_split(Path(name)) is not None

    return [root / name for name in walk(root, wanted, most=_MOST_FILES)]


def _is_picture(name: str) -> bool:
    return is_picture(_unpacked(name))


def _unpacked(name: str) -> str:
    return name[: -len(".bz2")] if name.lower().endswith(".bz2") else name


def _is_points(name: str) -> bool:
    return name.lower().endswith((".3pts", ".pos")) and not name.startswith(".")


def _pictures(files: list[Path], root: Path) -> tuple[dict[str, list[_Found]], dict[str, list[_Found]]]:
    """Sketches and photos by the person's number."""
    sketches: dict[str, list[_Found]] = defaultdict(list)
    photos: dict[str, list[_Found]] = defaultdict(list)
    for path in filter(lambda path: _is_picture(path.name), files):
        folders = [name.lower() for name in (root.name, *path.relative_to(root).parts[:-1])]
        side, version = side_and_version(folders)
        stem = _unpacked(path.name).rpartition(".")[0]
        if match := _GREY.fullmatch(stem) or _COLOUR.fullmatch(stem):
            shot = _Shot(match["pose"].lower(), match["date"], (match["letter"] or "").lower())
            cropped = any("cropped" in name for name in folders)
            photos[match["id"]].append(_Found(path, cropped, split_of(folders[1:]), shot))
        elif re.fullmatch(r"\d{5}", stem):
            of_side = photos if side == "photo" else sketches
            of_side[stem].append(_Found(path, version == "cropped", split_of(folders[1:])))
    return sketches, photos


def _keep_apart(sketches: dict[str, list[_Found]], photos: dict[str, list[_Found]]) -> None:
    """Where each split counts from 0, its folder is put in front of a number, in place: those are several people."""
    for number, found in list(sketches.items()):
        if len({one.split for one in found} - {None}) > 1:
            for side in sketches, photos:
                for one in side.pop(number, []):
                    if one.split is not None:
                        side[f"{one.split}/{number}"].append(one)


def _version(sketches: dict[str, list[_Found]], version: str) -> bool:
    """Whether cropped sketches are taken."""
    if version != "auto":
        return version == "cropped"
    return any(one.cropped for found in sketches.values() for one in found)


def _drawn_from(files: list[Path]) -> dict[str, _Shot]:
    """Person -> the photo that was drawn, from the list of names, else from the names of the photos' points."""
    listed = next((path for name in _LISTS for path in files if path.name == name), None)
    names = map(only_cell, rows(listed)) if listed else (path.name for path in files if _is_points(path.name))
    matches = (_GREY.match(re.split(r"[\\/]", name)[-1]) for name in names)
    return {m["id"]: _Shot(m["pose"].lower(), m["date"], m["letter"].lower()) for m in matches if m}


def _pick(found: list[_Found], drawn_from: _Shot | None) -> tuple[_Found | None, bool]:
    """The photo that was drawn; and whether there are several and nothing says which."""
    if prepared := [one for one in found if one.shot is None]:
        return prepared[0], False
    if drawn_from is not None:
        wanted = (drawn_from.pose, drawn_from.date)
        same_day = [one for one in found if one.shot and (one.shot.pose, one.shot.date) == wanted]
        exact = [one for one in same_day if one.shot == drawn_from]
        return next(iter(exact or same_day), None), False
    several = len({one.shot for one in found}) > 1
    return (None if several or not found else found[0]), several


def _picture(found: _Found, points: dict[str, Path]) -> Picture:
    picture: Picture = PackedPicture(found.path) if found.path.suffix.lower() == ".bz2" else PictureFile(found.path)
    stem = found.path.name.split(".")[0].lower()
    if found.cropped or stem not in points:
        return picture
    return AlignedPicture(picture, points[stem])


def _listed(files: list[Path]) -> dict[str, Split]:
    """Person -> split, from the lists of prepared copies."""
    return repackaged_splits(files, lambda photo, _: photo.split("/")[-1].rpartition(".")[0])


def _looks_right(place: Path) -> bool:
    """Sketches lie in a folder of it, or of a prepared copy's split."""
    inner = [folder for name in ("*sketch*", "train*/*sketch*", "test*/*sketch*") for folder in place.glob(name)]
    return any(holds(folder, lambda name: is_picture(name) and re.match(r"\d{5}\.", name)) for folder in inner)
