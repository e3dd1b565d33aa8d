"""Packed sets: a catalog whose pictures lie in shards, in a folder or an object store. `suite.pack` writes them.

    <folder or URL>/
      catalog.json.gz    what the source found, and where the bytes of each picture lie
      shard-000000.tar   WebDataset shards: tar files, the pictures of a record side by side
      shard-000001.tar   ...

A picture is fetched by its range of bytes, when it is wanted: any order costs the same, so the samples come in the
order that they have from files, and nothing is kept on the local disk. Processes share no handle and no connection.
"""

import io
import json
import os
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

from PIL import Image

from suite.arguments import shown
from suite.data.catalog import Catalog, Record, upright
from suite.data.sources import find_source, source_arguments
from suite.data.sources.helpers import stores
from suite.data.sources.helpers.packed_catalog import CATALOG, MOST_BYTES, PackedCatalog, Row, read_catalog
from suite.errors import UserError

_FOLDERS = ("photos", "images")  # options of sources that are folders, also where they are relative
_WAITS = (1, 2, 4, 8)  # seconds before asking a store again that did not answer
_PATIENCE = 60  # seconds that a store may take over one picture
_OF_ALL = 10  # times as long over the catalog, and over the sizes of all shards


@dataclass(frozen=True)
class Shards:
    """The shards of one packed set, open to every process: a filesystem is looked up at each reading."""

    key: str  # of the configuration that names them
    where: str  # folder or URL
    sha256: str  # of all pictures
    files: tuple[str, ...]

    def read(self, file: str, start: int, length: int) -> bytes:
        """`length` bytes of a file. Raises UserError where they can't be had, at last, or are not so many."""
        data = self._fetch(file, start, length, _PATIENCE)
        if len(data) != length:
            reason = "truncated" if len(data) < length else "on a server that gives no ranges of bytes"
            came = f"{len(data)} bytes" if len(data) < length else "more"
            raise self.error(f"{file} is {reason}: {came} came for {length}")
        return data

    def read_catalog(self) -> bytes:
        """As it is packed. Raises UserError where there is none, or one far too large."""
        data = self._fetch(CATALOG, 0, MOST_BYTES, _OF_ALL * _PATIENCE, whole=True)
        if len(data) > MOST_BYTES:
            raise self.error(f"{CATALOG} has more than {MOST_BYTES:,} bytes, and none has: is this a packed set?")
        return data

    def _fetch(self, file: str, start: int, most: int, patience: float, whole: bool = False) -> bytes:
        store, path = self._place()
        for wait in (*_WAITS, None):
            try:
                return stores.fetch(store, f"{path}/{file}", start, most, patience, whole)
            except FileNotFoundError as error:
                raise self.error(f"there is no {file}") from error
            except Exception as error:  # each kind of store raises its own
                if wait is None or "file" in store.protocol or isinstance(error, PermissionError):
                    raise self.error(f"{file} can't be read ({_line(error)})") from error
                time.sleep(wait)
        raise AssertionError

    def check_sizes(self, expected: Mapping[str, int]) -> None:
        """Raises UserError for a shard that is missing or has another size; a store that tells none is believed."""
        store, path = self._place()
        try:
            sizes = stores.sizes(store, [f"{path}/{file}" for file in expected], _OF_ALL * _PATIENCE)
        except FileNotFoundError as error:
            raise self.error(f"a shard is missing ({_line(error)}); copy it there again") from error
        except Exception as error:
            raise self.error(f"the shards can't be looked at ({_line(error)})") from error
        for (file, wanted), size in zip(expected.items(), sizes, strict=True):
            if size is not None and size != wanted:
                raise self.error(f"{file} has {size} bytes and should have {wanted}; copy it again")

    def _place(self) -> tuple[Any, str]:
        try:
            return stores.filesystem(self.where)
        except Exception as error:  # of an address each kind of store has its own opinion
            raise self.error(_line(error)) from error

    def error(self, reason: str) -> UserError:
        return UserError(f"{self.key}={self.where}: {reason}")


@dataclass(frozen=True, slots=True)
class ShardPicture:
    """A picture in a shard."""

    shards: Shards
    file: str  # the shard
    start: int  # of its bytes in the shard
    length: int  # in bytes
    crc32: int
    source_name: str  # where it lay when it was packed
    broken: str | None = None  # why it could not be packed, and has no bytes

    def load(self) -> Image.Image:
        """The same picture as from its file. OSError: broken when it was packed; UserError: the shard is at fault."""
        if self.broken is not None:
            raise OSError(self.broken)
        data = self.shards.read(self.file, self.start, self.length)
        if zlib.crc32(data) != self.crc32:
            what = f"{self.source_name} in it is not what was packed"
            raise self.shards.error(f"{self.file} is damaged, or of another packing; copy it again ({what})")
        return upright(io.BytesIO(data))

    def identity(self) -> str:
        return f"{self.shards.sha256}:{self.file}:{self.start}"

    @property
    def name(self) -> str:
        return f"{self.source_name} in {self.shards.where}"


def source_settings(source: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A source and every option of it, as JSON holds them; not `root` and `size`, which are the DataModule's."""
    parameters = signature(find_source(source)).parameters
    values = {name: options.get(name, parameter.default) for name, parameter in parameters.items()}
    settings = {name: values[name] for name in sorted(values) if name not in ("root", "size")}
    return json.loads(json.dumps({"source": source, **settings}))


def drawn_size(source: str, size: int) -> int | None:
    """Pixels of the pictures of a source that draws them; None for one that reads files."""
    return size if "size" in source_arguments(source) else None


def open_shards(key: str, where: str, source: str, options: Mapping[str, Any], size: int) -> Catalog:
    """The catalog of a packed set, whose pictures come out of the shards.

    `key` is where the source stands in the configuration; `size`: pixels, for a source that draws its pictures. Raises
    UserError where there is no packed set, it is incomplete, or holds another source or the same with other options.
    """
    packed = _read_catalog(Shards(f"{key}.streaming", where, "", ()))
    _check_asked(key, where, packed.settings, source_settings(source, options))
    _check_size(f"{key}.streaming={where}", packed.size, drawn_size(source, size))
    shards = Shards(f"{key}.streaming", where, packed.sha256, tuple(packed.shards))
    shards.check_sizes(packed.shards)
    pictures = []
    for name, place in packed.pictures:
        reason = place if isinstance(place, str) else None
        shard, start, length, crc32 = (0, 0, 0, 0) if isinstance(place, str) else place
        file = shards.files[shard] if shards.files else ""  # where all are broken there is none
        pictures.append(ShardPicture(shards, file, start, length, crc32, name, reason))

    def record(row: Row) -> Record:
        key, photo, drawings, label, group, split = row
        drawn = tuple(pictures[drawing] for drawing in drawings)
        return Record(key, None if photo is None else pictures[photo], drawn, label, group, split)

    return Catalog(
        packed.dataset,
        None,
        [record(row) for row in packed.records],
        orphan_photos=packed.problems.get("orphan_photos", []),
        orphan_drawings=packed.problems.get("orphan_drawings", []),
        orphans=[record(row) for row in packed.orphans],
        missing=packed.problems.get("missing", []),
        warnings=packed.problems.get("warnings", []),
        split_warnings=packed.problems.get("split_warnings", []),
        label_names=tuple(packed.label_names),
        identities=packed.identities,
    )


def _read_catalog(shards: Shards) -> PackedCatalog:
    try:
        data = shards.read_catalog()
    except UserError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise shards.error(f"no packed set is there, it has no {CATALOG}; suite.pack writes one") from error
        raise
    try:
        return read_catalog(data)
    except ValueError as error:
        raise shards.error(f"{error}; pack the set again") from error


def _check_asked(key: str, where: str, packed: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    for name in packed:
        if _is_place(name, packed[name]) and (asked.get(name) is None or _is_place(name, asked[name])):
            continue  # where the pictures lay: there may be no such folder any more
        if packed[name] != asked.get(name):
            raise UserError(
                f"{key}.streaming={where} was packed with {key}.{shown(name)}={shown(packed[name])}, "
                f"not {shown(asked.get(name))}: set it to that, or pack the set again"
            )


def _check_size(place: str, packed: int | None, size: int | None) -> None:
    if packed != size:
        raise UserError(
            f"{place}: its pictures were drawn at {packed} pixels, not at {size}: set data.load_size to that "
            "(data.size with data.crop=false), or pack the set again"
        )


def _is_place(name: str, value: Any) -> bool:
    """Whether an option of a source is a folder outside of what `root` alone determines."""
    return isinstance(value, str) and (name in _FOLDERS or os.path.isabs(os.path.expanduser(value)))


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
