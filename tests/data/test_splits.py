from pathlib import Path

import pytest

from suite.data.catalog import Catalog, PictureFile, Record
from suite.data.drawn import halves
from suite.data.sources.helpers.reading import fixed_draw
from suite.data.splits import assign_splits, check_wanted
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
    assert f"no val or test drawings; {drawn['test']} of the 30 are held out" in mixed.warnings[0]


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
    keys = {number: f"p{number}" for number in range(11)}
    first, second = halves(keys, seed=0)
    assert sorted(first + second) == list(range(11))
    assert (len(first), len(second)) == (5, 6)
    assert sorted(first) not in ([0, 1, 2, 3, 4], [6, 7, 8, 9, 10])
    assert halves(keys, seed=0) == (first, second) != halves(keys, seed=1)


def test_halves_follow_from_the_keys():
    keys = {number: f"p{number:02d}" for number in range(40)}
    first = {keys[number] for number in halves(keys, seed=3)[0]}
    backwards = dict(enumerate(reversed(list(keys.values()))))
    assert {backwards[number] for number in halves(backwards, seed=3)[0]} == first
    more = dict(enumerate(["before", *keys.values()]))
    after = {more[number] for number in halves(more, seed=3)[0]}
    assert len(first ^ after) <= 2


# What comes later


def sides(numbers, padded="{:03d}".format, other="{:03d}".format):
    photos = [Record(padded(number), photo=FILE) for number in numbers]
    return Catalog("test", None, [*photos, *(Record(other(number), drawings=(FILE,)) for number in numbers)])


def places(splits, kind):
    return {record.key: split for split, records in splits.items() for record in records if record.pictures(kind)}


@pytest.mark.parametrize("wanted", [None, {"train": 0.8, "test": 0.2}, {"train": 0.6, "val": 0.2, "test": 0.2}])
@pytest.mark.parametrize("kind", ["photo", "drawing"])
def test_pictures_that_come_later_move_none(wanted, kind):
    def name(number):  # as people number them: one is padded otherwise, and would come early in a list
        return f"{number:03d}" if number != 40 else "0040"

    for seed in range(10):
        before = places(assign_splits(sides(range(40), name, name), wanted, seed), kind)
        after = places(assign_splits(sides(range(42), name, name), wanted, seed), kind)
        assert {key: after[key] for key in before} == before


def test_counts_move_few_when_pictures_come_later():
    for seed in range(10):
        before = places(assign_splits(sides(range(60)), {"train": 30, "test": 10}, seed), "photo")
        after = places(assign_splits(sides(range(61)), {"train": 30, "test": 10}, seed), "photo")
        moved = [key for key, split in before.items() if after.get(key) != split]
        assert len(moved) <= 2  # one at each border


@pytest.mark.parametrize("wanted", [None, {"train": 20, "test": 10}, {"train": 0.5, "val": 5, "test": 0.5}])
def test_a_photo_and_its_drawing_that_are_listed_apart_are_on_one_side(wanted):
    for seed in range(10):
        catalog = sides(range(1, 41), str, "{:04d}".format)
        catalog.records += [Record(f"more {number}", drawings=(FILE,)) for number in range(5)]
        splits = assign_splits(catalog, wanted, seed)
        photos, drawings = places(splits, "photo"), places(splits, "drawing")
        both = [number for number in range(1, 41) if str(number) in photos and f"{number:04d}" in drawings]
        assert len(both) >= 20
        assert all(photos[str(number)] == drawings[f"{number:04d}"] for number in both)


def test_where_few_photos_need_a_test_picture_its_drawing_follows():
    for seed in range(50):
        catalog = sides(range(3))
        catalog.records += [Record(f"more {number}", drawings=(FILE,)) for number in range(9)]
        splits = assign_splits(catalog, None, seed)
        photos, drawings = places(splits, "photo"), places(splits, "drawing")
        assert "test" in photos.values()
        assert all(drawings[key] == split for key, split in photos.items())


def test_an_umlaut_is_one_letter_however_it_is_written():
    composed, decomposed = (
        Catalog("test", None, [Record(f"{letter}{number}", FILE) for number in range(9)]) for letter in ("ä", "a\u0308")
    )
    for seed in range(20):
        one, other = (assign_splits(catalog, None, seed) for catalog in (composed, decomposed))
        assert list(places(one, "photo").values()) == list(places(other, "photo").values())


def people(label_names=(), labelled_by=lambda person: None):
    records = [
        Record(f"{person}/{number}", FILE, label=labelled_by(person), group=f"p{person}")
        for person in range(30)
        for number in range(person % 4 + 1)
    ]
    return Catalog("test", None, records, label_names=label_names, identities=True)


@pytest.mark.parametrize("wanted", [None, {"train": 0.7, "test": 0.3}, {"train": 50, "test": 13}])
def test_pictures_of_one_identity_stay_in_one_split(wanted):
    for seed in range(10):
        splits = assign_splits(people(), wanted, seed)
        groups = [{record.group for record in records} for records in splits.values()]
        assert not groups[0] & groups[1]
        if wanted is not None and isinstance(wanted["test"], int):
            assert {split: len(records) for split, records in splits.items()} == wanted


def test_an_identity_that_is_the_label_is_in_every_split():
    names = tuple(f"p{person}" for person in range(30))
    wanted = {"train": 0.5, "test": 0.5}
    by_label = assign_splits(people(names, int), wanted, 0, labelled=True)
    assert {r.group for r in by_label["train"]} & {r.group for r in by_label["test"]}
    otherwise = assign_splits(people(names, int), wanted, 0)
    assert not {r.group for r in otherwise["train"]} & {r.group for r in otherwise["test"]}
    smile = assign_splits(people(("no", "yes"), lambda person: person % 2), wanted, 0, labelled=True)
    assert not {r.group for r in smile["train"]} & {r.group for r in smile["test"]}


def test_groups_that_are_no_identities_do_not_hold_together():
    catalog = people()
    catalog.identities = False
    splits = assign_splits(catalog, {"train": 0.5, "test": 0.5}, 0)
    assert {r.group for r in splits["train"]} & {r.group for r in splits["test"]}


def test_one_name_in_two_folders_of_splits_is_two_pictures():
    records = [Record(f"{number}", FILE, split=split) for split in ("train", "test") for number in range(10)]
    splits = assign_splits(Catalog("test", None, records), {"train": 13, "test": 7}, seed=0)
    assert {split: len(members) for split, members in splits.items()} == {"train": 13, "test": 7}


def test_a_fixed_draw_moves_few_when_one_is_missing():
    keys = [f"ar/m-{number:03d}" for number in range(123)]
    drawn = fixed_draw(keys, 80, 43)
    assert list(drawn.values()).count("train") == 80
    fewer = fixed_draw(keys[1:], 80, 43)
    assert sum(fewer[key] != drawn[key] for key in fewer) <= 2


def test_a_single_picture_is_trained_on_which_is_said_by_its_set_and_kind():
    somewhere = Catalog("test", Path("some/where"), catalog(photos=1, drawings=2).records)
    assert keys(assign_splits(somewhere, None, seed=0), "p") == {"train": ["p0"], "test": []}
    assert somewhere.warnings[0].startswith("test in some/where: its only photo is trained on, and none is held out")
    with pytest.raises(UserError, match=r"^data\.split=.*: test has 1 photos, too few"):
        assign_splits(catalog(photos=1), {"train": 0.9, "test": 0.1}, seed=0)


def test_the_key_of_a_second_data_set_is_named():
    drawings = catalog(drawings=12)
    with pytest.raises(UserError, match=r"^data\.target\.split={'train': 20}: test has 12 drawings"):
        assign_splits(drawings, {"train": 20}, 0, "data.target")
    assign_splits(drawings, None, 0, "data.target")
    assert "; split: {train: 0.8, test: 0.2} in data.target draws otherwise" in drawings.warnings[0]
    for wanted in ({"trian": 5}, {"train": -1}, {"train": 0.9, "test": 0.2}):
        with pytest.raises(UserError, match=r"^data\.target\.split\W"):
            check_wanted(wanted, "data.target.split")


@pytest.mark.parametrize("wanted", [None, {"train": 0.5, "val": 0.2, "test": 0.3}])
def test_one_picture_in_two_formats_is_on_one_side(wanted):
    twice = [Record(f"{number}{suffix}", FILE) for number in range(40) for suffix in ("", ".png")]
    split_of = places(assign_splits(Catalog("test", None, twice), wanted, 3), "photo")
    assert len(split_of) == 80
    assert all(split_of[str(number)] == split_of[f"{number}.png"] for number in range(40))
