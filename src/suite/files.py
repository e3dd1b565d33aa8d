"""Files that are written whole or not at all, what a killed writer leaves behind, and what is a file to read.

Imports nothing heavy.
"""

import os
import secrets
import shutil
import stat
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from PIL import Image

from suite.errors import UserError

_ABANDONED_AFTER = 3600  # seconds without a write, after which an unfinished folder is nobody's


def folders_once(
    root: Path,
    seen: set[str],
    order: Callable[[Iterable[str]], list[str]] = sorted,
    on_error: Callable[[OSError], None] | None = None,
) -> Iterator[tuple[str, list[str]]]:
    """The root and the folders below it, each with its files. Links are followed, and a folder is given once.

    Left out is what is hidden, and what unpackers add. Of two links to one folder the one met first counts, by `order`
    of the names in a folder. `seen`: the real paths of the folders so far.
    """
    for place, folders, files in os.walk(root, followlinks=True, onerror=on_error):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield place, files
        folders[:] = order(filter(is_data, folders))


def is_data(folder: str) -> bool:
    """Whether a folder of that name is of the data: no hidden one, and none that systems and unpackers add."""
    return not folder.startswith(".") and folder != "__MACOSX"


def size_of_file(path: Path) -> int:
    """Bytes of a file, before it is opened. Raises OSError for anything else.

    A pipe makes whoever opens it wait for a writer, and a device may have no end.
    """
    there = path.stat()
    if not stat.S_ISREG(there.st_mode):
        kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
        raise OSError(f"it is a {kinds.get(stat.S_IFMT(there.st_mode), 'device')}, not a file")
    return there.st_size


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, text in UTF-8: a kill or a full disk leaves the former one. Raises UserError."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(partial, path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise UserError(f"can't write {path}: {error.strerror}") from error


def write_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture in the format that its suffix names, whole or not at all. Raises UserError."""
    unfinished = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        picture.save(unfinished, Image.registered_extensions()[path.suffix.lower()], quality=95)
        os.replace(unfinished, path)
    except (OSError, ValueError) as error:
        raise UserError(f"can't write {path}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        with suppress(OSError):  # as a rule it is no longer there
            unfinished.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it. Raises UserError where nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"can't write to {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise UserError(f"can't write to {folder}: permission denied")


def damaged_part(path: Path) -> str | None:
    """The name of the first part of a zip file, as torch saves one, whose bytes are not those of its checksum.

    torch.load looks at no checksum: a flipped bit would be another weight. Raises zipfile.BadZipFile, OSError.
    """
    with zipfile.ZipFile(path) as file:
        return file.testzip()


def remove_partial(folder: Path) -> None:
    """Delete half-written files below a folder that killed writers left behind; for who alone writes there."""
    for pattern in ("*.partial", ".*.part"):
        for path in folder.rglob(pattern):
            with suppress(OSError):
                path.unlink()


def unfinished_folder(place: Path) -> Path:
    """A new folder beside `place`, to be built and renamed into it."""
    folder = place.with_name(f"{place.name}.unfinished-{os.getpid()}-{secrets.token_hex(4)}")
    folder.mkdir()
    return folder


def remove_abandoned(folder: Path, name: str = "*") -> None:
    """Delete the unfinished folders in `folder`, of the places that match `name`, that killed builders left behind."""
    for unfinished in folder.glob(f"{name}.unfinished-*"):
        try:
            last_write = max(path.stat().st_mtime for path in (unfinished, *unfinished.iterdir()))
        except OSError:  # its builder has just renamed or removed it
            continue
        if time.time() - last_write > _ABANDONED_AFTER:
            shutil.rmtree(unfinished, ignore_errors=True)


def free_bytes(folder: Path) -> int:
    """What the disk of a folder, which need not be there yet, can still take."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path("."))
    return shutil.disk_usage(there).free


def readable_bytes(count: float) -> str:
    """A number of bytes for people, as 310 MiB."""
    kibi, mebi = count / 2**10, count / 2**20
    if mebi >= 1000:
        return f"{mebi / 2**10:.1f} GiB"
    return f"{kibi:.0f} KiB" if mebi < 1 else f"{mebi:.1f} MiB" if mebi < 10 else f"{mebi:.0f} MiB"
