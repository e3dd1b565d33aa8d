"""Which file the translation of a picture file goes to. Imports nothing heavy: a wrong path is refused at once."""

from collections import Counter
from pathlib import Path

from PIL import Image

from suite.data.sources.folders import SUFFIXES, list_pictures
from suite.errors import UserError

Pair = tuple[Path, Path]  # a picture file, and the file for its translation


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
    if _named_like_a_picture(target) and not target.is_dir():
        raise UserError(f"output={target} is the name of a picture, but input={source} is a folder: name a folder")
    root, out = source.resolve(), target.resolve()
    if root == out:
        raise UserError(f"output={target} is the input folder: name another")
    pictures = [path.relative_to(source) for path in list_pictures(source, recursive=True).values()]
    if out.is_relative_to(root):  # earlier translations, not to be translated again
        pictures = [path for path in pictures if not path.is_relative_to(out.relative_to(root))]
    if not pictures:
        raise UserError(f"input={source}: no picture but those of output={target}")
    pngs = _png_names(pictures)
    if replaced := {root / path for path in pictures} & {out / png for png in pngs}:
        raise UserError(f"output={target}: would replace the input picture {min(replaced)}; name another folder")
    return [(source / path, target / png) for path, png in zip(pictures, pngs, strict=True)]


def _file_for(source: Path, target: Path) -> Path:
    if target.is_dir() or not _named_like_a_picture(target):
        target = target / f"{source.stem}.png"
    if target.suffix.lower() not in SUFFIXES:
        raise UserError(f"output={target}: {target.suffix} can't be written; use .png")
    if target.exists() and target.samefile(source):
        raise UserError(f"output={target} is the input: name another file or folder")
    return target


def _named_like_a_picture(path: Path) -> bool:
    return path.suffix.lower() in Image.registered_extensions()


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
