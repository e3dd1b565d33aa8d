import time

import torch

from suite.data.augment import Augment


def batch(paired, count=6, side=12, **more):
    generator = torch.Generator().manual_seed(0)
    a = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)
    return {"a": a, "b": a.clone(), "paired": paired, "key": ["x"] * count, **more}


def places(pictures, source, size):
    """(top, left, mirrored) of each crop, found by search; fails where a picture is no exact crop."""
    found = []
    for picture, whole in zip(pictures, source, strict=True):
        hits = [
            (top, left, mirrored)
            for top in range(whole.shape[-1] - size + 1)
            for left in range(whole.shape[-1] - size + 1)
            for mirrored in (False, True)
            if torch.equal(picture.flip(-1) if mirrored else picture, whole[:, top : top + size, left : left + size])
        ]
        assert len(hits) == 1
        found.append(hits[0])
    return found


def test_evaluation_only_changes_the_range():
    given = batch(paired=True)
    given["a"][0, 0, 0, :3] = torch.tensor([0, 255, 51], dtype=torch.uint8)
    out = Augment(size=8, load_size=12, crop=True, flip=0.5)(given, training=False)
    assert out["a"].dtype == torch.float32
    torch.testing.assert_close(out["a"], given["a"].float() / 127.5 - 1)
    torch.testing.assert_close(out["a"][0, 0, 0, :3], torch.tensor([-1.0, 1.0, -0.6]))
    assert out["key"] == given["key"]


def test_training_crops_exact_pixels_and_mirrors_some():
    given = batch(paired=False, count=40)
    torch.manual_seed(0)
    out = Augment(size=8, load_size=12, crop=True, flip=0.25)(given, training=True)
    found = places(out["a"], given["a"].float() / 255 * 2 - 1, 8)
    assert {top for top, _, _ in found} == {left for _, left, _ in found} == set(range(5))
    assert 2 <= sum(mirrored for *_, mirrored in found) <= 18


def test_a_pair_moves_as_one():
    torch.manual_seed(0)
    out = Augment(size=8, load_size=12, crop=True, flip=0.5)(batch(paired=True), training=True)
    assert torch.equal(out["a"], out["b"])
    assert len(set(places(out["a"], batch(True)["a"].float() / 255 * 2 - 1, 8))) > 1


def test_unpaired_sides_move_on_their_own():
    torch.manual_seed(0)
    out = Augment(size=8, load_size=12, crop=True, flip=0.5)(batch(paired=False), training=True)
    whole = batch(False)["a"].float() / 255 * 2 - 1
    assert places(out["a"], whole, 8) != places(out["b"], whole, 8)


def test_all_drawings_of_a_photo_move_with_it():
    given = batch(paired=True)
    given["b"] = given["a"][:, :1]
    given["drawings"] = torch.stack([given["b"], 255 - given["b"]], dim=1)
    out = Augment(size=8, load_size=12, crop=True, flip=0.5)(given, training=True)
    assert out["drawings"].shape == (6, 2, 1, 8, 8)
    assert torch.equal(out["drawings"][:, 0], out["a"][:, :1])
    torch.testing.assert_close(out["drawings"][:, 1], -out["b"])


def test_without_crop_and_flip_training_only_changes_the_range():
    given = batch(paired=True)
    for augment in (Augment(size=12, load_size=14, crop=False, flip=0), Augment(12, 12, crop=True, flip=0)):
        assert torch.equal(augment(given, training=True)["a"], augment(given, training=False)["a"])


def test_it_draws_from_the_global_generator():
    augment, given = Augment(size=8, load_size=12, crop=True, flip=0.5), batch(paired=False)
    outs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(augment(given, training=True)["a"])
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])


def test_the_device_is_never_read():
    """On the meta device there is nothing to read: `.item()`, `.cpu()` or a branch on a value would raise."""
    for paired in (True, False):
        given = {key: value.to("meta") if key in "ab" else value for key, value in batch(paired).items()}
        assert Augment(size=8, load_size=12, crop=True, flip=0.5)(given, training=True)["b"].shape == (6, 3, 8, 8)


def test_it_takes_a_small_part_of_a_step():
    """2 x 16 pictures at 286: a forward pass of ResNet-9 takes a hundred times as long."""
    augment, given = Augment(size=256, load_size=286, crop=True, flip=0.5), batch(True, count=16, side=286)
    augment(given, training=True)
    start = time.perf_counter()
    augment(given, training=True)
    assert time.perf_counter() - start < 1
