"""What lies below a root and is not read: counted by kind and by folder, whatever the source."""

import pytest

from suite.data.keys import DataKeys
from suite.data.sources.folders import list_pictures
from suite.data.suffixes import HAS_HEIC
from suite.data.unread import Unread, count_unread
from suite.errors import UserError


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def test_files_are_counted_by_suffix_and_pictures_by_the_uppermost_folder(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/2.jpg", "a/x.psd", "a/y.PSD", "a/z.cr2", "a/list.txt", "a/points.mat", "a/noext")
    touch(tmp_path, "extra/1.png", "extra/deep/2.png", "extra/deep/3.gif", "talk.mp4", "set.zip", "loose.bmp")
    touch(tmp_path, "__MACOSX/1.jpg", ".hidden/1.jpg", "a/._1.jpg", "a/inner/1.jpg")
    unread = count_unread(tmp_path, [str(tmp_path / "a" / "1.jpg"), str(tmp_path / "a" / "2.jpg")])
    assert unread.kinds == {"psd": 2, "cr2": 1, "mp4": 1, "zip": 1}
    assert unread.folders == {"extra/": 3, "the root itself": 1, "a/inner/": 1}
    assert unread.figures() == {"psd": 2, "cr2": 1, "mp4": 1, "zip": 1, "pictures": 5}
    assert unread.lines() == [
        f"5 files below {tmp_path} are not read: 2 psd, 1 cr2, 1 mp4, 1 zip",
        f"pictures below {tmp_path} that are not read: extra/ holds 3 pictures, a/inner/ holds 1 picture, the root "
        "itself holds 1 picture",
    ]


def test_nothing_is_said_of_a_folder_that_is_read_whole(tmp_path):
    touch(tmp_path, "a/1.jpg", "list.csv")
    assert count_unread(tmp_path, [str(tmp_path / "a" / "1.jpg")]) == Unread(str(tmp_path))
    assert Unread().lines() == []


@pytest.mark.skipif(HAS_HEIC, reason="pillow-heif reads them")
def test_heic_names_what_reads_it(tmp_path):
    touch(tmp_path, "1.heic")
    (line,) = count_unread(tmp_path, []).lines()
    assert line.endswith("is not read: 1 heic (pip install 'suite[heic]' reads heic)")


def test_links_are_followed_once_and_known_by_where_they_lead(tmp_path):
    touch(tmp_path, "elsewhere/1.jpg", "elsewhere/2.psd", "root/3.jpg")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "loop").symlink_to(tmp_path / "root")
    read = [str(tmp_path / "root" / "link" / "1.jpg"), str(tmp_path / "root" / "3.jpg")]
    unread = count_unread(tmp_path / "root", read)
    assert (unread.kinds, unread.folders) == ({"psd": 1}, {})


def test_a_folder_outside_of_the_root_is_looked_at_too(tmp_path):
    touch(tmp_path, "root/a/1.jpg", "b/1.jpg", "b/2.psd", "b/3.svg", "b/4.jpg")
    unread = count_unread(tmp_path / "root", [str(tmp_path / "root/a/1.jpg"), str(tmp_path / "b/1.jpg")])
    assert unread.kinds["svg"] == 1
    assert unread.folders == {"../b/": 1}


def test_a_data_set_says_it(tmp_path):
    touch(tmp_path, "trainA/1.jpg", "trainB/1.jpg", "trainB/2.svg", "extra/1.jpg", "trainA/only.jpg", "trainA/3.gif")
    for source in ("unpaired_folders", "paired_folders"):
        task = source.partition("_")[0]
        unread = DataKeys(source=source, task=task, root=str(tmp_path)).list_pictures().unread
        assert (unread.kinds, unread.folders) == ({"svg": 1}, {"extra/": 1})  # an orphan is said apart
    line = DataKeys(source="unpaired_folders", root=str(tmp_path), line_drawings=str(tmp_path / "trainB"))
    with pytest.raises(UserError, match="photos of the data, too"):
        DataKeys(source="unpaired_folders", root=str(tmp_path), line_drawings=str(tmp_path / "trainA")).list_pictures()
    assert any("1 svg" in warning for warning in line.list_pictures().warnings)


def test_a_folder_without_pictures_names_what_it_holds(tmp_path):
    touch(tmp_path, "1.psd", "2.psd")
    with pytest.raises(UserError, match=rf"expected files ending in .*; 2 files below {tmp_path} are not read: 2 psd$"):
        list_pictures(tmp_path, recursive=True)
