"""The catalog of a packed set: how it is written, and read from whoever wrote it. See suite/data/sources/shards.py.

It names files to read and bytes to fetch, so that nothing in it is believed: unpacked to a limit, each value held to
its type, files called as `suite.pack` calls them, and each picture within its shard.
"""

import gzip
import io
import json
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from suite.arguments import check_types, fits, shown
from suite.data import catalog as of_pictures
from suite.data.catalog import Split
from suite.errors import UserError

CATALOG = "catalog.json.gz"
FORMAT = "suite shards"
VERSION = 1  # count up when a packed set is no longer read as it was
MOST_BYTES = 1 << 28  # of a catalog, unpacked: that of four million pictures; a bomb has a thousand times its file
_NAME = re.compile(r"shard-\d{6,9}\.tar", re.ASCII)
_OF_FILE = 1 << 62  # bytes; more has no store
_LABELS = 1 << 16  # that have no name
_SPLITS = (None, *get_args(Split))

Place = list[int] | str  # number of the shard, offset and length in bytes, CRC-32; or why it could not be packed
Row = tuple[str, int | None, list[int], int | None, str | None, Split | None]  # of a record, pictures by their numbers


@dataclass(frozen=True)
class PackedCatalog:
    """What is in it, as `Catalog` has it."""

    settings: dict[str, Any]  # the source, and all its options
    size: int | None  # pixels, of pictures that were drawn
    sha256: str  # of all pictures' bytes
    shards: dict[str, int]  # bytes by file
    dataset: str
    label_names: list[str]
    problems: dict[Literal["orphan_photos", "orphan_drawings", "missing", "warnings", "split_warnings"], list[str]]
    pictures: list[tuple[str, Place]]  # by the name of their file
    records: list[Row]
    orphans: list[Row]
    identities: bool


def packed(catalog: Mapping[str, Any]) -> bytes:
    """A catalog as it is written. Raises UserError where it is too large to be read again."""
    data = json.dumps({"format": FORMAT, "version": VERSION, **catalog}).encode()
    if len(data) > MOST_BYTES:
        raise UserError(f"{CATALOG} would have {len(data):,} bytes, more than {MOST_BYTES:,}: pack the set in parts")
    return gzip.compress(data, mtime=0)


def read_catalog(data: bytes) -> PackedCatalog:
    """What `packed` gave. Raises ValueError, in one line, for all else."""
    try:
        if data.startswith(b"\x1f\x8b"):  # some stores unpack it
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                data = file.read(MOST_BYTES + 1)
        content = json.loads(data) if len(data) <= MOST_BYTES else {"format": FORMAT, "version": VERSION}
        version = content["version"] if content["format"] == FORMAT else None
    except Exception as error:
        raise ValueError(f"{CATALOG} is damaged, or not by suite.pack") from error
    if len(data) > MOST_BYTES:
        raise ValueError(f"{CATALOG} has more than {MOST_BYTES:,} bytes unpacked, and none has: is this a packed set?")
    if type(version) is not int or version != VERSION:
        raise ValueError(f"packed in format {reprlib.repr(version)}, and this suite reads format {VERSION}")
    try:
        return _checked(content)
    except (ValueError, UserError, RecursionError) as error:
        raise ValueError(f"{CATALOG} is damaged, or not by suite.pack ({error})") from error


def _checked(content: dict[str, Any]) -> PackedCatalog:
    content = {"orphans": [], "identities": False} | content  # sets packed before had neither
    names = [field.name for field in fields(PackedCatalog)]
    if missing := [name for name in names if name not in content]:
        raise ValueError(f"no {missing[0]}")
    found: dict[str, Any] = {name: content[name] for name in names}
    by_rows = ("pictures", "records", "orphans")
    shown(found["settings"])  # what is nested too deep for this is so for any message
    found["shards"] = _shards(found["shards"])
    check_types("", PackedCatalog, {name: value for name, value in found.items() if name not in by_rows})
    if "source" not in found["settings"]:
        raise ValueError("no settings.source")
    if not re.fullmatch(r"\w[\w.-]*", found["dataset"]) or not re.fullmatch("[0-9a-f]{64}", found["sha256"]):
        raise ValueError("dataset or sha256")
    for name in by_rows:
        if not isinstance(found[name], list):
            raise ValueError(f"{name}={reprlib.repr(found[name])}")
    sizes = list(found["shards"].values())
    for picture in found["pictures"]:
        if not _is_picture(picture, sizes):
            raise ValueError(f"a picture {reprlib.repr(picture)}")
    for name in ("records", "orphans"):
        for row in found[name]:
            if not _is_row(row, len(found["pictures"]), max(_LABELS, len(found["label_names"]))):
                raise ValueError(f"one of {name} {reprlib.repr(row)}")
    return PackedCatalog(**found)


def _shards(rows: Any) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for row in rows if isinstance(rows, list) else [rows]:
        if not fits(row, dict[str, Any]) or not {"file", "bytes"} <= row.keys():
            raise ValueError(f"a shard {reprlib.repr(row)}")
        file, size = row["file"], row["bytes"]
        if not isinstance(file, str) or not _NAME.fullmatch(file) or file in sizes or not _is_number(size, _OF_FILE):
            raise ValueError(f"a shard {reprlib.repr(row)}")
        sizes[file] = size
    return sizes


# By hand: there may be millions of them.


def _is_picture(row: Any, sizes: list[int]) -> bool:
    """Whether it is a name, and a place within a shard or a reason."""
    if not isinstance(row, list) or len(row) != 2 or not isinstance(row[0], str):
        return False
    if isinstance(row[1], str):
        return True
    if not isinstance(row[1], list) or len(row[1]) != 4:
        return False
    shard, start, length, crc32 = row[1]
    return (
        _is_number(shard, len(sizes))
        and _is_number(start, sizes[shard])
        and _is_number(length, min(sizes[shard] - start, of_pictures.MOST_BYTES) + 1)
        and length > 0
        and _is_number(crc32, 1 << 32)
    )


def _is_row(row: Any, pictures: int, labels: int) -> bool:
    if not isinstance(row, list) or len(row) != 6:
        return False
    key, photo, drawings, label, group, split = row
    return (
        isinstance(key, str)
        and _is_below(key)
        and (photo is None or _is_number(photo, pictures))
        and isinstance(drawings, list)
        and all(_is_number(drawing, pictures) for drawing in drawings)
        and (photo is not None or len(drawings) > 0)
        and (label is None or _is_number(label, labels))
        and (group is None or isinstance(group, str))
        and (split is None or (isinstance(split, str) and split in _SPLITS))
    )


def _is_below(key: str) -> bool:
    """Whether a file of that name lies in the folder it is written to."""
    return key != "" and not key.startswith(("/", "\\")) and "\0" not in key and ".." not in re.split(r"[\\/]", key)


def _is_number(value: Any, below: int) -> bool:
    return type(value) is int and 0 <= value < below
