import os

import pytest

from suite.data.pictures.loading import TrainSampler
from suite.data.sources.celeba import celeba, dong_splits, official_split
from suite.errors import UserError

NAMES = [f"{number:06d}.jpg" for number in range(1, 7)]
HEADER = "5_o_Clock_Shadow Male Young "  # the official file ends it with a blank
ATTRIBUTES = "6\r\n" + HEADER + "\r\n" + "".join(f"{n} -1 {1 if k % 2 else -1:2d}  1\r\n" for k, n in enumerate(NAMES))
PARTITION = "".join(f"{name} {split}\r\n" for name, split in zip(NAMES, "000112", strict=True))
IDENTITIES = "".join(f"{name} {2880 + k // 2}\r\n" for k, name in enumerate(NAMES))
TEXTS = {"list_attr_celeba.txt": ATTRIBUTES, "list_eval_partition.txt": PARTITION, "identity_CelebA.txt": IDENTITIES}
HTML = "\n<!DOCTYPE html><html><body>Quota exceeded</body></html>"


def csv(first_cell):
    rows = [f"{name},-1,{1 if k % 2 else -1},1" for k, name in enumerate(NAMES)]
    return "\n".join([f"{first_cell},5_o_Clock_Shadow,Male,Young", *rows])


def indexed(text):
    header, *rows = text.split("\n")
    return "\n".join([f",{header}", *(f"{number},{row}" for number, row in enumerate(rows))])


def in_folder(folder, names=NAMES):
    return [f"{folder}/{name}" if folder else name for name in names]


LAYOUTS = {
    "flat": ("", TEXTS),
    "torchvision": ("celeba/img_align_celeba", {f"celeba/{name}": text for name, text in TEXTS.items()}),
    "torchvision, root inside": ("img_align_celeba", TEXTS),
    "official": (
        "Img/img_align_celeba",
        {f"{'Eval' if 'eval' in name else 'Anno'}/{name}": text for name, text in TEXTS.items()},
    ),
    "kaggle": (
        "img_align_celeba/img_align_celeba",
        {
            "list_attr_celeba.csv": csv("image_id"),
            "list_eval_partition.csv": "image_id,partition\n" + PARTITION.replace("\r", "").replace(" ", ","),
            "identity_CelebA.txt": IDENTITIES,
        },
    ),
    "pandas": ("images", TEXTS | {"list_attr_celeba.txt": csv("")}),
    "pandas, with its index": ("images", TEXTS | {"list_attr_celeba.txt": indexed(csv("image_id"))}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_photos_labels_people_and_splits(tree, layout):
    folder, texts = LAYOUTS[layout]
    root = tree(*in_folder(folder), texts=texts)
    catalog = celeba(root=root, attribute="Male")
    assert [record.photo.name for record in catalog.records] == [f"{root}/{name}" for name in in_folder(folder)]
    assert [record.key for record in catalog.records] == [name[:6] for name in NAMES]
    assert [record.label for record in catalog.records] == [0, 1, 0, 1, 0, 1]
    assert [record.group for record in catalog.records] == ["2880", "2880", "2881", "2881", "2882", "2882"]
    assert [record.split for record in catalog.records] == ["train", "train", "train", "val", "val", "test"]
    assert catalog.label_names == ("not Male", "Male")
    assert (catalog.missing, catalog.warnings) == ([], [])


def test_png_copies_match_rows_that_say_jpg(tree):
    names = [name.replace(".jpg", ".PNG") for name in NAMES]
    catalog = celeba(root=tree(*in_folder("img_align_celeba_png", names), texts=TEXTS), attribute="male")
    assert [record.label for record in catalog.records] == [0, 1, 0, 1, 0, 1]
    assert catalog.missing == []


@pytest.mark.parametrize("form", ["id,partition\n{}", "image_id,partition\n{}", "{}"])
def test_headers_and_an_index_before_the_partition(tree, form):
    text = form.format(PARTITION.replace("\r\n", "\n").replace(" ", ","))
    for number, list_ in enumerate((text, indexed(text.rstrip("\n")) if "id" in form else text)):
        root = tree(*(f"{number}/{name}" for name in NAMES), texts={f"{number}/list_eval_partition.csv": list_})
        splits = [record.split for record in celeba(root=f"{root}/{number}").records]
        assert splits == ["train", "train", "train", "val", "val", "test"]


def test_a_picture_in_two_splits_is_refused(tree, refused):
    root = tree(*NAMES, texts={"list_eval_partition.txt": "000001.jpg 0\n000001.jpg 2\n"})
    assert refused(celeba, root=root).endswith("000001.jpg is in two splits, train and test")


def test_without_a_list_the_partition_follows_the_official_numbers(tree):
    names = ["162770.jpg", "162771.jpg", "182637.jpg", "182638.jpg", "000001.jpg", "Thumbs.db", "._000002.jpg"]
    catalog = celeba(root=tree(*names))
    expected = {"000001": "train", "162770": "train", "162771": "val", "182637": "val", "182638": "test"}
    assert {record.key: record.split for record in catalog.records} == expected
    counts = [official_split(str(number)) for number in range(1, 202_600)]
    assert [counts.count(split) for split in ("train", "val", "test")] == [162_770, 19_867, 19_962]


def test_pictures_that_a_cut_off_partition_does_not_name_keep_their_official_split(tree):
    names = ["000001.jpg", "162771.jpg", "182638.jpg"]
    catalog = celeba(root=tree(*names, texts={"list_eval_partition.txt": "000001.jpg 0\r\n"}))
    assert [record.split for record in catalog.records] == ["train", "val", "test"]
    assert "2 pictures are not listed in" in catalog.warnings[0]


def test_a_list_of_other_pictures_is_refused(tree, refused):
    root = tree("000007.jpg", texts={"list_attr_celeba.txt": ATTRIBUTES})
    message = refused(celeba, root=root, attribute="Male")
    assert message.startswith(f"{root}/list_attr_celeba.txt: none of its rows names a picture that is there")
    assert "like 000007.jpg" in message


@pytest.mark.parametrize(
    ("low", "images"),
    [
        ("Img", ""),
        ("Img/img_align_celeba", ""),
        ("Img/img_align_celeba_png", " data.images=Img/img_align_celeba_png"),
    ],
)
@pytest.mark.parametrize("name", TEXTS)
def test_pictures_whose_annotations_lie_above_are_refused(tree, refused, low, images, name):
    root = tree("Img/img_align_celeba/000001.jpg", "Img/img_align_celeba_png/000001.png", texts={
        f"{'Eval' if 'eval' in name else 'Anno'}/{name}": TEXTS[name]
    })  # fmt: skip
    message = refused(celeba, root=f"{root}/{low}")
    assert message == f"{root}/{low}: expected {name} in it; it lies in {root}: set data.root={root}{images}"
    picture = celeba(root=root, images=images.partition("=")[2] or None).records[0].photo.name
    assert picture.startswith(f"{root}/{low}")


def test_dagan_trains_on_the_first_160000(tree):
    catalog = celeba(root=tree("160000.jpg", "160001.jpg", "000001.jpg", texts=TEXTS), partition="dagan")
    assert [(r.key, r.split) for r in catalog.records] == [
        ("000001", "train"),
        ("160000", "train"),
        ("160001", "test"),
    ]


def test_rows_count_and_not_the_number_above_them(tree):
    texts = {"list_attr_celeba.txt": "202599\n" + ATTRIBUTES.split("\n", 1)[1] + "000009.jp"}
    catalog = celeba(root=tree(*NAMES[:2], texts=texts), attribute="Male")
    assert [record.label for record in catalog.records] == [0, 1]
    assert [text.split("/")[0] for text in catalog.missing] == [f"{name[:6]} in " for name in NAMES[2:]]
    assert [warning.partition(": ")[2] for warning in catalog.warnings] == [
        "1 rows can't be read",
        "line 1 says 202599 rows, there are 7",
    ]


def test_a_picture_of_no_row_has_no_label(tree):
    catalog = celeba(root=tree(*NAMES, "000007.jpg", texts=TEXTS), attribute="Male")
    assert (catalog.records[-1].label, catalog.records[-1].split) == (None, "train")
    assert any("1 pictures are not listed in" in warning for warning in catalog.warnings)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HTML, "a web page, not the annotation"),
        ("SubjectID Rectangle_Face_Shape\n1 0\n", "expected the number of rows, or the header of a csv"),
        ("6\n" + HEADER + "\n", "no row reads"),
        ("", "line 1 is ''"),
    ],
)
def test_a_file_that_only_has_the_name_is_refused(tree, refused, text, reason):
    root = tree(*NAMES, texts={"list_attr_celeba.txt": text})
    message = refused(celeba, root=root, attribute="Male")
    assert reason in message
    assert f"{root}/list_attr_celeba.txt" in message


def test_a_partition_that_is_a_web_page_is_refused(tree, refused):
    root = tree(*NAMES, texts={"list_eval_partition.txt": HTML})
    assert "a web page" in refused(celeba, root=root)


def test_unknown_words_are_named(tree, refused):
    root = tree(*NAMES, "empty/notes.txt", texts=TEXTS)
    assert "did you mean Male?" in refused(celeba, root=root, attribute="Males")
    assert "choose from 5_o_Clock_Shadow, Male, Young" in refused(celeba, root=root, attribute="xyz")
    assert "data.partition=mine: choose from official, dagan" in refused(celeba, root=root, partition="mine")
    assert "data.images: " in refused(celeba, root=root, images="nowhere")
    assert "no picture in it" in refused(celeba, root=root, images="empty")


@pytest.mark.parametrize("given", ["", "data/celeba/img_align_celeba", "data/celeba/Anno"])
def test_a_root_too_high_or_too_low_is_told_where_it_lies(tree, refused, given):
    root = tree(*in_folder("data/celeba/img_align_celeba"), texts={"data/celeba/Anno/list_attr_celeba.txt": ATTRIBUTES})
    message = refused(celeba, root=f"{root}/{given}".rstrip("/"), attribute="Male")
    assert "expected" in message
    assert f"set data.root={root}/data" in message
    assert "nothing like it lies nearby" in refused(celeba, root=tree("a/b/c/d/1.txt") + "/a/b/c/d")


def test_listing_looks_at_no_picture(tree, monkeypatch):
    """One listing of a folder gives all names: the number of calls that ask about a file does not grow with them."""
    root = tree(*(f"img_align_celeba/{number:06d}.jpg" for number in range(1, 401)), texts=TEXTS)
    looked_at = []
    for name in ("stat", "lstat", "open"):
        original = getattr(os, name)

        def counted(path, *rest, original=original, **more):
            looked_at.append(str(path))
            return original(path, *rest, **more)

        monkeypatch.setattr(os, name, counted)
    assert len(celeba(root=root, attribute="Male").records) == 400
    assert 0 < len(looked_at) < 60
    assert not [path for path in looked_at if path.endswith(".jpg")]


def test_dong_s_partition_of_the_official_list():
    """84,434 of 202,599 are Male: the numbers that two-step translation's code trains on, and its batches an epoch."""
    labels = {f"{number:06d}": int(number * 84_434 % 202_599 < 84_434) for number in range(1, 202_600)}
    assert sum(labels.values()) == 84_434
    splits = dong_splits(labels)
    assert splits.keys() == labels.keys()
    for label, train in ((1, 67_547), (0, 94_532)):
        of_label = [splits[stem] for stem in labels if labels[stem] == label]
        assert of_label == ["train"] * train + ["test"] * (len(of_label) - train)
    assert len(TrainSampler(2 * 94_532, 2 * 94_532, seed=0, batch_size=64, group=2)) == 2_954 * 64


def test_dong_s_partition_divides_each_label_by_number(tree):
    names = [f"{number:06d}.jpg" for number in range(1, 16)]
    rows = "".join(f"{name} {1 if number < 5 else -1}\n" for number, name in enumerate(names))
    root = tree(*names[1:], texts={"list_attr_celeba.txt": f"15\nMale\n{rows}"})
    catalog = celeba(root=root, attribute="Male", partition="dong")
    of_split = {split: [record.key for record in catalog.of_split(split)] for split in ("train", "test")}
    assert of_split["test"] == ["000005", "000014", "000015"]  # of ten not Male two, of five Male one
    assert len(of_split["train"]) == 11  # the first picture is missing, and moves no other
    with pytest.raises(UserError, match=r"data\.partition=dong divides .* each label: set data\.attribute"):
        celeba(root=root, partition="dong")
