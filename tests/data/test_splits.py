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


def test_the_draw_is_the_same_on_every_machine():
    drawn = keys(assign_splits(catalog(pairs=12), {"train": 6, "test": 3}, seed=0))
    assert drawn["test"] == ["b0", "b4", "b7"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"train": 0.9, "test": 0.1},
        {"train": 0.6, "val": 0.2, "test": 0.2},
        {"test": 0.1, "val": 0.05, "train": 0.25},
        {"val": 1.0},
    ],
)
def test_fractions_are_about_that_many(wanted):
    splits = assign_splits(catalog(pairs=4000), wanted, seed=3)
    assert set(splits) == set(wanted)
    for split, share in wanted.items():
        deviation = (4000 * share * (1 - share)) ** 0.5
        assert abs(len(splits[split]) - 4000 * share) <= 4 * deviation


@pytest.mark.parametrize("wanted", [{"train": 0.9, "test": 0.1}, {"train": 0.1, "val": 0.8, "test": 0.1}])
@pytest.mark.parametrize("count", [3, 10, 20])
def test_of_few_records_every_split_has_one_and_nothing_is_left_over(count, wanted):
    for seed in range(50):
        sizes = [len(records) for records in assign_splits(catalog(pairs=count), wanted, seed).values()]
        assert len(sizes) == len(wanted)
        assert sum(sizes) == count


def test_counts_are_exact_beside_fractions():
    for seed in range(20):
        splits = assign_splits(catalog(pairs=100), {"train": 0.25, "test": 30}, seed)
        assert len(splits["test"]) == 30
        assert 10 <= len(splits["train"]) <= 40
        rest = assign_splits(catalog(pairs=100), {"train": 1.0, "test": 30}, seed)
        assert (len(rest["train"]), len(rest["test"])) == (70, 30)


COUNTS, SHARES = {"train": 90, "val": 20, "test": 40}, {"train": 0.6, "val": 0.15, "test": 0.25}


@pytest.mark.parametrize("wanted", [COUNTS, SHARES])
def test_sketches_have_their_splits_with_and_without_photos(wanted):
    names = [f"{number:05d}" for number in range(200)]
    bare = Catalog("test", None, [Record(name, drawings=(FILE,)) for name in names])
    paired = Catalog("test", None, [Record(name, FILE, (FILE,)) for name in reversed(names)])
    drawn = {split: set(members) for split, members in keys(assign_splits(bare, wanted, seed=5)).items()}
    assert {split: set(members) for split, members in keys(assign_splits(paired, wanted, seed=5)).items()} == drawn


def test_a_photo_that_some_lack_moves_nobody_where_fractions_are_asked_for():
    names = [f"{number:05d}" for number in range(200)]
    everyone = assign_splits(Catalog("test", None, [Record(name, FILE, (FILE,)) for name in names]), SHARES, seed=5)
    some = [Record(name, FILE if number % 7 else None, (FILE,)) for number, name in enumerate(names)]
    assert keys(assign_splits(Catalog("test", None, some), SHARES, seed=5)) == keys(everyone)
    fewer = [record for record in some if record.paired]
    left = {record.key for record in fewer}
    kept = {split: [key for key in members if key in left] for split, members in keys(everyone).items()}
    assert keys(assign_splits(Catalog("test", None, fewer), SHARES, seed=5)) == kept


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
    drawn = {split: len(members) for split, members in keys(splits, "d").items()}
    assert sum(drawn.values()) == 30
    assert 1 <= drawn["test"] <= 7  # a tenth of 30, give or take
    assert len(mixed.warnings) == 1
    assert f"no val or test drawings; {drawn['test']} of the 30, about a tenth, are held out" in mixed.warnings[0]


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
    assert "; 'data.target.split={train: 0.8, test: 0.2}' draws otherwise" in drawings.warnings[0]
    for wanted in ({"trian": 5}, {"train": -1}, {"train": 0.9, "test": 0.2}):
        with pytest.raises(UserError, match=r"^data\.target\.split\W"):
            check_wanted(wanted, "data.target.split")
