"""No two people, photos or scenes ever share a key; a photo and its drawings always do."""

import random
import re

import pytest

from suite.data.sources.cufs import cufs
from suite.data.sources.cufsf import cufsf
from suite.data.sources.folders import paired_folders
from suite.data.sources.helpers.cufs_names import person
from suite.data.sources.photo_sketch import photo_sketch
from suite.data.sources.sketchy import sketchy

SEEDS = range(4)


def official_cufs():
    """Person -> official names of photo and sketch of the 606, by the published counts."""
    people = {}
    for sex, count, start in (("f", 34, 5), ("m", 54, 10)):  # CUHK, train
        for number in range(start, start + count):
            people["train", sex, number] = f"{sex}-{number:03d}-01", f"{sex}2-{number:03d}-01-sz1"
    for sex, count, start in (("f", 5, 39), ("f1", 15, 1), ("m", 39, 64), ("m1", 41, 1)):  # CUHK, test
        for number in range(start, start + count):
            people["test", sex, number] = f"{sex}-{number:03d}-01", f"{sex}-{number:03d}-01-sz1"
    for sex, count in (("m", 70), ("w", 53)):
        for number in range(1, count + 1):
            people["ar", sex, number] = f"{sex}-{number:03d}-1", f"{sex.upper()}p-{number:03d}-1-sz1"
    for number in range(295):
        people["xm2vts", "", number] = f"{number:03d}_1_1", f"{number:03d}_1_1_sz1"
    return people


def spelled(stem, generator):
    """As copies have it: capitals, another suffix."""
    stem = generator.choice([stem, stem.upper(), stem.lower(), stem.capitalize()])
    return stem + generator.choice([".jpg", ".JPG", ".png", ".bmp", ".Jpeg"])


def owners(catalog, owner_of):
    """Owner of each record; photo and drawings must have the same one, and no two records may."""
    found = []
    for record in catalog.records:
        mine = {owner_of(picture.name) for picture in (record.photo, *record.drawings)}
        assert len(mine) == 1, f"{record.key} is of {mine}"
        found.append(mine.pop())
    assert len(set(found)) == len(found)
    assert len({record.key for record in catalog.records}) == len(found)
    return set(found)


def test_the_606_of_cufs_have_as_many_keys():
    people = official_cufs()
    assert len(people) == 606
    keys = {who: {person(name) for name in names} for who, names in people.items()}
    assert all(len(of_person) == 1 for of_person in keys.values())
    assert len(set.union(*keys.values())) == 606
    kinds = {"train": "cuhk", "test": "cuhk"}
    assert all(part == kinds.get(who[0], who[0]) for who, of_person in keys.items() for part, _ in of_person)


@pytest.mark.parametrize("seed", SEEDS)
def test_cufs_in_any_spelling_and_any_order_of_folders(seed, tree):
    generator = random.Random(seed)
    people = official_cufs()
    owner, names = {}, []
    for who, (photo, sketch) in generator.sample(sorted(people.items()), 150):
        part = {"ar": "AR", "xm2vts": "XM2VTS"}.get(who[0], "CUHK")
        above = generator.choice(["", f"{part}/", f"{part}/{part}_cropped_photos/", "data/CUFS/"])
        places = [f"{above}photos/{spelled(photo, generator)}", f"{above}sketches/{spelled(sketch, generator)}"]
        names += places
        owner |= dict.fromkeys(places, who)
    root = tree(*names)
    catalog = cufs(root=root, version="cropped")
    assert owners(catalog, lambda name: owner[name.removeprefix(f"{root}/")]) == set(owner.values())
    assert (catalog.orphan_photos, catalog.orphan_drawings) == ([], [])


@pytest.mark.parametrize("seed", SEEDS)
def test_renamed_copies_of_cufs_count_from_0_in_each_folder(seed, tree):
    generator = random.Random(seed)
    folders = ["CUHK_student_train", "CUHK_student_test", "AR", "AR_test", "XM2VTS", "x/AR", "cuhk", "Data/CUHK"]
    names = []
    for folder in generator.sample(folders, 5):
        style = generator.choice(["{0}/{1}s/{2}", "{0}/{0}_cropped_{1}s/{1}s/{2}", "{0}/{1}s/{1}s/{2}"])
        digits = generator.choice(["{}", "{:02d}", "{:03d}", "AR_{:03d}"])
        for number in range(generator.randrange(1, 12)):
            stem = digits.format(number)
            names += [style.format(folder, "photo", stem) + ".jpg", style.format(folder, "sketche", stem) + ".png"]
    names += ["train_photos/0.jpg", "train_sketches/0.jpg", "test_photos/0.png", "test_sketches/0.jpg"]
    root = tree(*names)

    def owner(name):
        below = name.removeprefix(f"{root}/")
        folder = next(
            (f for f in sorted(folders, key=len, reverse=True) if below.startswith(f"{f}/")), below.split("_")[0]
        )
        return folder, re.sub(r"\.\w+$", "", below.split("/")[-1])

    assert len(owners(cufs(root=root), owner)) == len(names) // 2


@pytest.mark.parametrize("seed", SEEDS)
def test_the_people_of_feret(seed, tree):
    generator = random.Random(seed)
    names, listed, drawn = [], [], {}
    for number in generator.sample(range(1, 1210), 80):
        shots = {
            (
                generator.choice(["fa", "fb", "ba", "bj", "hl"]),
                generator.randrange(930000, 960000),
                generator.choice(["", "a", "d"]),
            )
            for _ in range(generator.randrange(1, 5))
        }
        files = []
        for pose, date, letter in sorted(shots):
            grey = f"feret/{number:05d}{pose}{generator.randrange(1000):03d}{letter}_{date}"
            colour = f"colorferet/dvd1/data/images/{number:05d}/{number:05d}_{date}_{pose}" + (
                f"_{letter}" if letter else ""
            )
            files.append(generator.choice([f"{grey}.tif", f"{grey.upper()}.TIF", f"{colour}.ppm.bz2", f"{colour}.ppm"]))
        chosen = generator.randrange(len(files))
        pose, date, letter = sorted(shots)[chosen]
        listed.append(f"{number:05d}{pose}010{letter}_{date}.jpg")
        drawn[f"{number:05d}"] = files[chosen]
        names += [*files, f"cropped_sketch/{number:05d}.jpg"]
    root = tree(*names, texts={"names_of_photos_used_for_drawing_sketches.txt": "\r\n".join(listed)})
    catalog = cufsf(root=root)
    assert owners(catalog, lambda name: name.rpartition("/")[2][:5]) == set(drawn)
    assert {record.key: record.photo.name.removeprefix(f"{root}/") for record in catalog.records} == drawn


def odd_stems(generator, count):
    """Photo names that look like names of drawings: they end in numbers, dashes, underscores, suffixes."""
    pieces = ["n1", "_", "-", "1", "01", "2", "10", ".", "a", "_01", "-1", ".jpg", " ", "é"]
    stems = {"".join(generator.choices(pieces, k=generator.randrange(1, 6))).strip(" .") for _ in range(count)}
    return sorted(stem for stem in stems if stem and len({*stem} - {*"._- "}))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("source", ["sketchy", "photo_sketch"])
def test_drawings_belong_to_the_photo_whose_name_they_extend(source, seed, tree):
    generator = random.Random(seed)
    photo, drawing = {
        "sketchy": ("photo/duck/{}.png", "sketch/duck/{}-{}.png"),
        "photo_sketch": ("image/{}.png", "sketch-rendered/width-5/{}_{:02d}.png"),
    }[source]
    stems, owner = odd_stems(generator, 120), {}
    for stem in stems:
        owner[photo.format(stem)] = stem
        for number in generator.sample(range(1, 30), generator.randrange(1, 6)):
            name = drawing.format(stem, number)
            assert name not in owner
            owner[name] = stem
    root = tree(*owner)
    catalog = sketchy(root=root, drop=[]) if source == "sketchy" else photo_sketch(root=root)
    assert owners(catalog, lambda name: owner[name.removeprefix(f"{root}/")]) == set(stems)
    assert sum(len(record.drawings) for record in catalog.records) == len(owner) - len(stems)
    assert (catalog.orphan_photos, catalog.orphan_drawings) == ([], [])


@pytest.mark.parametrize("seed", SEEDS)
def test_pairs_of_equal_stems_in_any_sub_folder(seed, tree):
    generator = random.Random(seed)
    stems = [f"{folder}{stem}" for folder in ("", "x/", "y/", "x/y/") for stem in odd_stems(generator, 30)]
    suffixes = [".jpg", ".PNG", ".webp", ".tif"]
    photos = {f"a/{stem}{generator.choice(suffixes)}": stem for stem in stems}
    drawings = {f"b/{stem}{generator.choice(suffixes)}": stem for stem in stems}
    root = tree(*photos, *drawings)
    catalog = paired_folders(root=root, a="a", b="b")
    found = owners(catalog, lambda name: (photos | drawings)[name.removeprefix(f"{root}/")])
    assert found == set(stems)
