import unicodedata
from pathlib import Path

import pytest

from suite.data.sources.folders import list_pictures, paired_folders, unpaired_folders
from suite.errors import UserError


def touch(root: Path, *names: str) -> None:
    """Files that only have a name: a source that opened one would fail."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_dirt_is_ignored_and_names_are_sorted_as_people_do(tmp_path):
    names = ["10.jpg", "2.JPG", "a.b.v2.Jpeg", "x.webp-1.png", "sub/2.png", "übung.TIFF", "3.webp"]
    touch(
        tmp_path, *names, "Thumbs.db", ".DS_Store", "._2.jpg", "desktop.ini", "notes.txt", ".git/1.png", "jpg", "4.psd"
    )
    assert list(list_pictures(tmp_path, recursive=True)) == ["2", "3", "10", "a.b.v2", "sub/2", "x.webp-1", "übung"]
    assert list(list_pictures(tmp_path, recursive=False)) == ["2", "3", "10", "a.b.v2", "x.webp-1", "übung"]


def test_two_files_that_differ_in_their_suffix_have_two_keys(tmp_path):
    touch(tmp_path, "1.jpg", "1.png")
    assert list(list_pictures(tmp_path, recursive=True)) == ["1", "1.png"]


def test_equal_stems_in_sub_folders_stay_apart(tmp_path):
    touch(tmp_path, "photos/x/1.jpg", "photos/y/1.jpg", "drawings/x/1.png", "drawings/y/1.png")
    catalog = paired_folders(root=str(tmp_path), a="photos", b="drawings")
    pairs = [(record.key, record.photo.name, record.drawings[0].name) for record in catalog.records]
    assert pairs == [(f"{k}/1", f"{tmp_path}/photos/{k}/1.jpg", f"{tmp_path}/drawings/{k}/1.png") for k in "xy"]


def test_a_folder_that_links_to_itself_is_read_once(tmp_path):
    touch(tmp_path, "photos/1.jpg")
    (tmp_path / "photos/again").symlink_to(tmp_path / "photos")
    assert list(list_pictures(tmp_path / "photos", recursive=True)) == ["1"]


def test_unpaired_reads_the_fields_four_folders(tmp_path):
    touch(tmp_path, "trainA/1.jpg", "trainA/2.jpg", "trainB/1.png", "testA/1.jpg", "testB/9.jpg", "other/1.jpg")
    catalog = unpaired_folders(root=str(tmp_path))
    found = [(r.split, r.key, "photo" if r.photo else "drawing") for r in catalog.records]
    assert found == [
        ("train", "1", "photo"),
        ("train", "2", "photo"),
        ("train", "1", "drawing"),
        ("test", "1", "photo"),
        ("test", "9", "drawing"),
    ]


def test_unpaired_without_test_photos_leaves_that_side_to_the_draw(tmp_path):
    touch(tmp_path, "trainA/1.jpg", "trainB/1.png", "testB/9.jpg")
    assert {(r.split, r.photo is None) for r in unpaired_folders(root=str(tmp_path)).records} == {
        ("train", False),
        ("train", True),
        ("test", True),
    }


def test_unpaired_takes_two_folders_inside_the_root_or_anywhere(tmp_path):
    touch(tmp_path, "set/photos/1.jpg", "elsewhere/p.png")
    catalog = unpaired_folders(root=str(tmp_path / "set"), a="photos", b=str(tmp_path / "elsewhere"))
    assert [(r.key, r.split) for r in catalog.records] == [("1", None), ("p", None)]


def test_pairs_are_matched_by_stem_and_orphans_counted(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "É") for form in ("NFC", "NFD"))
    touch(tmp_path, "a/1.jpg", "a/2.jpg", f"a/{composed}.jpg", "b/2.png", f"b/{decomposed}.png", "b/7.png", "b/8.png")
    catalog = paired_folders(root=str(tmp_path), a="a", b="b")
    assert [record.key for record in catalog.records] == ["2", composed]
    assert catalog.orphan_photos == [f"{tmp_path}/a/1.jpg"]
    assert catalog.orphan_drawings == [f"{tmp_path}/b/7.png", f"{tmp_path}/b/8.png"]
    assert catalog.summary() == "paired_folders: 2 photos, 2 drawings, 2 pairs, 1 orphan photos, 2 orphan drawings"


@pytest.mark.parametrize("layout", ["trainA/{}", "train/a/{}"])
def test_pairs_keep_the_splits_of_their_folders(tmp_path, layout):
    for split in ("train", "test"):
        for side in "ab":
            folder = f"{split}{side.upper()}" if layout == "trainA/{}" else f"{split}/{side}"
            touch(tmp_path, f"{folder}/{split}1.jpg")
    sides = {} if layout == "trainA/{}" else {"a": "a", "b": "b"}
    catalog = paired_folders(root=str(tmp_path), **sides)
    assert [(record.key, record.split) for record in catalog.records] == [("train1", "train"), ("test1", "test")]


def test_strips_give_both_halves(tmp_path):
    touch(tmp_path, "train/1.jpg", "val/2.jpg")
    catalog = paired_folders(root=str(tmp_path), strips=True)
    halves = [(record.split, record.photo.half, record.drawings[0].half) for record in catalog.records]
    assert halves == [("train", "left", "right"), ("val", "left", "right")]


def test_what_is_missing_is_named_in_one_line(tmp_path):
    touch(tmp_path, "photos/1.jpg", "empty/notes.txt", "sketches/one.png")
    root = str(tmp_path)
    for source in (unpaired_folders, paired_folders):
        with pytest.raises(UserError, match="/nowhere: there is no such folder") as error:
            source(root=f"{root}/nowhere")
        one_line(error)
        with pytest.raises(UserError, match=r"photos/1\.jpg: is a file, not a folder"):
            source(root=f"{root}/photos/1.jpg")
        with pytest.raises(UserError, match="expected folders trainA and trainB") as error:
            source(root=root)
        assert root in one_line(error)
        with pytest.raises(UserError, match=r"side b: .*/drawings: there is no such folder"):
            source(root=root, a="photos", b="drawings")
        with pytest.raises(UserError, match=r"/empty: no picture in it or below; expected .*\.jpg"):
            source(root=root, a="photos", b="empty")
        with pytest.raises(UserError, match=r"data\.b is missing"):
            source(root=root, a="photos")
    with pytest.raises(UserError, match=r"no two pictures share a stem, for example .*photos/1\.jpg and .*one\.png"):
        paired_folders(root=root, a="photos", b="sketches")
    with pytest.raises(UserError, match=r"data\.recursive=true"):
        unpaired_folders(root=root, a="photos", b=root, recursive=False)
