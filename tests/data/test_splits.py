from pathlib import Path

import pytest

from suite.data.catalog import Catalog, PictureFile, Record
from suite.data.splits import assign_splits, check_wanted, halves
from suite.errors import UserError

FILE = PictureFile("x.png")


def catalog(photos=0, drawings=0, pairs=0, split=None):
    records = [Record(f"p{n}", photo=FILE, split=split) for n in range(photos)]
    records += [Record(f"d{n}", drawings=(FILE,), split=split) for n in range(drawings)]
    records += [Record(f"b{n}", FILE, (FILE,), split=split) for n in range(pairs)]
    return Catalog("test", None, records)


def keys(splits, kind=""):
    return {
        split: [record.key for record in records if record.key.startswith(kind)] for split, records in splits.items()
    }


def test_counts_are_drawn_from_each_kind_and_share_nothing():
    wanted = {"train": 10, "test": 4}
    splits = assign_splits(catalog(photos=20, drawings=14), wanted, seed=0)
    for kind in "pd":
        drawn = keys(splits, kind)
        assert {split: len(members) for split, members in drawn.items()} == wanted
        assert not set(drawn["train"]) & set(drawn["test"])
        assert drawn["train"] != [f"{kind}{n}" for n in range(10)]
        numbers = [int(key[1:]) for key in drawn["train"]]
        assert numbers == sorted(numbers)  # the catalog's order


def test_the_draw_follows_the_seed_alone():
    draw = [keys(assign_splits(catalog(pairs=30), {"train": 0.5}, seed)) for seed in (0, 0, 1)]
    assert draw[0] == draw[1] != draw[2]


@pytest.mark.parametrize(
    ("count", "wanted", "expected"),
    [
        (13, {"train": 0.8, "val": 0.1, "test": 0.1}, {"train": 10, "val": 2, "test": 1}),
        (2, {"train": 0.9, "test": 0.1}, {"train": 1, "test": 1}),
        (4, {"train": 0.9, "test": 0.1}, {"train": 3, "test": 1}),
        (100, {"train": 1.0}, {"train": 100}),
        (100, {"train": 0.25, "test": 30}, {"train": 25, "test": 30}),
    ],
)
def test_fractions(count, wanted, expected):
    splits = assign_splits(catalog(pairs=count), wanted, seed=3)
    assert {split: len(records) for split, records in splits.items()} == expected


def test_official_splits_are_kept_unless_others_are_asked_for():
    official = catalog(photos=6, split="train")
    official.records += catalog(photos=4, split="val").records
    counts = {split: len(records) for split, records in assign_splits(official, None, 0).items()}
    assert counts == {"train": 6, "val": 4}
    assert official.warnings == []
    assert {s: len(r) for s, r in assign_splits(official, {"train": 3, "test": 7}, 0).items()} == {
        "train": 3,
        "test": 7,
    }


def test_a_kind_without_an_evaluation_split_gives_up_a_tenth_and_says_so():
    mixed = catalog(photos=20, split="train")
    mixed.records += catalog(photos=5, split="test").records + catalog(drawings=30).records
    splits = assign_splits(mixed, None, seed=0)
    assert {split: len(members) for split, members in keys(splits, "p").items()} == {"train": 20, "test": 5}
    assert {split: len(members) for split, members in keys(splits, "d").items()} == {"train": 27, "test": 3}
    assert len(mixed.warnings) == 1
    assert "no val or test drawings" in mixed.warnings[0]


@pytest.mark.parametrize("wanted", [{"train": 15, "test": 10}, {"train": 21}, {"train": 0.9, "val": 20}])
def test_more_than_there_is(wanted):
    with pytest.raises(UserError, match=r"^data\.split=.*: test has 20 photos, too few"):
        assign_splits(catalog(photos=20), wanted, seed=0)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"trian": 5}, r"data\.split\.trian"),
        ({"train": -1}, r"data\.split\.train=-1"),
        ({"train": 1.5}, r"data\.split\.train=1\.5"),
        ({"train": "many"}, r"data\.split\.train=many"),
        ({"train": 0.9, "test": 0.2}, "sum to 1.1"),
    ],
)
def test_nonsense_is_refused(wanted, message):
    with pytest.raises(UserError, match=message):
        check_wanted(wanted)


def test_halves_are_random_and_share_nothing():
    first, second = halves(range(11), seed=0)
    assert sorted(first + second) == list(range(11))
    assert (len(first), len(second)) == (5, 6)
    assert halves(range(11), seed=0) == (first, second) != halves(range(11), seed=1)


def test_a_set_of_one_picture_is_refused_by_its_name_and_number():
    with pytest.raises(UserError, match=r"^test has 1 photos: too few to train and to test on"):
        assign_splits(catalog(photos=1, drawings=5), None, seed=0)
    somewhere = Catalog("test", Path("some/where"), catalog(photos=1).records)
    with pytest.raises(UserError, match=r"^test in some/where has 1 photos: too few"):
        assign_splits(somewhere, None, seed=0)


def test_the_key_of_a_second_data_set_is_named():
    drawings = catalog(drawings=12)
    with pytest.raises(UserError, match=r"^data\.target\.split={'train': 20}: test has 12 drawings"):
        assign_splits(drawings, {"train": 20}, 0, "data.target")
    assign_splits(drawings, None, 0, "data.target")
    assert "; 'data.target.split={train: 0.9, test: 0.1}' draws otherwise" in drawings.warnings[0]
    for wanted in ({"trian": 5}, {"train": -1}, {"train": 0.9, "test": 0.2}):
        with pytest.raises(UserError, match=r"^data\.target\.split\W"):
            check_wanted(wanted, "data.target.split")
