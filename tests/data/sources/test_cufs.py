import random
import unicodedata
from collections import Counter

import pytest
from PIL import Image

from suite.data.catalog import PictureFile
from suite.data.module import PictureData
from suite.data.sources.cufs import cufs
from suite.data.sources.helpers.alignment import AlignedPicture
from suite.data.sources.helpers.cufs_names import person

TRAIN_PHOTO = "CUHK/training_88/Original_Images/CUHK_training_photo/photo"
TRAIN_SKETCH = "CUHK/training_88/Original_Images/CUHK_training_sketch/sketch"
OFFICIAL = {
    "cropped": [
        "CUHK/training_88/Cropped_Images/CUHK_training_cropped_photos/photos/f-005-01.jpg",
        "CUHK/training_88/Cropped_Images/CUHK_training_cropped_sketches/sketches/F2-005-01-sz1.jpg",
        "CUHK/testing_100/Cropped_Images/CUHK_testing_cropped_photos/photos/f1-005-01.jpg",
        "CUHK/testing_100/Cropped_Images/CUHK_testing_cropped_sketches/sketches/f1-005-01-sz1.jpg",
    ],
    "original": [
        f"{TRAIN_PHOTO}/f-005-01.JPG",
        f"{TRAIN_SKETCH}/f2-005-01-sz1.jpg",
        "CUHK/testing_100/Original_Images/CUHK_testing_photo/photo/f1-005-01.jpg",
        "CUHK/testing_100/Original_Images/CUHK_testing_sketch/sketch/f1-005-01-sz1.jpg",
    ],
}


def pairs(catalog):
    """key, photo's and sketch's path below the root, split."""
    root = f"{catalog.root}/"
    return [
        (r.key, r.photo.name.removeprefix(root), r.drawings[0].name.removeprefix(root), r.split)
        for r in catalog.records
    ]


@pytest.mark.parametrize("version", ["cropped", "original"])
def test_the_official_archives_unpacked_below_one_folder(tree, version):
    root = tree(*OFFICIAL["cropped"], *OFFICIAL["original"], f"{TRAIN_PHOTO}/Thumbs.db")
    p, s, p1, s1 = OFFICIAL[version]
    catalog = cufs(root=root, version=version)
    assert pairs(catalog) == [("cuhk/f1-005-01", p1, s1, "test"), ("cuhk/f-005-01", p, s, "train")]
    assert {record.group for record in catalog.records} == {"cuhk"}
    assert (catalog.orphan_photos, catalog.orphan_drawings) == ([], [])
    if version == "cropped":
        assert pairs(cufs(root=root)) == pairs(catalog)  # both are whole: auto takes the aligned one


def test_archives_merged_in_one_folder_keep_their_splits(tree):
    photos = ["f-005-01.jpg", "m-010-01.JPG", "f-039-01.jpg", "m1-041-01.jpg"]
    sketches = ["F2-005-01-sz1.jpg", "M2-010-01-sz1.jpg", "f-039-01-sz1.jpg", "m1-041-01-sz1.jpg"]
    catalog = cufs(root=tree(*(f"photos/{name}" for name in photos), *(f"sketches/{name}" for name in sketches)))
    assert {record.key: record.split for record in catalog.records} == {
        "cuhk/f-005-01": "train",
        "cuhk/m-010-01": "train",
        "cuhk/f-039-01": "test",
        "cuhk/m1-041-01": "test",
    }


def test_the_whole_set_has_the_published_splits_in_every_run(tree):
    ar = [f"{sex}-{number:03d}-1" for sex in "mw" for number in range(62)][:123]
    xm2vts = [f"{number:03d}_1_1" for number in range(295)]
    train = [f"m-{number:03d}-01" for number in range(88)]
    test = [f"m1-{number:03d}-01" for number in range(100)]
    names = [f"AR/AR_cropped_photos/photos/{name}.jpg" for name in ar]
    names += [f"AR/AR_cropped_sketches/sketches/{name.replace('-', 'p-', 1).capitalize()}-sz1.jpg" for name in ar]
    names += [f"XM2VTS/photos/{name}.jpg" for name in xm2vts]
    names += [f"XM2VTS/XM2VTS_cropped_sketches/sketches/{name}_sz1.jpg" for name in xm2vts]
    names += [f"photos/{name}.jpg" for name in train + test]
    names += [f"sketches/{name.replace('m-', 'M2-')}-sz1.jpg" for name in train + test]
    root = tree(*names)
    catalog = cufs(root=root)
    assert len(catalog.records) == len({record.key for record in catalog.records}) == 606
    assert Counter((record.group, record.split) for record in catalog.records) == {
        ("cuhk", "train"): 88, ("cuhk", "test"): 100,
        ("ar", "train"): 80, ("ar", "test"): 43,
        ("xm2vts", "train"): 100, ("xm2vts", "test"): 195,
    }  # fmt: skip
    assert pairs(catalog) == pairs(cufs(root=root))
    assert pairs(cufs(root=root, part="ar")) == [pair for pair in pairs(catalog) if pair[0].startswith("ar/")]


@pytest.mark.parametrize(
    ("photo", "sketch", "key", "split"),
    [
        ("CUHK_student_train/photos/00.png", "CUHK_student_train/sketches/00.png", "cuhk_student_train/00", "train"),
        ("train_photos/1.jpg", "train_sketches/1.png", "train/1", "train"),
        ("CUHK/photos/09.png", "CUHK/sketches/09.png", "cuhk/09", None),
        ("photos/F2-005-01.jpg", "sketches/F2-005-01.jpg", "cuhk/f-005-01", "train"),
    ],
)
def test_renamed_copies(tree, photo, sketch, key, split):
    [record] = cufs(root=tree(photo, sketch)).records
    assert record.key == key
    if split:
        assert record.split == split


def test_a_test_part_without_sz1_beside_an_official_training_part_is_all_test(tree):
    train = [f"photos/f-{number:03d}-01.jpg" for number in range(100, 188)]
    train += [name.replace("photos/f", "sketches/F2") for name in train]
    test = [f"{side}/m-{number:03d}-01.jpg" for number in range(200, 300) for side in ("photos", "sketches")]
    splits = {record.key: record.split for record in cufs(root=tree(*train, *test)).records}
    assert {split for key, split in splits.items() if "/m-" in key} == {"test"}
    assert Counter(splits.values()) == {"train": 88, "test": 100}


def test_photo_and_sketch_in_two_forms_of_unicode_are_a_pair(tree):
    photo, sketch = (unicodedata.normalize(form, "é/{}/été") for form in ("NFC", "NFD"))
    root = tree(photo.format("photos") + ".jpg", sketch.format("sketches") + ".png", texts={
        "list_train.txt": sketch.format("photos") + ".jpg||x\n"
    })  # fmt: skip
    assert [(record.key, record.paired, record.split) for record in cufs(root=root).records] == [
        ("é/été", True, "train")
    ]


def test_folders_of_pix2pix_are_for_another_source(tree, refused):
    root = tree("trainA/1.jpg", "trainB/1.jpg", "testA/2.jpg", "testB/2.jpg")
    assert refused(cufs, root=root).endswith("read them with data=paired_folders")


@pytest.mark.parametrize("place", ["", "data/"])  # beside the pictures, or in a folder of their own
def test_lists_of_prepared_copies_give_the_split(tree, place):
    copies = [("AR", "1.jpg"), ("AR", "2.jpg"), ("CUHK", "09.png"), ("XM2VTS", "199.jpg"), ("XM2VTS", "7.jpg")]
    files = [f"{part}/{side}/{name}" for part, name in copies for side in ("photos", "sketches")]
    row = "{0}/photos/{1}||{0}/sketches/{1}||{0}/mat/1.mat||27".format
    lists = {"list_train.txt": [row("AR", "1.jpg"), row("XM2VTS", "199.jpg")], "list_test.txt": [row("CUHK", "09.png")]}
    lists["list_test.txt"] += [row("AR", "2.jpg"), row("AR", "77.jpg")]
    catalog = cufs(root=tree(*files, texts={f"{place}{name}": "\r\n".join(rows) for name, rows in lists.items()}))
    assert {record.key: record.split for record in catalog.records} == {
        "ar/1": "train", "ar/2": "test", "cuhk/09": "test", "xm2vts/199": "train", "xm2vts/7": None,
    }  # fmt: skip
    assert catalog.split_warnings == ["cufs: 1 pairs are in no list; they train"]


@pytest.mark.parametrize("root", ["", "/Data", "/Data/AR"])
def test_lists_of_bare_names_belong_to_their_folder(tree, root):
    files = [f"Data/{part}/{side}/001.png" for part in ("AR", "CUHK_student_train") for side in ("photos", "sketches")]
    above = tree(*files, *(f"Data/AR/{side}/000.png" for side in ("photos", "sketches")), texts={
        "Data/AR/train.txt": "000.png\n", "Data/AR/test.txt": "001.png\n"
    })  # fmt: skip
    splits = {record.photo.name.removeprefix(above): record.split for record in cufs(root=above + root).records}
    assert splits["/Data/AR/photos/000.png"] == "train"
    assert splits["/Data/AR/photos/001.png"] == "test"
    assert splits.get("/Data/CUHK_student_train/photos/001.png") == (None if root == "/Data/AR" else "train")


def test_the_spelling_of_ars_own_photos_is_no_person_of_cuhk(tree):
    cuhk = ["CUHK/photos/m-002-01.jpg", "CUHK/sketches/M2-002-01-sz1.jpg"]
    catalog = cufs(root=tree(*cuhk, "AR/photos/m-002-01.bmp", "AR/sketches/Mp-002-1-sz1.jpg"))
    found = [(key, photo, sketch) for key, photo, sketch, _ in pairs(catalog)]
    assert found == [("ar/m-002-1", "AR/photos/m-002-01.bmp", "AR/sketches/Mp-002-1-sz1.jpg"), ("cuhk/m-002-01", *cuhk)]


def test_equal_names_in_the_train_and_test_folders_are_different_people(tree):
    names = [
        f"{f}/{side}/00.png" for f in ("CUHK_student_train", "CUHK_student_test") for side in ("photos", "sketches")
    ]
    catalog = cufs(root=tree(*names, "AR/photos/00.png", "AR/sketches/00.png"))
    assert len({record.key for record in catalog.records}) == 3
    assert all(record.photo.path.parent.parent == record.drawings[0].path.parent.parent for record in catalog.records)


def test_pairs_share_a_key_and_no_two_people_do():
    random.seed(3)
    owner = {}
    for _ in range(20_000):
        number, take = random.randrange(1000), random.randrange(1, 10)
        kind = random.choice(["train", "test", "test1", "ar", "xm2vts"])
        sex = random.choice("fm" if kind != "ar" else "mw")
        if kind == "ar":
            who, photo, sketch = (
                (kind, sex, number, take),
                f"{sex}-{number:03d}-{take}",
                f"{sex}p-{number:03d}-{take}-sz1",
            )
        elif kind == "xm2vts":
            who, photo = (kind, number, take), f"{number:03d}_{take}_1"
            sketch = photo + "_sz1"
        else:  # 1 belongs to the name; 2 marks a training sketch, whose numbers no test sketch has
            number = 2 * (number // 2) + (kind == "train")
            photo = f"{sex}{'1' if kind == 'test1' else ''}-{number:03d}-01"
            who, sketch = (kind, sex, number), f"{photo}-sz1"
            if kind == "train":
                sketch = sketch.replace(sex, f"{sex}2", 1)
        spellings = [photo, photo.upper(), sketch, sketch.upper(), sketch.capitalize()]
        keys = {person(spelling) for spelling in spellings}
        assert len(keys) == 1
        assert owner.setdefault(keys.pop(), who) == who
    assert len(owner) > 5000


def test_sketches_without_any_photo_come_alone_and_say_so(tree):
    catalog = cufs(root=tree("AR/AR_sketch/sketch/Mp-002-1-sz1.jpg", "AR/AR_sketch/sketch/Wp-002-1-sz1.jpg"))
    assert [(record.key, record.photo) for record in catalog.records] == [("ar/m-002-1", None), ("ar/w-002-1", None)]
    assert "no photo belongs to any of the 2 sketches" in catalog.warnings[0]
    packed = cufs(root=tree(texts={"AR/AR_photo.zip": b""}))
    assert packed.warnings[0].endswith("; AR/AR_photo.zip is not unpacked")


def test_what_has_no_partner_is_counted(tree):
    root = tree(*OFFICIAL["cropped"], "photos/m-001-01.jpg", "sketches/m1-077-01-sz1.jpg", "other/x.jpg")
    catalog = cufs(root=root)
    assert len(catalog.records) == 2
    assert catalog.orphan_photos == [f"{root}/photos/m-001-01.jpg"]
    assert catalog.orphan_drawings == [f"{root}/sketches/m1-077-01-sz1.jpg"]


def test_originals_are_aligned_where_both_have_points(tree):
    folder = "CUHK/training_88/Faducial_Points/CUHK_training_faducial_points"
    points = (f"{folder}_photo/photo/f-005-01.dat", f"{folder}_sketch/sketch/F2-005-01-sz1.dat")
    xm2vts = [
        "photo/000_1_1.jpg",
        "sketch/000_1_1_sz1.jpg",
        "photo_points/000_1_1_f02.dat",
        "sketch_points/000_1_1_sz1.dat",
    ]
    root = tree(*OFFICIAL["original"], *points, *xm2vts, "photo_points/f1-005-01.dat")
    catalog = cufs(root=root)
    second, first, third = catalog.records
    assert [picture.points.name for picture in (first.photo, *first.drawings)] == ["f-005-01.dat", "F2-005-01-sz1.dat"]
    assert isinstance(second.photo, PictureFile)
    assert isinstance(second.drawings[0], PictureFile)
    assert isinstance(third.photo, AlignedPicture)
    assert [warning.partition(" (")[0] for warning in catalog.warnings] == ["cufs: 1 originals have no fiducial points"]


def test_a_wrong_root_is_told_where_it_lies(tree, refused):
    root = tree("CUFS/photos/f-005-01.jpg", "CUFS/sketches/F2-005-01-sz1.jpg")
    message = refused(cufs, root=f"{root}/CUFS/photos")
    assert message.endswith(f"set data.root={root}/CUFS")
    assert "nothing like it lies nearby" in refused(cufs, root=tree("empty/1.txt") + "/empty")
    assert "data.part=ar, data.version=auto" in refused(cufs, root=root, part="ar")
    assert "choose from all, cuhk, ar, xm2vts" in refused(cufs, root=root, part="feret")
    assert "choose from auto, cropped, original" in refused(cufs, root=root, version="big")


def test_a_root_far_above_the_data_is_refused(tree, refused):
    names = [f"Sketchy/{side}/{number}.jpg" for side in ("photo", "sketch") for number in range(1300)]
    message = refused(cufs, root=tree(*names, "CUFS/photos/f-005-01.jpg", "CUFS/sketches/F2-005-01-sz1.jpg"))
    assert "of up to 606 people" in message
    assert message.endswith("/CUFS")


def test_cmyk_photos_and_palette_sketches_train_as_pairs(tmp_path):
    for number, (photo, sketch) in enumerate([("f-001-01", "F2-001-01-sz1"), ("f1-001-01", "f1-001-01-sz1")]):
        for folder, name, mode in (("photos", f"{photo}.JPG", "CMYK"), ("sketches", f"{sketch}.png", "P")):
            path = tmp_path / "cufs" / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 25), (100 * number,) * 3).convert(mode).save(path)
    where = {"root": str(tmp_path / "cufs"), "cache_dir": str(tmp_path / "cache")}
    data = PictureData(source="cufs", task="paired", size=8, load_size=8, workers=0, **where)
    for loader, key, level in ((data.train_dataloader(), "f-001-01", 0), (data.test_dataloader(), "f1-001-01", 100)):
        [batch] = loader
        assert batch["key"] == [f"cuhk/{key}"]
        for side in "ab":
            assert batch[side].shape == (1, 3, 8, 8)
            assert (batch[side].float() - level).abs().max() < 8
