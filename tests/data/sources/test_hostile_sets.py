"""Packed sets that somebody made to do harm, or that were damaged: one line, within limits of memory and time."""

import copy
import gzip
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from suite.data.catalog import Catalog
from suite.data.listing import list_source
from suite.data.module import PictureData
from suite.data.sources import shards as streaming
from suite.data.sources.helpers import packed_catalog
from suite.data.sources.helpers.packed_catalog import CATALOG, read_catalog
from suite.data.sources.shards import open_shards
from suite.data.tools.checking import pictures
from suite.data.tools.looking import look_at
from suite.data.tools.packing import pack
from suite.errors import UserError

pytestmark = pytest.mark.timeout(60)  # who opens a pipe waits for ever

OPTIONS = {"a": "photos", "b": "sketches"}


@pytest.fixture
def where(paired: Callable[..., PictureData], picture: Callable[..., Path], tmp_path: Path) -> Path:
    """A packed set of six pairs, and of a photo without its sketch."""
    files = paired()
    picture("pairs/photos/alone.png")
    catalog = list_source(files.own_set, files.drawn_size)
    pack(catalog, files.source, files.options, files.drawn_size, tmp_path / "shards", 3000, skip_broken=False)
    return tmp_path / "shards"


def opened(where: Path | str) -> Catalog:
    return open_shards("data", str(where), "paired_folders", OPTIONS, 10)


def content_of(where: Path) -> dict[str, Any]:
    return json.loads(gzip.decompress((where / CATALOG).read_bytes()))


def write(where: Path, content: Any) -> None:
    (where / CATALOG).write_bytes(gzip.compress(json.dumps(content).encode()))


# The catalog ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "value"),
    [
        *[(("shards", 0, "file"), name) for name in ("../secret.tar", "/etc/passwd", "memory://x/shard-000000.tar")],
        *[(("shards", 0, "file"), name) for name in ("simplecache::shard-000000.tar", "shard-000001.tar", "a.tar?b=c")],
        *[(("shards", 0, "bytes"), size) for size in (-1, 2**70, "9", True, None)],
        *[(("pictures", 0, 1), place) for place in ([0, 512], [0, 512, 0, 0], [0, 0, 10**9, 0], [9, 0, 1, 0], None)],
        *[(("pictures", 0, 1), place) for place in ([0, -1, 9, 0], [0, 512, 9, -1], [0, 512, 9, 0.5], [-1, 512, 9, 0])],
        *[(("records", 0, 0), key) for key in ("../../x", "/x", "", "a/../../b", "..\\x", "a\0")],
        *[(("records", 0, 1), photo) for photo in (-1, 99, True, "0", [0])],
        *[(("records", 0, 2), drawings) for drawings in (None, 1, [99], [-1], ["1"])],
        *[(("records", 0, 3), label) for label in (-1, 2**31, "cat")],
        (("records", 0, 5), "training"),
        (("records", 0), ["0", None, [], None, None, None]),
        (("label_names",), {"a": 1}),
        (("problems",), {"of_every_split": []}),
        (("problems", "missing"), "none"),
        (("dataset",), "../x"),
        (("sha256",), 5),
        (("settings",), {}),
        (("size",), "10"),
    ],
)
def test_what_a_catalog_may_not_say(where: Path, at: tuple[Any, ...], value: Any) -> None:
    write(where, changed(content_of(where), at, value))
    line = rf"^data\.streaming={where}: {CATALOG} is damaged, or not by suite\.pack \(.+\); pack the set again$"
    with pytest.raises(UserError, match=line) as error:
        opened(where)
    assert "\n" not in str(error.value)


def changed(content: Any, at: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value in one place, or without one where the value is `changed` itself."""
    if not at:
        return value
    new = copy.copy(content)
    if value is changed and len(at) == 1:
        del new[at[0]]
    else:
        new[at[0]] = changed(content[at[0]], at[1:], value)
    return new


def places(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of every value in it; of lists, those of the first two."""
    yield at
    names = content if isinstance(content, dict) else range(len(content))[:2] if isinstance(content, list) else ()
    for name in names:
        yield from places(content[name], (*at, name))


def deep() -> list[Any]:
    nested: list[Any] = []
    for _ in range(600):
        nested = [nested]
    return nested


def test_whatever_stands_in_it_is_taken_or_refused(where: Path) -> None:
    """No value of any kind, in any place, and no lack of one, ends in anything but the error that becomes a line."""
    content = content_of(where)
    values = [None, True, -1, 0, 10**30, 1.5, float("nan"), "", "a\nb", "\udc80", [], [[]], {}, {"a": 1}, deep(), ["a"]]
    said = [""]
    for at in places(content):
        for value in [*values, changed] if at else values:
            try:
                read_catalog(json.dumps(changed(content, at, value)).encode())
            except ValueError as error:
                said.append(str(error))
    assert len(said) > 500
    assert "\n" not in "".join(said)
    assert max(map(len, said)) < 400


def test_a_catalog_unpacks_to_a_limit(where: Path, monkeypatch) -> None:
    content = content_of(where)
    monkeypatch.setattr(packed_catalog, "MOST_BYTES", 10_000)
    assert opened(where).records
    write(where, content | {"more": "0" * 10_000})
    assert (where / CATALOG).stat().st_size < 10_000
    with pytest.raises(UserError, match=r"has more than 10,000 bytes unpacked, and none has"):
        opened(where)
    monkeypatch.setattr(streaming, "MOST_BYTES", 1000)
    (where / CATALOG).write_bytes(os.urandom(1001))
    with pytest.raises(UserError, match=r"has more than 1,000 bytes, and none has"):
        opened(where)


def test_none_is_written_that_is_not_read_again(monkeypatch) -> None:
    monkeypatch.setattr(packed_catalog, "MOST_BYTES", 100)
    with pytest.raises(UserError, match=r"would have \d+ bytes, more than 100: pack the set in parts"):
        packed_catalog.packed({"records": ["x" * 100]})


@pytest.mark.parametrize("file", [CATALOG, "shard-000000.tar"])
def test_a_pipe_in_place_of_a_file(where: Path, file: str) -> None:
    catalog = opened(where)
    (where / file).unlink()
    os.mkfifo(where / file)
    with pytest.raises(UserError, match=rf"{file} can't be read \(OSError: it is a pipe, not a file\)"):
        opened(where) if file == CATALOG else catalog.records[0].photo.load()  # type: ignore[union-attr]


# Damage ---------------------------------------------------------------------------------------------------------------


def test_a_bit_that_turned_is_found_in_any_picture_and_named(where: Path) -> None:
    catalog = opened(where)
    of_set = pictures([*catalog.records, *catalog.orphans])
    assert len(of_set) == 13
    assert not any(one.reason for one in look_at(of_set, "auto"))
    for place, one in enumerate(of_set):
        assert isinstance(one, streaming.ShardPicture)
        shard = where / one.file
        whole = shard.read_bytes()
        data = bytearray(whole)
        data[one.start + place * one.length // 13] ^= 1 << place % 8
        shard.write_bytes(data)
        message = rf"{one.file} is damaged, .*; copy it again \({one.source_name} in it is not what was packed\)$"
        with pytest.raises(UserError, match=message):
            list(look_at(of_set, "auto"))
        shard.write_bytes(whole)


# Stores ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("zip://shard::{}/a.zip", "a chain of places"),
        ("simplecache::{}", "a chain of places"),
        ("filecache::https://example.org/x", "a chain of places"),
        ("ftp://example.org/x", "Protocol not known: ftp; give a folder, or a URL of file, local, http"),
        ("reference://{}", "Protocol not known: reference"),
        ("github://a:b@c/x", "Protocol not known: github"),
        ("ssh://example.org/x", "Protocol not known: ssh"),
        ("http://[", "ValueError|InvalidURL|can't be read"),
    ],
)
def test_places_that_are_not_read(where: Path, place: str, message: str, monkeypatch) -> None:
    monkeypatch.setattr(streaming, "_WAITS", ())
    place = place.format(where)
    with pytest.raises(UserError, match=rf"^data\.streaming={re.escape(place)}: .*({message})") as error:
        opened(place)
    assert "\n" not in str(error.value)


def test_a_set_in_memory(where: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    for path in where.iterdir():
        memory.pipe_file(f"/packed/{path.name}", path.read_bytes())
    assert opened("memory://packed").records[0].photo.load().size == (12, 10)  # type: ignore[union-attr]
    memory.rm("/packed", recursive=True)


class Endless(BaseHTTPRequestHandler):
    """Answers whatever it is asked for with a file, and then goes on for ever."""

    folder = Path()
    sent = 0  # bytes behind the file
    as_it_is = (CATALOG,)

    def do_GET(self) -> None:
        path = self.folder / self.path.strip("/")
        self.send_response(206 if "Range" in self.headers else 200)
        self.end_headers()
        self.wfile.write(path.read_bytes())
        with suppress(ConnectionError):
            while path.name not in self.as_it_is:
                self.wfile.write(bytes(1 << 16))
                type(self).sent += 1 << 16

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endless(where: Path) -> Iterator[tuple[str, type[Endless]]]:
    of_test = type("EndlessOfTest", (Endless,), {"folder": where})
    server = ThreadingHTTPServer(("127.0.0.1", 0), of_test)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", of_test
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_answer_without_end_is_not_taken(endless: tuple[str, type[Endless]], monkeypatch) -> None:
    monkeypatch.setattr(streaming, "_WAITS", ())
    url, server = endless
    picture = opened(url).records[0].photo
    with pytest.raises(UserError, match=r"on a server that gives no ranges of bytes: more came for \d+"):
        picture.load()  # type: ignore[union-attr]
    server.as_it_is = ()
    monkeypatch.setattr(streaming, "MOST_BYTES", 1 << 20)
    with pytest.raises(UserError, match=r"has more than 1,048,576 bytes, and none has"):
        opened(url)
    assert server.sent < 1 << 25  # what lies in the buffers between
