import unicodedata

import pytest

from suite.data.sources.photo_sketch import photo_sketch
from suite.data.splits import assign_splits


def drawn(stem, *numbers, width="width-5"):
    return [f"sketch-rendered/{width}/{stem}_{number:02d}.png" for number in numbers]


def names(record):
    return [picture.name.split("/")[-1] for picture in (record.photo, *record.drawings)]


def test_any_number_of_drawings_in_the_order_of_their_numbers(tree):
    root = tree(
        *("image/10.jpg", "image/2.JPG", "image/a.b_07.jpg", "image/empty.jpg", "image/Thumbs.db"),
        *drawn("10", 1, 2, 3, 4, 5), *drawn("2", 2, 10, 1), *drawn("a.b_07", 1),
        *drawn("gone", 1), "sketch-rendered/width-5/notes.png", "sketch/10_01.svg",
    )  # fmt: skip
    catalog = photo_sketch(root=root)
    assert [names(record) for record in catalog.records] == [
        ["2.JPG", "2_01.png", "2_02.png", "2_10.png"],
        ["10.jpg", *(f"10_0{number}.png" for number in range(1, 6))],
        ["a.b_07.jpg", "a.b_07_01.png"],
    ]
    assert catalog.orphan_photos == [f"{root}/image/empty.jpg"]
    rendered = f"{root}/sketch-rendered/width-5"
    assert catalog.orphan_drawings == [f"{rendered}/gone_01.png", f"{rendered}/notes.png"]


def test_official_lists(tree):
    lists = {"list/train.txt": "049\r\n004.jpg\r\n", "list/val.txt": "054 \n\n", "list/test.txt": "7\n"}
    stems = ("049", "004", "054", "new")
    root = tree(*(f"image/{stem}.jpg" for stem in stems), *(n for stem in stems for n in drawn(stem, 1)), texts=lists)
    catalog = photo_sketch(root=root)
    found = {record.key: record.split for record in catalog.records}
    assert found == {"049": "train", "004": "train", "054": "val", "new": None}
    assert catalog.missing == [f"7 in {root}/image"]
    assert catalog.split_warnings == ["photo_sketch: 1 photos are in no list; they train"]


def test_a_drawn_split_is_one_of_photos(tree):
    root = tree(*(f"image/{n}.jpg" for n in range(20)), *(name for n in range(20) for name in drawn(str(n), 1, 2, 3)))
    catalog = photo_sketch(root=root)
    assert any("no lists in" in warning for warning in catalog.split_warnings)
    splits = assign_splits(catalog, {"train": 18, "test": 2}, seed=0)
    sides = {split: {path for record in records for path in names(record)} for split, records in splits.items()}
    assert {split: len(found) for split, found in sides.items()} == {"train": 72, "test": 8}
    assert not {name.split("_")[0] for name in sides["train"]} & {name.split("_")[0] for name in sides["test"]}


def test_names_in_two_forms_of_unicode_are_one(tree):
    composed, decomposed = (unicodedata.normalize(form, "été") for form in ("NFC", "NFD"))
    for listed in (composed, decomposed):
        root = tree(f"image/{composed}.jpg", *drawn(decomposed, 1), texts={"list/train.txt": listed + "\n"})
        catalog = photo_sketch(root=root)
        assert [(record.key, record.split) for record in catalog.records] == [(composed, "train")]
        assert (catalog.missing, catalog.orphan_drawings) == ([], [])


def test_strokes_alone_are_refused(tree, refused):
    root = tree("image/1.jpg", "sketch-rendered/width-5/1_01.svg")
    message = refused(photo_sketch, root=root)
    assert "sketch-rendered/width-5: no picture in it; expected the drawings rendered as <stem>_01.png" in message
    assert "recursive" not in message
    other = tree("other/image/notes.txt", "other/" + drawn("1", 1)[0]) + "/other"
    assert "other/image: no picture in it; expected the photos" in refused(photo_sketch, root=other)


def test_any_folder_of_a_width(tree, refused):
    root = tree("image/1.jpg", *drawn("1", 1, width="width_var"), *drawn("1", 1, 2, width="width-1"))
    assert len(photo_sketch(root=root, width="width_var").records[0].drawings) == 1
    message = refused(photo_sketch, root=root)
    assert message.startswith("data.width=width-5: ")
    assert message.endswith("there is width-1, width_var")


def test_lists_that_are_none_are_refused(tree, refused):
    root = tree("image/1.jpg", *drawn("1", 1), texts={"list/val.txt": "<!DOCTYPE html>"})
    assert "list/val.txt: a web page" in refused(photo_sketch, root=root)
    tree(texts={"list/val.txt": "1\n", "list/train.txt": "1\n"})
    assert "val.txt: 1 is also in train.txt" in refused(photo_sketch, root=root)


@pytest.mark.parametrize("given", ["", "ContourDrawing/image"])
def test_a_root_too_high_or_too_low_is_told_where_it_lies(tree, refused, given):
    root = tree("ContourDrawing/image/1.jpg", "ContourDrawing/sketch-rendered/width-5/1_01.png")
    message = refused(photo_sketch, root=f"{root}/{given}".rstrip("/"))
    assert message.endswith(f"set data.root={root}/ContourDrawing")
    assert "no drawing is named after a photo" in refused(
        photo_sketch, root=tree("image/1.jpg", "sketch-rendered/width-5/2_01.png")
    )


@pytest.mark.parametrize("divided", ["both", "photos"])
def test_of_a_split_in_a_split_the_held_out_one_counts(tree, divided):
    expected = {("Train", "test"): "test", ("Train", "train"): "train", ("Test", "train"): "test"}
    files = []
    for of, inner in expected:
        below = f"{inner}/" if divided == "both" else ""
        files += [f"{of}/image/{inner}/{of}{inner}.jpg"]
        files += [f"{of}/sketch-rendered/width-5/{below}{of}{inner}_01.png"]
    records = photo_sketch(root=tree(*files)).records
    assert {record.key: record.split for record in records} == {
        of + inner: split for (of, inner), split in expected.items()
    }
