"""Pairs of the task self_supervised: what stands beside them in training and in evaluation."""

import numpy as np
import pytest
import torch

from suite.data.pictures.self_supervised import SelfSupervisedPictures
from suite.data.pictures.tasks import PairedPictures, PictureList, Sampling


class Memory:
    """A store whose pictures are ramps: pixel (y, x) of picture n holds n in channel 0, y in 1 and x in 2."""

    def __init__(self, count, first, side):
        shape = (side, side)
        self.pictures = [np.stack([np.full(shape, first + n), *np.mgrid[:side, :side]]) for n in range(count)]

    def read(self, position):
        return self.pictures[position].astype(np.uint8)


def dataset(photos=6, sets=3, sampling=None, swap=True, side=4, simulated=False, **arguments):
    """Photo n holds n; its drawings 10 n + 100, 10 n + 101, …; all of one scene."""

    def pictures(scenes, first):
        keys = [f"key{scene}" for scene in scenes]
        return PictureList(Memory(len(scenes), first, side), list(range(len(scenes))), scenes, keys, [None] * len(keys))

    drawings = pictures([scene for scene in range(photos) for _ in range(sets)], 0)
    for row, picture in enumerate(drawings.store.pictures):
        picture[0] = 100 + 10 * (row // sets) + row % sets
    pairs = PairedPictures(pictures(list(range(photos)), 0), drawings, swap, sampling=sampling, simulated=simulated)
    return SelfSupervisedPictures(pairs, 64, seed=sampling.seed if sampling else 0, **arguments)


def number(picture):
    return int(picture[0, 0, 0])


def test_what_is_erased_depends_on_seed_epoch_and_index_only():
    training, evaluation = dataset(sampling=Sampling(0)), dataset()
    assert training[1, 2]["erased"].shape == (2, 2, 4)
    assert torch.equal(training[1, 2]["erased"], dataset(sampling=Sampling(0))[1, 2]["erased"])
    assert not torch.equal(training[1, 2]["erased"], training[2, 2]["erased"])
    assert not torch.equal(training[1, 2]["erased"], dataset(sampling=Sampling(1))[1, 2]["erased"])
    assert torch.equal(evaluation[0, 2]["erased"], evaluation[5, 2]["erased"])
    assert not torch.equal(evaluation[0, 2]["erased"], evaluation[0, 1]["erased"])


@pytest.mark.parametrize("swap", [True, False])
def test_a_sibling_is_another_drawing_of_the_photo_cut_and_mirrored_alike(swap):
    training = dataset(sampling=Sampling(0, window=4, flip=0.5), side=9, swap=swap)
    seen = set()
    for epoch in range(40):
        sample = training[epoch, 2]
        photo, drawing = (sample["b"], sample["a"]) if swap else (sample["a"], sample["b"])
        assert torch.equal(sample["sibling"][1:], photo[1:])
        assert number(photo) == 2
        seen.add((number(drawing), number(sample["sibling"])))
    assert seen == {(one, other) for one in (120, 121, 122) for other in (120, 121, 122) if one != other}


def test_a_drawing_alone_is_its_own_sibling():
    sample = dataset(sets=1, sampling=Sampling(0, flip=0.5))[0, 3]
    assert torch.equal(sample["sibling"], sample["a"])


def test_the_pair_is_the_one_there_would_be_without_all_that():
    sampling = Sampling(0, window=4, flip=0.5)
    bare, full = (dataset(sampling=sampling, side=9, **more) for more in ({}, {"subset": 3}))
    assert all(torch.equal(bare[5, 1][key], full[5, 1, 9][key]) for key in ("a", "b", "sibling", "erased"))
    assert torch.equal(bare.pairs[5, 1]["a"], full[5, 1, 0]["a"])


def of_turn(training, turn):
    """The photo of each label in a turn; fails where one label has two."""
    photo_of = {}
    for index in range(60):
        sample = training[index // 6, index % 6, turn]
        assert photo_of.setdefault(sample["subset_label"], number(sample["subset"])) == number(sample["subset"])
    return photo_of


def test_subsets_go_through_all_photos_before_they_begin_again_in_another_order():
    training = dataset(photos=7, sampling=Sampling(0), subset=3)
    turns = [of_turn(training, turn) for turn in range(12)]
    assert all(sorted(labels) == [0, 1, 2] for labels in turns)
    passes = [turns[start : start + 2] for start in range(0, 12, 2)]
    for first, second in passes:
        assert len({*first.values(), *second.values()}) == 6  # of 7: one is left over
    assert len({tuple(sorted(first.items())) for first, _ in passes}) > 1
    assert len(set().union(*(labels.values() for labels in turns))) == 7
    other = dataset(photos=7, sampling=Sampling(1), subset=3)
    assert [of_turn(other, turn) for turn in range(4)] != turns[:4]


def test_a_picture_of_the_subset_comes_with_a_drawing_of_it_and_a_view_of_its_own():
    training = dataset(sampling=Sampling(0, window=4, flip=0.5), side=9, subset=6)
    same_view, drawings = 0, set()
    for epoch in range(60):
        sample = training[epoch, 1, 5]
        assert torch.equal(sample["subset"][1:], sample["subset_drawing"][1:])
        assert (number(sample["subset_drawing"]) - 100) // 10 == number(sample["subset"])
        assert (sample["classes"], sample["turn"]) == (6, 5)
        same_view += torch.equal(sample["subset"][1:], sample["b"][1:])
        drawings.add(number(sample["subset_drawing"]))
    assert same_view < 10
    assert len(drawings) > 12  # of 18


def test_a_subset_larger_than_the_set_is_all_of_it():
    training = dataset(sampling=Sampling(0), subset=500)
    assert training.classes == 6
    assert sorted(of_turn(training, 3).values()) == list(range(6))


def test_simulated_drawings_are_the_photos_to_draw():
    sample = dataset(sampling=Sampling(0), simulated=True, subset=4)[0, 1, 0]
    assert torch.equal(sample["subset"], sample["subset_drawing"])
    assert torch.equal(sample["sibling"], sample["b"])


def test_evaluation_takes_the_style_of_any_other_photo_and_no_other():
    evaluated = [dataset(photos=4, mismatched=4 * 30)[0, index] for index in range(4 * 30)]
    styles = {}
    for sample in evaluated:
        assert sample["key_style"] == f"key{number(sample['style'])}"
        styles.setdefault(sample["key"], set()).add(sample["key_style"])
    assert styles == {f"key{one}": {f"key{other}" for other in range(4) if other != one} for one in range(4)}
    again = dataset(photos=4)[3, 2]
    assert again["key_style"] == evaluated[2]["key_style"]
    other_seed = SelfSupervisedPictures(dataset(photos=4).pairs, 64, seed=1, mismatched=40)
    assert [other_seed[index]["key_style"] for index in range(40)] != [one["key_style"] for one in evaluated[:40]]


def test_pairs_come_round_again_under_other_styles_and_say_so():
    evaluation = dataset(photos=4, mismatched=10)
    assert (len(evaluation), len(dataset(photos=4)), len(dataset(photos=4, mismatched=3))) == (10, 4, 3)
    samples = [evaluation[index] for index in range(10)]
    assert [number(sample["b"]) for sample in samples] == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert [sample["index"] for sample in samples] == list(range(10))
    assert [sample["fresh_a"] and sample["fresh_b"] for sample in samples] == [True] * 4 + [False] * 6
    assert not {"sibling", "subset", "classes"} & set(samples[0])
    assert "style" not in dataset(sampling=Sampling(0))[0, 0]
