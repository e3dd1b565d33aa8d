"""Decode once: pictures as uint8 in one memory-mapped file, shared by all workers, ranks and later runs.

    <cache_dir>/pictures/<dataset>-<hash>/
      pixels.bin   all pictures one behind the other, each (C, H, W)
      index.npy    (N, 3) int64: offset in bytes, height, width; height 0 marks a broken picture
      digests.npy  (N, 16) uint8: of each picture's pixels before they were fitted; caches of old have none
      about.json   channels, and the broken pictures by name

The hash covers the pictures' identities (path, size, time of change) and how they are fitted, so that a changed file is
decoded again. A folder is built beside its place and renamed into it: it is whole or it is not there.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch.utils.data import Dataset

from suite.data.catalog import Picture
from suite.data.pictures.decode import DIGEST_BYTES, Array, Fit, broken, digest_of
from suite.data.pictures.loading import by_all_cores
from suite.data.sources.shards import ShardPicture
from suite.errors import UserError
from suite.files import remove_abandoned, unfinished_folder
from suite.progress import counting

_FORMAT = 1  # count up when the same files and the same Fit give other bytes
_A_MOMENT = 1.0  # seconds before a progress bar appears


class Store(Protocol):
    """Pictures by position."""

    broken: dict[int, str]  # those that are known not to be readable: position -> name

    def read(self, position: int) -> Array:
        """uint8 (C, H, W), read-only where it comes from a file. Raises UserError where the picture is broken."""

    def digests(self) -> Array | None:
        """(N, 16) of all pictures' pixels; None where nobody has looked at them."""


class DecodedStore:
    """Decodes at every reading: nothing on disk."""

    def __init__(self, pictures: Sequence[Picture], fit: Fit) -> None:
        self.pictures, self.fit = pictures, fit
        self.broken = {  # of files nothing is known before they are read
            position: picture.name
            for position, picture in enumerate(pictures)
            if isinstance(picture, ShardPicture) and picture.broken is not None
        }

    def read(self, position: int) -> Array:
        try:
            return self.fit.decode(self.pictures[position])
        except (OSError, ValueError) as error:
            raise broken(self.pictures[position], error) from error

    def digests(self) -> None:
        return None


class CachedStore:
    """Reads from a finished cache folder. Raises UserError where the folder is damaged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pixels: Array | None = None
        try:
            about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
            self.channels: int = about["channels"]
            self.broken: dict[int, str] = {int(position): name for position, name in about["broken"].items()}
            self.index = np.load(folder / "index.npy")
            sizes = self.index[:, 1] * self.index[:, 2] * self.channels
            starts, there = np.cumsum(sizes) - sizes, sizes > 0
            damaged = (folder / "pixels.bin").stat().st_size != sizes.sum()
            damaged |= bool((self.index[there, 0] != starts[there]).any())
        except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError, EOFError):  # as of half a file
            damaged = True
        if damaged:
            raise UserError(f"{folder}: this picture cache is damaged; delete the folder, it is built again")

    def read(self, position: int) -> Array:
        if self._pixels is None:  # mapped by each process for itself
            self._pixels = np.asarray(np.memmap(self.folder / "pixels.bin", dtype=np.uint8, mode="r"))
        offset, height, width = self.index[position].tolist()
        return self._pixels[offset : offset + self.channels * height * width].reshape(self.channels, height, width)

    def digests(self) -> Array | None:
        path = self.folder / "digests.npy"
        return np.load(path) if path.is_file() else None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_pixels": None}  # a pickled map would carry every byte


def fingerprint(pictures: Sequence[Picture], fit: Fit) -> str:
    """A hash that changes when any picture, their order or their fit does."""
    digest = hashlib.sha256(f"{_FORMAT} {fit}".encode())
    for picture in pictures:
        try:
            digest.update(b"\0" + picture.identity().encode(errors="surrogateescape"))
        except OSError as error:
            raise broken(picture, error) from error
    return digest.hexdigest()[:16]


def cache_place(pictures: Sequence[Picture], fit: Fit, folder: Path, dataset: str) -> Path:
    """The folder that the cache of these pictures has, or will have."""
    return folder / f"{dataset}-{fingerprint(pictures, fit)}"


def find_cache(
    pictures: Sequence[Picture], fit: Fit, folder: Path, dataset: str, skip_broken: bool
) -> CachedStore | None:
    """The cache of these pictures, if it is there."""
    return _found(pictures, cache_place(pictures, fit, folder, dataset), skip_broken)


def _found(pictures: Sequence[Picture], place: Path, skip_broken: bool) -> CachedStore | None:
    if not place.is_dir():
        return None
    store = CachedStore(place)
    if store.broken and not skip_broken:
        raise broken(pictures[min(store.broken)], "found while the cache was built")
    return store


def open_cache(pictures: Sequence[Picture], fit: Fit, folder: Path, dataset: str, skip_broken: bool) -> CachedStore:
    """The cache of these pictures, built first where it is not there.

    Two builders at once both succeed. Raises UserError for a broken picture unless `skip_broken`, and where the
    folder can't be written.
    """
    place = cache_place(pictures, fit, folder, dataset)
    if (store := _found(pictures, place, skip_broken)) is not None:
        return store
    try:
        _build(pictures, fit, place, skip_broken)
    except OSError as error:
        raise UserError(
            f"data.cache_dir={folder.parent}: the picture cache can't be written ({error.strerror or error}); "
            "free space there, name another folder, or set data.cache=false"
        ) from error
    return CachedStore(place)


def _build(pictures: Sequence[Picture], fit: Fit, place: Path, skip_broken: bool) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(place.parent)
    unfinished = unfinished_folder(place)
    try:
        index = np.zeros((len(pictures), 3), dtype=np.int64)
        digests = np.zeros((len(pictures), DIGEST_BYTES), dtype=np.uint8)
        skipped: dict[int, str] = {}
        offset = 0
        with (unfinished / "pixels.bin").open("wb") as file:
            for position, decoded in enumerate(_with_progress(by_all_cores(_Decoding(pictures, fit)), len(pictures))):
                if isinstance(decoded, str):
                    if not skip_broken:
                        raise broken(pictures[position], decoded)
                    skipped[position] = pictures[position].name
                    continue
                pixels, digest = decoded
                file.write(pixels.tobytes())
                index[position] = (offset, *pixels.shape[1:])
                digests[position] = np.frombuffer(digest, dtype=np.uint8)
                offset += pixels.size
            file.flush()
            os.fsync(file.fileno())
        np.save(unfinished / "index.npy", index)
        np.save(unfinished / "digests.npy", digests)
        about = {"channels": fit.channels, "broken": skipped}
        (unfinished / "about.json").write_text(json.dumps(about), encoding="utf-8")
        try:
            unfinished.rename(place)
        except OSError:
            if not place.is_dir():  # else another builder was first, with the same bytes
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


_Decoded = tuple[Array, bytes] | str  # a picture and its digest, or what is wrong with it


class _Decoding(Dataset[_Decoded]):
    """The pictures by position."""

    def __init__(self, pictures: Sequence[Picture], fit: Fit) -> None:
        self.pictures, self.fit = pictures, fit

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, position: int) -> _Decoded:
        try:
            flat = self.fit.flat(self.pictures[position])
            return self.fit.pixels(flat), digest_of(flat)
        except (OSError, ValueError) as error:
            return str(error)


def _with_progress(decoded: Iterator[_Decoded], total: int) -> Iterator[_Decoded]:
    """The same pictures, with a progress bar if they take more than a moment."""
    progress = counting()
    task = progress.add_task("decoding pictures", total=total)
    started = time.monotonic()
    try:
        for picture in decoded:
            yield picture
            progress.advance(task)
            if not progress.live.is_started and time.monotonic() - started > _A_MOMENT:
                progress.start()
    finally:
        if progress.live.is_started:  # else it would leave an empty line
            progress.stop()
