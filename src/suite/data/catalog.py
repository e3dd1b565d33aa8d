"""A catalog: what a source found on disk, before any picture is opened.

root ─► source ─► Catalog(records, problems)
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Literal, Protocol

from PIL import Image, ImageOps, PngImagePlugin

from suite.data.depth import (
    Depth,
    is_deep,
    is_deep_colour,
    keep_lower_bits,
    note,
    significant_bits,
    stretched,
    to_eight_bits,
)
from suite.data.suffixes import formats
from suite.data.unread import Unread
from suite.files import size_of_file

Split = Literal["train", "val", "test"]
Kind = Literal["photo", "drawing"]

# Scanned paintings are larger than the 179 megapixels at which PIL suspects an attack, and warns; a file of a megabyte
# may claim any number, and each pixel takes a dozen bytes on its way.
MOST_PIXELS = 1 << 28  # 16,384 pixels squared
MOST_BYTES = 1 << 31  # of a file; that many pixels, not compressed, of 64 bits
Image.MAX_IMAGE_PIXELS = 1 << 29  # PIL refuses at twice this, also where no more is asked than what the head says
_HEAD = 1 << 16  # bytes of a PNG in which it says what its values are


class Picture(Protocol):
    """Something that can be decoded or drawn into one picture."""

    def load(self) -> Image.Image:
        """The picture, upright, any mode. Raises OSError or ValueError where it is broken."""

    def identity(self) -> str:
        """A string that changes when the pixels change; the cache is keyed by it. May stat the file."""

    @property
    def name(self) -> str:
        """What to call it in a message: a path, as a rule."""


@dataclass(frozen=True)
class PictureFile:
    """A picture file, or one half of a side-by-side strip."""

    path: Path
    half: Literal["whole", "left", "right"] = "whole"

    def load(self) -> Image.Image:
        """The picture turned upright as its EXIF tag says. Raises OSError where the file can't be decoded."""
        picture = upright(self.path)
        if self.half == "whole":
            return picture
        middle, (width, height) = picture.width // 2, picture.size
        if middle == 0:
            raise OSError("it is one pixel wide, and has no halves")
        return picture.crop((0, 0, middle, height) if self.half == "left" else (width - middle, 0, width, height))

    def identity(self) -> str:
        stat = self.path.stat()
        return f"{_real(self.path)}:{stat.st_size}:{stat.st_mtime_ns}:{self.half}"

    @property
    def name(self) -> str:
        return str(self.path)


def _real(path: Path) -> str:
    """What `path.resolve()` gives, for a file that is there; of a folder's many files the folder is looked up once."""
    if path.is_symlink():
        return str(path.resolve())
    return os.path.join(_real_folder(os.path.join(os.getcwd(), path.parent)), path.name)


@lru_cache(maxsize=256)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def upright(file: Path | BytesIO) -> Image.Image:
    """The picture of a file, of several pages the first, turned as its EXIF tag says.

    Raises OSError where its bytes make no picture, and before any is decoded for one of more than MOST_PIXELS.
    """
    _check_size(size_of_file(file) if isinstance(file, Path) else file.getbuffer().nbytes)
    try:
        with Image.open(file, formats=formats()) as picture:
            _check_pixels(picture)
            deep, deep_colour = is_deep(picture), is_deep_colour(picture)
            significant = _significant_bits(picture) if deep else None
            picture.load()
            if deep_colour:
                keep_lower_bits(picture, file.read_bytes() if isinstance(file, Path) else file.getvalue())
            with suppress(Exception):  # an unreadable EXIF block says nothing about the pixels
                ImageOps.exif_transpose(picture, in_place=True)
            if deep:
                note(picture, significant)
    except Exception as error:  # PIL raises a dozen kinds, by file format, for bytes that make no picture
        reason = str(error).replace(f" {file!r}", "")  # an address in memory, which says nothing and is never the same
        raise OSError(f"{type(error).__name__}: {reason}") from error
    return picture


def bytes_of(path: Path) -> bytes:
    """A picture file as it is. Raises OSError, before it is opened, for what is no file or far too large."""
    _check_size(size_of_file(path))
    return path.read_bytes()


def _check_size(size: int) -> None:
    if size == 0:
        raise OSError("it is empty, 0 bytes")
    if size > MOST_BYTES:
        raise OSError(f"it has {size / 1e9:.1f} GB; no picture has")


def _check_pixels(picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise ValueError(f"{width}x{height} pixels are more than the {MOST_PIXELS:,} that are read; scale it down")


def _significant_bits(picture: Image.Image) -> int | None:
    """As an opened PNG states them; PIL passes over it."""
    if not isinstance(picture, PngImagePlugin.PngImageFile) or picture.fp is None:
        return None
    there = picture.fp.tell()
    picture.fp.seek(0)
    head = picture.fp.read(_HEAD)
    picture.fp.seek(there)
    return significant_bits(head)


def flatten(picture: Image.Image, mode: Literal["L", "RGB"], depth: Depth = "auto") -> Image.Image:
    """The picture in 8-bit grey (ITU-R 601) or RGB, on white where transparent.

    `depth` says which values of a deeper one are black and white. ValueError: that is not known.
    """
    if is_deep(picture):
        picture = to_eight_bits(picture, depth)
    picture = stretched(picture, depth)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert(mode)


def is_transparent(picture: Image.Image) -> bool:
    """Whether a pixel of it is, at least a little."""
    return picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema()[0] != 255


@dataclass(frozen=True)
class Record:
    """One scene: a photo, its drawings, or only one of the two.

    `drawings` is whatever the other side of the translation holds: sketches, cartoons, paintings.
    """

    key: str
    photo: Picture | None = None
    drawings: tuple[Picture, ...] = ()
    label: int | None = None
    group: str | None = None
    split: Split | None = None  # None: the source has no official split; the DataModule draws a seeded one
    of_every_split: bool = False  # there are too few to hold some out; `split` says nothing then

    @property
    def paired(self) -> bool:
        return self.photo is not None and bool(self.drawings)

    def pictures(self, kind: Kind) -> tuple[Picture, ...]:
        """Its photo, if it has one, or its drawings."""
        if kind == "drawing":
            return self.drawings
        return () if self.photo is None else (self.photo,)


@dataclass
class Catalog:
    """All records of one data set, and what went wrong while listing them."""

    dataset: str
    root: Path | None
    records: list[Record]
    orphan_photos: list[str] = field(default_factory=list)  # photos whose drawing is missing, by name
    orphan_drawings: list[str] = field(default_factory=list)  # drawings whose photo is missing, by name
    orphans: list[Record] = field(default_factory=list)  # records of all orphans of a kind, where the source gives them
    missing: list[str] = field(default_factory=list)  # listed by an annotation, not on disk
    unread: Unread = field(default_factory=Unread)  # what lies below the root beside all this
    warnings: list[str] = field(default_factory=list)  # one line each, for people
    split_warnings: list[str] = field(default_factory=list)  # the same, true only where no other splits are drawn
    simulated: str | None = None  # the style of sketch that stands for every drawing; they are drawn from the photos
    drawings_from: str | None = None  # in words, where drawings of another place stand for the source's own
    label_names: tuple[str, ...] = ()
    identities: bool = False  # whether `group` says who is shown: a drawn split then has all of one, or none

    def of_split(self, split: Split) -> list[Record]:
        return [record for record in self.records if record.split == split]

    def photos(self) -> list[Record]:
        return [record for record in self.records if record.photo is not None]

    def drawn(self) -> list[Record]:
        return [record for record in self.records if record.drawings]

    def pictures(self, *kinds: Kind) -> Iterator[Picture]:
        """Those of these kinds of every record."""
        return (picture for record in self.records for kind in kinds for picture in record.pictures(kind))

    def summary(self) -> str:
        """One line for a log: how much was found and how much was not."""
        counts: Iterable[tuple[str, int]] = (
            ("photos", len(self.photos())),
            ("drawings", 0 if self.simulated else sum(len(record.drawings) for record in self.records)),
            (f"simulated {self.simulated} sketches", len(self.records) if self.simulated else 0),
            ("pairs", sum(record.paired for record in self.records)),
            ("orphan photos", len(self.orphan_photos)),
            ("orphan drawings", len(self.orphan_drawings)),
            ("missing", len(self.missing)),
        )
        return f"{self.dataset}: " + ", ".join(f"{count} {what}" for what, count in counts if count)
