"""Writing a packed set: every picture of a catalog into shards, see suite/data/sources/shards.py.

The folder is built beside its place and renamed into it: it is whole or it is not there.
"""

import glob
import hashlib
import io
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from torch.utils.data import Dataset

from suite.data.catalog import Catalog, Picture, PictureFile, Record, bytes_of, flatten, upright
from suite.data.depth import Depth
from suite.data.pictures.decode import MOST_BROKEN, broken
from suite.data.pictures.loading import by_all_cores
from suite.data.pictures.processes import any_distant
from suite.data.sources.helpers.packed_catalog import CATALOG, packed
from suite.data.sources.shards import drawn_size, source_settings
from suite.errors import UserError
from suite.files import remove_abandoned, unfinished_folder

_IN_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # modes that PNG gives back as they were


class Packed(NamedTuple):
    """What came of it."""

    pictures: int
    bytes: int  # of all shards
    shards: int
    broken: list[str]  # names of pictures that were left out


def pack(
    catalog: Catalog,
    source: str,
    options: Mapping[str, Any],
    size: int,
    output: Path,
    shard_bytes: int,
    skip_broken: bool,
    on_done: Callable[[], object] = lambda: None,
    depth: Depth = "auto",
) -> Packed:
    """Write the shards of a catalog as the folder `output`, taking the place of a packed set that is there.

    `source`, `options` and `size` (pixels, for a source that draws its pictures) are what the catalog was listed with.
    A shard is closed once it has `shard_bytes`. `on_done` is called after each picture. One that `depth` can't
    read is broken. Raises UserError for a broken picture unless `skip_broken`, and then for more than 1 %; and OSError
    where the disk is full.
    """
    numbered = [
        (number, side, picture)
        for number, record in enumerate([*catalog.records, *catalog.orphans])
        for side, picture in [("photo", record.photo)] * (record.photo is not None)
        + [(f"drawing{place}", drawing) for place, drawing in enumerate(record.drawings)]
    ]
    pictures: list[Picture] = [picture for *_, picture in numbered if picture is not None]
    output.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(output.parent, glob.escape(output.name))
    unfinished = unfinished_folder(output)
    try:
        places: list[tuple[int, int, int, int] | str] = []
        left_out: list[str] = []
        with _ShardWriter(unfinished, shard_bytes) as writer:
            all_encoded = by_all_cores(_Encoding(pictures, depth), any_distant(pictures))
            for (number, side, _), picture, encoded in zip(numbered, pictures, all_encoded, strict=True):
                if isinstance(encoded, str):
                    left_out.append(picture.name)
                    if not skip_broken:
                        raise broken(picture, encoded)
                    if len(left_out) > max(1, MOST_BROKEN * len(pictures)):
                        some = ", ".join(left_out[:3])
                        raise UserError(f"more than 1 % of {len(pictures)} pictures are broken: {some}, ...; mend them")
                    places.append(encoded)
                else:
                    places.append(writer.add(number, side, *encoded))
                on_done()
        content = _content(catalog, pictures, places)
        about = {
            "settings": source_settings(source, options),
            "size": drawn_size(source, size),
            "sha256": writer.sha256,
            "shards": writer.shards,
        }
        (unfinished / CATALOG).write_bytes(packed(about | content))
        _put_in_place(unfinished, output)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    total = sum(shard["bytes"] for shard in writer.shards)
    return Packed(len(pictures) - len(left_out), total, len(writer.shards), left_out)


class _ShardWriter:
    """Tar files one after the other; the pictures of a record share its number, which makes them one WebDataset sample.

    The shards of the same pictures are the same, byte for byte.
    """

    def __init__(self, folder: Path, shard_bytes: int) -> None:
        self.folder, self.shard_bytes = folder, shard_bytes
        self.shards: list[dict[str, Any]] = []
        self._digest = hashlib.sha256()
        self._sample = -1
        self._tar: Any = None
        self._file: Any = None

    @property
    def sha256(self) -> str:
        """Of the bytes of all pictures so far."""
        return self._digest.hexdigest()

    def add(self, sample: int, side: str, data: bytes, suffix: str) -> tuple[int, int, int, int]:
        """Where the picture lies: number of the shard, offset and length in bytes; and its CRC-32."""
        if self._tar is None or (sample != self._sample and self._tar.tarstream.offset >= self.shard_bytes):
            self._next_shard()
        self._sample = sample
        self._tar.write({"__key__": f"{sample:09d}", f"{side}{suffix}": data})
        self._digest.update(data)
        padded = -(-len(data) // 512) * 512  # tar counts in blocks
        start = self._tar.tarstream.offset - padded
        return len(self.shards) - 1, start, len(data), zlib.crc32(data)

    def _next_shard(self) -> None:
        from webdataset import TarWriter

        self._close_shard()
        name = f"shard-{len(self.shards):06d}.tar"
        self._file = (self.folder / name).open("wb")
        self._tar = TarWriter(self._file, user="", group="", mtime=0, encoder=False)
        self.shards.append({"file": name, "bytes": 0})

    def _close_shard(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self.shards[-1]["bytes"] = self._file.tell()
            self._file.close()
            self._tar = self._file = None

    def __enter__(self) -> "_ShardWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None:
            self._close_shard()
        elif self._tar is not None:
            with suppress(OSError):  # the disk may be full
                self._tar.close()
                self._file.close()


class _Encoding(Dataset[tuple[bytes, str] | str]):
    """Position -> bytes and suffix of a picture, or what is wrong with it."""

    def __init__(self, pictures: list[Picture], depth: Depth) -> None:
        self.pictures, self.depth = pictures, depth

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, position: int) -> tuple[bytes, str] | str:
        try:
            return encode(self.pictures[position], self.depth)
        except (OSError, ValueError) as error:
            return str(error)


def encode(picture: Picture, depth: Depth = "auto") -> tuple[bytes, str]:
    """The bytes of a picture and their suffix: the file as it is, or a lossless one of what is made on loading.

    Raises OSError or ValueError where it is broken.
    """
    if isinstance(picture, PictureFile) and picture.half == "whole":
        data = bytes_of(picture.path)
        flatten(upright(io.BytesIO(data)), "RGB", depth)  # a picture that training could not use is found now
        return data, picture.path.suffix.lower()
    shown = picture.load()
    if shown.mode == "YCbCr":
        shown = shown.convert("RGB")  # Pillow 12 reads no TIFF that it has written of it
    flatten(shown, "RGB", depth)
    file, suffix = io.BytesIO(), "png" if shown.mode in _IN_PNG else "tiff"
    shown.save(file, suffix)
    return file.getvalue(), f".{suffix}"


def _content(catalog: Catalog, pictures: list[Picture], places: list[Any]) -> dict[str, Any]:
    """The catalog as JSON; records name their pictures by number."""
    numbers = iter(range(len(pictures)))
    root = "" if catalog.root is None else f"{catalog.root}{os.sep}"
    return {
        "dataset": catalog.dataset,
        "label_names": list(catalog.label_names),
        "identities": catalog.identities,
        "problems": {
            name: getattr(catalog, name)
            for name in ("orphan_photos", "orphan_drawings", "missing", "warnings", "split_warnings")
        },
        "pictures": [(picture.name.removeprefix(root), place) for picture, place in zip(pictures, places, strict=True)],
        "records": [_row(record, numbers) for record in catalog.records],
        "orphans": [_row(record, numbers) for record in catalog.orphans],  # a data.target may learn from them
    }


def _row(record: Record, numbers: Iterator[int]) -> tuple[Any, ...]:
    photo = None if record.photo is None else next(numbers)
    drawings = [next(numbers) for _ in record.drawings]
    return record.key, photo, drawings, record.label, record.group, record.split


def _put_in_place(finished: Path, output: Path) -> None:
    if not output.exists():
        finished.rename(output)
        return
    old = output.with_name(f"{finished.name}-old")
    output.rename(old)
    finished.rename(output)
    shutil.rmtree(old, ignore_errors=True)
