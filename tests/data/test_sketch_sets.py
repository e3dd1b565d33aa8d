"""Sketches that a model made of the photos, found by their keys, a folder a set."""

import json

import pytest
import torch

from suite.data.module import PictureData
from suite.data.sketch_sets import Manifest, read_manifest, sketch_name, write_manifest
from suite.errors import UserError


@pytest.fixture
def sketched(tmp_path, picture):
    """sketched(keys, sets, **arguments): photos of level 10 and up, sketches of 100 and up, 150 and up."""

    def make(keys, sets=("step20", "step3"), **arguments):
        for level, key in enumerate(keys):
            picture(f"photos/{key}.png", level=10 + level)
            for place, name in enumerate(sets):
                picture(f"sketches/{name}/{key}.png", level=100 + 50 * place + level)
        if sets:
            write_manifest(tmp_path / "sketches", Manifest(tuple(sets), 8, len(keys), "TOM", 0.7))
        where = {"root": str(tmp_path), "a": "photos", "b": "photos", "sketch_sets": str(tmp_path / "sketches")}
        sizes = {"size": 8, "load_size": 8, "batch_size": 2, "workers": 0, "cache_dir": str(tmp_path / "cache")}
        defaults = {"task": "self_supervised", "direction": "b2a", "channels_a": 1}
        return PictureData(source="unpaired_folders", **(where | sizes | defaults | arguments))

    return make


def levels(data, catalog=None):
    """Of each record the level of its photo, and of its drawings."""
    of_records = {}
    for record in (catalog or data.catalog).records:
        shown = (record.photo, *record.drawings)
        of_records[record.key] = [one.load().getpixel((0, 0))[0] for one in shown]
    return of_records


def test_numbered_photos_get_their_own_sketches_in_the_sets_order(sketched):
    """Sorted as text, 10 comes before 2: sketches named by their place in that order would be of other photos."""
    keys = [str(number) for number in range(12)]
    found = levels(sketched(keys))
    assert found == {key: [10 + int(key), 100 + int(key), 150 + int(key)] for key in keys}


def test_keys_are_paths_and_any_text(sketched):
    keys = ["male/001", "female/001", "female/1", "a.b", "a.b.png", "Mädchen"]
    found = levels(sketched(keys))
    assert found == {key: [10 + place, 100 + place, 150 + place] for place, key in enumerate(keys)}


def test_a_file_system_s_form_of_an_umlaut_is_the_same_name(sketched, tmp_path):
    data = sketched(["Mädchen", "b"])
    (tmp_path / "sketches" / "step3" / "Mädchen.png").rename(tmp_path / "sketches" / "step3" / "Ma\u0308dchen.png")
    assert sketch_name("Ma\u0308dchen") == "Mädchen.png"
    assert [len(record.drawings) for record in data.catalog.records] == [2, 2]
    assert data.catalog.warnings[:-1] == []  # the last tells of the splits


def test_batches_are_of_the_same_scene_and_all_sets_come(sketched):
    data = sketched([str(number) for number in range(12)], split={"train": 8, "test": 4}, flip=0)
    data.setup()
    sets, siblings = set(), 0
    loader = data.train_dataloader()
    for epoch in range(3):
        loader.sampler.set_epoch(epoch)
        for batch in map(data.finish, loader):
            a, b, other = ((batch[key][:, 0, 0, 0] + 1) * 127.5 for key in ("a", "b", "sibling"))
            number, another = (a - 100) % 50, (other - 100) % 50
            torch.testing.assert_close(number, b - 10, atol=1e-3, rtol=0)
            torch.testing.assert_close(number, another, atol=1e-3, rtol=0)
            sets |= set((a >= 149).tolist())
            siblings += int(((a - other).abs() > 40).sum())
    assert sets == {True, False}
    assert siblings == 24  # the other of two, always
    evaluated = next(iter(data.test_dataloader()))
    assert (evaluated["a"][:, 0, 0, 0] < 150).all()  # of the first set


def test_the_source_s_own_drawings_are_forgotten(sketched, picture, tmp_path):
    data = sketched(["x", "y"])
    for key in ("x", "y", "alone"):
        picture(f"own/{key}.png", level=250)
    paired = PictureData(
        source="paired_folders", task="paired", root=str(tmp_path), a="photos", b="own", sketch_sets=data.sketch_sets
    )
    assert levels(paired) == {"x": [10, 100, 150], "y": [11, 101, 151]}
    assert paired.catalog.orphan_drawings == []
    assert "step20, step3" in paired.catalog.drawings_from


def test_dirt_is_counted_and_changes_nothing(sketched, picture, tmp_path):
    data = sketched(["0", "1", "2", "3"])
    sets = tmp_path / "sketches"
    (sets / "step20" / "1.png").unlink()
    for name in ("step20", "step3"):
        (sets / name / "2.png").unlink()
    for stray in ("step3/9.png", "step3/0.jpg", "step20/._0.png", "step20/Thumbs.db", "old/0.png"):
        (sets / stray).parent.mkdir(exist_ok=True)
        (sets / stray).write_bytes(b"")
    assert levels(data) == {"0": [10, 100, 150], "1": [11, 151], "3": [13, 103, 153]}
    catalog = data.catalog
    assert catalog.orphan_photos == [str(tmp_path / "photos" / "2.png")]
    assert catalog.warnings[:3] == [
        "data.sketch_sets: 1 of 4 photos have no sketch in any set and are left out, such as 2",
        "data.sketch_sets: set step20 lacks the sketches of 1 photos, which other sets have",
        "data.sketch_sets: 2 pictures of set step3 are of no photo, such as 0.jpg",
    ]


def test_two_photos_of_one_key_are_refused(sketched, picture, tmp_path):
    data = sketched(["0"])
    for side in ("trainA", "testA", "trainB", "testB"):
        picture(f"split/{side}/0.png", level=1)
    twice = PictureData(
        source="paired_folders", task="paired", root=str(tmp_path / "split"), sketch_sets=data.sketch_sets
    )
    with pytest.raises(UserError, match=r"trainA/0\.png and .*testA/0\.png have one key, 0, by which") as error:
        _ = twice.catalog
    assert "\n" not in str(error.value)


def test_what_is_not_there_is_said_in_one_line(sketched, tmp_path, picture):
    data, sets = sketched(["0", "1"]), tmp_path / "sketches"

    def refused(message):
        with pytest.raises(UserError, match=message) as error:
            data.list_pictures()
        assert "\n" not in str(error.value)

    for number in (0, 1):
        for name in ("step20", "step3"):
            (sets / name / f"{number}.png").rename(sets / name / f"other-{number}.png")
    refused(r"photo 0 has no .*/step20/0\.png, and what lies there is .*/step20/other-0\.png; name the folder")
    (sets / "step3").rename(sets / "step4")
    refused(r"data\.sketch_sets: set step3: .*/step3: there is no such folder")
    (sets / "manifest.json").unlink()
    refused(r"data\.sketch_sets=.*: no manifest\.json in it, .* python -m suite\.make_sketches")
    sets.rename(tmp_path / "elsewhere")
    refused(r"data\.sketch_sets=.*/sketches: there is no such folder; python -m suite\.make_sketches")


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    manifest = Manifest(("step500", "step1000"), 256, 30000, "TOM of runs/1_tom, steps 500 and 1000", None)
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest


@pytest.mark.parametrize(
    "change",
    [
        {"sets": []},
        {"sets": ["a", "a"]},
        {"sets": ["../a"]},
        {"sets": [".."]},
        {"sets": "a"},
        {"size": 0},
        {"pictures": "many"},
        {"threshold": 2.0},
        {"more": 1},
        {"made_by": None},
        None,
    ],
)
def test_manifests_of_others_are_refused(tmp_path, change):
    content = {"sets": ["a"], "size": 8, "pictures": 1, "made_by": "TOM", "threshold": 0.7}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    assert read_manifest(tmp_path).sets == ("a",)
    (tmp_path / "manifest.json").write_text("[1" if change is None else json.dumps(content | change))
    with pytest.raises(UserError, match=r"manifest\.json: not as this version writes it \(.+\)") as error:
        read_manifest(tmp_path)
    assert "\n" not in str(error.value)
