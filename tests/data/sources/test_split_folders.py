"""Split folders of any usual name, in every reader that has some: what lies in test is never trained on."""

from pathlib import Path

import pytest

from suite.data.listing import SetKeys, list_source
from suite.data.module import PictureData
from suite.data.sources import find_source
from suite.data.sources.helpers.split_folders import side_folders, split_named, split_of_root, split_within
from suite.errors import UserError

SPELLINGS = [("train", "val", "test"), ("Train", "valid", "TEST"), ("training", "Validation", "testing_set")]
# Source, its options, and the files of a split, which is the first {}.
LAYOUTS = {
    "sides": ("unpaired_folders", {}, ["{}A/{}.jpg", "{}B/{}.jpg"]),
    "pairs of sides": ("paired_folders", {}, ["{}A/{}.jpg", "{}B/{}.jpg"]),
    "split above": ("paired_folders", {"a": "a", "b": "b"}, ["{}/a/{}.jpg", "{}/b/{}.jpg"]),
    "split below": ("paired_folders", {"a": "a", "b": "b"}, ["a/{}/{}.jpg", "b/{}/{}.jpg"]),
    "split below, unpaired": ("unpaired_folders", {"a": "a", "b": "b"}, ["a/{}/{}.jpg", "b/{}/{}.jpg"]),
    "strips": ("paired_folders", {"strips": True}, ["{}/{}.jpg"]),
    "photo_sketch": ("photo_sketch", {}, ["{}/image/{}.jpg", "{}/sketch-rendered/width-5/{}_01.png"]),
    "photo_sketch, split below": ("photo_sketch", {}, ["image/{}/{}.jpg", "sketch-rendered/width-5/{}/{}_01.png"]),
    "sketchy": ("sketchy", {"drop": []}, ["{}/photo/duck/{}.jpg", "{}/sketch/duck/{}-1.png"]),
    "sketchy, split below": ("sketchy", {"drop": []}, ["photo/{}/duck/{}.jpg", "sketch/{}/duck/{}-1.png"]),
    "wikiart": ("wikiart", {}, ["{}/Realism/{}.jpg", "{}/Cubism/x{}.jpg"]),
    "celeba": ("celeba", {}, ["{}/0000{}.jpg"]),
    "celeba_hq": ("celeba_hq", {}, ["{}/{}.jpg"]),
    "stargan": ("celeba_hq", {}, ["{}/male/{}.jpg", "{}/female/{}.jpg"]),
    "ugatit": ("anime_faces", {}, ["{}A/{}.jpg", "{}B/{}.jpg"]),
    "animegan": ("anime_faces", {}, ["{}_photo/{}.jpg", "Hayao/style/{}/{}.jpg"]),
    "whitebox": ("anime_faces", {}, ["face_photo/{}/{}.jpg", "face_cartoon/pa_face/{}/{}.jpg"]),
    "identities": ("identity_folders", {}, ["{}/ann/{}.jpg", "{}/bob/{}.jpg"]),
    "split below identities": ("identity_folders", {}, ["ann/{}/{}.jpg", "bob/{}/{}.jpg"]),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_split_is_read_as_what_it_is(layout, spelling, tree):
    source, options, patterns = LAYOUTS[layout]
    numbers = "00", "01"
    root = tree(*(pattern.format(split, number) for split in spelling for number in numbers for pattern in patterns))
    catalog = find_source(source)(root=root, **options)
    assert catalog.records
    found = {
        (Path(picture.name).relative_to(root).as_posix(), record.split)
        for record in catalog.records
        for picture in (record.photo, *record.drawings)
        if picture is not None
    }
    expected = {
        (pattern.format(split, number), meant)
        for split, meant in zip(spelling, ("train", "val", "test"), strict=True)
        for number in numbers
        for pattern in patterns
    }
    assert found == expected
    assert [line for line in catalog.warnings if "style_train.csv" not in line] == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_two_folders_of_one_split_are_refused(layout, tree, refused):
    source, options, patterns = LAYOUTS[layout]
    root = tree(*(pattern.format(split, 1) for split in ("train", "val", "valid") for pattern in patterns))
    message = refused(find_source(source), root=root, **options)
    assert "val" in message
    assert "valid" in message
    assert message.endswith("put them into one")


@pytest.mark.parametrize(
    ("name", "meant", "in_words"),
    [
        ("Train", "train", "train"), ("training_set", "train", "train"), ("DEV", "val", "val"), ("testA", None, "test"),
        ("CUHK_student_train", None, "train"), ("testing_100", "test", "test"), ("latest", None, None),
        ("train_test", None, None), ("val_photos", None, "val"), ("Testing photos", None, "test"),
        ("value", None, None), ("test images", "test", "test"), ("train2017", "train", "train"),
        ("tests", "test", "test"), ("test_photos", None, "test"), ("latest2", None, None),
        ("test_1", "test", "test"), ("Test set (1)", "test", "test"), ("test_split", "test", "test"),
        ("validate", "val", "val"), ("eval", "val", "val"), ("held-out", "test", None),
    ],
)  # fmt: skip
def test_what_a_name_means(name, meant, in_words):
    assert (split_named(name), split_within(name)) == (meant, in_words)


@pytest.mark.parametrize(("name", "split"), [
    ("cufs_train", "train"), ("Testing photos", "test"), ("TEST", "test"), ("test_3", None), ("test-run of mine", None),
    ("mine", None), ("", None), ("Training", "train"),
])  # fmt: skip
def test_what_the_name_of_a_root_means(name, split):
    assert split_of_root(name) == split


def test_a_side_that_is_lacking_has_the_name_of_the_other(tmp_path):
    for name in ("trainA", "trainB", "Test_A", "dataA", "rest"):
        (tmp_path / name).mkdir()
    assert side_folders(tmp_path) == {
        "train": (tmp_path / "trainA", tmp_path / "trainB"),
        "test": (tmp_path / "Test_A", tmp_path / "Test_B"),
    }


def test_a_held_out_split_without_its_truth_is_left_out_and_said(tree):
    root = tree(*(f"{side}/{number}.png" for side in ("trainA", "trainB", "testA") for number in range(4)))
    catalog = find_source("paired_folders")(root=root)
    assert {record.split for record in catalog.records} == {"train"}
    assert catalog.orphan_photos == [f"{root}/testA/{number}.png" for number in range(4)]
    assert catalog.warnings == [
        f"{root}/testA: its 4 pictures have no counterpart, as there is no testB/ beside it: the split test has no "
        "truth, and they are neither trained on nor measured; suite.translate translates them"
    ]
    with pytest.raises(UserError, match=r"side b: .*/trainB: there is no such folder"):
        find_source("paired_folders")(root=tree("other/trainA/1.jpg") + "/other")


def test_a_side_that_is_divided_divides_the_other(tree):
    root = tree("a/train/1.jpg", "a/test/2.jpg", "b/1.png", "b/2.png", "b/3.png")
    catalog = find_source("paired_folders")(root=root, a="a", b="b")
    assert [(record.key, record.split) for record in catalog.records] == [("1", "train"), ("2", "test")]
    assert catalog.orphan_drawings == [f"{root}/b/3.png"]


@pytest.mark.parametrize(
    ("source", "options", "photo", "drawing"),
    [
        ("photo_sketch", {}, "image/{}.jpg", "sketch-rendered/width-5/{}/{}_01.png"),
        ("sketchy", {"drop": []}, "photo/duck/{}.jpg", "sketch/{}/duck/{}-1.png"),
        ("paired_folders", {"a": "a", "b": "b"}, "a/{}.jpg", "b/{}/{}.png"),
    ],
)
def test_a_photo_is_in_the_split_of_its_drawings(source, options, photo, drawing, tree):
    files = [drawing.format(split, number) for split, number in (("train", 1), ("test", 2), ("dev", 3))]
    root = tree(*files, *(photo.format(number) for number in (1, 2, 3)))
    found = {record.key[-1]: record.split for record in find_source(source)(root=root, **options).records}
    assert found == {"1": "train", "2": "test", "3": "val"}


def test_pictures_of_trains_are_no_split(tree):
    root = tree("a/train/1.jpg", "a/bus/2.jpg", "b/3.jpg")
    records = find_source("unpaired_folders")(root=root, a="a", b="b").records
    assert [(record.key, record.split) for record in records] == [("bus/2", None), ("train/1", None), ("3", None)]


def test_pictures_beside_a_test_folder_are_those_of_no_split(tree):
    root = tree("a/1.jpg", "b/1.jpg", "test/a/2.jpg", "test/b/2.jpg")
    records = find_source("paired_folders")(root=root, a="a", b="b").records
    assert [(record.key, record.split) for record in records] == [("1", None), ("2", "test")]
    strips = find_source("paired_folders")(root=tree("s/1.jpg", "s/Test/2.jpg") + "/s", strips=True).records
    assert {record.key: record.split for record in strips} == {"1": None, "2": "test"}


def test_people_beside_a_test_folder_of_theirs(tree):
    root = tree("ann/1.jpg", "bob/1.jpg", "Dev/1.jpg", "test/ann/2.jpg")
    catalog = find_source("identity_folders")(root=root)
    assert catalog.label_names == ("ann", "bob", "Dev")
    assert {record.photo.path.relative_to(root).as_posix(): record.split for record in catalog.records} == {
        "ann/1.jpg": "train", "bob/1.jpg": "train", "Dev/1.jpg": "train", "test/ann/2.jpg": "test"
    }  # fmt: skip


@pytest.mark.parametrize("files", [
    ["faces/train/ann/1.jpg", "faces/train/bob/1.jpg", "other/1.jpg"],
    ["faces/ann/1.jpg", "faces/bob/1.jpg", "notes/readme.txt"],
])  # fmt: skip
def test_sets_of_people_are_no_people(files, tree, refused):
    root = tree(*files)
    assert refused(find_source("identity_folders"), root=root).endswith(f"set data.root={root}/faces")


def test_splits_are_no_people_and_sides_are_no_strips(tree, refused):
    root = tree(*(f"{name}/1.jpg" for name in ("Train", "Test")))
    assert "expected one folder of pictures for each identity" in refused(find_source("identity_folders"), root=root)
    root = tree("sides/trainA/1.jpg", "sides/trainB/1.jpg") + "/sides"
    message = refused(find_source("paired_folders"), root=root, strips=True)
    assert message.endswith("trainA/ is one side of pairs in two folders: leave data.strips out")


def test_paired_training_goes_on_without_the_truth_of_test(picture, tmp_path):
    for side in ("trainA", "trainB", "testA"):
        for number in range(4):
            picture(f"set/{side}/{number}.png", seed=number)
    where = {"root": str(tmp_path / "set"), "cache_dir": str(tmp_path / "cache")}
    data = PictureData(source="paired_folders", task="paired", size=8, load_size=8, workers=0, **where)
    data.prepare_data()
    names = {split: [record.photo.path.parent.name for record in records] for split, records in data.splits.items()}
    assert names == {"train": ["trainA"] * 3, "test": ["trainA"]}
    assert any("the split test has no truth" in line for line in data.catalog.warnings)
    assert len(list(data.train_dataloader())) == 3


def test_numbered_sketches_beside_named_photos_are_offered_as_pairs(tree, refused):
    root = tree("a/ann.jpg", "a/bob.jpg", "a/zoe.jpg", "b/1.png", "b/10.png", "b/2.png")
    read = find_source("paired_folders")
    message = refused(read, root=root, a="a", b="b")
    assert f"for example {root}/a/ann.jpg and {root}/b/1.png" in message
    assert "data.pairs=sorted" in message
    pairs = [(r.key, r.drawings[0].path.name) for r in read(root=root, a="a", b="b", pairs="sorted").records]
    assert pairs == [("ann", "1.png"), ("bob", "2.png"), ("zoe", "10.png")]
    tree("b/4.png")
    assert "data.pairs=sorted" not in refused(read, root=root, a="a", b="b")
    assert "3 pictures in" in refused(read, root=root, a="a", b="b", pairs="sorted")


def test_celebs_are_found_beside_animals(tree, refused):
    """StarGAN v2's own data folder holds afhq as well, which is laid out alike and comes first."""
    sets = [f"data/{name}/train/{domain}/1.jpg" for name in ("afhq", "celeba_hq") for domain in ("x", "y")]
    root = tree(*sets)
    assert refused(find_source("celeba_hq"), root=f"{root}/data").endswith(f"set data.root={root}/data/celeba_hq")


@pytest.mark.parametrize(
    ("source", "options", "held_out", "others"),
    [
        ("paired_folders", {"a": "a", "b": "b"}, ["{}/s1/test/1.jpg"], ["{}/s1/train/1.jpg", "{}/s2/train/1.jpg"]),
        ("unpaired_folders", {"a": "a", "b": "b"}, ["{}/2019/Test/1.jpg"], ["{}/2019/1.jpg", "{}/2020/1.jpg"]),
        ("paired_folders", {"a": "a", "b": "b"}, ["{}/train/x/test/1.jpg"], ["{}/train/x/1.jpg", "{}/train/y/1.jpg"]),
        ("unpaired_folders", {}, ["train{}/x/test/1.jpg"], ["train{}/x/1.jpg"]),
        ("identity_folders", {}, ["{}/video/test/1.jpg"], ["{}/video/train/1.jpg", "{}/2.jpg", "test/2.jpg"]),
        ("identity_folders", {}, ["train/{}/video/test/1.jpg"], ["train/{}/2.jpg", "train/test/2.jpg"]),
    ],
)
def test_what_lies_in_test_at_any_depth_is_test(source, options, held_out, others, tree):
    sides = ("A", "B") if source == "unpaired_folders" and not options else ("a", "b")
    files = {side: [name.format(side) for name in held_out + others] for side in sides}
    root = tree(*{name for names in files.values() for name in names})
    records = find_source(source)(root=root, **options).records
    found = {
        Path(picture.name).relative_to(root).as_posix(): record.split
        for record in records
        for picture in (record.photo, *record.drawings)
        if picture is not None
    }
    assert set(found) == {name for names in files.values() for name in names}
    tested = {name for name, split in found.items() if split == "test"}
    assert tested == {name.format(side) for side in sides for name in held_out}
    assert "val" not in found.values()


def test_a_folder_that_seems_to_be_a_split_is_said(tree):
    options = {"a": "a", "b": "b"}
    root = tree(*(f"{side}/{split}/{n}.jpg" for side in "ab" for split in ("train", "photos_test") for n in (1, 2)))
    warnings = list_source(SetKeys("data", "paired_folders", root, None, options, None), 8).warnings
    assert warnings == [
        f"{root}/{side}/photos_test: its 2 pictures are not held out, though it lies beside train/ and has a word of a "
        "split in its name; call it test or val to hold them out"
        for side in "ab"
    ]
    people = tree(*(f"people/{name}/{n}.jpg" for name in ("train", "test_pilot") for n in (1, 2))) + "/people"
    warnings = list_source(SetKeys("data", "identity_folders", people, None, {}, None), 8).warnings
    assert not any("a word of a split" in line for line in warnings)


def test_one_divided_side_is_not_paired_by_order(tree, refused):
    root = tree("a/train/1.jpg", "a/train/2.jpg", "a/test/3.jpg", "b/x.png", "b/y.png", "b/z.png")
    message = refused(find_source("paired_folders"), root=root, a="a", b="b", pairs="sorted")
    assert message == (
        f"data.pairs=sorted: the split folders differ: {root}/a has 2 in train, 1 in test, and {root}/b 3 in no split; "
        "divide both sides alike, or neither"
    )
