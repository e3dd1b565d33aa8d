"""Shards: any WebDataset reader reads them, they lose nothing, and they are whole or not there."""

import gzip
import os
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import webdataset
from PIL import Image

from suite.data.catalog import Catalog, PictureFile, Record, flatten, upright
from suite.data.sources.helpers.packed_catalog import CATALOG
from suite.data.sources.shards import open_shards
from suite.data.tools import packing
from suite.data.tools.packing import encode, pack
from suite.errors import UserError

OPTIONS = {"a": "photos", "b": "sketches", "strips": False}


@pytest.fixture
def catalog(picture: Callable[..., Path]) -> Catalog:
    """Six photos with two drawings each."""
    records = [
        Record(
            f"scene {number}",
            PictureFile(picture(f"photos/{number}.JPG", seed=number)),
            tuple(PictureFile(picture(f"drawn/{number}-{hand}.png", seed=9 + number + hand)) for hand in range(2)),
        )
        for number in range(6)
    ]
    return Catalog("paired_folders", None, records)


def write(catalog: Catalog, output: Path, **changes: Any) -> packing.Packed:
    arguments = {"size": 286, "shard_bytes": 5000, "skip_broken": False} | changes
    return pack(catalog, "paired_folders", OPTIONS, output=output, **arguments)


def test_webdataset_reads_the_files_byte_for_byte(catalog: Catalog, tmp_path: Path) -> None:
    packed = write(catalog, tmp_path / "shards")
    paths = sorted(str(path) for path in (tmp_path / "shards").glob("*.tar"))
    assert (packed.pictures, packed.shards, packed.broken) == (18, len(paths), [])
    assert packed.bytes == sum(os.path.getsize(path) for path in paths)
    assert len(paths) > 2
    samples = list(webdataset.WebDataset(paths, shardshuffle=False, empty_check=False))
    assert len(samples) == len(catalog.records)  # a record is one sample, and lies in one shard
    for sample, record in zip(samples, catalog.records, strict=True):
        files = {"photo.jpg": record.photo} | {f"drawing{hand}.png": record.drawings[hand] for hand in range(2)}
        assert {key: sample[key] for key in files} == {key: file.path.read_bytes() for key, file in files.items()}


def test_equal_sets_make_equal_shards(catalog: Catalog, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(catalog, tmp_path / name)
        time.sleep(0.01)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


class Made:
    """A picture that is made on loading."""

    name = "made"

    def __init__(self, made: Image.Image) -> None:
        self.made = made

    def load(self) -> Image.Image:
        return self.made

    def identity(self) -> str:
        return ""


def noise(mode: str) -> Image.Image:
    random = np.random.default_rng(0)
    colours = Image.fromarray(random.integers(0, 256, (9, 7, 4)).astype(np.uint8), "RGBA")
    if mode == "P":
        palette = colours.convert("RGB").quantize(16)
        palette.info["transparency"] = 3
        return palette
    if mode in ("I", "I;16"):
        return Image.fromarray(random.integers(0, 65536, (9, 7)).astype(np.int32 if mode == "I" else np.uint16))
    return colours.convert("RGB").convert(mode) if mode in ("CMYK", "1", "YCbCr") else colours.convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16"])
def test_what_is_made_on_loading_is_kept_without_loss(mode: str) -> None:
    picture = noise(mode)
    assert picture.mode == mode
    picture.getexif()[0x0112] = 6  # a turn that has been made already is not made again
    picture.info["exif"] = picture.getexif().tobytes()
    data, _ = encode(Made(picture))
    picture = picture.convert("RGB") if mode == "YCbCr" else picture  # no file holds it: "L" is made of RGB
    for wanted in ("L", "RGB"):
        assert flatten(upright(BytesIO(data)), wanted).tobytes() == flatten(picture, wanted).tobytes()  # type: ignore[arg-type]


def test_a_turned_file_and_a_half_of_one(tmp_path: Path) -> None:
    strip = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 12, 3)).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 8
    strip.save(tmp_path / "strip.jpg", exif=exif)
    for half in ("whole", "left", "right"):
        file = PictureFile(tmp_path / "strip.jpg", half)  # type: ignore[arg-type]
        data, suffix = encode(file)
        assert suffix == (".jpg" if half == "whole" else ".png")
        assert upright(BytesIO(data)).size == file.load().size == ((8, 12) if half == "whole" else (4, 12))
        assert upright(BytesIO(data)).tobytes() == file.load().tobytes()


# Nothing of the machine that packed it --------------------------------------------------------------------------------


def test_why_a_picture_is_broken_is_the_same_in_each_packing(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "drawn/3-1.png").write_bytes(b"no picture")
    with pytest.raises(
        UserError, match=r"no readable picture \(UnidentifiedImageError: cannot identify image file\); "
    ):
        write(catalog, tmp_path / "one")
    catalogs = []
    for name in ("one", "two"):
        write(catalog, tmp_path / name, skip_broken=True)
        catalogs.append(gzip.decompress((tmp_path / name / CATALOG).read_bytes()))
    assert catalogs[0] == catalogs[1]
    assert b" at 0x" not in catalogs[0]


@pytest.mark.parametrize(
    ("source", "packed", "asked", "message"),
    [
        ("cufsf", {"photos": "/mnt/feret"}, {}, None),
        ("cufsf", {"photos": "../feret"}, {"photos": "/elsewhere"}, None),
        ("cufsf", {}, {"photos": "/mnt/feret"}, r"data\.photos=null, not /mnt/feret"),  # there are no photos in it
        ("cufsf", {"photos": "/mnt/feret"}, {"version": "original"}, r"data\.version=auto, not original"),
        ("unpaired_folders", {"a": "/mnt/photos", "b": "~/paintings"}, {"a": "/home/photos"}, None),
        ("unpaired_folders", {"a": "/mnt/photos", "b": "x"}, {"a": "y", "b": "x"}, r"data\.a=/mnt/photos, not y"),
        ("unpaired_folders", {"a": "x", "b": "y"}, {}, r"data\.a=x, not null"),
    ],
)
def test_folders_outside_of_the_root_need_not_be_named_again(
    source: str, packed: dict[str, str], asked: dict[str, str], message: str | None, catalog: Catalog, tmp_path: Path
) -> None:
    where = tmp_path / "shards"
    pack(catalog, source, packed, size=286, output=where, shard_bytes=5000, skip_broken=False)
    if message is None:
        assert len(open_shards("data", str(where), source, asked, 286).records) == 6
    else:
        with pytest.raises(UserError, match=message):
            open_shards("data", str(where), source, asked, 286)


# Whole or not there ---------------------------------------------------------------------------------------------------


def test_a_broken_picture_is_named_and_nothing_is_left(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "drawn/3-1.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"drawn/3-1\.png: no readable picture .*data\.on_broken=skip"):
        write(catalog, tmp_path / "out/shards")
    assert list((tmp_path / "out").iterdir()) == []
    assert write(catalog, tmp_path / "out/shards", skip_broken=True).broken == [str(tmp_path / "drawn/3-1.png")]
    (tmp_path / "drawn/4-0.png").unlink()
    with pytest.raises(UserError, match=r"more than 1 % of 18 pictures are broken: .*3-1\.png, .*4-0\.png"):
        write(catalog, tmp_path / "more", skip_broken=True)


def test_the_old_set_stays_until_the_new_one_is_whole(catalog: Catalog, tmp_path: Path) -> None:
    write(catalog, tmp_path / "shards")
    before = (tmp_path / "shards" / CATALOG).read_bytes()

    def full() -> None:
        assert (tmp_path / "shards" / CATALOG).read_bytes() == before
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write(catalog, tmp_path / "shards", on_done=full)
    assert (tmp_path / "shards" / CATALOG).read_bytes() == before
    del catalog.records[3:]
    write(catalog, tmp_path / "shards", shard_bytes=10**6)
    assert sorted(path.name for path in (tmp_path / "shards").iterdir()) == [CATALOG, "shard-000000.tar"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drawn", "photos", "shards"]


def test_what_a_killed_packing_left_is_removed_once_it_is_old(catalog: Catalog, tmp_path: Path) -> None:
    for name, age in (("old", 7200), ("young", 0)):
        folder = tmp_path / f"shards.unfinished-1-{name}"
        folder.mkdir()
        (folder / "shard-000000.tar").touch()
        for path in (folder / "shard-000000.tar", folder):
            os.utime(path, (time.time() - age,) * 2)
    write(catalog, tmp_path / "shards")
    assert not (tmp_path / "shards.unfinished-1-old").exists()
    assert (tmp_path / "shards.unfinished-1-young").exists()  # another process may be at it
