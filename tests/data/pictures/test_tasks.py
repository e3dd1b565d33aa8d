import time

import numpy as np
import pytest
import torch

from suite.data.pictures.tasks import (
    PairedPictures,
    PictureList,
    Sampling,
    SemiSupervisedPictures,
    UnpairedPictures,
)


class Memory:
    """A store whose pictures are ramps: pixel (y, x) of picture n holds n in channel 0, y in 1 and x in 2."""

    def __init__(self, *sizes):
        self.pictures = [
            np.stack([np.full((h, w), n), *np.mgrid[:h, :w]]).astype(np.uint8) for n, (h, w) in enumerate(sizes)
        ]

    def read(self, position):
        return self.pictures[position]


def side(count=None, scenes=None, sizes=None):
    scenes = list(range(count or len(sizes))) if scenes is None else scenes
    store = Memory(*(sizes or [(4, 4)] * len(scenes)))
    keys, labels = [f"key{scene}" for scene in scenes], [scene % 3 for scene in scenes]
    return PictureList(store, list(range(len(scenes))), scenes, keys, labels)


def number(picture):
    return int(picture[0, 0, 0])


def test_unpaired_training_takes_each_a_once_and_any_b():
    dataset = UnpairedPictures(side(5), side(40), "a", Sampling(seed=0))
    samples = [dataset[0, index] for index in range(5)]
    assert [number(sample["a"]) for sample in samples] == [0, 1, 2, 3, 4]
    partners = {number(dataset[epoch, index]["b"]) for epoch in range(60) for index in range(5)}
    assert partners == set(range(40))
    assert number(samples[1]["b"]) == int(samples[1]["key_b"].removeprefix("key"))


def test_unpaired_beyond_the_end_of_a_is_random_and_fair():
    dataset = UnpairedPictures(side(5), side(8), "max", Sampling(seed=0))
    assert (len(dataset), dataset.population) == (8, 8)
    surplus = [number(dataset[epoch, index]["a"]) for epoch in range(200) for index in range(5, 8)]
    counts = np.bincount(surplus, minlength=5)
    assert counts.min() > 85  # 120 each, give or take three deviations
    assert counts.max() < 155


@pytest.mark.parametrize(
    ("length", "expected", "population"), [("max", 8, 8), ("min", 5, 5), ("a", 5, 5), ("b", 8, 8), (3, 3, 5)]
)
def test_epoch_lengths(length, expected, population):
    dataset = UnpairedPictures(side(5), side(8), length, Sampling(seed=0))
    assert (len(dataset), dataset.population) == (expected, population)


def test_unpaired_evaluation_shows_everything_once_and_marks_repeats():
    dataset = UnpairedPictures(side(3), side(5))
    samples = [dataset[0, index] for index in range(len(dataset))]
    assert [number(sample["a"]) for sample in samples] == [0, 1, 2, 0, 1]
    assert [number(sample["b"]) for sample in samples] == [0, 1, 2, 3, 4]
    assert [sample["fresh_a"] for sample in samples] == [True] * 3 + [False] * 2
    assert all(sample["fresh_b"] and not sample["paired"] for sample in samples)


def test_pairs_meet_by_scene():
    dataset = PairedPictures(side(scenes=[4, 7, 9]), side(scenes=[7, 4, 8]))
    samples = [dataset[0, index] for index in range(len(dataset))]
    assert [(number(s["a"]), number(s["b"]), s["key"], s["key_b"]) for s in samples] == [
        (0, 1, "key4", "key4"),
        (1, 0, "key7", "key7"),
    ]
    swapped = PairedPictures(side(scenes=[4, 7, 9]), side(scenes=[7, 4, 8]), swap=True)[0, 0]
    assert (number(swapped["a"]), number(swapped["b"])) == (1, 0)


def test_one_of_several_drawings_in_training_the_first_in_evaluation():
    photos, drawings = side(2), side(scenes=[0, 0, 0, 1])
    training = PairedPictures(photos, drawings, sampling=Sampling(seed=0))
    assert {number(training[epoch, 0]["b"]) for epoch in range(30)} == {0, 1, 2}
    assert {number(training[epoch, 1]["b"]) for epoch in range(30)} == {3}
    assert [number(PairedPictures(photos, drawings)[epoch, 0]["b"]) for epoch in range(5)] == [0] * 5


def test_all_drawings_are_padded():
    dataset = PairedPictures(side(2), side(scenes=[0, 0, 0, 1]), every=True)
    first, second = dataset[0, 0], dataset[0, 1]
    assert [number(drawing) for drawing in first["drawings"]] == [0, 1, 2]
    assert first["drawings"].shape == second["drawings"].shape == (3, 3, 4, 4)
    assert (first["drawing_count"], second["drawing_count"]) == (3, 1)
    assert number(second["drawings"][0]) == 3
    assert not second["drawings"][1:].any()
    swapped = PairedPictures(side(2), side(scenes=[0, 0, 0, 1]), swap=True, every=True)
    assert (first["drawing_side"], swapped[0, 0]["drawing_side"]) == ("b", "a")


def test_a_longer_epoch_of_pairs():
    dataset = PairedPictures(side(3), side(3), length=10, sampling=Sampling(seed=0))
    assert (len(dataset), dataset.population) == (10, 10)
    samples = [dataset[0, index] for index in range(10)]
    assert [number(sample["a"]) for sample in samples[:3]] == [0, 1, 2]
    assert all(number(sample["a"]) == number(sample["b"]) for sample in samples)


def corner(picture):
    return tuple(picture[1:, 0, 0].tolist())


def test_windows_are_random_everywhere_and_the_same_for_a_pair():
    sampling = Sampling(seed=0, window=4)
    pairs = PairedPictures(side(sizes=[(4, 9)]), side(sizes=[(4, 9)]), sampling=sampling)
    samples = [pairs[epoch, 0] for epoch in range(60)]
    assert all(sample["a"].shape == (3, 4, 4) for sample in samples)
    assert {corner(sample["a"]) for sample in samples} == {(0, left) for left in range(6)}
    assert all(torch.equal(sample["a"], sample["b"]) for sample in samples)
    unpaired = UnpairedPictures(side(sizes=[(4, 9)]), side(sizes=[(4, 9)]), sampling=sampling)
    assert any(corner(s["a"]) != corner(s["b"]) for s in (unpaired[epoch, 0] for epoch in range(10)))


def test_a_window_lies_at_the_same_share_of_two_sizes():
    pairs = PairedPictures(side(sizes=[(4, 9)]), side(sizes=[(4, 10)]), sampling=Sampling(seed=0, window=4))
    corners = {(corner(s["a"])[1], corner(s["b"])[1]) for s in (pairs[epoch, 0] for epoch in range(60))}
    assert all(left <= right <= left + 1 for left, right in corners)
    assert {(0, 0), (5, 6)} <= corners


def seen(picture):
    """(top, left, mirrored) of a crop of a ramp; fails where it is none."""
    _, down, across = picture.int()
    mirrored = bool(across[0, 0] > across[0, -1])
    top, left = int(down[0, 0]), int(across.min())
    square = torch.arange(picture.shape[-1])
    assert torch.equal(down, (top + square)[:, None].expand_as(down).int())
    assert torch.equal(across, (left + (square.flip(0) if mirrored else square)).expand_as(across).int())
    return top, left, mirrored


def test_crops_are_exact_pixels_and_some_are_mirrored():
    dataset = UnpairedPictures(side(40, sizes=[(12, 12)] * 40), side(1), "a", Sampling(0, window=8, flip=0.25))
    found = [seen(dataset[epoch, index]["a"]) for epoch in range(5) for index in range(40)]
    assert {top for top, _, _ in found} == {left for _, left, _ in found} == set(range(5))
    assert 30 <= sum(mirrored for *_, mirrored in found) <= 70  # 50, give or take three deviations


def test_without_flip_nothing_is_mirrored_and_with_certainty_everything():
    for flip in (0.0, 1.0):
        dataset = UnpairedPictures(side(6), side(6), "a", Sampling(0, flip=flip))
        assert {seen(dataset[0, index]["a"]) for index in range(6)} == {(0, 0, flip == 1)}


def test_all_that_shows_one_scene_is_cut_and_mirrored_alike():
    photos = side(2, sizes=[(12, 12)] * 2)
    drawings = side(scenes=[0, 0, 0, 1], sizes=[(12, 12)] * 4)
    dataset = PairedPictures(photos, drawings, every=True, sampling=Sampling(0, window=8, flip=0.5))
    views = set()
    for epoch in range(20):
        sample = dataset[epoch, 0]
        of_all = {seen(picture) for picture in (sample["a"], sample["b"], *sample["drawings"])}
        assert len(of_all) == 1
        views |= of_all
    assert len(views) > 10


def test_unpaired_sides_and_targets_move_on_their_own():
    sampling, whole = Sampling(0, window=8, flip=0.5), side(3, sizes=[(12, 12)] * 3)
    unpaired = UnpairedPictures(whole, whole, sampling=sampling)
    targets = SemiSupervisedPictures(PairedPictures(whole, whole, sampling=sampling), whole)
    for dataset, other in ((unpaired, "b"), (targets, "target")):
        views = [(seen(s["a"]), seen(s[other])) for s in (dataset[epoch, 0] for epoch in range(20))]
        assert sum(one == another for one, another in views) < 5
        assert len({another for _, another in views}) > 10


def test_cutting_takes_a_small_part_of_a_step():
    """16 pairs at 286: a forward pass of ResNet-9 takes a hundred times as long."""
    photos = side(16, sizes=[(286 - 31, 286 - 31)] * 16)  # ramps end at 255
    dataset = PairedPictures(photos, photos, sampling=Sampling(0, window=224, flip=0.5))
    start = time.perf_counter()
    for index in range(16):
        dataset[0, index]
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize("kind", [PairedPictures, UnpairedPictures])
def test_a_sample_depends_on_seed_epoch_and_index_only(kind):
    def dataset(seed):
        sizes = [(4, 9)] * 6
        return kind(side(sizes=sizes), side(sizes=sizes), sampling=Sampling(seed, window=4, flip=0.5))

    def differ(one, other):
        return any(not torch.equal(one[key], other[key]) for key in "ab")

    fresh, used = dataset(0), dataset(0)
    for epoch in range(3):
        for index in range(6):
            used[epoch, index]
    for index in range(6):
        assert not differ(fresh[3, index], used[3, index])
    assert any(differ(fresh[3, index], fresh[4, index]) for index in range(6))
    assert any(differ(fresh[3, index], dataset(1)[3, index]) for index in range(6))


def test_samples_are_copies():
    """What a step does to its batch must not reach the memory-mapped file, which is read-only."""
    one = side(1)
    one.store.pictures[0].flags.writeable = False
    UnpairedPictures(one, one)[0, 0]["a"].fill_(9)
    assert number(UnpairedPictures(one, one)[0, 0]["a"]) == 0
