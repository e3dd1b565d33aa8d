"""A contact sheet: random samples of a data set, each photo beside its drawings, with key, split and label."""

from collections.abc import Callable
from functools import cache, partial
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps

from suite.data.catalog import Catalog, Picture, Record, Split, flatten
from suite.data.depth import Depth
from suite.data.finish import Sketched
from suite.data.pictures.decode import Fit
from suite.data.splits import Splits
from suite.data.tools.checking import label_name

Look = Callable[[Picture], Image.Image]  # RGB of any size

# Pixels.
_TILE, _GAP, _LINE, _FONT = 128, 8, 15, 12
_COLUMNS = 8  # pictures beside each other
_MOST_DRAWINGS = 5  # of one photo
_PAPER, _INK, _FAULT = "white", "black", (200, 40, 40)


class Sample(NamedTuple):
    """A record and the split it is in."""

    split: Split
    record: Record


def choose(splits: Splits, most: int, seed: int) -> list[Sample]:
    """Random records, as many as there are up to `most`: pairs, then photos alone, then drawings alone.

    Kinds that are there get equal shares, so that a large side leaves room for a small one.
    """
    kinds: tuple[list[Sample], ...] = ([], [], [])
    for split, records in splits.items():
        for record in records:
            kinds[0 if record.paired else 1 if record.photo is not None else 2].append(Sample(split, record))
    generator = np.random.default_rng(seed)
    shuffled = [[of[place] for place in generator.permutation(len(of))[:most]] for of in kinds]
    dealt = [sample for one_of_each in zip_longest(*shuffled) for sample in one_of_each if sample is not None][:most]
    return sorted(dealt, key=lambda sample: (not sample.record.paired, sample.record.photo is None))


def draw_sheet(
    samples: list[Sample],
    catalog: Catalog,
    sketch: Sketched | None = None,
    size: int = 256,
    depth: Depth = "auto",
) -> Image.Image:
    """The samples in rows, RGB. A picture that can't be decoded is a crossed-out square.

    With `sketch` the drawings are photos, of which sketches are made at `size` pixels, as for a batch.
    """
    shown = partial(_as_it_is, depth)
    drawn = shown if sketch is None else partial(_sketch_of, sketch, size, depth)
    blocks = [_block(sample, catalog, shown, drawn) for sample in samples]
    places: list[tuple[int, int]] = []
    x, y = _GAP, _GAP + _LINE
    for block in blocks:
        if x > _GAP and x + block.width > _width(_COLUMNS) - _GAP:
            x, y = _GAP, y + block.height
        places.append((x, y))
        x += block.width + _GAP
    height = y + (blocks[0].height if blocks else 0) + _GAP
    sheet = Image.new("RGB", (_width(_COLUMNS), height), _PAPER)
    for block, place in zip(blocks, places, strict=True):
        sheet.paste(block, place)
    _write_text(ImageDraw.Draw(sheet), (_GAP, _GAP // 2), catalog.summary(), sheet.width - 2 * _GAP)
    return sheet


def _width(pictures: int) -> int:
    return _GAP + pictures * (_TILE + _GAP)


def _block(sample: Sample, catalog: Catalog, shown: Look, drawn: Look) -> Image.Image:
    """The pictures of a record beside each other, and two lines below them."""
    record = sample.record
    tiles = [] if record.photo is None else [_tile(record.photo, shown)]
    tiles += [_tile(drawing, drawn) for drawing in record.drawings[:_MOST_DRAWINGS]]
    block = Image.new("RGB", (_width(len(tiles)) - 2 * _GAP, _TILE + 2 * _LINE + _GAP), _PAPER)
    for number, tile in enumerate(tiles):
        block.paste(tile, (number * (_TILE + _GAP), 0))
    more = len(record.drawings) - _MOST_DRAWINGS
    about = [
        sample.split,
        *(() if record.label is None else (label_name(catalog, record.label),)),
        *(() if record.paired else ("photo" if record.photo is not None else "drawing",)),
        *((f"{more} more drawings",) if more > 0 else ()),
    ]
    draw = ImageDraw.Draw(block)
    _write_text(draw, (0, _TILE + 1), record.key, block.width)
    _write_text(draw, (0, _TILE + 1 + _LINE), ", ".join(about), block.width)
    return block


def _as_it_is(depth: Depth, picture: Picture) -> Image.Image:
    return flatten(picture.load(), "RGB", depth)


def _sketch_of(sketch: Sketched, size: int, depth: Depth, photo: Picture) -> Image.Image:
    pixels = torch.from_numpy(Fit(size, 3, "cover", whole=True, depth=depth).decode(photo))
    return Image.fromarray(sketch.of_uint8(pixels)[0].numpy()).convert("RGB")


def _tile(picture: Picture, look: Look) -> Image.Image:
    square = Image.new("RGB", (_TILE, _TILE), (230, 230, 230))
    try:
        small = ImageOps.contain(look(picture), square.size)
    except (OSError, ValueError):
        draw = ImageDraw.Draw(square)
        draw.line((0, 0, _TILE, _TILE), _FAULT, 2)
        draw.line((0, _TILE, _TILE, 0), _FAULT, 2)
        draw.text((4, 2), "broken", _FAULT, _font())
        return square
    square.paste(small, ((_TILE - small.width) // 2, (_TILE - small.height) // 2))
    return square


def _write_text(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, width: int) -> None:
    """One line; of what is wider than `width` its end, as names of files differ there."""
    line = "".join(map(_drawable, text))
    shown = line
    while _font().getlength(shown) > width:
        line = line[1:]
        shown = f"...{line}"
    draw.text(place, shown, _INK, _font())


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FONT)


@cache
def _drawable(character: str) -> str:
    """The character, or its number where the font has no picture of it: a name then still says which file it is."""
    unknown = bytes(_font().getmask("\U0010ffff"))
    if character.isprintable() and (character.isspace() or bytes(_font().getmask(character)) != unknown):
        return character
    return character.encode("unicode_escape").decode()
