"""Picture files through a model, in batches, while threads decode what comes next and write what is done.

files ─► decode, fit ─► batches of equal shape ─► model ─► bring back, write ─► files
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from suite import images
from suite.data.catalog import PictureFile, flatten, is_transparent
from suite.data.depth import Depth
from suite.data.pictures.decode import Array, Fit
from suite.data.pictures.headers import pages_of
from suite.errors import UserError, is_out_of_memory
from suite.files import make_folder, write_picture
from suite.papers.base import Direction, Paper
from suite.translating.fitting import Fitted, Fitting
from suite.translating.outputs import Pair
from suite.translating.tiles import in_tiles

_WAITING = 64 * 2**20  # bytes of pictures that wait for others of their shape; larger ones go in smaller batches
_THREADS = 8  # at most
_TOO_LARGE = "too large for the memory"


def pick_device(name: str) -> torch.device:
    """The device of that name; `auto` is the accelerator where there is one. Raises UserError where it is not here."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if name == "auto":
        return accelerator or torch.device("cpu")
    here = ["cpu"]
    if accelerator:
        here += [accelerator.type, *(f"{accelerator.type}:{n}" for n in range(torch.accelerator.device_count()))]
    if name not in here:
        raise UserError(f"device={name} is not on this machine: use auto, {', '.join(here)}")
    return torch.device(name)


def pick_direction(model: Paper, name: Direction | None, target: str | None = None) -> Direction:
    """The direction of that name, or to the label `target`; where neither is given the model's first, but of no labels.

    Raises UserError where the model does not have it, or none at all.
    """
    if not model.directions:
        raise UserError(
            f"stage {model.stage} of {type(model).__name__} translates no pictures: give the run of another"
        )
    if target is not None:
        return model.towards(target)
    if name is None and model.labels:
        raise UserError(f"to which label? Say target=<name>, one of: {', '.join(model.labels)}")
    if name is None:
        return next(iter(model.directions))
    if name not in model.directions:
        raise UserError(f"direction={name}: this {type(model).__name__} can only do {', '.join(model.directions)}")
    return name


def read_style(model: Paper, path: Path, depth: Depth = "auto") -> Tensor:
    """An exemplar of style for `Paper.take_style`, in the size that the networks read. Raises UserError."""
    try:
        return style_of(model, PictureFile(path).load(), depth)
    except (OSError, ValueError) as error:
        raise UserError(f"style={path}: no readable picture ({_reason(error)})") from error


def style_of(model: Paper, picture: Image.Image, depth: Depth = "auto") -> Tensor:
    """The same of a picture of any mode. Raises ValueError where its values can't be brought to 8 bits."""
    channels = model.hparams["channels_b"]
    fitted = Fitting(channels, model.divisor, model.fixed_size).fit(_fitted(picture, channels, None, depth))
    return images.unit_to_signed(images.uint8_to_unit(fitted.pixels[None])).to(model.device)


def translate_picture(
    model: Paper, picture: Image.Image, direction: Direction, *, size: int | None = None, depth: Depth = "auto"
) -> tuple[Image.Image, Image.Image]:
    """A picture of any mode as the model reads it, and its translation, of one size; see `translate_files`.

    Raises ValueError where its values can't be brought to 8 bits, UserError where it does not fit the memory.
    """
    fitting = Fitting.of(model, direction)
    with in_memory(picture):
        read = _fitted(picture, fitting.channels, size, depth)
        fitted = fitting.fit(read)
        (result,) = forward(model, fitted.pixels[None], direction, bf16=False)
        return images.to_pil(torch.from_numpy(read.copy())), images.to_pil(fitting.back(result, fitted))


@contextmanager
def in_memory(picture: Image.Image) -> Iterator[None]:
    """Raises UserError where what is done with the picture does not fit the memory."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"a picture of {picture.width}x{picture.height} pixels is {_TOO_LARGE}") from error


class _Read(NamedTuple):
    """A picture on its way."""

    source: Path
    target: Path
    fitted: Fitted
    pages: int  # of its file, of which it is the first
    transparent: bool  # in places, which lie on white now


class _Failed(NamedTuple):
    source: Path
    reason: str


def translate_files(
    model: Paper,
    pairs: Iterable[Pair],
    direction: Direction | None = None,
    *,
    size: int | None = None,
    tile: int | None = None,
    batch_size: int = 8,
    most: int | None = None,
    bf16: bool = False,
    depth: Depth = "auto",
    on_done: Callable[[], object] = lambda: None,
    on_read: Callable[[Path, int, bool], object] = lambda path, pages, transparent: None,
) -> dict[Path, str]:
    """Translate picture files of any size, mode and format; the model is in eval mode, on the device to use.

    pairs: input and output files. An output is replaced if it is there; its suffix says the format.
    direction: the model's first where not given. size: of the shorter side in pixels, brought there before.
    tile: larger pictures go through in tiles of so many pixels a side, blended, see `in_tiles`. most: pixels in a pass.
    bf16: compute in bfloat16 instead of fp32. depth: what is black and white in pictures of more than 8 bits, as the
    model was trained. on_done: called once for each picture. on_read: called for each that could be read, with the
    number of pages or frames in its file, of which the first is translated, and whether it is transparent in places.
    Returns what is wrong with the pictures that could not be translated, by input file.
    Raises UserError for a direction that the model does not have, and for an output that can't be written.
    """
    direction = pick_direction(model, direction)
    fitting = Fitting.of(model, direction)
    read = partial(_read, fitting=fitting, size=size, depth=depth)
    threads = min(_THREADS, os.cpu_count() or 1)
    writes: deque[tuple[Path, Future[None]]] = deque()
    failed: dict[Path, str] = {}

    def fail(source: Path, reason: str) -> None:
        failed[source] = " ".join(reason.split())
        on_done()

    def readable(pool: Executor) -> Iterator[_Read]:
        for picture in _read_ahead(pool, read, pairs, ahead=2 * threads):
            if isinstance(picture, _Read):
                on_read(picture.source, picture.pages, picture.transparent)
                yield picture
            else:
                fail(*picture)

    def translated(batch: list[_Read]) -> Iterator[tuple[_Read, Tensor | None]]:
        if tile is None or max(batch[0].fitted.pixels.shape[1:]) <= tile:
            return _translated(model, batch, direction, bf16)
        at_once = batch_size if most is None else max(1, min(batch_size, most // tile**2))
        return ((picture, _tiled(model, picture, direction, bf16, tile, at_once)) for picture in batch)

    def finish_writes(until: int) -> None:
        while len(writes) > until:
            source, write = writes.popleft()
            try:
                write.result()
            except MemoryError:
                fail(source, f"its translation is {_TOO_LARGE}; try size=1024")
            else:
                on_done()

    with ThreadPoolExecutor(threads) as pool:
        for batch in _in_batches(readable(pool), batch_size, most):
            for picture, result in translated(batch):
                if result is None:
                    _, height, width = picture.fitted.pixels.shape
                    fail(picture.source, f"{width}x{height} is {_TOO_LARGE}; try size=1024")
                else:
                    writes.append((picture.source, pool.submit(_write, fitting, result, picture)))
            finish_writes(until=2 * threads)
        finish_writes(until=0)
    return failed


def _read(pair: Pair, fitting: Fitting, size: int | None, depth: Depth) -> _Read | _Failed:
    source, target = pair
    picture = PictureFile(source)
    try:
        loaded = picture.load()
        fitted = fitting.fit(_fitted(loaded, fitting.channels, size, depth))
    except (OSError, ValueError) as error:
        return _Failed(source, _reason(error))
    except MemoryError:
        return _Failed(source, f"it is {_TOO_LARGE}")
    return _Read(source, target, fitted, pages_of(picture), is_transparent(loaded))


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())


def _fitted(loaded: Image.Image, channels: int, size: int | None, depth: Depth) -> Array:
    flat = flatten(loaded, "L" if channels == 1 else "RGB", depth)
    if size is not None:
        return Fit(size, channels, "cover", whole=True).pixels(flat)
    array = np.asarray(flat)
    return np.ascontiguousarray(array.reshape(*array.shape[:2], channels).transpose(2, 0, 1))


def _read_ahead(
    pool: Executor, read: Callable[[Pair], _Read | _Failed], pairs: Iterable[Pair], ahead: int
) -> Iterator[_Read | _Failed]:
    """The pictures in order, of which the pool reads up to `ahead` before they are asked for."""
    reading: deque[Future[_Read | _Failed]] = deque()
    for pair in pairs:
        reading.append(pool.submit(read, pair))
        if len(reading) > ahead:
            yield reading.popleft().result()
    while reading:
        yield reading.popleft().result()


def _in_batches(pictures: Iterable[_Read], batch_size: int, most: int | None) -> Iterator[list[_Read]]:
    """The pictures in batches of one shape, in any order; few of them are ever held back.

    most: pixels in a batch of several.
    """
    waiting: dict[torch.Size, list[_Read]] = {}
    for picture in pictures:
        shape = picture.fitted.pixels.shape
        waiting.setdefault(shape, []).append(picture)
        fit = batch_size if most is None else min(batch_size, most // shape[1:].numel())
        if len(waiting[shape]) >= fit:
            yield waiting.pop(shape)
        while sum(len(group) * shape.numel() for shape, group in waiting.items()) > _WAITING:
            yield waiting.pop(max(waiting, key=lambda shape: len(waiting[shape])))
    yield from waiting.values()


def _translated(
    model: Paper, batch: list[_Read], direction: Direction, bf16: bool
) -> Iterator[tuple[_Read, Tensor | None]]:
    """The pictures of a batch, all of one shape, with their translations; None where one alone does not fit."""
    results = None
    try:
        results = through(model, torch.stack([picture.fitted.pixels for picture in batch]), direction, bf16)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    # Not in the except block: there the failed pass still holds its memory.
    if results is not None:
        yield from zip(batch, results, strict=True)
    elif len(batch) == 1:
        yield batch[0], None
    else:
        half = len(batch) // 2
        for part in (batch[:half], batch[half:]):
            yield from _translated(model, part, direction, bf16)


def _tiled(model: Paper, picture: _Read, direction: Direction, bf16: bool, tile: int, at_once: int) -> Tensor | None:
    """Its translation, tile by tile; None where a single tile does not fit."""
    try:
        one_pass = partial(forward, model, direction=direction, bf16=bf16)
        return in_tiles(picture.fitted.pixels, tile, at_once, one_pass)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    return None


def forward(model: Paper, pixels: Tensor, direction: Direction, bf16: bool) -> Tensor:
    """Translate uint8 (B, C, H, W) to uint8, both in main memory; of a size that the networks read.

    A batch that does not fit the memory is halved. Raises what torch does where a single picture does not.
    """
    try:
        return through(model, pixels, direction, bf16)
    except (RuntimeError, MemoryError) as error:
        if len(pixels) == 1 or not is_out_of_memory(error):
            raise
    return torch.cat([forward(model, half, direction, bf16) for half in pixels.chunk(2)])  # as in `_translated`


def through(model: Paper, pixels: Tensor, direction: Direction, bf16: bool) -> Tensor:
    """Translate uint8 (B, C, H, W) to uint8, both in main memory, in one pass. Raises what torch does."""
    x = images.unit_to_signed(images.uint8_to_unit(pixels.to(model.device)))
    with torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
        y = model.translate(x, direction)
    return images.signed_to_uint8(y).cpu()


def _write(fitting: Fitting, result: Tensor, picture: _Read) -> None:
    make_folder(picture.target.parent)
    write_picture(images.to_pil(fitting.back(result, picture.fitted)), picture.target)
