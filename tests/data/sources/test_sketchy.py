import re
import unicodedata
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from suite.data.sources.sketchy import sketchy, slug
from suite.run.words import literal

TX = "tx_000000000000"
INFO = {f"info/invalid-{name}.txt": "" for name in ("error", "ambiguous", "pose", "context")}


def files(place, category, photo, *numbers, photo_tx=TX, sketch_tx=TX):
    sketches = [f"{place}sketch/{sketch_tx}/{category}/{photo}-{number}.png" for number in numbers]
    return [f"{place}photo/{photo_tx}/{category}/{photo}.jpg", *sketches]


def found(catalog):
    return [
        (r.key, r.label, r.group, r.split, [int(d.path.stem.rpartition("-")[2]) for d in r.drawings])
        for r in catalog.records
    ]


@pytest.mark.parametrize("place", ["", "256x256/", "rendered_256x256/256x256/", "Sketchy/"])
def test_any_number_of_sketches_with_labels_and_the_official_test_set(tree, place):
    testset = "airplane/n02691156_58.jpg\r\ncar_(sedan)/n2_9.jpg \r\n"
    root = tree(
        *files(place, "airplane", "n02691156_58", 17, 1, 3),
        *files(place, "airplane", "n02691156_7", 2),
        *files(place, "car_(sedan)", "n1_1", 1, 2),
        f"{place}photo/{TX}/airplane/Thumbs.db",
        texts=INFO | {"info/testset.txt": testset},
    )
    catalog = sketchy(root=root)
    assert found(catalog) == [
        ("airplane/n02691156_7", 0, "airplane", "train", [2]),
        ("airplane/n02691156_58", 0, "airplane", "test", [1, 3, 17]),
        ("car_sedan/n1_1", 1, "car_(sedan)", "train", [1, 2]),
    ]
    assert catalog.label_names == ("airplane", "car_(sedan)")
    assert catalog.missing == ["car_sedan/n2_9"]


def test_invalid_sketches_are_dropped_by_list(tree):
    lists = {"info/invalid-error.txt": "n1_1-1\r\nn1_2-1 \n", "info/invalid-pose.txt": "n1_1,3\n"}
    root = tree(*files("", "duck", "n1_1", 1, 2, 3), *files("", "duck", "n1_2", 1), texts=INFO | lists)
    drawn = {tuple(drop): [row[-1] for row in found(sketchy(root=root, drop=drop))] for drop in ([], ["error"])}
    assert drawn == {(): [[1, 2, 3], [1]], ("error",): [[2, 3]]}
    assert [row[-1] for row in found(sketchy(root=root, drop=["error", "pose"]))] == [[2]]
    assert sketchy(root=root).orphan_photos == [f"{root}/photo/{TX}/duck/n1_2.jpg"]
    assert found(sketchy(root=root, drop="error")) == found(sketchy(root=root))


def test_categories_in_any_spelling(tree, refused):
    names = ["hot-air_balloon", "jack-o-lantern", "car_(sedan)", "pickup_truck"]
    root = tree(*(path for name in names for path in files("", name, "n1_1", 1)), texts=INFO)
    assert sketchy(root=root, categories=["pickup truck", "Car (sedan)"]).label_names == ("car_(sedan)", "pickup_truck")
    assert sketchy(root=root, categories=["hot_air_balloon"]).label_names == ("hot-air_balloon",)
    assert slug("jack o'lantern") == slug("jack-o-lantern") == slug("jack_o_lantern")
    message = refused(sketchy, root=root, categories=["zebra"])
    assert "zebra is not among the photos; there is car_sedan, hot_air_balloon" in message


def test_equal_photo_names_in_two_categories_stay_apart(tree):
    root = tree(*files("", "duck", "n1_1", 1), *files("", "swan", "n1_1", 2), texts=INFO)
    assert [(row[0], row[-1]) for row in found(sketchy(root=root))] == [("duck/n1_1", [1]), ("swan/n1_1", [2])]


def test_copies_without_renderings_and_with_folders_for_the_splits(tree):
    plain = tree(
        "a/photo/duck/1.jpg", "a/sketch/duck/1-1.png", texts={f"a/{name}": text for name, text in INFO.items()}
    )
    assert found(sketchy(root=f"{plain}/a")) == [("duck/1", 0, "duck", None, [1])]
    names = ["photo/{}/train/duck/1.jpg", "photo/{}/test/duck/2.jpg", "sketch/{}/train/duck/1-1.png"]
    root = tree(*(f"b/{name.format(TX)}" for name in (*names, "sketch/{}/test/duck/2-4.png")))
    catalog = sketchy(root=f"{root}/b", drop=[])
    assert sorted(found(catalog)) == [("duck/1", 0, "duck", "train", [1]), ("duck/2", 0, "duck", "test", [4])]


def test_renderings_are_chosen(tree, refused):
    other = "tx_000100000000"
    root = tree(*files("", "duck", "1", 1), *files("", "duck", "2", 1, photo_tx=other, sketch_tx=other), texts=INFO)
    assert [record.key for record in sketchy(root=root, photo_tx=other, sketch_tx=other).records] == ["duck/2"]
    assert f"there is {TX}, {other}" in refused(sketchy, root=root, photo_tx="tx_1")
    mixed = refused(sketchy, root=root, photo_tx=other)
    assert f"no sketch of data.sketch_tx={TX} is named after a photo of data.photo_tx={other}" in mixed
    assert mixed.endswith(f"for example {root}/sketch/{TX}/duck/1-1.png")


def test_what_is_missing_is_named(tree, refused):
    root = tree(*files("data/256x256/", "duck", "1", 1))
    message = refused(sketchy, root=f"{root}/data")
    assert "needs info/invalid-error.txt" in message
    assert "data.drop=[]" in message
    assert sketchy(root=f"{root}/data", drop=[]).split_warnings == [
        f"sketchy: no info/testset.txt below {root}/data, so no official split"
    ]
    assert "data.drop=bad: choose from error, ambiguous, pose, context" in refused(sketchy, root=root, drop=["bad"])
    assert refused(sketchy, root=root).endswith(f"set data.root={root}/data")
    assert refused(sketchy, root=f"{root}/data/256x256/photo").endswith(f"set data.root={root}/data/256x256")
    tree(texts={"data/info/testset.txt": "n1_1.jpg\n"})
    assert "expected 'airplane/n02691156_10151.jpg'" in refused(sketchy, root=f"{root}/data", drop=[])


def test_names_in_two_forms_of_unicode_are_one(tree):
    photo, sketch = (unicodedata.normalize(form, "été") for form in ("NFC", "NFD"))
    texts = INFO | {"info/testset.txt": f"duck/{sketch}.jpg\n", "info/invalid-error.txt": f"{photo}-2\n"}
    root = tree(f"photo/duck/{photo}.jpg", *(f"sketch/duck/{sketch}-{number}.png" for number in (1, 2)), texts=texts)
    assert found(sketchy(root=root)) == [(f"duck/{photo}", 0, "duck", "test", [1])]


def test_the_categories_that_the_conf_shows_for_a_command_line_are_read_by_hydra(tree):
    root = tree(*files("", "duck", "n1_1", 1), *files("", "car_(sedan)", "n2_1", 1), *files("", "swan", "n3_1", 1))
    comment = (Path(__file__).parents[3] / "conf" / "data" / "sketchy.yaml").read_text()
    shown = re.findall(r"data\.categories=(\[[^]]+\])", comment)
    assert len(shown) == 2
    for written in shown:
        categories = OverridesParser.create().parse_override(literal(f"data.categories={written}")).value()
        assert sketchy(root=root, drop=[], categories=categories).label_names == ("car_(sedan)", "duck")
