"""Packed sets: a catalog whose pictures lie in shards, in a folder or an object store. `suite.pack` writes them.

    <folder or URL>/
      catalog.json.gz    what the source found, and where the bytes of each picture lie
      shard-000000.tar   WebDataset shards: tar files, the pictures of a record side by side
      shard-000001.tar   ...

A picture is fetched by its range of bytes, when it is wanted: any order costs the same, so the samples come in the
order that they have from files, and nothing is kept on the local disk. Processes share no handle and no connection.
"""

import gzip
import io
import json
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from PIL import Image

from suite.data.catalog import Catalog, Record, upright
from suite.data.sources import find_source, source_arguments
from suite.errors import UserError

CATALOG = "catalog.json.gz"
FORMAT = "suite shards"
VERSION = 1  # count up when a packed set is no longer read as it was
_FOLDERS = ("photos", "images")  # options of sources that are folders, also where they are relative
_WAITS = (1, 2, 4, 8)  # seconds before asking a store again that did not answer
_PATIENCE = 60  # seconds that a store may take over one picture


@dataclass(frozen=True)
class Shards:
    """The shards of one packed set, open to every process: a filesystem is looked up at each reading."""

    key: str  # of the configuration that names them
    where: str  # folder or URL
    sha256: str  # of all pictures
    files: tuple[str, ...]

    def read(self, file: str, start: int | None = None, length: int | None = None) -> bytes:
        """The bytes of a file, or `length` of them. Raises UserError where they can't be had, at last, or are fewer."""
        filesystem, path = _filesystem(self.where)
        end = None if start is None or length is None else start + length
        for wait in (*_WAITS, None):
            try:
                data = _fetch(filesystem, f"{path}/{file}", start, end)
            except FileNotFoundError as error:
                raise self.error(f"there is no {file}") from error
            except Exception as error:  # each kind of store raises its own
                if wait is None or "file" in filesystem.protocol or isinstance(error, PermissionError):
                    raise self.error(f"{file} can't be read ({_line(error)})") from error
                time.sleep(wait)
                continue
            if length is not None and len(data) != length:
                reason = "truncated" if len(data) < length else "on a server that gives no ranges of bytes"
                raise self.error(f"{file} is {reason}: {len(data)} bytes came for {length}")
            return data
        raise AssertionError

    def check_sizes(self, expected: Mapping[str, int]) -> None:
        """Raises UserError for a shard that is missing or has another size; a store that tells none is believed."""
        filesystem, path = _filesystem(self.where)
        paths = [f"{path}/{file}" for file in expected]
        try:  # a distant store is asked for many at once
            sizes = filesystem.sizes(paths) if not filesystem.async_impl else _sync(filesystem, "_sizes", paths)
        except FileNotFoundError as error:
            raise self.error(f"a shard is missing ({_line(error)}); copy it there again") from error
        except Exception as error:
            raise self.error(f"the shards can't be looked at ({_line(error)})") from error
        for (file, wanted), size in zip(expected.items(), sizes, strict=True):
            if size is not None and size != wanted:
                raise self.error(f"{file} has {size} bytes and should have {wanted}; copy it again")

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
            raise self.shards.error(f"{self.file} is damaged, or of another packing; copy it again")
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
    content = _read_catalog(Shards(f"{key}.streaming", where, "", ()))
    _check_asked(key, where, content, source_settings(source, options), drawn_size(source, size))
    sizes = {shard["file"]: shard["bytes"] for shard in content["shards"]}
    shards = Shards(f"{key}.streaming", where, content["sha256"], tuple(sizes))
    shards.check_sizes(sizes)
    pictures = []
    for name, place in content["pictures"]:
        shard, start, length, crc32 = (0, 0, 0, 0) if isinstance(place, str) else place
        reason = place if isinstance(place, str) else None
        pictures.append(ShardPicture(shards, shards.files[shard], start, length, crc32, name, reason))
    records, orphans = (
        [
            Record(key, None if photo is None else pictures[photo], tuple(pictures[one] for one in drawings), *rest)
            for key, photo, drawings, *rest in content.get(name, [])  # sets packed before had no orphans
        ]
        for name in ("records", "orphans")
    )
    identities = content.get("identities", False)  # nor did they say this
    about = {"orphans": orphans, "label_names": tuple(content["label_names"]), "identities": identities}
    return Catalog(content["dataset"], None, records, **about, **content["problems"])


def _read_catalog(packed: Shards) -> dict[str, Any]:
    try:
        data = packed.read(CATALOG)
    except UserError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise packed.error(f"no packed set is there, it has no {CATALOG}; suite.pack writes one") from error
        raise
    try:
        content = json.loads(gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data)  # some stores unpack it
        version = content["version"] if content["format"] == FORMAT else None
    except Exception as error:
        raise packed.error(f"{CATALOG} is damaged, or not by suite.pack; pack the set again") from error
    if version != VERSION:
        raise packed.error(f"packed in format {version}, and this suite reads format {VERSION}; pack the set again")
    return content


def _check_asked(key: str, where: str, content: dict[str, Any], asked: dict[str, Any], size: int | None) -> None:
    place, packed = f"{key}.streaming={where}", content["settings"]
    for name in packed:
        if _is_place(name, packed[name]) and (asked.get(name) is None or _is_place(name, asked[name])):
            continue  # where the pictures lay: there may be no such folder any more
        if packed[name] != asked.get(name):
            raise UserError(
                f"{place} was packed with {key}.{name}={_typed(packed[name])}, not {_typed(asked.get(name))}: "
                "set it to that, or pack the set again"
            )
    if content["size"] != size:
        raise UserError(
            f"{place}: its pictures were drawn at {content['size']} pixels, not at {size}: set data.load_size to that "
            "(data.size with data.crop=false), or pack the set again"
        )


def _is_place(name: str, value: Any) -> bool:
    """Whether an option of a source is a folder outside of what `root` alone determines."""
    return isinstance(value, str) and (name in _FOLDERS or Path(value).expanduser().is_absolute())


def is_distant(where: str) -> bool:
    """Whether a packed set lies in a store, not in a folder of this machine."""
    from fsspec.utils import get_protocol

    return get_protocol(where) not in ("file", "local")


def _filesystem(where: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs  # keeps one for each process, and makes new ones after a fork

    try:
        filesystem, path = url_to_fs(where)
    except (ImportError, ValueError) as error:  # a protocol that needs another package, or that there is not
        raise UserError(f"data.streaming={where}: {_line(error)}") from error
    return filesystem, path.rstrip("/")


def _fetch(filesystem: Any, path: str, start: int | None, end: int | None) -> bytes:
    """All bytes of a file or a range of them; of a range TimeoutError where it doesn't come in time."""
    if start is None or not filesystem.async_impl:
        return filesystem.cat_file(path, start=start, end=end)
    # A store's own patience is minutes, and some have none.
    try:
        return _sync(filesystem, "_cat_file", path, start=start, end=end, timeout=_PATIENCE)
    except TimeoutError as error:
        raise TimeoutError(f"no answer within {_PATIENCE} s") from error


def _sync(filesystem: Any, method: str, *arguments: Any, **named: Any) -> Any:
    from fsspec.asyn import sync

    return sync(filesystem.loop, getattr(filesystem, method), *arguments, **named)


def _typed(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool | list | dict) else str(value)


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
