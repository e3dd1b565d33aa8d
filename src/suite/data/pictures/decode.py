"""Decoding: a picture of any mode to a uint8 array of one size and one or three channels."""

import os
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from suite.data.catalog import Picture, flatten
from suite.data.depth import Depth
from suite.errors import UserError

Array = NDArray[np.uint8]
Resize = Literal["squash", "cover"]
DIGEST_BYTES = 16
MOST_BROKEN = 0.01  # share of all pictures up to which data.on_broken=skip goes on without the broken ones
_MOST_ASPECT = 50  # of the longer side to the shorter: a line of pixels would be covered by millions
_PICTURES_PER_WORKER = 16  # fewer than this are decoded sooner than a process starts


@dataclass(frozen=True)
class Fit:
    """What a decoded picture looks like.

    `squash` brings both sides to `side`, whatever the aspect. `cover` brings the shorter one there and keeps the
    aspect; of the longer one it keeps the centre, or all of it where `whole` (a window is cut later). `depth` says what
    is black and white in pictures of more than 8 bits.
    """

    side: int  # pixels
    channels: int  # 1 (grey) or 3 (RGB)
    resize: Resize = "squash"
    whole: bool = False  # cover only
    depth: Depth = "auto"

    def decode(self, picture: Picture) -> Array:
        """uint8 (C, H, W), bicubic and anti-aliased. Raises OSError or ValueError where the picture is broken."""
        return self.pixels(self.flat(picture))

    def flat(self, picture: Picture) -> Image.Image:
        """The picture as large as it is, in grey or RGB. Raises OSError or ValueError where it is broken."""
        return flatten(picture.load(), "L" if self.channels == 1 else "RGB", self.depth)

    def pixels(self, flat: Image.Image) -> Array:
        """uint8 (C, H, W) of what `flat` gives."""
        array = np.asarray(self._resized(flat))
        return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))

    def _resized(self, picture: Image.Image) -> Image.Image:
        square = (self.side, self.side)
        if self.resize == "squash":
            return picture.resize(square, Image.Resampling.BICUBIC)
        if not self.whole:
            return ImageOps.fit(picture, square, Image.Resampling.BICUBIC)
        check_covers(picture)
        scale = self.side / min(picture.size)
        width, height = (max(self.side, round(length * scale)) for length in picture.size)
        return picture.resize((width, height), Image.Resampling.BICUBIC)


def check_covers(picture: Image.Image) -> None:
    """Raises ValueError where a whole picture is too long to cover a square: it would take gigabytes."""
    width, height = picture.size
    if max(width, height) > _MOST_ASPECT * min(width, height):
        raise ValueError(f"of {width}x{height} one side is over {_MOST_ASPECT} times the other; cut it shorter")


def digest_of(flat: Image.Image) -> bytes:
    """Of a picture's mode, size and pixels: two files of one picture have the same, whatever they are called."""
    return blake2b(f"{flat.mode} {flat.size} ".encode() + flat.tobytes(), digest_size=DIGEST_BYTES).digest()


def broken(picture: Picture, error: Exception | str) -> UserError:
    """The error to raise for a picture that can't be decoded."""
    reason = " ".join(str(error).split())
    return UserError(f"{picture.name}: no readable picture ({reason}); mend or remove it, or set data.on_broken=skip")


def workers_for(pictures: int) -> int:
    """How many processes decode that many pictures soonest, on all cores; 0: this one."""
    return min(_cores(), pictures // _PICTURES_PER_WORKER)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
