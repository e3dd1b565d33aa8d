"""Real pictures and anime pictures, unpaired: the layouts that AnimeStylized reads, and plain folders of anime faces.

| layout   | photos                             | drawings                                | split            |
|----------|------------------------------------|-----------------------------------------|------------------|
| animegan | `train_photo/`, `test/test_photo/` | `<style>/style/`                        | photos by folder |
| whitebox | `<domain>_photo/`                  | `<domain>_cartoon/<style>/`             | drawn            |
|          | or `photo_<domain>/`               | or `cartoon_<domain>/[<style>/]`        |                  |
| ugatit   | `trainA<a_suffix>/`, `testA.../`   | `trainB<b_suffix>/`, `testB.../`        | by folder        |
| plain    | the folder `photos`                | the root, or `images/` or `data/` in it | drawn            |

Where the split is drawn, folders `train/`, `test/` ... in those of the pictures say it instead, or above those of
whitebox. `<domain>` is `face` or
`scenery`. `auto` takes the first layout of the table whose folders are there.

Dalva & Okuyan (section II) transform faces and disregard scenery, in a copy that is laid out as `whitebox`: 5000 real
faces and 5000 cartoon faces. Their text gives the real ones to "PA Works" and calls the cartoons "Shinkai style".
P.A. Works is an animation studio, whose faces are `face_cartoon/pa_face`; `shinkai` is a style of the scenery set, and
has no faces. So `face_photo` and `face_cartoon/pa_face` are the default: the one reading in which every folder holds
faces. The other set of cartoon faces is `style: kyoto_face`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from suite.data.catalog import Catalog, PictureFile, Record, Split
from suite.data.sources.folders import by_split, existing_folder
from suite.data.sources.helpers.roots import Fits, holds, is_picture, nearby, root_folder, wrong_root
from suite.data.sources.helpers.split_folders import parts, side_folders, split_folders, split_named
from suite.data.sources.helpers.walking import inner_folders
from suite.errors import UserError

Layout = Literal["auto", "animegan", "whitebox", "ugatit", "plain"]
Domain = Literal["face", "scenery"]
Sides = Iterator[tuple[Literal["photo", "drawing"], Split | None, Path]]

# The style that is taken where `style` is not given: AnimeStylized's own.
_STYLES = {"animegan": "Hayao", "face": "pa_face", "scenery": "shinkai"}


def anime_faces(
    *,
    root: str,
    layout: Layout = "auto",
    domain: Domain = "face",
    style: str | None = None,
    a_suffix: str = "",
    b_suffix: str = "",
    photos: str | None = None,
    recursive: bool = False,
) -> Catalog:
    """Photos and anime pictures without correspondence; the table above says which option serves which layout."""
    for key, value, choices in (("layout", layout, get_args(Layout)), ("domain", domain, get_args(Domain))):
        if value not in choices:
            raise UserError(f"data.{key}={value}: choose from {', '.join(choices)}")
    folder = root_folder(root, *_expected(domain, a_suffix, b_suffix))
    found = _recognise(folder, domain, a_suffix, b_suffix, photos) if layout == "auto" else layout
    if found == "animegan":
        sides = _animegan(folder, style or _STYLES["animegan"])
    elif found == "whitebox":
        sides = _whitebox(folder, domain, style or _STYLES[domain])
    elif found == "ugatit":
        sides = _ugatit(folder, a_suffix, b_suffix)
    else:
        sides = _plain(folder, photos)

    records: list[Record] = []
    photo_folders: set[Path] = set()
    for kind, split, place in sides:
        folder_of_kind = existing_folder(place, f"the {kind}s of layout {found}")
        for of, pictures in by_split(folder_of_kind, recursive, of=split).items():
            if kind == "photo":
                photo_folders.add(place)
                records += [Record(key, photo=PictureFile(path), split=of) for key, path in pictures.items()]
            else:  # photos may lie below the drawings' folder
                inside = {folder for folder in photo_folders if place in folder.parents}
                drawn = [(key, path) for key, path in pictures.items() if not inside or inside.isdisjoint(path.parents)]
                records += [Record(key, drawings=(PictureFile(path),), split=of) for key, path in drawn]
    return Catalog("anime_faces", folder, records)


def _recognise(root: Path, domain: Domain, a_suffix: str, b_suffix: str, photos: str | None) -> Layout:
    if (known := _known_layout(root, domain, a_suffix, b_suffix)) is not None:
        return known
    if photos is not None:
        return "plain"
    expected, fits = _expected(domain, a_suffix, b_suffix)
    if holds(_drawings(root), is_picture) and nearby(root, fits) is None:
        return "plain"  # which says that photos are lacking
    raise wrong_root(root, expected, fits)


def _expected(domain: Domain, a_suffix: str, b_suffix: str) -> tuple[str, Fits]:
    """What to look for, in words and as a test of a folder."""
    words = (
        f"train_photo/ (animegan), {domain}_photo/ (whitebox), trainA{a_suffix}/ (ugatit), "
        "or a plain folder of anime faces with data.photos=<folder of real faces>"
    )
    return words, lambda place: _known_layout(place, domain, a_suffix, b_suffix)


def _known_layout(root: Path, domain: Domain, a_suffix: str, b_suffix: str) -> Layout | None:
    if "train" in _split_photos(root):
        return "animegan"
    if _whitebox_places(root, domain):
        return "whitebox"
    if root.is_dir() and "train" in side_folders(root, a_suffix, b_suffix):
        return "ugatit"
    return None


def _split_photos(root: Path) -> dict[Split, Path]:
    """`train_photo` and the like, also in the folder of a split: `test/test_photo`."""
    found: dict[Split, Path] = {}
    for place in (root, *split_folders(root).values()) if root.is_dir() else ():
        for folder in inner_folders(place):
            name, photo, rest = folder.name.casefold().rpartition("_photo")
            if photo and not rest and (split := split_named(name)) is not None:
                found.setdefault(split, folder)
    return found


def _animegan(root: Path, style: str) -> Sides:
    photos = _split_photos(root)
    yield "photo", "train", photos.get("train", root / "train_photo")
    for split, folder in photos.items():
        if split != "train":
            yield "photo", split, folder
    # Named by no split: some of them are held out with a seed, as the photos' test folder has no counterpart here.
    yield "drawing", None, _one_style(root, style, "style")


def _whitebox(root: Path, domain: Domain, style: str) -> Sides:
    for split, place in _whitebox_places(root, domain) or [(None, root)]:
        named_first = (place / f"{domain}_photo").is_dir()
        yield "photo", split, place / (f"{domain}_photo" if named_first else f"photo_{domain}")
        cartoons = place / (f"{domain}_cartoon" if named_first else f"cartoon_{domain}")
        if split in ("val", "test") and not cartoons.is_dir():
            continue  # a split may have photos alone
        if named_first:
            cartoons = _one_style(cartoons, style)
        elif (cartoons / style).is_dir():
            cartoons /= style
        yield "drawing", split, cartoons


def _whitebox_places(root: Path, domain: Domain) -> list[tuple[Split | None, Path]]:
    """The folder of both sides, or one for each split."""

    def fits(place: Path) -> bool:
        return (place / f"{domain}_photo").is_dir() or (place / f"photo_{domain}").is_dir()

    return parts(root, fits) if root.is_dir() else []


def _ugatit(root: Path, a_suffix: str, b_suffix: str) -> Sides:
    sides = side_folders(root, a_suffix, b_suffix)
    sides.setdefault("train", (root / f"trainA{a_suffix}", root / f"trainB{b_suffix}"))
    for split, (photos, drawings) in sides.items():
        # photo2cartoon ships no testA: a side without it gives some of its training pictures.
        if split == "train" or photos.is_dir():
            yield "photo", split, photos
        if split == "train" or drawings.is_dir():
            yield "drawing", split, drawings


def _plain(root: Path, photos: str | None) -> Sides:
    if photos is None:
        raise UserError(f"{root}: layout plain holds drawings only; give data.photos=<folder of real faces>")
    yield "photo", None, root / Path(photos).expanduser()
    yield "drawing", None, _drawings(root)


def _drawings(root: Path) -> Path:
    """The folder of a plain set's drawings.

    Kaggle's copies put the pictures one level down, some a second time below that (data/data/): the first level.
    """
    return next((root / name for name in ("images", "data") if (root / name).is_dir()), root)


def _one_style(folder: Path, style: str, inner: str = "") -> Path:
    """The folder of a style. Raises UserError that lists the styles that are there."""
    if (folder / style / inner).is_dir():
        return folder / style / inner
    there = sorted(place.name for place in folder.iterdir() if (place / inner).is_dir()) if folder.is_dir() else []
    raise UserError(f"data.style={style}: no such style in {folder}; there is {', '.join(there) or 'none'}")
