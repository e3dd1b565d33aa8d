"""Data of which all is trained on: by `data.split={train: 1.0}`, or because there is a single picture."""

import pytest

from suite.data.module import PictureData
from suite.errors import UserError


@pytest.mark.parametrize(("share", "most"), [(1.0, 7), (0.5, 6)])
def test_a_split_may_name_train_alone(unpaired, share, most):
    data = unpaired(photos=4, drawings=6, test=0, split={"train": share})  # and one in testB
    data.prepare_data()
    assert (data.holds_out, data.has_truth) == (False, False)
    assert list(data.splits) == ["train"]
    assert next(iter(data.train_dataloader()))["a"].shape[0] == 2
    data.test_split = "train"
    (evaluation,) = data.test_dataloader()
    assert len(evaluation["key"]) == most or (share < 1 and len(evaluation["key"]) < most)
    with pytest.raises(UserError, match="the split test has none"):
        data.eval_dataloader("test")


def test_a_picture_a_side_is_enough(unpaired, paired):
    for data in (unpaired(photos=1, drawings=1, test=0, batch_size=1), paired(pairs=1, batch_size=1)):
        data.prepare_data()
        assert not data.holds_out
        assert len(data.train_dataloader()) == 1


def test_where_one_side_has_a_single_picture_nothing_of_the_other_is_held_out(picture, tmp_path):
    picture("set/a/0.png")
    for number in range(8):
        picture(f"set/b/{number}.png", seed=number)
    where = {"root": str(tmp_path / "set"), "cache": False, "a": "a", "b": "b"}
    data = PictureData(source="unpaired_folders", size=8, load_size=8, workers=0, **where)
    data.prepare_data()
    assert sum(len(record.drawings) for record in data.splits["train"]) == 8
    (warning,) = data.catalog.warnings
    assert "its only photo is trained on" in warning
    assert (data.holds_out, data.held_out_alone) == (False, {})


def test_pairs_that_are_all_trained_on_have_their_truth_where_those_are_measured(paired):
    data = paired(split={"train": 1.0})
    data.prepare_data()
    assert not data.has_truth
    data.test_split = "train"
    assert data.has_truth


def test_both_sets_have_to_hold_pictures_out(unpaired, tmp_path):
    target = {"source": "unpaired_folders", "root": str(tmp_path / "set"), "split": {"train": 1.0}}
    assert unpaired().holds_out
    data = unpaired(target=target)
    assert (data.holds_out, data.held_out_alone) == (False, {"data": 3})
