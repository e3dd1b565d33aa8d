import pytest

from suite.data.sources.identity_folders import identity_folders
from suite.data.splits import assign_splits


def found(catalog):
    return [(record.key, record.label, record.group, record.split) for record in catalog.records]


def test_a_folder_is_an_identity(tree):
    root = tree("p10/1.jpg", "p2/10.JPG", "p2/9.png", "p2/video 1/9.jpg", "p2/Thumbs.db", ".cache/1.jpg")
    catalog = identity_folders(root=root)
    assert found(catalog) == [
        ("p2/9", 0, "p2", "train"),
        ("p2/10", 0, "p2", "train"),
        ("p2/video 1/9", 0, "p2", "test"),
        ("p10/1", 1, "p10", "train"),
    ]
    assert catalog.label_names == ("p2", "p10")


@pytest.mark.parametrize("above", ["", "train/"])
def test_without_a_test_folder_the_last_frames_of_each_identity_are_held_out(tree, above):
    counts = {"a": 30, "b": 12}
    root = tree(*(f"{above}{name}/{number}.jpg" for name, count in counts.items() for number in range(count)))
    catalog = identity_folders(root=root)
    test = [record.key for record in catalog.records if record.split == "test"]
    assert test == ["a/27", "a/28", "a/29", "b/11"]
    assert {record.split for record in catalog.records} == {"train", "test"}
    assert ["the last tenth of each one's" in warning for warning in catalog.split_warnings] == [True]


def test_the_held_out_tenth_is_said_only_where_it_is_held_out(tree):
    catalog = identity_folders(root=tree(*(f"{name}/{number}.jpg" for name in "ab" for number in range(20))))
    assign_splits(catalog, {"train": 0.5, "test": 0.5}, seed=0)
    assert catalog.warnings == []
    splits = assign_splits(catalog, None, seed=0)
    assert [record.key for record in splits["test"]] == ["a/18", "a/19", "b/18", "b/19"]
    assert catalog.warnings == catalog.split_warnings != []


def test_folders_for_the_splits(tree):
    root = tree("train/a/1.jpg", "train/b/1.jpg", "test/b/2.jpg", "val/a/3.jpg")
    catalog = identity_folders(root=root)
    assert catalog.warnings == []
    assert sorted(found(catalog)) == [
        ("a/1", 0, "a", "train"),
        ("a/3", 0, "a", "val"),
        ("b/1", 1, "b", "train"),
        ("b/2", 1, "b", "test"),
    ]


def test_identities_are_chosen_and_numbered_as_given(tree, refused):
    root = tree("a/1.jpg", "b/1.jpg", "c/1.jpg", "loose.jpg")
    catalog = identity_folders(root=root, identities=["c", "a"])
    assert [row[:2] for row in found(catalog)] == [("c/1", 0), ("a/1", 1)]
    assert "pictures of no identity in 1 folders" in catalog.warnings[0]
    assert "zoe has no folder" in refused(identity_folders, root=root, identities=["a", "zoe"])
    assert "data.identities=['a', 'a']: give two identities at least" in refused(
        identity_folders, root=root, identities=["a", "a"]
    )


def test_pictures_of_equal_names_keep_apart(tree):
    keys = [row[0] for row in found(identity_folders(root=tree("a/1.jpg", "a/1.png", "b/1.jpg", "b/x/1.jpg")))]
    assert len(set(keys)) == 4


@pytest.mark.parametrize("given", ["", "faces/a"])
def test_a_root_too_high_or_too_low_is_named(tree, refused, given):
    root = tree("faces/a/1.jpg", "faces/b/1.jpg")
    message = refused(identity_folders, root=f"{root}/{given}".rstrip("/"))
    assert message.endswith(f"set data.root={root}/faces")


def test_an_identity_without_pictures_is_named(tree, refused):
    assert "/b: no picture in it" in refused(identity_folders, root=tree("a/1.jpg", "b/notes.txt"))


def test_people_may_be_called_as_splits_are(tree, refused):
    names = ("dev", "val", "test")
    catalog = identity_folders(root=tree(*(f"{name}/{number}.jpg" for name in names for number in range(2))))
    assert catalog.label_names == ("dev", "test", "val")
    divided = tree(*(f"sets/{split}/{name}/1.jpg" for split in ("train", "val", "valid") for name in "ab")) + "/sets"
    assert refused(identity_folders, root=divided).endswith(
        "val/ and valid/ both mean the split val; put them into one"
    )
