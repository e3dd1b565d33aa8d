"""Bytes out of the place of a packed set, a folder or an object store: no more than were asked for, and in time.

What a catalog or a server says is taken for a claim: neither chooses the place, or how much memory an answer takes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from suite.files import size_of_file

# Not the rest of what fsspec knows: some of it runs programs, unpacks archives, or keeps copies on the local disk.
_SCHEMES = ("file", "local", "http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory")
_PIECE = 1 << 20  # bytes that are taken from a server at a time


def scheme_of(where: str) -> str:
    """What of `scheme://` a place begins with; `file` for a folder."""
    from fsspec.utils import get_protocol

    return get_protocol(where)


def is_distant(where: str) -> bool:
    """Whether a packed set lies in a store, not in a folder of this machine."""
    return scheme_of(where) not in ("file", "local")


def filesystem(where: str) -> tuple[Any, str]:
    """That of a place, and the path there. Raises ValueError for a scheme that is not read, ImportError."""
    if "::" in where:
        raise ValueError("a chain of places (::) is not read; unpack it, and name the folder")
    if (scheme := scheme_of(where)) not in _SCHEMES:
        raise ValueError(f"Protocol not known: {scheme}; give a folder, or a URL of {', '.join(_SCHEMES)}")

    from fsspec.core import url_to_fs  # keeps one for each process, and makes new ones after a fork

    found, path = url_to_fs(where)
    return found, path.rstrip("/")


def fetch(store: Any, path: str, start: int, most: int, patience: float, whole: bool = False) -> bytes:
    """Up to `most` bytes of a file from `start` on; `whole`: all of it, as no server is asked for a range.

    There is one byte more where a whole file has more, or a server gives more than it was asked for. Raises
    FileNotFoundError, TimeoutError where a store takes more than `patience` seconds, and what else a store raises.
    """
    if "file" in store.protocol:
        size_of_file(Path(path))  # a pipe would be waited for
    end = start + most + whole
    if not store.async_impl:
        return store.cat_file(path, start=start, end=end)
    # A store's own patience is minutes, and some have none.
    try:
        if "http" in store.protocol:
            return _sync(store, _from_server, store, path, None if whole else start, most, timeout=patience)
        return _sync(store, store._cat_file, path, start=start, end=end, timeout=patience)
    except TimeoutError as error:
        raise TimeoutError(f"no answer within {patience:g} s") from error


async def _from_server(store: Any, url: str, start: int | None, most: int) -> bytes:
    """fsspec's own would take an answer of any length."""
    named = dict(store.kwargs)
    if start is not None:
        named["headers"] = {**named.get("headers", {}), "Range": f"bytes={start}-{start + most - 1}"}
    session = await store.set_session()
    data = bytearray()
    async with session.get(store.encode_url(url), **named) as answer:
        store._raise_not_found_for_status(answer, url)
        while len(data) <= most and (piece := await answer.content.read(_PIECE)):
            data += piece
    return bytes(data[: most + 1])


def sizes(store: Any, paths: Sequence[str], patience: float) -> list[int | None]:
    """Bytes of files, None where a store doesn't tell. Raises as `fetch` does."""
    if not store.async_impl:
        return store.sizes(paths)
    return _sync(store, store._sizes, paths, timeout=patience)  # a distant store is asked for many at once


def _sync(store: Any, function: Any, *arguments: Any, **named: Any) -> Any:
    from fsspec.asyn import sync

    return sync(store.loop, function, *arguments, **named)
