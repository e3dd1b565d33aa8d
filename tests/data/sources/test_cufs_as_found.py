"""CUFS as people have it on disk: other folders, other names, no split but the numbers, and what is said of it."""

from collections import Counter

import pytest

from suite.data.sources.cufs import cufs
from suite.data.sources.helpers.cufs_names import split_of_cuhk


def test_numbers_of_cuhk_say_the_split_where_nothing_else_does(tree):
    """88 train and 100 test (the set lacks one m- of 008 to 062), in a copy whose sketches are named as the photos."""
    numbers = {"f": [*range(5, 44)], "m": [*range(8, 102)], "f1": [*range(1, 16)], "m1": [*range(1, 42)]}
    numbers["m"].remove(50)
    names = [f"{kind}-{number:03d}-01" for kind, found in numbers.items() for number in found]
    root = tree(*(f"{side}/{name}.jpg" for name in names for side in ("photos", "sketches")))
    catalog = cufs(root=root)
    splits = {record.key.removeprefix("cuhk/"): record.split for record in catalog.records}
    assert Counter(splits.values()) == {"train": 88, "test": 100}
    borders = {"f-038": "train", "f-039": "test", "m-008": "train", "m-062": "train", "m-063": "test", "m1-001": "test"}
    assert {name: splits[f"{name}-01"] for name in borders} == borders
    assert catalog.warnings == []


@pytest.mark.parametrize(("name", "split"), [
    ("F2-300-01-sz1", "train"), ("f-300-01-sz1", "test"), ("f-300-01", None), ("m1-010-01", "test"), ("00", None),
    ("M-010-01", "train"),
])  # fmt: skip
def test_a_number_that_cuhk_has_not(name, split):
    assert split_of_cuhk(name) == split


def test_folders_and_the_name_of_the_root_count_before_numbers(tree):
    names = ["f-005-01.jpg", "f-039-01.jpg"]
    files = [f"{side}/{name}" for name in names for side in ("photos", "sketches")]
    for root, split in (("Testing photos", "test"), ("CUHK_student_train", "train")):
        catalog = cufs(root=tree(*(f"{root}/{file}" for file in files)) + f"/{root}")
        assert {record.split for record in catalog.records} == {split}
    root = tree(*(f"x/{file}" for file in files), "x/test/photos/m-010-01.jpg", "x/sketches/M2-010-01-sz1.jpg") + "/x"
    assert {record.key: record.split for record in cufs(root=root).records} == {
        "cuhk/f-005-01": "train", "cuhk/f-039-01": "test", "cuhk/m-010-01": "test"
    }  # fmt: skip


def test_three_splits_by_folder(tree):
    splits = {"train": "train", "val": "val", "TEST": "test"}
    root = tree(*(f"{split}/{side}/1.jpg" for split in splits for side in ("photos", "sketches")))
    assert {record.key: record.split for record in cufs(root=root).records} == {
        f"{name.lower()}/1": split for name, split in splits.items()
    }


def test_parts_are_told_by_names_of_files(tree):
    names = ["AR_1", "AR_2", "CUHK_student_00", "XM2VTS_7"]
    folders = [f"{split}_{side}" for split in ("train", "test") for side in ("photos", "sketches")]
    root = tree(*(f"{folder}/{name}.jpg" for folder in folders for name in names))
    catalog = cufs(root=root, part="ar")
    assert {(record.key, record.group, record.split) for record in catalog.records} == {
        (f"{split}/ar_{number}", "ar", split) for split in ("train", "test") for number in (1, 2)
    }
    assert len(cufs(root=root).records) == 8


def test_photos_in_a_folder_of_any_name_are_offered_and_read(tree, refused, tmp_path):
    numbers = range(5, 9)
    sketches = [f"set/sketches/F2-00{number}-01-sz1.jpg" for number in numbers]
    files = [*sketches, *(f"set/faces/f-00{number}-01.jpg" for number in numbers), "set/thumbs/other.jpg"]
    root = tree(*files) + "/set"
    message = refused(cufs, root=root)
    assert f"{root}/faces was not read" in message
    assert message.endswith("set data.photos=faces")
    expected = [("cuhk/f-005-01", f"{root}/faces/f-005-01.jpg", f"{root}/sketches/F2-005-01-sz1.jpg", "train")]
    first = cufs(root=root, photos="faces").records[0]
    assert [(first.key, first.photo.name, first.drawings[0].name, first.split)] == expected
    (tmp_path / "set" / "faces").rename(tmp_path / "mine")
    found = cufs(root=root, photos=str(tmp_path / "mine"))
    assert [record.photo.name for record in found.records] == [f"{tmp_path}/mine/f-00{n}-01.jpg" for n in numbers]
    assert "data.photos: " in refused(cufs, root=root, photos="nowhere")
    renamed = cufs(root=tree("x/faces/1.jpg", "x/sketches/1.png") + "/x", photos="faces")
    assert [(record.key, record.paired) for record in renamed.records] == [("1", True)]


def test_photos_of_other_names_than_the_sketches_are_no_pairs(tree, refused):
    root = tree("photos/ann.jpg", "photos/bob.jpg", "sketches/1.png", "sketches/2.png")
    message = refused(cufs, root=root)
    assert f"for example {root}/photos/ann.jpg and {root}/sketches/1.png" in message
    assert "data=paired_folders data.a=photos data.b=sketches data.pairs=sorted reads them so" in message
    assert "sorted" not in refused(cufs, root=tree("photos/zoe.jpg"))


@pytest.mark.parametrize("place", ["", "/data", "/data/cuhk"])
def test_photos_alone_are_said_and_sent_nowhere(place, tree, refused):
    root = tree(*(f"data/cuhk/test/photo/{number}.jpg" for number in range(3))) + place
    message = refused(cufs, root=root)
    assert "3 photos, such as" in message
    assert "no sketch" in message
    assert "data.root" not in message


def test_originals_without_use_and_names_without_points_are_not_warned_of(tree):
    cropped = ["photos/f-005-01.jpg", "sketches/F2-005-01-sz1.jpg"]
    assert cufs(root=tree(*cropped, "x/sketch/f1-001-01-sz1.jpg"), version="auto").warnings == []
    assert cufs(root=tree("y/photo/1.jpg", "y/sketch/1.jpg") + "/y").warnings == []
    [warning] = cufs(root=tree("z/photo/f-005-01.jpg", "z/sketch/f2-005-01-sz1.jpg") + "/z").warnings
    assert "data.version" not in warning


def test_a_picture_in_both_lists_is_refused(tree, refused):
    root = tree("photos/1.jpg", "sketches/1.jpg", texts={"train.txt": "1.jpg\n", "test.txt": "photos/1.jpg||x\n"})
    assert "is in the list of " in refused(cufs, root=root)
