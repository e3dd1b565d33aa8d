"""Which file the translation of a picture file goes to. Imports nothing heavy: a wrong path is refused at once."""

from collections import Counter
from pathlib import Path
from typing import Literal

from PIL import Image

from suite.data.sources.folders import list_below, list_pictures
from suite.data.sources.helpers.walking import walk
from suite.data.suffixes import VIDEOS
from suite.errors import UserError

Pair = tuple[Path, Path]  # a picture file, and the file for its translation

# Of the pictures that are read, those whose formats keep all colours.
_WRITTEN = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".webp"})
VIDEO_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}  # FFmpeg's names


def match_outputs(source: Path, target: Path) -> list[Pair]:
    """Every picture of `source`, a file or a folder and what is below it, with the file for its translation.

    Pictures of a folder become PNGs of the same stem, sub-folders kept; where two would get one name, they keep their
    suffixes: x.jpg.png, x.png.png. A single picture goes to the file `target`, or into that folder where the name has
    no suffix of a picture. Raises UserError where there is no picture, or a translation would replace a picture.
    """
    if source.is_file():
        return [(source, _file_for(source, target))]
    if not source.is_dir():
        raise UserError(f"input={source}: there is no such file or folder")
    if not target.is_dir() and (kind := _named_like(target)):
        raise UserError(f"output={target} is the name of a {kind}, but input={source} is a folder: name a folder")
    root, out = source.resolve(), target.resolve()
    if root == out:
        raise UserError(f"output={target} is the input folder: name another")
    if not list_below(source) and videos_in(source):
        raise UserError(f"input={source} holds videos and no pictures: name one video, input=<file>")
    pictures = [path.relative_to(source) for path in list_pictures(source, recursive=True).values()]
    if out.is_relative_to(root):  # earlier translations, not to be translated again
        pictures = [path for path in pictures if not path.is_relative_to(out.relative_to(root))]
    if not pictures:
        raise UserError(f"input={source}: no picture but those of output={target}")
    pngs = _png_names(pictures)
    if replaced := {root / path for path in pictures} & {out / png for png in pngs}:
        raise UserError(f"output={target}: would replace the input picture {min(replaced)}; name another folder")
    return [(source / path, target / png) for path, png in zip(pictures, pngs, strict=True)]


def match_styles(source: Path, target: Path, style: Path | None) -> dict[Path | None, list[Pair]]:
    """By picture of a style, every picture of `source` with the file for its translation in that style.

    Of a single picture `style`, or without one, the files are those of `match_outputs`; each picture of a folder
    `style` has a folder of its own in the folder `target`, called as it is but for the suffix. Raises UserError as
    `match_outputs` does, and where there is no style, or a translation would replace one.
    """
    if style is not None and not style.exists():
        raise UserError(f"style={style}: there is no such file or folder")
    pairs = match_outputs(source, target)
    if style is None:
        return {None: pairs}
    styled: dict[Path | None, list[Pair]] = {style: pairs}
    if style.is_dir():
        if source.is_file() and not target.is_dir() and _named_like(target):
            raise UserError(f"output={target} is the name of a picture, but style={style} is a folder: name a folder")
        out = target.resolve()
        if out == style.resolve():
            raise UserError(f"output={target} is the folder of styles: name another")
        styled = {
            path: [(picture, target / name / output.relative_to(target)) for picture, output in pairs]
            for name, path in list_below(style).items()
            if not path.resolve().is_relative_to(out)  # of earlier translations
        }
        if not styled:
            raise UserError(f"style={style}: there is no picture in this folder")
    read = {path.resolve() for path in (*filter(None, styled), *(picture for picture, _ in pairs))}
    written = {output.resolve() for pairs in styled.values() for _, output in pairs}
    if replaced := read & written:
        raise UserError(f"output={target}: would replace the picture {min(replaced)}; name another folder")
    return styled


def pictures_of(source: Path, key: str, output: Path) -> list[Path]:
    """The picture itself, or those of a folder and below it, in natural order, without the picture `output`.

    Raises UserError, naming the key, where there is none.
    """
    if not source.is_file() and not source.is_dir():
        raise UserError(f"{key}={source}: there is no such file or folder")
    pictures = [source] if source.is_file() else list(list_below(source).values())
    if not pictures:
        raise UserError(f"{key}={source}: there is no picture in this folder")
    if not (others := [path for path in pictures if path.resolve() != output.resolve()]):
        raise UserError(f"output={output} is the {key}: name another file")
    return others


def named_picture(target: Path) -> Path:
    """The file. Raises UserError where its name is not that of a picture that can be written."""
    if target.is_dir() or target.suffix.lower() not in _WRITTEN:
        raise UserError(f"output={target} is no picture file: give it a name as {target / 'grid.png'}")
    return target


def named_folder(target: Path) -> Path:
    """The folder. Raises UserError where it is not there and has the name of a picture or a video."""
    if not target.is_dir() and (kind := _named_like(target)):
        raise UserError(f"output={target} is the name of a {kind}: name a folder")
    return target


def videos_in(folder: Path) -> int:
    """How many videos lie in a folder and below it; they are translated one by one."""
    return len(walk(folder, lambda name: not name.startswith(".") and is_video(Path(name))))


def is_video(path: Path) -> bool:
    """Whether a file of that name is a video."""
    return path.suffix.lower() in VIDEOS


def match_video(source: Path, target: Path) -> Path:
    """The file for the translation of a video: `target`, or <stem>.mp4 in that folder.

    Raises UserError where a file of that name can't be written, or is the video itself.
    """
    if target.is_dir() or not (kind := _named_like(target)):
        target = target / f"{source.stem}.mp4"
    elif kind == "picture":
        raise UserError(f"output={target} is the name of a picture, but input={source} is a video: name a video")
    if target.suffix.lower() not in VIDEO_FORMATS:
        raise UserError(f"output={target}: {target.suffix} can't be written; use {', '.join(VIDEO_FORMATS)}")
    return _another(source, target)


def _file_for(source: Path, target: Path) -> Path:
    kind = None if target.is_dir() else _named_like(target)
    if kind == "video":
        raise UserError(f"output={target} is the name of a video, but input={source} is a picture: name a picture")
    if kind is None:
        target = target / f"{source.stem}.png"
    if target.suffix.lower() not in _WRITTEN:
        raise UserError(f"output={target}: {target.suffix} can't be written; use .png")
    return _another(source, target)


def _another(source: Path, target: Path) -> Path:
    if target.exists() and target.samefile(source):
        raise UserError(f"output={target} is the input: name another file or folder")
    return target


def _named_like(path: Path) -> Literal["picture", "video"] | None:
    if is_video(path):  # first: Pillow knows the suffixes of MPEG
        return "video"
    return "picture" if path.suffix.lower() in Image.registered_extensions() else None


def _png_names(pictures: list[Path]) -> list[Path]:
    """A name for each, all different."""
    with_suffix: set[Path] = set()
    while True:
        names = [path.with_name(f"{path.name if path in with_suffix else path.stem}.png") for path in pictures]
        count = Counter(names)
        # More than once around only where a longer name meets another one, as of x.jpg, x.png and x.jpg.bmp.
        clashing = {path for path, name in zip(pictures, names, strict=True) if count[name] > 1} - with_suffix
        if not clashing:
            return names
        with_suffix |= clashing
