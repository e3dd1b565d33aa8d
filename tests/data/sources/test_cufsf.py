import bz2
import io
import random
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from suite.data.catalog import PictureFile
from suite.data.sources.cufsf import PackedPicture, cufsf
from suite.data.sources.helpers.alignment import AlignedPicture

LIST = "names_of_photos_used_for_drawing_sketches.txt"


def paired(catalog):
    return [
        (r.key, r.photo and r.photo.name.split("/")[-1], r.drawings[0].name.split("/")[-2]) for r in catalog.records
    ]


@pytest.mark.parametrize("folder", ["cropped_sketch", "cropped_sketch/cropped_sketch", "original_sketch", "my_folder"])
def test_sketches_alone(tree, folder):
    root = tree(f"{folder}/00010.jpg", f"{folder}/00002.JPG", f"{folder}/Thumbs.db")
    catalog = cufsf(root=f"{root}/my_folder" if folder == "my_folder" else root)
    assert [(record.key, record.photo) for record in catalog.records] == [("00002", None), ("00010", None)]
    assert catalog.orphan_drawings == []


def test_grey_colour_and_packed_photos_are_found_by_person_pose_and_date(tree):
    names = "00001fb010_930831.jpg\r\n00002fa010_930831.jpg\r\n00043fb001d_931230.jpg\r\n00044fa010_940101.jpg\r\n"
    sketches = [f"cropped_sketch/{number}.jpg" for number in ("00001", "00002", "00043", "00044")]
    grey = ["00001fa010_930831.tif", "00001fb010_930831.tif", "00002fa010_930831.TIF", "00002fa010_940422.tif"]
    colour = ["00043/00043_931230_fa.ppm.bz2", "00043/00043_931230_fb.ppm.bz2", "00043/00043_940128_fb.ppm.bz2"]
    root = tree(
        *sketches,
        *(f"feret/{name}" for name in grey),
        *(f"colorferet/dvd1/data/images/{name}" for name in colour),
        "feret/00099fa010_930831.tif",
        texts={LIST: names},
    )
    catalog = cufsf(root=root)
    assert paired(catalog) == [
        ("00001", "00001fb010_930831.tif", "cropped_sketch"),
        ("00002", "00002fa010_930831.TIF", "cropped_sketch"),
        ("00043", "00043_931230_fb.ppm.bz2", "cropped_sketch"),
    ]
    assert [type(record.photo) for record in catalog.records] == [PictureFile, PictureFile, PackedPicture]
    assert catalog.orphan_drawings == [f"{root}/cropped_sketch/00044.jpg"]
    assert catalog.orphan_photos == [f"{root}/feret/00099fa010_930831.tif"]


def test_a_letter_tells_photos_of_one_day_apart(tree):
    photos = ["feret/00043fb001a_931230.tif", "feret/00043fb001d_931230.tif"]
    root = tree("cropped_sketch/00043.jpg", *photos, texts={LIST: "00043fb001d_931230.jpg"})
    assert paired(cufsf(root=root)) == [("00043", "00043fb001d_931230.tif", "cropped_sketch")]


def test_photos_may_lie_elsewhere_and_several_without_a_list_are_not_guessed_at(tree):
    root = tree(
        "CUFSF/cropped_sketch/00001.jpg",
        "CUFSF/cropped_sketch/00002.jpg",
        "FERET/00001fa010_930831.tif",
        "FERET/00001fb010_930831.tif",
        "FERET/00002fb010_930831.tif",
    )
    catalog = cufsf(root=f"{root}/CUFSF", photos=f"{root}/FERET")
    assert [record.key for record in catalog.records] == ["00002"]
    assert any("1 people have several photos" in warning for warning in catalog.warnings)


@pytest.mark.parametrize(
    "photos", [[], ["00001.jpg"], ["00099fa010_930831.tif"], ["00001fa010_930831.tif", "00001fb010_930831.tif"]]
)
def test_a_folder_of_photos_without_a_usable_one_is_refused(tree, refused, photos):
    root = tree("CUFSF/cropped_sketch/00001.jpg", "FERET/notes.txt", *(f"FERET/{name}" for name in photos))
    message = refused(cufsf, root=f"{root}/CUFSF", photos=f"{root}/FERET")
    assert message.startswith(f"data.photos: {root}/FERET: no photo below it belongs to a sketch")


def test_prepared_copies_share_the_name_and_keep_their_splits(tree):
    root = tree(
        "train_photos/00289.jpg", "train_sketches/00289.png", "test_photos/00002.jpg", "test_sketches/00002.jpg"
    )
    catalog = cufsf(root=root)
    assert [(record.key, record.paired, record.split) for record in catalog.records] == [
        ("00002", True, "test"),
        ("00289", True, "train"),
    ]


def test_lists_of_a_prepared_copy_give_the_split(tree):
    row = "CUHK_FERET/photos/{0}.jpg||CUHK_FERET/sketches/{0}.jpg||CUHK_FERET/mat/{0}.mat||1600\r\n".format
    names = [f"CUHK_FERET/{side}/{number}.jpg" for side in ("photos", "sketches") for number in ("00289", "00290")]
    texts = {"data/list_train_F.txt": row("00290"), "data/list_test_F.txt": row("00289")}
    splits = {record.key: record.split for record in cufsf(root=tree(*names, texts=texts)).records}
    assert splits == {"00289": "test", "00290": "train"}


def test_ferets_photos_may_be_linked_into_the_root_and_packed_in_capitals(tree, tmp_path):
    root = tree("set/cropped_sketch/00001.jpg", "disc/images/00001_930831_FB.PPM.BZ2")
    (tmp_path / "set" / "feret").symlink_to(tmp_path / "disc")
    [record] = cufsf(root=f"{root}/set").records
    assert isinstance(record.photo, PackedPicture)


def test_a_root_with_too_many_files_is_given_up(tree, monkeypatch, refused):
    monkeypatch.setattr("suite.data.sources.cufsf._MOST_FILES", 20)
    root = tree("cropped_sketch/00001.jpg", *(f"other/{number}.txt" for number in range(20)))
    assert "more than 20 files below it; name the folder of the data set alone" in refused(cufsf, root=root)


def test_originals_are_aligned_where_both_have_points(tree):
    texts = {"sketch_points/00001.3pts": "312.0 348.0\n412.0 348.0\n350.0 500.0\n"}
    texts |= {
        "photo_points/00001fb010_930831.tif.pos": "163 160 101 164\n",
        "sketch_points/00002.3pts": "1 2\n3 4\n5 6",
    }
    photos = ["feret/00001fb010_930831.tif", "feret/00002fa010_930831.tif"]
    root = tree("original_sketch/00001.jpg", "original_sketch/00002.jpg", *photos, texts=texts)
    catalog = cufsf(root=root)
    first, second = catalog.records
    assert isinstance(first.photo, AlignedPicture)
    assert isinstance(first.drawings[0], AlignedPicture)
    assert isinstance(second.drawings[0], PictureFile)  # its photo could not follow
    assert any("1 sketches or pairs lack points" in warning for warning in catalog.warnings)


def test_the_published_counts_in_every_run(tree):
    root = tree(*(f"cropped_sketch/{number:05d}.jpg" for number in range(1, 1195)))
    splits = [{record.key: record.split for record in cufsf(root=root).records} for _ in range(2)]
    assert splits[0] == splits[1]
    assert Counter(splits[0].values()) == {"train": 250, "test": 944}


def test_no_photo_is_given_to_another_person(tree):
    random.seed(5)
    people = random.sample(range(1, 1209), 60)
    names = []
    for number in people:
        date, pose, letter = random.randrange(930000, 970000), random.choice(["fa", "fb", "ba"]), random.choice("abd")
        grey, colour = f"{number:05d}{pose}010{letter}_{date}.tif", f"{number:05d}_{date}_{pose}.ppm.bz2"
        names += [f"cropped_sketch/{number:05d}.jpg", f"feret/{random.choice([grey, colour])}"]
    catalog = cufsf(root=tree(*names))
    assert len(catalog.records) == 60
    for record in catalog.records:
        assert record.photo.path.name[:5] == record.drawings[0].path.stem == record.key


def test_a_packed_picture_is_unpacked_on_loading(tmp_path):
    content = io.BytesIO()
    Image.new("RGB", (4, 6), (10, 20, 30)).save(content, "PPM")
    path = tmp_path / "00043_931230_fb.ppm.bz2"
    path.write_bytes(bz2.compress(content.getvalue()))
    picture = PackedPicture(path)
    assert (picture.load().size, picture.load().getpixel((1, 1))) == ((4, 6), (10, 20, 30))
    before = picture.identity()
    path.write_bytes(bz2.compress(content.getvalue())[:-9])
    assert picture.identity() != before
    with pytest.raises(OSError, match=r"\w+: "):
        picture.load()


def test_a_root_too_high_or_too_low_is_told_where_it_lies(tree, refused):
    root = tree("CUFSF/cropped_sketch/00001.jpg", "CUFSF/photo_points/notes.txt")
    assert refused(cufsf, root=f"{root}/CUFSF/photo_points").endswith(f"set data.root={root}/CUFSF")
    assert "data.photos: " in refused(cufsf, root=root, photos="nowhere")


def test_where_each_split_counts_from_0_all_of_them_are_read(tree):
    counts = {"Train": 3, "Test": 2}
    root = tree(*(
        f"{side}/{split}/{number:05d}.jpg"
        for side in ("photo", "sketch") for split, count in counts.items() for number in range(count)
    ))  # fmt: skip
    records = cufsf(root=root).records
    assert len({record.key for record in records}) == 5
    places = [
        (record.split, *(picture.path.parent for picture in (record.photo, *record.drawings))) for record in records
    ]
    expected = {split: [Path(root) / side / split for side in ("photo", "sketch")] for split in counts}
    assert Counter(places) == {(split.lower(), *expected[split]): count for split, count in counts.items()}
