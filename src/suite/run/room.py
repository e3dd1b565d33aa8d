"""What memory pictures take on their way through a model, and how large they may be: known before the first of them."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch

from suite.errors import UserError
from suite.files import readable_bytes
from suite.papers.base import Direction, Paper
from suite.run.machine import free_main_memory, free_memory
from suite.translating.batches import through
from suite.translating.fitting import Fitting
from suite.updates.memory import memory_of_pass

Sizes = Mapping[Path, tuple[int, int]]  # of pictures: width and height, pixels

_CALCULATED_FROM = 1024 * 1024  # pixels in a pass; below, a calculation is not worth its while
_SAID_FROM = 2**30  # bytes
_CALCULATED_AT = 512  # pixels a side: memory grows as their number does
# Kernels copy what they read and write: a ResNet of width 64 took 1.6 times what its tensors hold, at 768 pixels on a
# CPU. What is refused does not fit without that; a pass that is made fits with it.
_OF_KERNELS = 2
# Bytes of main memory a pixel: the picture as it is decoded and copied, and what its tiles are blended in.
_IN_TILES = 32


class Room(NamedTuple):
    """Bytes that a pixel takes in a pass, and that the device has; and what sides of a picture are multiples of."""

    of_pixel: float
    free: int
    divisor: int

    @property
    def pixels(self) -> int:
        """In a pass, at most."""
        return int(self.free / self.of_pixel)

    def bytes_of(self, pixels: int) -> str:
        return readable_bytes(pixels * self.of_pixel)

    def shape(self, width: int, height: int, size: int | None) -> tuple[int, int]:
        """What the networks read of a picture, its shorter side brought to `size` where that is given."""
        scale = 1 if size is None else size / min(width, height)
        return tuple(math.ceil(round(side * scale) / self.divisor) * self.divisor for side in (width, height))  # type: ignore[return-value]

    def largest_size(self, width: int, height: int) -> int | None:
        """The largest `size` of such a picture that fits; None: none does."""
        size = int(math.sqrt(self.pixels * min(width, height) / max(width, height)))
        while (size := size // self.divisor * self.divisor) > 0:
            if math.prod(self.shape(width, height, size)) <= self.pixels:
                return size
            size -= 1
        return None


def room_for(
    model: Paper, direction: Direction, sizes: Sizes, *, size: int | None, tile: int | None, batch_size: int, bf16: bool
) -> Room | None:
    """The room for pictures of these sizes; None where they are too few and small for it to matter.

    Raises UserError for tiles that the networks can't read.
    """
    if tile is not None:
        check_tile(model, tile)
    if model.fixed_size is not None or not sizes:
        return None
    of_model = Fitting.of(model, direction)
    room = Room(1, 1, of_model.divisor)
    largest = max(math.prod(room.shape(*one, size)) for one in sizes.values())
    largest = largest if tile is None else min(largest, tile * tile)
    if batch_size * largest < _CALCULATED_FROM:
        return None
    side = math.ceil(_CALCULATED_AT / of_model.divisor) * of_model.divisor
    taken = memory_of_pass(
        model,
        lambda twin: through(twin, torch.zeros(1, of_model.channels, side, side, dtype=torch.uint8), direction, bf16),
    )
    return room._replace(of_pixel=_OF_KERNELS * taken / side**2, free=free_memory(model.device))


def check_tile(model: Paper, tile: int) -> None:
    """Raises UserError for tiles that the networks of a model can't read."""
    if model.fixed_size is not None:
        raise UserError(
            f"tile={tile}: this model reads pictures of {model.fixed_size} pixels alone, to which all are brought; "
            "leave it out"
        )
    if tile % model.divisor:
        nearest = max(model.divisor, round(tile / model.divisor) * model.divisor)
        raise UserError(
            f"tile={tile} is not a multiple of {model.divisor}, which the networks need: use tile={nearest}"
        )


def too_large(room: Room, sizes: Sizes, size: int | None, tile: int | None) -> dict[Path, str]:
    """The pictures that do not fit the memory, with what helps. Raises UserError where a tile alone does not."""
    takes, mend = "takes", "; tile=<pixels> keeps its size"
    most = _OF_KERNELS * room.pixels
    if tile is not None:
        if tile**2 > _OF_KERNELS * room.pixels and max(map(max, sizes.values())) > tile:
            fits = int(math.sqrt(room.pixels)) // room.divisor * room.divisor
            raise UserError(
                f"tile={tile} takes {room.bytes_of(tile**2)} of memory by calculation, and {_has(room)}: "
                + (f"use tile={fits}" if fits else "no tile fits")
            )
        room = room._replace(of_pixel=_IN_TILES, free=free_main_memory())
        most = room.pixels
        takes, mend = "takes, in tiles, too,", ""
    found = {}
    for path, (width, height) in sizes.items():
        if (pixels := math.prod(room.shape(width, height, size))) > most:
            side = room.largest_size(width, height)
            helps = f"the largest that fits is size={side}{mend}" if side else "no size fits"
            taken = f"{takes} {room.bytes_of(pixels)} of memory by calculation"
            found[path] = f"{width}x{height} {taken}, and {_has(room)}: {helps}"
    return found


def said(room: Room, sizes: Sizes, size: int | None, tile: int | None, batch_size: int) -> list[str]:
    """A line on what the largest pass will take, where that is much. sizes: of those that fit."""
    if not sizes:
        return []
    path, largest = max(sizes.items(), key=lambda item: math.prod(item[1]))
    one = math.prod(room.shape(*largest, size))
    one = one if tile is None else min(one, tile * tile)
    alike = list(sizes.values()).count(largest) if tile is None else batch_size  # a pass has pictures of one size
    at_once = max(1, min(batch_size, alike, room.pixels // one))
    if at_once * one * room.of_pixel < _SAID_FROM:
        return []
    what = f"{at_once} such as {path}" if at_once > 1 else str(path)
    what = what if tile is None else f"{at_once} tiles of {tile} pixels"
    return [f"memory: up to {room.bytes_of(at_once * one)} by calculation, for {what}; {_has(room)}"]


def _has(room: Room) -> str:
    return f"there is {readable_bytes(room.free)}"
