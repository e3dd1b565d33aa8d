import pytest

from suite.data.sources.celeba_hq import celeba_hq

# CelebA's files of the first pictures: train, the last of train, the first of val, the last of val, the first of test
ORIGINALS = [119_614, 162_770, 162_771, 182_637, 182_638]
MAPPING = "idx orig_idx orig_file\n" + "".join(f"{k:<8d}  {n - 1:<8d}  {n:06d}.jpg\n" for k, n in enumerate(ORIGINALS))
ATTRIBUTES = "5\nMale Young\n" + "".join(f"{k}.jpg  {1 if k > 2 else -1}  1\n" for k in range(5))
TEXTS = {"CelebA-HQ-to-CelebA-mapping.txt": MAPPING, "CelebAMask-HQ-attribute-anno.txt": ATTRIBUTES}
SPLITS = ["train", "train", "val", "val", "test"]


@pytest.mark.parametrize(
    "name", ["CelebA-HQ-img/{}.jpg", "{:05d}.jpg", "celeba_hq_256/{:05d}.JPG", "imgHQ{:05d}.png", "{:06d}.webp"]
)
def test_padded_or_not_the_number_counts(tree, name):
    root = tree(*(name.format(number) for number in range(5)), texts=TEXTS)
    catalog = celeba_hq(root=root, attribute="male")
    assert [record.key for record in catalog.records] == list("01234")
    assert [record.photo.name for record in catalog.records] == [f"{root}/{name.format(k)}" for k in range(5)]
    assert [record.split for record in catalog.records] == SPLITS
    assert [record.label for record in catalog.records] == [0, 0, 0, 1, 1]
    assert catalog.label_names == ("not Male", "Male")
    assert (catalog.missing, catalog.warnings) == ([], [])


def test_order_is_that_of_numbers(tree):
    catalog = celeba_hq(root=tree(*(f"CelebA-HQ-img/{number}.jpg" for number in (10, 2, 1))))
    assert [record.key for record in catalog.records] == ["1", "2", "10"]
    assert [record.split for record in catalog.records] == [None] * 3
    assert ["no official split" in warning for warning in catalog.split_warnings] == [True]


def test_a_partition_that_is_there_is_read(tree):
    names = [f"{number:06d}.jpg" for number in ORIGINALS]
    partition = "".join(f"{name} {split}\r\n" for name, split in zip(names, "21000", strict=True))
    root = tree(*(f"CelebA-HQ-img/{k}.jpg" for k in range(5)), texts=TEXTS | {"list_eval_partition.txt": partition})
    assert [record.split for record in celeba_hq(root=root).records] == ["test", "val", "train", "train", "train"]


def test_a_cut_off_partition_is_completed_by_the_numbers(tree):
    pictures = [f"CelebA-HQ-img/{k}.jpg" for k in range(5)]
    root = tree(*pictures, texts=TEXTS | {"list_eval_partition.txt": "119614.jpg 2\r\n"})
    assert [record.split for record in celeba_hq(root=root).records] == ["test", "train", "val", "val", "test"]


def test_pictures_that_a_short_mapping_does_not_name_are_counted(tree):
    short = "idx orig_idx orig_file\n0 1 2\n1 162770 162771\n"  # and of files without their suffix
    root = tree(*(f"CelebA-HQ-img/{k}.jpg" for k in range(5)), texts={"CelebA-HQ-to-CelebA-mapping.txt": short})
    catalog = celeba_hq(root=root)
    assert [record.split for record in catalog.records] == ["train", "val", None, None, None]
    assert len(catalog.warnings) == 1
    assert catalog.warnings[0].startswith("celeba_hq: 3 pictures have no official split: ")


def test_an_attribute_list_of_other_pictures_is_refused(tree, refused):
    root = tree("CelebA-HQ-img/77.jpg", texts=TEXTS)
    assert "none of its rows names a picture that is there, like 77.jpg" in refused(
        celeba_hq, root=root, attribute="Male"
    )


@pytest.mark.parametrize("low", ["CelebA-HQ-img", "celeba_hq_256", "CelebA-HQ-img/CelebA-HQ-img"])
@pytest.mark.parametrize("name", TEXTS)
def test_pictures_whose_annotations_lie_above_are_refused(tree, refused, low, name):
    root = tree(f"{low}/0.jpg", texts={name: TEXTS[name]})
    message = refused(celeba_hq, root=f"{root}/{low}")
    assert message == f"{root}/{low}: expected {name} in it; it lies in {root}: set data.root={root}"
    tree(texts={f"{low}/{name}": TEXTS[name]})
    assert celeba_hq(root=f"{root}/{low}").records


def test_what_is_listed_and_not_there_is_counted_and_a_second_copy_left_out(tree):
    root = tree("CelebA-HQ-img/0.jpg", "CelebA-HQ-img/00000.jpg", "CelebA-HQ-img/cover.png", texts=TEXTS)
    catalog = celeba_hq(root=root)
    assert [record.key for record in catalog.records] == ["0"]
    assert [text.split()[0] for text in catalog.missing] == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]
    assert sorted(warning.partition("left out, it ")[2] for warning in catalog.warnings) == [
        "has no number for a name",
        "has the number of 0.jpg",
    ]


def test_stargan_folders_are_splits_and_labels(tree, refused):
    root = tree("train/female/015248.jpg", "train/male/2.JPG", "train/male/10.png", "val/male/7.jpg", "val/.DS_Store")
    catalog = celeba_hq(root=root)
    found = [(record.key, record.label, record.split) for record in catalog.records]
    assert found == [
        ("female/015248", 0, "train"),
        ("male/2", 1, "train"),
        ("male/10", 1, "train"),
        ("male/7", 1, "val"),
    ]
    assert catalog.label_names == ("female", "male")
    assert "the names of its folders" in refused(celeba_hq, root=root, attribute="Male")


def test_a_mapping_that_is_none_is_refused(tree, refused):
    root = tree("0.jpg", texts={"CelebA-HQ-to-CelebA-mapping.txt": "<html>"})
    assert "a web page" in refused(celeba_hq, root=root)
    tree(texts={"CelebA-HQ-to-CelebA-mapping.txt": "0 119614.jpg\r\n"})
    assert "expected '0 119613 119614.jpg'" in refused(celeba_hq, root=root)


@pytest.mark.parametrize("given", ["", "CelebAMask-HQ/CelebA-HQ-img"])
def test_a_root_too_high_or_too_low_is_told_where_it_lies(tree, refused, given):
    attributes = {f"CelebAMask-HQ/{name}": text for name, text in TEXTS.items()}
    root = tree("CelebAMask-HQ/CelebA-HQ-img/0.jpg", texts=attributes)
    message = refused(celeba_hq, root=f"{root}/{given}".rstrip("/"), attribute="Male")
    assert message.endswith(f"set data.root={root}/CelebAMask-HQ")
