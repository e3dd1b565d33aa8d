import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import suite.data.keys
from suite.data.catalog import PictureFile
from suite.data.module import PictureData
from suite.data.pictures.decode import Fit
from suite.data.sources import source_options
from suite.errors import UserError


def ready(data, rank=None, world=1):
    if rank is not None:
        strategy = SimpleNamespace(root_device=torch.device("cpu"))
        data.trainer = SimpleNamespace(global_rank=rank, world_size=world, training=False, strategy=strategy)
    data.prepare_data()
    data.setup("fit")
    return data


def epoch(loader, number=0):
    loader.sampler.set_epoch(number)
    return list(loader)


def same(one, other):
    return len(one) == len(other) and all(
        x["key"] == y["key"]
        and x["key_b"] == y["key_b"]
        and torch.equal(x["a"], y["a"])
        and torch.equal(x["b"], y["b"])
        for x, y in zip(one, other, strict=True)
    )


# Batches


def test_batches_of_the_unpaired_task(unpaired):
    data = ready(unpaired())
    batches = epoch(data.train_dataloader())
    assert len(batches) == 3  # max(5, 7) samples, 2 a batch, the last one dropped
    for batch in batches:
        assert set(batch) == {"a", "b", "paired", "index", "fresh_a", "fresh_b", "key", "key_b"}
        assert batch["a"].shape == batch["b"].shape == (2, 3, 8, 8)  # cut out of 10 x 10
        assert batch["a"].dtype == torch.uint8
        assert batch["fresh_a"].all() and batch["fresh_a"].dtype == torch.bool  # noqa: PT018
        assert batch["paired"] is False
        assert len(batch["key"]) == 2
    (evaluation,) = data.val_dataloader()
    assert evaluation["a"].shape == (4, 3, 8, 8)  # straight to `size`
    assert evaluation["key"] == ["0", "1", "2", "0"]
    assert evaluation["fresh_a"].tolist() == [True, True, True, False]
    assert evaluation["index"].tolist() == [0, 1, 2, 3]


def test_batches_of_the_paired_task(paired):
    data = ready(paired(channels_b=1, split={"train": 4, "test": 2}))
    batches = epoch(data.train_dataloader())
    assert len(batches) == 2
    assert batches[0]["b"].shape == (2, 1, 8, 8)
    assert all(batch["paired"] is True and batch["key"] == batch["key_b"] for batch in batches)
    (test,) = data.test_dataloader()
    assert len(test["key"]) == 2


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_direction_swaps_sides_and_channels_follow_the_batch(unpaired, direction):
    data = ready(unpaired(direction=direction, channels_a=1, channels_b=3))
    (batch,) = data.val_dataloader()
    assert (batch["a"].shape[1], batch["b"].shape[1]) == (1, 3)
    assert batch["a"].shape[0] == 4
    side = "trainA" if direction == "a2b" else "trainB"
    picture = PictureFile(data.catalog.root / side / "2.png")
    np.testing.assert_array_equal(data.reals("train", "a").dataset[2]["picture"], Fit(8, 1).decode(picture))


def test_values_reach_the_network_in_its_range(unpaired):
    data = ready(unpaired(crop=False, flip=0.0))
    batch = next(iter(data.train_dataloader()))
    moved = data.on_after_batch_transfer(dict(batch), 0)
    torch.testing.assert_close(moved["a"], batch["a"].float() / 127.5 - 1)


def test_mirrors_are_for_training_alone(paired):
    data = ready(paired(same=True, flip=1.0, load_size=8, split={"train": 4, "test": 2}))
    for split, loader in (("train", data.train_dataloader()), ("test", data.test_dataloader())):
        stored = {picture.numpy().tobytes() for batch in data.reals(split, "a") for picture in batch["picture"]}
        for batch in loader:
            assert torch.equal(batch["a"], batch["b"])
            assert all((picture.numpy().tobytes() in stored) is (split == "test") for picture in batch["a"])
            assert all((picture.flip(-1).numpy().tobytes() in stored) is (split == "train") for picture in batch["a"])


# Order and randomness


@pytest.mark.parametrize("task", ["unpaired", "paired"])
def test_an_epoch_is_the_same_fresh_or_after_others(unpaired, paired, task):
    make = {"unpaired": unpaired, "paired": paired}[task]
    arguments = {"resize": "cover", "load_size": 8}
    used = ready(make(**arguments)).train_dataloader()
    history = [epoch(used, number) for number in range(3)]
    assert not same(history[0], history[1])
    assert same(epoch(used, 3), epoch(ready(make(**arguments)).train_dataloader(), 3))
    assert not same(epoch(used, 3), epoch(ready(make(seed=2, **arguments)).train_dataloader(), 3))


def test_workers_change_nothing(unpaired):
    arguments = {"resize": "cover", "load_size": 8}
    alone = ready(unpaired(**arguments)).train_dataloader()
    helped = ready(unpaired(workers=2, **arguments)).train_dataloader()
    for number in range(2):  # the second epoch with the same, persistent workers
        assert same(epoch(alone, number), epoch(helped, number))


def test_ranks_train_on_different_samples(unpaired):
    ranks = [epoch(ready(unpaired(8, 8), rank, 2).train_dataloader(), 5) for rank in (0, 1)]
    indices = [{int(index) for batch in batches for index in batch["index"]} for batches in ranks]
    assert [len(rank) for rank in indices] == [4, 4]
    assert not indices[0] & indices[1]


def test_ranks_evaluate_all_with_repeats_told_by_their_index(unpaired):
    ranks = [list(ready(unpaired(), rank, 3).test_dataloader()) for rank in range(3)]
    indices = [index for batches in ranks for batch in batches for index in batch["index"].tolist()]
    assert len(indices) == 6
    assert set(indices) == set(range(4))


# Splits


def test_splits_are_drawn_by_the_seed_and_written(paired, tmp_path):
    written = []
    for seed in (1, 1, 2):
        data = ready(paired(pairs=12, seed=seed, split={"train": 6, "val": 2, "test": 3}))
        data.write_splits(tmp_path / "splits.json")
        written.append(json.loads((tmp_path / "splits.json").read_text()))
    assert written[0] == written[1]
    assert written[0]["train"] != written[2]["train"]
    assert {split: len(written[0][split]["a"]) for split in ("train", "val", "test")} == {
        "train": 6,
        "val": 2,
        "test": 3,
    }
    assert written[0]["train"]["a"] == written[0]["train"]["b"] == [f"{record.key}.png" for record in ready(paired(
        pairs=12, split={"train": 6, "val": 2, "test": 3})).splits["train"]]  # fmt: skip
    assert (written[0]["dataset"], written[0]["seed"]) == ("paired_folders", 1)


def test_validation_takes_the_test_split_where_there_is_no_other(unpaired):
    data = ready(unpaired())
    assert set(data.splits) == {"train", "test"}
    (val,), (test,) = data.val_dataloader(), data.test_dataloader()
    assert val["key"] == test["key"]
    data = ready(unpaired(split={"train": 4, "val": 2}))
    assert len(next(iter(data.test_dataloader()))["key"]) == 2


def test_an_unpaired_task_on_pairs_is_measured_on_pairs(paired):
    data = ready(paired(task="unpaired", pairs=10, split={"train": 6, "test": 4}))
    (test,) = data.test_dataloader()
    assert test["paired"] is True
    assert test["key"] == test["key_b"]
    assert any(batch["key"] != batch["key_b"] for batch in data.train_dataloader())


@pytest.mark.parametrize("disjoint", [True, False])
def test_disjoint_sides_share_no_scene(paired, disjoint, tmp_path):
    data = ready(paired(task="unpaired", pairs=10, split={"train": 8, "test": 2}, disjoint=disjoint))
    data.write_splits(tmp_path / "splits.json")
    train = json.loads((tmp_path / "splits.json").read_text())["train"]
    assert bool(set(train["a"]) & set(train["b"])) is not disjoint
    assert (len(train["a"]), len(train["b"])) == ((4, 4) if disjoint else (8, 8))
    seen = {key for number in range(3) for batch in epoch(data.train_dataloader(), number) for key in batch["key"]}
    assert {f"{key}.png" for key in seen} == set(train["a"])
    assert len(data.reals("train", "b").dataset) == len(train["b"])


def test_built_in_faces(tmp_path):
    count = {"train": 6, "val": 3, "test": 2}
    arguments = {"size": 32, "load_size": 32, "workers": 0, "disjoint": True, "cache_dir": str(tmp_path)}
    data = ready(PictureData(source="faces", count=count, style="cartoon", **arguments))
    assert {split: len(records) for split, records in data.splits.items()} == count
    keys = {side: {key for batch in epoch(data.train_dataloader()) for key in batch[side]} for side in ("key", "key_b")}
    assert not keys["key"] & keys["key_b"]
    (val,) = data.val_dataloader()
    assert val["paired"] is True
    assert val["a"].shape == (3, 3, 32, 32)
    assert len(data.reals("all", "a").dataset) == 11


# Real pictures


def test_reals_are_in_evaluation_form_and_the_same_on_every_rank(unpaired):
    data = ready(unpaired(eval_batch_size=3), rank=1, world=2)
    batches = list(data.reals("train", "b"))
    assert [batch["picture"].shape for batch in batches] == [(3, 3, 8, 8), (3, 3, 8, 8), (1, 3, 8, 8)]
    assert torch.cat([batch["index"] for batch in batches]).tolist() == list(range(7))
    assert batches[0]["picture"].dtype == torch.uint8
    assert len(data.reals("all", "b").dataset) == 7 + 4
    subset = ready(unpaired(split={"train": 2, "test": 2}))
    assert len(subset.reals("all", "a").dataset) == 5 + 3
    with pytest.raises(UserError, match=r"data\.split=trian"):
        data.reals("trian", "a")


def test_the_fingerprint_follows_the_real_pictures(unpaired):
    data = ready(unpaired())
    prints = {split: data.fingerprint(split) for split in ("train", "test", "all")}
    assert len(set(prints.values())) == 3
    assert data.fingerprint("val") == prints["test"]
    assert ready(unpaired(seed=9, load_size=12, batch_size=1)).fingerprint("test") == prints["test"]
    assert ready(unpaired(size=9)).fingerprint("test") != prints["test"]
    path = data.catalog.root / "testB" / "0.png"
    Image.new("RGB", (3, 3)).save(path)
    assert ready(unpaired()).catalog.root == data.catalog.root
    assert ready(unpaired()).fingerprint("test") != prints["test"]
    assert data.fingerprint("test") == prints["test"]  # it has what its cache has, whatever comes to the files


# Sizes


def test_cover_cuts_random_windows_and_evaluates_the_centre(paired):
    data = ready(paired(same=True, size=8, load_size=8, resize="cover", flip=0.0), rank=0)
    assert data.train_dataloader().dataset.photos.store.read(0).shape == (3, 8, 10)  # 12 x 10 brought to 8
    batches = [batch for number in range(10) for batch in epoch(data.train_dataloader(), number)]
    assert all(batch["a"].shape[2:] == (8, 8) and torch.equal(batch["a"], batch["b"]) for batch in batches)
    windows = {key: set() for key in "012345"}
    for batch in batches:
        for key, picture in zip(batch["key"], batch["a"], strict=True):
            windows[key].add(picture.numpy().tobytes())
    assert max(len(seen) for seen in windows.values()) == 3
    (test,) = data.test_dataloader()
    assert test["a"].shape[2:] == (8, 8)


def test_without_crop_training_pictures_have_their_final_size(unpaired):
    data = ready(unpaired(crop=False, size=20))
    assert next(iter(data.train_dataloader()))["a"].shape == (2, 3, 20, 20)


# The cache


def test_with_and_without_a_cache_the_samples_are_the_same(unpaired, tmp_path):
    with_cache = ready(unpaired())
    assert len(list((tmp_path / "cache" / "pictures").iterdir())) == 4
    without = ready(unpaired(cache=False, cache_dir=str(tmp_path / "none")))
    assert same(epoch(with_cache.train_dataloader(), 2), epoch(without.train_dataloader(), 2))
    assert not (tmp_path / "none").exists()


def test_setup_twice_opens_once(unpaired, monkeypatch):
    data = ready(unpaired())
    catalog = data.catalog
    monkeypatch.setattr(suite.data.keys, "list_source", lambda *_: pytest.fail("listed again"))
    data.prepare_data()
    data.setup("test")
    assert data.catalog is catalog


def test_a_drawing_source_is_told_the_size_that_is_stored(monkeypatch, tmp_path, unpaired):
    unpaired()  # writes the pictures
    asked = []

    def drawn(*, size, count, seed=0):
        asked.append((size, count, seed))
        return suite.data.sources.folders.unpaired_folders(root=str(tmp_path / "set"))

    monkeypatch.setitem(suite.data.sources.SOURCES, "drawn", f"{__name__}:drawn")
    monkeypatch.setattr(suite.data.sources, "import_module", lambda _: SimpleNamespace(drawn=drawn))
    assert source_options("drawn") == {"count"}
    for crop in (True, False):
        where = {"cache_dir": str(tmp_path / "cache"), "workers": 0}
        ready(PictureData(source="drawn", size=8, load_size=10, crop=crop, seed=5, count=3, **where))
    assert asked == [(10, 3, 0), (8, 3, 0)]
