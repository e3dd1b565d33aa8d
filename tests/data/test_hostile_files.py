"""Files that were made to do harm: one line, at once, and no more memory than pictures take."""

import bz2
import os
import socket
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from PIL import Image

from suite.data import catalog
from suite.data.catalog import PictureFile, Record, upright
from suite.data.pictures.decode import Fit
from suite.data.pictures.headers import check_alike, pages_of, size_of
from suite.data.sources import cufsf
from suite.data.sources.helpers import reading
from suite.data.sources.helpers.alignment import read_eyes
from suite.data.tools.looking import look_at
from suite.data.tools.packing import encode
from suite.errors import UserError
from suite.files import size_of_file
from suite.translating import batches, outputs, style_grid

pytestmark = pytest.mark.timeout(30)  # who opens a pipe waits for ever


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG that claims a size, of grey pixels that are not all there."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    packed = (struct.pack(">I", len(data)) + k + data + struct.pack(">I", zlib.crc32(k + data)) for k, data in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


@pytest.fixture(params=[(pipe, "pipe"), (endless, "device"), (bound, "socket"), (Path.mkdir, "folder")])
def no_file(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> tuple[Path, str]:
    monkeypatch.chdir(tmp_path)
    make, kind = request.param
    make(Path("f.png"))  # the names of sockets are short
    return tmp_path / "f.png", f"it is a {kind}, not a file"


def test_what_is_no_file_is_not_opened(no_file: tuple[Path, str]) -> None:
    path, reason = no_file
    picture = PictureFile(path)
    for read in (picture.load, lambda: encode(picture), lambda: size_of_file(path)):
        with pytest.raises(OSError, match=f"^{reason}$"):
            read()
    assert (size_of(picture), pages_of(picture)) == (None, 1)
    check_alike([Record("x", picture, (picture,)), Record("y", picture, (PictureFile(path, "left"),))])
    with pytest.raises(OSError, match=reason):
        cufsf.PackedPicture(path).load()


def test_no_reader_of_text_opens_it(no_file: tuple[Path, str]) -> None:
    path, reason = no_file
    with pytest.raises(UserError, match=rf"f\.png: can't be read: {reason}"):
        list(reading.rows(path))
    points = path.rename(path.with_suffix(".3pts"))
    with pytest.raises(ValueError, match="does not hold the points of the eyes"):
        read_eyes(points)


def test_no_command_opens_it(no_file: tuple[Path, str], tmp_path: Path) -> None:
    path, reason = no_file
    with pytest.raises(UserError, match=rf"f\.png: no readable picture \({reason}\)"):
        style_grid.read(path, Fit(8, 3))
    read = batches._read((path, tmp_path / "out.png"), batches.Fitting(3, 4, None), None, "auto")
    assert read == (path, reason)
    if not path.is_dir():
        for find in (lambda: outputs.match_outputs(path, tmp_path), lambda: outputs.pictures_of(path, "input", path)):
            with pytest.raises(UserError, match="there is no such file or folder"):
                find()


def test_postscript_of_any_name_starts_no_program(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program is started"))
    Image.new("RGB", (8, 8)).save(tmp_path / "x.eps")
    for name in ("x.jpg", "x.tif", "x.gif"):
        (tmp_path / name).write_bytes((tmp_path / "x.eps").read_bytes())
        with pytest.raises(OSError, match="cannot identify"):
            upright(tmp_path / name)
    (tmp_path / "x.bz2").write_bytes(bz2.compress((tmp_path / "x.eps").read_bytes()))
    with pytest.raises(OSError, match="cannot identify"):
        cufsf.PackedPicture(tmp_path / "x.bz2").load()


def test_no_pixel_is_decoded_of_a_picture_that_is_too_large(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
    (tmp_path / "x.png").write_bytes(png(2**14, 2**14 + 1))
    with pytest.raises(OSError, match=r"16384x16385 pixels are more than the 268,435,456 that are read; scale it down"):
        upright(tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes(png(2**30, 2**30))
    with pytest.raises(OSError, match="DecompressionBombError"):
        upright(tmp_path / "x.png")


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.png").open("wb") as file:
        file.write(png(8, 8))
        file.truncate(catalog.MOST_BYTES + 1)  # of which the disk holds nothing
    with pytest.raises(OSError, match=r"it has 2\.1 GB; no picture has"):
        upright(tmp_path / "x.png")


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_text_that_unpacks_to_megabytes(tmp_path: Path, kind: bytes) -> None:
    text = zlib.compress(bytes(1 << 21))
    chunk = b"k\0\0" + text if kind == b"zTXt" else b"k\0\1\0\0\0" + text
    (tmp_path / "x.png").write_bytes(png(8, 8, (kind, chunk)))
    with pytest.raises(OSError, match="Decompressed data too large"):
        upright(tmp_path / "x.png")


def test_a_line_of_pixels_covers_no_square(tmp_path: Path, monkeypatch) -> None:
    cover = Fit(256, 3, "cover", whole=True)
    flat = {aspect: Image.new("RGB", (1, aspect)) for aspect in (50, 51, 20_000)}
    assert cover.pixels(flat[50]).shape == (3, 50 * 256, 256)
    monkeypatch.setattr(Image.Image, "resize", lambda *_: pytest.fail("resized"))
    for aspect in (51, 20_000):
        with pytest.raises(ValueError, match=rf"of 1x{aspect} one side is over 50 times the other; cut it shorter"):
            cover.pixels(flat[aspect])
    flat[51].save(tmp_path / "x.png")
    seen = {covers: next(look_at([PictureFile(tmp_path / "x.png")], "auto", covers=covers)) for covers in (False, True)}
    assert seen[False].reason == ""
    assert "50 times the other" in seen[True].reason


def test_a_strip_of_one_pixel_has_no_halves(tmp_path: Path) -> None:
    Image.new("RGB", (1, 20)).save(tmp_path / "x.png")
    left, right = (PictureFile(tmp_path / "x.png", half) for half in ("left", "right"))
    check_alike([Record("x", left, (right,))])
    for fit in (Fit(8, 3), Fit(8, 3, "cover"), Fit(8, 3, "cover", whole=True)):
        with pytest.raises(OSError, match="one pixel wide"):
            fit.decode(left)


def test_what_is_packed_small_is_unpacked_to_a_limit(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(cufsf, "_MOST_UNPACKED", 1000)
    read: list[int] = []
    whole = bz2.BZ2File.read
    monkeypatch.setattr(bz2.BZ2File, "read", lambda file, size=-1: read.append(size) or whole(file, size))
    (tmp_path / "x.ppm.bz2").write_bytes(bz2.compress(bytes(2000)))
    with pytest.raises(OSError, match="unpacked it has more than 1,000 bytes, as no photo of FERET"):
        cufsf.PackedPicture(tmp_path / "x.ppm.bz2").load()
    assert read == [1001]


@pytest.mark.parametrize(
    ("limit", "message"), [("_MOST_BYTES", "has 0 MB, as no annotation"), ("_LONGEST", "has a line of 100 characters")]
)
def test_annotations_have_limits(tmp_path: Path, monkeypatch, limit: str, message: str) -> None:
    (tmp_path / "list.txt").write_text("a 1\n" + "b" * 99 + "\nc\n")
    assert len(list(reading.rows(tmp_path / "list.txt"))) == 3
    monkeypatch.setattr(reading, limit, 100)
    with (tmp_path / "list.txt").open("a") as file:
        file.write("d" * 150)
    with pytest.raises(UserError, match=rf"list\.txt: {message}"):
        list(reading.rows(tmp_path / "list.txt"))


@pytest.mark.parametrize("numbers", ["nan nan\n90 90", "inf 3\n9 9", "1e999 3\n9 9"])
def test_points_are_numbers(tmp_path: Path, numbers: str) -> None:
    (tmp_path / "x.3pts").write_text(f"{numbers}\n50 50\n")
    with pytest.raises(ValueError, match="does not hold the points of the eyes"):
        read_eyes(tmp_path / "x.3pts")


def test_a_video_reads_no_other_file(tmp_path: Path, monkeypatch) -> None:
    """A list of videos has any suffix, and names whatever its writer likes: here a pipe, which would be waited for."""
    from suite.data.tools.video_faces import find_videos
    from suite.translating.video import first_frame

    pipe(tmp_path / "f.ts")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile f.ts\n")
    for open_ in (first_frame, find_videos):
        with pytest.raises(UserError, match=r"no video, or a broken one"):
            open_(tmp_path / "list.mp4")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no video, or a broken one"):
        first_frame(Path("concat:f.ts|f.ts"))
