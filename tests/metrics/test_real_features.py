"""What is compared with: features of real pictures, kept on disk."""

import pytest
import torch
from torch.utils.data import DataLoader


def test_a_reference_without_pictures_is_left_out(evaluated, metrics, toys, data, monkeypatch, caplog):
    full = data.reals
    monkeypatch.setattr(data, "reals", lambda split, side: DataLoader([]) if split == "val" else full(split, side))
    callback = metrics(names=["fid"], references=["test", "val"])
    figures = evaluated(callback, toys.Translator(), data, stage="test")
    assert set(figures) == {"test/fd_random_vgg", "test_b2a/fd_random_vgg"}
    assert "fd_random_vgg_to_val left out" in caplog.text


def test_a_test_compares_with_every_reference(evaluated, metrics, toys, data):
    callback = metrics(names=["fid", "l1"], references=["test", "train", "all"])
    figures = evaluated(callback, toys.Translator(), data, stage="test")
    names = ("fd_random_vgg", "fd_random_vgg_to_train", "fd_random_vgg_to_all", "l1")
    assert set(figures) == {f"{section}/{name}" for section in ("test", "test_b2a") for name in names}
    assert figures["test/fd_random_vgg"] != figures["test/fd_random_vgg_to_train"]
    assert {split for split, _ in data.asked} == {"test", "train", "all"}


def test_real_features_come_from_the_cache_until_the_data_changes(evaluated, metrics, toys, data, tmp_path):
    model = toys.Translator()
    first, second, third = metrics(), metrics(), metrics()
    figures = evaluated(first, model, data)
    assert first.extractor.seen == 40  # ten reals and ten fakes in either direction
    assert evaluated(second, model, data) == figures
    assert second.extractor.seen == 20
    data.print = "other"
    data.sides["b"] = toys.make_pictures(10, seed=3)
    assert evaluated(third, model, data)["val/fd_random_vgg"] != figures["val/fd_random_vgg"]
    assert third.extractor.seen == 40
    assert len(list((tmp_path / "features").glob("colour_means-*.pt"))) == 4


def test_real_features_of_another_size_or_network_are_others(evaluated, metrics, toys, data):
    evaluated(metrics(), toys.Translator(), data)
    larger = toys.Data(*(toys.make_pictures(10, seed=seed, size=20) for seed in (0, 1)))
    callback = metrics()
    evaluated(callback, toys.Translator(), larger)
    assert callback.extractor.seen == 40
    callback = metrics()
    callback.extractor.key = "others"
    evaluated(callback, toys.Translator(), data)
    assert callback.extractor.seen == 40


@pytest.mark.parametrize("damage", [b"", b"not a tensor", "truncated", "other", "a bit"])
def test_a_damaged_cache_file_is_made_anew(evaluated, metrics, toys, data, tmp_path, caplog, damage):
    model = toys.Translator()
    figures = evaluated(metrics(), model, data)
    for path in (tmp_path / "features").iterdir():
        whole = path.read_bytes()
        middle = len(whole) // 2
        if damage == "other":
            torch.save({"features": 1}, path)
        elif damage == "a bit":
            path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :])
        else:
            path.write_bytes(whole[:middle] if damage == "truncated" else damage)
    callback = metrics()
    assert evaluated(callback, model, data) == figures
    assert callback.extractor.seen == 40
    assert "can't be read" in caplog.text
    callback = metrics()
    evaluated(callback, model, data)
    assert callback.extractor.seen == 20


def test_a_cache_that_takes_nothing_costs_time_but_not_the_run(evaluated, metrics, toys, data, tmp_path, caplog):
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    figures = evaluated(metrics(cache_dir=blocked), toys.Translator(), data)
    assert figures == evaluated(metrics(), toys.Translator(), data)
    assert "set cache_dir" in caplog.text
