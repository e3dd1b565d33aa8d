"""What the head of a picture file says: its shape, and how many pages it has. Decodes nothing."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from PIL import Image

from suite.data.catalog import Picture, PictureFile, Record
from suite.data.suffixes import formats
from suite.errors import UserError
from suite.files import size_of_file

_ORIENTATION = 0x0112  # of EXIF; from 5 on the picture lies on its side


def size_of(picture: Picture) -> tuple[int, int] | None:
    """Width and height in pixels, upright; None: not known without decoding, or no readable file."""
    if not isinstance(picture, PictureFile):
        return None
    with suppress(Exception), _opened(picture.path) as opened:
        width, height = opened.size
        if opened.getexif().get(_ORIENTATION, 1) >= 5:
            width, height = height, width
        if picture.half != "whole":
            width //= 2
        return (width, height) if width > 0 else None
    return None


def pages_of(picture: Picture) -> int:
    """Pages of a TIFF, frames of an animated WebP, GIF or PNG; 1 also where it is not known."""
    if not isinstance(picture, PictureFile):
        return 1
    with suppress(Exception), _opened(picture.path) as opened:
        if opened.format != "MPO":  # a photo of a phone, with a preview or a map of its depth behind it
            return int(getattr(opened, "n_frames", 1))
    return 1


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    size_of_file(path)
    with Image.open(path, formats=formats()) as picture:
        yield picture


def check_alike(records: Iterable[Record], key: str = "data") -> None:
    """Raises UserError where a photo and a drawing of it differ in shape: `cover` would scale and cut them apart.

    A pixel more or less, as of a size that does not divide, is none.
    """
    first, apart, pairs = "", 0, 0
    for record in records:
        for drawing in record.drawings if record.photo is not None else ():
            if drawing == record.photo or (photo := record.photo) is None:
                continue
            pairs += 1
            sizes = size_of(photo), size_of(drawing)
            if sizes[0] is None or sizes[1] is None or _same_shape(sizes[0], sizes[1]):
                continue
            apart += 1
            shapes = " and ".join(f"{width}x{height}" for width, height in filter(None, sizes))
            first = first or f"{photo.name} and {drawing.name} ({shapes})"
    if apart:
        raise UserError(
            f"data.resize=cover: in {apart} of {pairs} pairs of {key} the pictures differ in shape, such as {first}, "
            "and would be cut apart; data.resize=squash brings both to one square, right where they show the same "
            "section, else cut them alike"
        )


def _same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one is the other scaled, both sides to the nearest pixels."""
    (small_width, small_height), (width, height) = sorted((one, other))
    scale = max(width / small_width, height / small_height)
    return abs(small_width * scale - width) <= scale and abs(small_height * scale - height) <= scale
