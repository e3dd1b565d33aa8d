"""The tasks labelled, semi_supervised and self_supervised, and sketches simulated from photos, as a paper gets them."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from suite import sketching
from suite.data.module import PictureData
from suite.errors import UserError


@pytest.fixture
def faces(tmp_path):
    """faces(**arguments): built-in faces of 32 pixels, opened."""

    def make(**arguments):
        defaults = {"size": 32, "load_size": 32, "flip": 0.0, "workers": 0, "batch_size": 4, "eval_batch_size": 4}
        counts = {"count": {"train": 8, "test": 4}, "cache_dir": str(tmp_path)}
        data = PictureData(source="faces", **(defaults | counts | arguments))
        data.prepare_data()
        data.setup()
        return data

    return make


def seen(data, loader):
    """The first batch as a paper gets it."""
    return data.on_after_batch_transfer(next(iter(loader)), 0)


# labelled


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_labels_come_with_the_pictures_of_one_side(faces, direction):
    data = faces(task="labelled", direction=direction)
    of_record = {record.key: record.label for record in data.catalog.records}
    batch = seen(data, data.train_dataloader())
    assert batch["label"].dtype == torch.int64
    assert batch["label"].tolist() == [of_record[key] for key in batch["key"]]
    assert set(batch) == {"a", "label", "paired", "index", "fresh_a", "key"}
    side = "photo" if direction == "a2b" else "drawing"
    (record,) = (record for record in data.catalog.records if record.key == batch["key"][0])
    picture = record.photo if side == "photo" else record.drawings[0]
    expected = np.asarray(picture.load()).transpose(2, 0, 1) / 127.5 - 1
    np.testing.assert_allclose(batch["a"][0], expected, atol=1e-5)
    assert not data.has_truth
    assert len(data.test_dataloader().dataset) == 4


def test_an_epoch_of_labelled_pictures_has_each_once(faces):
    data = faces(task="labelled")
    keys = [key for batch in data.train_dataloader() for key in batch["key"]]
    assert sorted(keys) == sorted(record.key for record in data.splits["train"])
    longer = faces(task="labelled", epoch_length=20)
    assert len(longer.train_dataloader().dataset) == 20


def test_what_has_no_label_is_left_out_and_counted(tmp_path, picture):
    (tmp_path / "set" / "Anno").mkdir(parents=True)
    lines = ["3", "Male", *(f"{number:06d}.jpg {-1 if number % 2 else 1}" for number in (1, 2, 3))]
    (tmp_path / "set" / "Anno" / "list_attr_celeba.txt").write_text("\n".join(lines))
    for number in range(1, 6):
        picture(f"set/Img/img_align_celeba/{number:06d}.jpg", seed=number)
    where = {"root": str(tmp_path / "set"), "cache_dir": str(tmp_path / "cache"), "workers": 0}
    split = {"train": 0.5, "test": 0.5}
    data = PictureData(source="celeba", task="labelled", attribute="Male", split=split, **where)
    data.setup()
    labelled = [record.key for records in data.splits.values() for record in records]
    assert len(labelled) == len(data.catalog.records)
    assert all(record.label is not None for record in data.catalog.records)
    without = PictureData(source="celeba", task="labelled", split=split, **where)
    with pytest.raises(UserError, match=r"data\.task=labelled needs labels, and there are none; set data\.attribute"):
        without.setup()


def test_a_set_without_labels_is_refused(paired):
    with pytest.raises(UserError, match="needs labels, and there are none; take another data set"):
        paired(task="labelled").setup()


# semi_supervised


TARGET = {"source": "faces", "style": "loose", "count": {"train": 5, "test": 3}, "seed": 9}


def test_targets_stand_beside_pairs(faces):
    arguments = {"task": "semi_supervised", "style": "contour", "direction": "b2a", "channels_a": 1}
    data = faces(target=TARGET, **arguments)
    loader = data.train_dataloader()
    batch = seen(data, loader)
    assert batch["paired"] is True
    assert batch["a"].shape == batch["target"].shape == (4, 1, 32, 32)
    assert batch["b"].shape == (4, 3, 32, 32)
    # The very targets come again for (seed, epoch, index), others in another epoch.
    first = torch.cat([one["target"] for one in loader])
    assert torch.equal(first, torch.cat([one["target"] for one in loader]))
    loader.sampler.set_epoch(1)
    assert not torch.equal(first, torch.cat([one["target"] for one in loader]))
    # Evaluation goes through them in order, again and again: 4 pairs, 3 targets.
    (evaluated,) = data.test_dataloader()
    assert torch.equal(evaluated["target"][0], evaluated["target"][3])
    assert not torch.equal(evaluated["target"][0], evaluated["target"][1])
    assert evaluated["fresh_target"].tolist() == [True, True, True, False]
    assert evaluated["fresh_a"].all()
    assert evaluated["key_target"][0] == evaluated["key_target"][3]
    assert batch["fresh_target"].all()
    assert len(batch["key_target"]) == 4


def test_targets_are_of_the_other_set_and_written_with_the_splits(faces, tmp_path, picture):
    for number in range(6):
        picture(f"other/photos/{number}.png", level=10)
        picture(f"other/sketches/{number}.png", level=200)
    other = {"source": "unpaired_folders", "root": str(tmp_path / "other"), "a": "photos", "b": "sketches"}
    target = other | {"split": {"train": 4, "test": 2}}
    data = faces(task="semi_supervised", direction="b2a", target=target)
    batch = seen(data, data.train_dataloader())
    assert torch.all((batch["target"] - (200 / 127.5 - 1)).abs() < 1e-5)  # b2a: sketches
    data.write_splits(tmp_path / "splits.json")
    written = json.loads((tmp_path / "splits.json").read_text())
    assert [len(written["target"][split]) for split in ("train", "test")] == [4, 2]
    assert not set(written["target"]["train"]) & set(written["target"]["test"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "semi_supervised"}, r"data\.task=semi_supervised needs a data\.target"),
        ({"task": "paired", "target": TARGET}, r"data\.task=paired has no data\.target"),
        ({"task": "semi_supervised", "target": {"style": "loose"}}, r"data\.target=.*: say which source it is"),
        (
            {"task": "semi_supervised", "target": {"source": "cufsff"}},
            r"data\.\S*source=cufsff: there is no such source",
        ),
        (
            {"task": "semi_supervised", "target": {"source": "cufsf", "phots": 1}},
            r"data\.target\.phots: .*did you mean data\.target\.photos\?",
        ),
        ({"task": "semi_supervised", "target": {"source": "cufsf"}}, r"data\.target\.root is missing"),
        (
            {"task": "semi_supervised", "target": {"source": "cufsf", "seed": 3}},
            r"data\.target\.seed: .* draws nothing",
        ),
        (
            {"task": "semi_supervised", "target": {"source": "faces", "split": {"trian": 1}, "count": {"train": 2}}},
            r"^data\.target\.split\.trian: choose from train, val, test",
        ),
    ],
)
def test_targets_that_cannot_work_are_refused(faces, arguments, message):
    with pytest.raises(UserError, match=message) as error:
        faces(**arguments)
    assert "\n" not in str(error.value)


# sketches simulated from photos


@pytest.mark.parametrize("style", ["sobel", "dodge", "xdog"])
@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_photos_become_pairs(tmp_path, picture, style, direction):
    for number in range(6):
        picture(f"set/{number}.png", (40, 40), seed=number)
    photos = {"source": "unpaired_folders", "root": str(tmp_path), "a": "set", "b": "set"}
    grey = {"channels_b": 1} if direction == "a2b" else {"channels_a": 1}
    where = {"cache_dir": str(tmp_path / "cache"), "workers": 0, "size": 32, "load_size": 36, "batch_size": 2}
    data = PictureData(task="paired", sketch=style, direction=direction, **grey, **photos, **where)
    data.setup()
    assert len(data.catalog.records) == 6
    for loader in (data.train_dataloader(), data.test_dataloader()):
        batch = seen(data, loader)
        photo, sketch = (batch["a"], batch["b"]) if direction == "a2b" else (batch["b"], batch["a"])
        assert batch["paired"] is True
        # Of the very crop that the paper sees, but for its rounding to [-1, 1] and back: 1e-7, of which xdog makes up
        # to 16 (sharpness) * 3 (steepness) * 2 (to [-1, 1]) times as much, over the mean brightness.
        expected = sketching.simulate(style, photo / 2 + 0.5) * 2 - 1
        torch.testing.assert_close(sketch, expected, atol=1e-3, rtol=0)
    # Statistics of real sketches are of sketches, too.
    side = "b" if direction == "a2b" else "a"
    real = data.reals("test", side).dataset[0]["picture"]
    assert real.dtype == torch.uint8
    torch.testing.assert_close(real, ((sketch[0] / 2 + 0.5) * 255).round().to(torch.uint8), atol=1, rtol=0)


def test_a_photo_with_a_simulated_sketch_is_cached_once(faces, tmp_path):
    faces(task="paired", sketch="sobel", count={"train": 4})
    assert len(list((tmp_path / "pictures").iterdir())) == 1 + 1  # train, and what is held out as test


def test_options_of_the_sketch_are_used_and_change_the_fingerprint(faces):
    plain, changed = (
        faces(task="paired", sketch="dodge", sketch_options=options) for options in (None, {"sigma": 9.0})
    )
    one, other = (seen(data, data.test_dataloader())["b"] for data in (plain, changed))
    assert not torch.equal(one, other)
    assert plain.fingerprint("test") != changed.fingerprint("test") != faces(task="paired").fingerprint("test")


def test_three_channels_of_a_sketch_are_alike(faces):
    data = faces(task="paired", sketch="sobel")
    b = seen(data, data.test_dataloader())["b"]
    assert b.shape == (4, 3, 32, 32)
    assert torch.equal(b[:, 0], b[:, 2])


def test_unpaired_sketches_are_of_other_photos(faces):
    data = faces(task="unpaired", sketch="xdog", disjoint=True)
    batch = seen(data, data.train_dataloader())
    assert not set(batch["key"]) & set(batch["key_b"])
    assert batch["paired"] is False
    assert batch["b"].mean() > 0.3  # mostly paper


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sketch": "canny"}, r"data\.sketch=canny"),
        ({"sketch": "sobel", "sketch_options": {"sigm": 2}}, r"data\.sketch_options\.sigm"),
        ({"sketch_options": {"sigma": 2}}, r"without data\.sketch"),
        ({"task": "self_supervised", "drawings": "all"}, r"data\.drawings=all is for data\.task=paired or semi"),
    ],
)
def test_sketches_that_cannot_work_are_refused(faces, arguments, message):
    with pytest.raises(UserError, match=message) as error:
        faces(**arguments)
    assert "\n" not in str(error.value)


# self_supervised


@pytest.mark.parametrize("sketch", [None, "xdog"])
def test_a_picture_comes_with_the_strokes_of_its_sketch(faces, sketch):
    data = faces(task="self_supervised", style="contour", sketch=sketch, channels_b=1, size=64, load_size=64)
    batch = seen(data, data.train_dataloader())
    plain, bold, erased, both = batch["drawings"].unbind(1)
    assert batch["drawings"].shape == (4, 4, 1, 64, 64)
    assert batch["drawing_count"].tolist() == [4] * 4
    assert torch.equal(plain, batch["b"])
    assert (bold <= plain).all()
    assert bold.mean() < plain.mean()
    assert (erased >= plain).all()
    assert erased.mean() > plain.mean()
    assert (both >= bold).all()


def test_evaluation_erases_the_same_of_a_picture_in_any_batch(faces):
    def erased(**arguments):
        data = faces(task="self_supervised", count={"train": 4, "val": 2, "test": 5}, **arguments)
        data.setup()
        return torch.cat([data.finish(batch)["drawings"] for batch in data.test_dataloader()])

    one = erased(eval_batch_size=5)
    assert torch.equal(one, erased(eval_batch_size=5))
    assert torch.equal(one, erased(eval_batch_size=2))
    assert not torch.equal(one, erased(eval_batch_size=5, seed=9))
    white = (one[:, 2] > one[:, 0]).any(1)
    assert len({tuple(of_one.flatten().tolist()) for of_one in white}) > 1  # not the same for each picture


def test_subsets_change_after_so_many_batches_and_go_on_in_the_next_epoch(faces):
    data = faces(task="self_supervised", style="contour", subset=3, subset_views=4)  # 3 * 4 // 4 samples: 3 batches
    loader, turns = data.train_dataloader(), []
    for epoch in range(4):
        loader.sampler.set_epoch(epoch)
        for batch in map(data.finish, loader):
            turns.append(batch["turn"])
            assert batch["classes"] == 3
            assert batch["subset_label"].max() < 3
            assert batch["subset"].shape == batch["subset_drawing"].shape == batch["sibling"].shape == (4, 3, 32, 32)
            assert batch["subset"].min() >= -1
    assert turns == [0, 0, 0, 1, 1, 1, 2, 2]
    (evaluated,) = map(data.finish, data.val_dataloader())
    assert not {"subset", "sibling", "turn"} & set(evaluated)


def test_a_subset_of_more_photos_than_there_are_is_said(faces, caplog):
    with caplog.at_level("INFO", "suite"):
        batch = next(iter(faces(task="self_supervised", subset=9, subset_views=1).train_dataloader()))
    assert batch["classes"] == 8
    assert "data.subset=9: there are 8 training photos, all of which are a subset" in caplog.text


def test_test_alone_mismatches_as_many_as_are_asked_for(faces):
    data = faces(task="self_supervised", mismatched=11, count={"train": 4, "val": 3, "test": 4})
    fresh = torch.cat([batch["fresh_a"] for batch in data.test_dataloader()])
    assert fresh.tolist() == [True] * 4 + [False] * 7
    (validated,) = map(data.finish, data.val_dataloader())
    assert validated["fresh_b"].tolist() == [True] * 3
    photos = dict(zip(validated["key"], validated["a"], strict=True))
    assert torch.equal(torch.stack([photos[key] for key in validated["key_style"]]), validated["style"])
    assert not any(own == other for own, other in zip(validated["key"], validated["key_style"], strict=True))
    validates_on_test = faces(task="self_supervised", mismatched=11)
    assert len(validates_on_test.val_dataloader().dataset) == 4
    validates_on_test.test_split = "train"  # as suite.evaluate sets it
    assert len(validates_on_test.test_dataloader().dataset) == 8


def test_a_split_of_one_pair_has_no_other_style(faces):
    data = faces(task="self_supervised", count={"train": 4, "val": 2, "test": 1})
    message = r"data\.task=self_supervised: the split test has 1 pair, and a sketch is evaluated with the style of"
    for look in (data.check_training, data.test_dataloader):
        with pytest.raises(UserError, match=message) as error:
            look()
        assert "\n" not in str(error.value)
    faces(count={"train": 4, "val": 2, "test": 1}, task="paired").check_training()


def test_grey_pictures_of_sixteen_bits_can_be_sketched(tmp_path):
    (tmp_path / "set").mkdir()
    for number in range(3):
        ramp = np.linspace(0, 65535, 40 * 40).reshape(40, 40).astype(np.uint16)
        Image.fromarray(np.roll(ramp, number * 5, 1)).save(tmp_path / "set" / f"{number}.png")
    photos = {"source": "unpaired_folders", "root": str(tmp_path), "a": "set", "b": "set", "sketch": "sobel"}
    sizes = {"size": 32, "load_size": 32, "channels_a": 1, "channels_b": 1, "split": {"train": 2, "test": 1}}
    data = PictureData(task="paired", workers=0, cache_dir=str(tmp_path / "cache"), **photos, **sizes)
    data.setup()
    batch = seen(data, data.test_dataloader())
    assert batch["b"].isfinite().all()
