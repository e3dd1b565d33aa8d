"""data.augment: windows, mirrors, zooms and turns of training pictures, made on the device."""

import pytest
import torch

from suite.data.finish import seen
from suite.data.module import PictureData

NONE = {"zoom": 0.0, "rotation": 0.0}


@pytest.fixture
def people(tmp_path, picture):
    """people(**arguments): two identities of noise, 12 x 10 pixels, brought to 10 and cropped to 7."""

    def make(**arguments):
        for name in ("ann", "bob"):
            for number in range(6):
                picture(f"set/train/{name}/{number}.png", seed=number + 10 * (name == "ann"))
                picture(f"set/test/{name}/{number}.png", seed=number)
        where = {"root": str(tmp_path / "set"), "cache_dir": str(tmp_path / "cache")}
        settings = {"task": "labelled", "size": 7, "load_size": 10, "workers": 0, "batch_size": 4}
        return PictureData(source="identity_folders", **where, **(settings | arguments))

    return make


def epoch(data, number=0):
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)
    return [data.finish(batch) for batch in loader]


def view(**changes):
    numbers = {"top": 0, "left": 0, "mirrored": 0, "down": 1, "across": 1, "degrees": 0} | changes
    return torch.tensor([list(numbers.values())], dtype=torch.float32)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("flip", [0.0, 0.5, 1.0])
def test_with_no_zoom_and_no_turn_it_is_what_the_loader_makes(people, flip, crop, balanced):
    settings = {"flip": flip, "crop": crop, "balanced": balanced, "resize": "squash"}
    plain, ours = epoch(people(**settings)), epoch(people(augment=NONE, **settings))
    assert len(plain) == 3
    for expected, got in zip(plain, ours, strict=True):
        assert got.keys() == expected.keys()
        assert got["key"] == expected["key"]
        torch.testing.assert_close(got["a"], expected["a"], atol=1e-4, rtol=0)


def test_a_sample_follows_from_seed_epoch_and_index(people):
    settings = {"augment": {"zoom": 0.3, "rotation": 40.0}, "resize": "cover"}
    data, again = people(**settings), people(workers=2, batch_size=3, **settings)
    samples, others = data.train_dataloader().dataset, again.train_dataloader().dataset
    assert torch.equal(samples[3, 5]["view"], others[3, 5]["view"])
    assert samples[3, 5]["a"].shape == (3, 10, 10)
    views = torch.stack([samples[number, index]["view"] for number in range(40) for index in range(12)])
    assert views.dtype == torch.float32
    assert len(views.unique(dim=0)) == len(views)
    top, left, mirrored, down, across, degrees = views.unbind(1)
    for place in (top, left):
        assert place.unique().tolist() == [0, 1, 2, 3]
    assert mirrored.unique().tolist() == [0, 1]
    for zoom in (down, across):
        assert 0.7 <= zoom.min() < 0.75
        assert 0.95 < zoom.max() <= 1
    assert not torch.equal(down, across)
    assert -40 <= degrees.min() < -30
    assert 30 < degrees.max() <= 40


def test_evaluation_sees_pictures_as_they_are(people):
    with_it, without = people(augment={"zoom": 0.3, "rotation": 40.0}), people()
    for one, other in zip(with_it.test_dataloader(), without.test_dataloader(), strict=True):
        assert "view" not in one
        assert torch.equal(one["a"], other["a"])


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3), (270, 3)])
@pytest.mark.parametrize("mirrored", [0, 1])
def test_it_turns_counterclockwise_also_what_is_mirrored(degrees, turns, mirrored):
    picture = torch.rand(1, 3, 8, 8)
    flipped = picture.flip(-1) if mirrored else picture
    got = seen(picture, view(degrees=degrees, mirrored=mirrored), 8)
    torch.testing.assert_close(got, flipped.rot90(turns, (2, 3)), atol=1e-5, rtol=0)


def test_a_small_turn_goes_the_same_way():
    """A white quarter at the upper right moves to the left along the upper edge, and up along the right one."""
    before = torch.zeros(8, 8)
    before[:4, 4:] = 1
    after = seen(before[None, None], view(degrees=20), 8)[0, 0]
    assert after[1, 3] > 0.5 > before[1, 3]
    assert after[3, 6] < 0.5 < before[3, 6]


def test_it_zooms_in_on_the_middle_by_axis():
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    picture = torch.cat([ramp, ramp.mT], dim=1)  # x, y
    x, y = seen(picture, view(down=0.5, across=0.75), 8)[0]
    expected = torch.arange(8.0) - 3.5
    torch.testing.assert_close(x, (3.5 + 0.75 * expected).expand(8, 8))
    torch.testing.assert_close(y, (3.5 + 0.5 * expected)[:, None].expand(8, 8))


def test_what_lies_beyond_the_edge_is_the_pixel_there():
    got = seen(torch.full((1, 2, 9, 9), 0.5), view(degrees=45), 9)
    torch.testing.assert_close(got, torch.full((1, 2, 9, 9), 0.5))
    edge = torch.zeros(1, 1, 9, 9)
    edge[..., 4, 0] = 1
    assert seen(edge, view(degrees=-45), 9)[0, 0, 0, 0] > 0.99  # turned back, it lies left of the left edge


def test_each_picture_has_its_own_view_around_the_window():
    """A window is turned about its own middle, with what lies around it in the picture."""
    pictures = torch.rand(2, 3, 10, 10)
    both = seen(pictures, torch.cat([view(top=1, left=2, degrees=90), view(top=2, mirrored=1)]), 7)
    torch.testing.assert_close(both[0], pictures[0, :, 1:8, 2:9].rot90(1, (1, 2)), atol=1e-5, rtol=0)
    torch.testing.assert_close(both[1], pictures[1, :, 2:9, :7].flip(-1), atol=1e-5, rtol=0)
    ones = torch.zeros(1, 1, 10, 10)
    ones[..., 1:9, 1:9] = 1
    assert seen(ones, view(top=2, left=2, degrees=10), 6).min() > 0.999
