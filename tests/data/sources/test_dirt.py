"""The dirt of real copies, in every source: what the listing says does not change, or the file is named in one line."""

import os
import random
import re
from itertools import chain

import numpy as np
import pytest
from PIL import Image

from suite.data.module import PictureData
from suite.data.sources import find_source
from suite.data.sources.helpers.walking import natural_order
from suite.errors import UserError

LEVEL = 120  # grey of the pictures below


def make_pictures(data_set, root, formats):
    """The set with real pictures in the given modes and file formats by turns, whatever their names end in."""
    data_set.make(root)
    for number, name in enumerate(data_set.pictures):
        mode, kind = formats[number % len(formats)]
        picture = Image.new("L", (24, 20), LEVEL)
        if mode == "I;16":
            picture = Image.fromarray(np.full((20, 24), LEVEL * 257, np.uint16))
        elif mode in ("LA", "RGBA"):
            picture.putalpha(255)
            picture = picture.convert(mode)
        else:
            picture = picture.convert("RGB")
            picture = picture.quantize(4) if mode == "P" else picture.convert(mode)  # convert("P") would dither
        assert picture.mode == mode
        picture.save(root / name, kind)
    return root


def data_of(data_set, root, tmp_path):
    where = {"root": str(root), "cache_dir": str(tmp_path / "cache"), "cache": False}
    sizes = {"size": 8, "load_size": 8, "crop": False, "workers": 0, "batch_size": 1, "seed": 0}
    return PictureData(source=data_set.source, task=data_set.task, **data_set.options, **where, **sizes)


def test_what_systems_and_unpackers_leave_is_passed_over(data_set, tmp_path):
    root = data_set.make(tmp_path / "set")
    clean = data_set.listed(root)
    for place in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._1.jpg", "._000001.jpg", "notes.md", "1.jpg.part"):
            (place / name).touch()
        for folder in ("__MACOSX", ".ipynb_checkpoints", ".git"):
            (place / folder).mkdir()
            (place / folder / "._2.jpg").touch()
            (place / folder / "000003.jpg").touch()
    assert data_set.listed(root) == clean


def test_capitals_in_a_suffix_change_nothing_else(data_set, tmp_path):
    root = data_set.make(tmp_path / "set")
    clean = data_set.listed(root)
    for path in [root / name for name in data_set.pictures]:
        path.rename(path.with_suffix(path.suffix.upper()))
    listed = str(data_set.listed(root))
    assert listed != str(clean)
    assert listed.replace(".JPG", ".jpg").replace(".PNG", ".png").replace(".TIF", ".tif") == str(clean)


def test_numbers_are_in_natural_order(data_set, tmp_path):
    catalog = data_set.catalog(data_set.make(tmp_path / "set"))
    orders = {}
    for record in catalog.records:
        orders.setdefault((record.photo is None, record.split), []).append(record.key)
        drawings = [drawing.name for drawing in record.drawings]
        assert drawings == sorted(drawings, key=natural_order)
    assert any(len(keys) > 1 for keys in orders.values())
    assert all(keys == sorted(keys, key=natural_order) for keys in orders.values())
    for left_out in (catalog.orphan_photos, catalog.orphan_drawings):
        assert left_out == sorted(left_out, key=natural_order)


@pytest.mark.parametrize(
    ("source", "pattern", "options"),
    [
        ("celeba_hq", "train/x{}/1.jpg", {}),
        ("sketchy", "photo/x{}/1.jpg", {"drop": []}),
        ("sketchy", "photo/x{}/1.jpg", {"drop": [], "categories": ["x10", "x2", "x1"]}),
        ("wikiart", "Cubism {}/1.jpg", {}),
        ("identity_folders", "x{}/1.jpg", {}),
        ("unpaired_folders", "trainA/x{}/1.jpg", {}),
        ("anime_faces", "face_photo/x{}/1.jpg", {"recursive": True}),
    ],
)
def test_folders_are_in_natural_order_and_so_are_labels(source, pattern, options, tree):
    beside = {
        "sketchy": [f"sketch/x{number}/1-1.png" for number in (1, 2, 10)],
        "wikiart": ["Cubism/1.jpg"],
        "unpaired_folders": ["trainB/1.jpg"],
        "anime_faces": ["face_cartoon/pa_face/1.jpg"],
    }
    root = tree(*(pattern.format(number) for number in (1, 2, 10)), *beside.get(source, []))
    records = find_source(source)(root=root, **options).records
    inside = [record for record in records if record.photo is not None and "1.jpg" in record.photo.name]
    places = [re.findall(r"(?:x| )(\d+)/1.jpg", record.photo.name) for record in inside]
    assert [int(place[0]) for place in places if place] == [1, 2, 10]
    labels = [record.label for record in inside]
    assert labels[0] is None or labels == sorted(labels)


def test_the_order_in_which_the_disk_lists_does_not_matter(data_set, tmp_path, monkeypatch):
    root = data_set.make(tmp_path / "set")
    (root / "z_link").symlink_to(root / data_set.pictures[0].split("/")[0])  # one folder by two names
    clean = data_set.listed(root)
    listdir, scandir = os.listdir, os.scandir
    shuffles = 0

    class Shuffled(list):
        def __init__(self, entries):
            nonlocal shuffles
            super().__init__(sorted(entries, key=lambda _: generator.random()))
            shuffles += 1

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def __next__(self):  # os.walk takes one at a time
            if not self:
                raise StopIteration
            return self.pop(0)

        close = __exit__

    monkeypatch.setattr(os, "listdir", lambda path=".": list(Shuffled(listdir(path))))
    monkeypatch.setattr(os, "scandir", lambda path=".": Shuffled(scandir(path)))
    for seed in range(3):
        generator = random.Random(seed)
        assert data_set.listed(root) == clean
    assert shuffles > 3


@pytest.mark.parametrize("formats", [
    [("P", "PNG"), ("CMYK", "JPEG"), ("LA", "PNG")], [("I;16", "PNG"), ("CMYK", "TIFF"), ("RGBA", "PNG"), ("P", "GIF")],
], ids=["palette, CMYK, LA", "16 bits, CMYK tif, RGBA, gif"])  # fmt: skip
def test_any_mode_of_picture_becomes_a_batch(data_set, tmp_path, formats):
    data = data_of(data_set, make_pictures(data_set, tmp_path / "set", formats), tmp_path)
    data.prepare_data()
    data.setup("fit")
    batches = [*data.train_dataloader(), *data.val_dataloader()]
    sides = [batch[key] for batch in batches for key in ("a", "b", "image") if key in batch]
    assert sides
    assert {tuple(side.shape[1:]) for side in sides} == {(3, 8, 8)}
    assert [side for side in sides if (side.float() - LEVEL).abs().max() > 3] == []


@pytest.mark.parametrize("kind", ["zero-byte", "truncated", "a web page"])
def test_a_picture_that_is_none_is_named(data_set, tmp_path, kind):
    root = make_pictures(data_set, tmp_path / "set", [("RGB", "PNG")])
    spoiled = root / data_set.pictures[0]
    content = {"zero-byte": b"", "truncated": spoiled.read_bytes()[:50], "a web page": b"<!DOCTYPE html>"}[kind]
    spoiled.write_bytes(content)
    data = data_of(data_set, root, tmp_path)
    data.prepare_data()
    data.setup("fit")
    loaders = (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())
    with pytest.raises(UserError) as error:
        list(chain(*loaders))
    assert str(error.value).startswith(f"{spoiled}: no readable picture (")
    assert "\n" not in str(error.value)
