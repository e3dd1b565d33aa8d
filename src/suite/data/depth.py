"""From pixels of any depth to 8 bits: which range of values a picture has.

Pictures of 8 bits or fewer have a known range and stay what they are. Of deeper ones (16 bits, whole numbers with a
sign, floating-point numbers) `data.depth` says which values become black and white; values outside become these.

| depth       | range                                                                                                  |
|-------------|--------------------------------------------------------------------------------------------------------|
| auto        | what the file states, else from 0 to the end of the smallest of 8, 10, 12, 14 and 16 bits that holds   |
|             | the file's largest value; floats about 0 to 1 have that; values below 0, or beyond 16 bits: as file    |
| full        | all of the pixels' type; of floats 0 to 1                                                              |
| file        | the least to the largest value of each file                                                            |
| [low, high] | these, of every deep picture alike                                                                     |

What a set holds may differ from file to file under auto: of 12 bits, a dark picture may fit 10. suite.check_data says
where it does; [low, high] reads all alike.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from PIL import Image, TiffImagePlugin

from suite.arguments import Example, shown
from suite.errors import UserError

Depth = Literal["auto", "full", "file"] | Annotated[Sequence[float], Example("[0,4095]")]

_KEY, _COLOUR = "suite_range", "suite_colour"  # of PIL's `info`, which a crop keeps
_WIDTHS = (8, 10, 12, 14, 16)  # bits of common sensors and files
_SIXTEEN = (0.0, 65535.0)
_ABOUT_ONE = (-0.1, 2.0)  # what resampling makes of floats from 0 to 1; larger ones are counts
_SIGNED = 2  # of the TIFF tag SampleFormat, 339
_WHITE_IS_ZERO = 0  # of the TIFF tag PhotometricInterpretation, 262


class Stated(NamedTuple):
    """What a file says of its pixels' values."""

    whole: tuple[float, float] | None = None  # all that their type holds
    range: tuple[float, float] | None = None  # what they may be
    significant: int | None = None  # bits (PNG, sBIT): scaled to 16, as the standard has it, or not
    inverted: bool = False  # 0 is white


def check_depth(key: str, depth: Depth) -> None:
    """Raises UserError where a list is no range of values."""
    if not isinstance(depth, str) and (len(depth) != 2 or not -math.inf < depth[0] < depth[1] < math.inf):
        raise UserError(f"{key}={shown(depth)}: give the values of black and white, the lesser first, as [0,4095]")


def is_deep(picture: Image.Image) -> bool:
    """Whether the pixels have more than 8 bits a channel."""
    return picture.mode == "F" or picture.mode.startswith("I")


def note(picture: Image.Image, significant: int | None) -> None:
    """Keep with an opened picture what its file states of the values, which a crop would lose.

    significant: bits that a PNG says its values have, see `significant_bits`.
    """
    if not is_deep(picture):
        return
    stated = Stated(significant=significant)
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        stated = _of_tiff(picture)
    elif picture.format in ("PPM", "JPEG2000"):  # PIL has scaled them to 16 bits
        stated = Stated(_SIXTEEN, _SIXTEEN)
    picture.info[_KEY] = stated


def _of_tiff(picture: TiffImagePlugin.TiffImageFile) -> Stated:
    tags = picture.tag_v2
    bits, sign = (int(_first(tags.get(tag), default)) for tag, default in ((258, 16), (339, 1)))
    whole = None
    if picture.mode != "F":
        half = 2.0 ** (bits - 1)
        whole = (-half, half - 1) if sign == _SIGNED else (0.0, 2 * half - 1)
    least, largest = (_first(tags.get(tag), None) for tag in (340, 341))  # SMinSampleValue, SMaxSampleValue
    known = least is not None and largest is not None and least < largest
    return Stated(whole, (float(least), float(largest)) if known else None, None, tags.get(262) == _WHITE_IS_ZERO)


def _first(value: object, default: object) -> "float":
    """Of a tag that has one value for each channel."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = value[0] if value else None
    return default if value is None else value  # type: ignore[return-value]


def to_eight_bits(picture: Image.Image, depth: Depth = "auto") -> Image.Image:
    """A deep picture in 8-bit grey. Raises ValueError where some of its values are no numbers."""
    import numpy as np  # sources without deep pictures need none, and list at once

    values = np.asarray(picture).astype(np.float64)
    stated = picture.info.get(_KEY) or Stated()
    low, high = range_of(picture, depth)
    grey = (values - low) * (255 / (high - low)) if high > low else np.zeros_like(values)
    grey = np.floor(np.clip(grey, 0, 255) + 0.5).astype(np.uint8)
    return Image.fromarray(255 - grey if stated.inverted else grey)


def range_of(picture: Image.Image, depth: Depth = "auto") -> tuple[float, float]:
    """Which values of a deep picture are black and white. Raises ValueError where some are no numbers."""
    import numpy as np

    values = np.asarray(picture)
    least, largest = float(values.min()), float(values.max())
    if not np.isfinite([least, largest]).all():
        raise ValueError("pixels that are no numbers (NaN or infinite); save it with 8 or 16 bits")
    if not isinstance(depth, str):
        return float(depth[0]), float(depth[1])
    stated = picture.info.get(_KEY) or Stated()
    if depth == "file":
        return least, largest
    if depth == "full":
        return stated.whole or ((0.0, 1.0) if picture.mode == "F" else _SIXTEEN)
    if stated.range is not None:
        return stated.range
    if stated.significant is not None:
        # By the standard values are scaled to all 16 bits; many writers leave them as the camera gave them.
        unscaled = 2.0**stated.significant - 1
        return (0.0, unscaled) if largest <= unscaled else _SIXTEEN
    if picture.mode == "F" and _ABOUT_ONE[0] <= least and largest < _ABOUT_ONE[1]:
        return 0.0, 1.0
    if least < 0 or largest > _SIXTEEN[1]:
        return least, largest  # of no sensor's width: what the file holds is all that is known
    return 0.0, _end(largest)


def range_shown(picture: Image.Image, depth: Depth) -> tuple[float, float] | None:
    """Which values of a picture from a file become black and white; None where it has 8 bits or fewer."""
    if is_deep(picture):
        return range_of(picture, depth)
    if (end := picture.info.get(_COLOUR)) is None:
        return None
    return (0.0, end) if depth == "auto" else _of_colour(picture, depth, end)


def _end(largest: float) -> float:
    """Of the smallest width that holds a value of 16 bits."""
    return next(end for end in (2.0**bits - 1 for bits in _WIDTHS) if largest <= end)


def significant_bits(data: bytes) -> int | None:
    """What the beginning of a grey PNG says in its chunk sBIT: how many bits of its values hold something."""
    place = 8  # behind the signature
    while place + 12 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if kind == b"sBIT" and length:
            return data[place + 8]
        if kind == b"IDAT":
            break
        place += 12 + length
    return None


# Colours of 16 bits, of which PIL keeps the upper 8 -------------------------------------------------------------------


def is_deep_colour(picture: Image.Image) -> bool:
    """Whether a file that is opened and not yet loaded has 16 bits a colour."""
    return any(";16" in str(tile.args) for tile in getattr(picture, "tile", ())) and not is_deep(picture)


def keep_lower_bits(picture: Image.Image, data: bytes) -> None:
    """Bring a loaded picture of 16 bits a colour to the width that holds it, where PIL's upper 8 bits are too few.

    data: the file's bytes, read only then. What `data.depth` says otherwise is done by `stretched`.
    """
    import numpy as np

    largest = 256.0 * max(high for _, high in _bands(picture)) + 255
    if (end := _end(largest)) < _SIXTEEN[1]:
        import cv2  # reads 16 bits a colour

        deep = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if deep is not None and deep.dtype == np.uint16 and deep.ndim == 3 and deep.shape[1::-1] == picture.size:
            deep = deep[..., 2::-1]
            end = _end(float(deep.max()))
            shown = Image.fromarray(np.floor(deep * (255 / end) + 0.5).astype(np.uint8)).convert(picture.mode)
            if picture.has_transparency_data and "A" in picture.getbands():
                shown.putalpha(picture.getchannel("A"))
            picture.paste(shown)
        else:
            end = _SIXTEEN[1]
    picture.info[_COLOUR] = end


def _bands(picture: Image.Image) -> list[tuple[int, int]]:
    """The least and the largest value of each colour, without transparency."""
    return [picture.getchannel(band).getextrema() for band in picture.getbands() if band != "A"]  # type: ignore[misc]


def stretched(picture: Image.Image, depth: Depth) -> Image.Image:
    """A picture of 16 bits a colour, as `keep_lower_bits` left it, in the range that `depth` says."""
    end = picture.info.get(_COLOUR)
    if end is None or depth == "auto":
        return picture
    low, high = _of_colour(picture, depth, end)
    table = [(value * end / 255 - low) * 255 / (high - low) if high > low else 0 for value in range(256)]
    table = [min(255, max(0, int(value + 0.5))) for value in table]
    same = list(range(256))
    return picture.point([one for band in picture.getbands() for one in (same if band == "A" else table)])


def _of_colour(picture: Image.Image, depth: Depth, end: float) -> tuple[float, float]:
    if depth == "full":
        return _SIXTEEN
    if not isinstance(depth, str):
        return float(depth[0]), float(depth[1])
    bands = _bands(picture)
    return min(low for low, _ in bands) * end / 255, max(high for _, high in bands) * end / 255
