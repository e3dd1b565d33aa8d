import torch

from suite.data.finish import STROKES, Finish, Sketched
from suite.sketching import rectangles


def batch(paired, count=6, side=12, **more):
    generator = torch.Generator().manual_seed(0)
    a = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)
    return {"a": a, "b": a.clone(), "paired": paired, "key": ["x"] * count, "index": torch.arange(count), **more}


def test_only_the_range_changes():
    given = batch(paired=True)
    given["a"][0, 0, 0, :3] = torch.tensor([0, 255, 51], dtype=torch.uint8)
    out = Finish()(given)
    assert out["a"].dtype == torch.float32
    torch.testing.assert_close(out["a"], given["a"].float() / 127.5 - 1)
    torch.testing.assert_close(out["a"][0, 0, 0, :3], torch.tensor([-1.0, 1.0, -0.6]))
    assert out["key"] == given["key"]


def test_what_is_erased_is_erased_of_the_sketch_and_of_the_bold_one():
    corners = rectangles(12, 12, 12, probability=1.0, generator=torch.Generator().manual_seed(0)).unflatten(0, (6, 2))
    out = Finish()(batch(paired=True, erased=corners))
    plain, bold, erased, both = out["drawings"].unbind(1)
    assert out["drawing_count"].tolist() == [STROKES] * 6
    for rough, whole, which in ((erased, plain, 0), (both, bold, 1)):
        for number in range(6):
            inside = torch.zeros(12, 12, dtype=torch.bool)
            for top, bottom, left, right in corners[number, which].tolist():
                inside[top:bottom, left:right] = True
            assert (rough[number][:, inside] == 1).all()
            assert torch.equal(rough[number][:, ~inside], whole[number][:, ~inside])


def test_the_device_is_never_read():
    """On the meta device there is nothing to read: `.item()`, `.cpu()` or a branch on a value would raise."""
    for more in ({}, {"erased": rectangles(12, 12, 12).unflatten(0, (6, 2))}, {"view": torch.zeros(6, 6)}):
        given = batch(True, **more)
        on_meta = {key: value.to("meta") if isinstance(value, torch.Tensor) else value for key, value in given.items()}
        out = Finish(size=9)(on_meta)
        assert out["b"].shape == (6, 3, 12, 12)
        assert out["a"].shape[-1] == (9 if "view" in more else 12)
        assert ("drawings" in out) is ("erased" in more)


def test_other_drawings_and_styles_are_brought_to_the_range_and_drawn():
    photos = batch(paired=True, side=32)["a"]
    more = {key: photos.roll(place, 0) for place, key in enumerate(("sibling", "subset", "subset_drawing", "style"), 1)}
    out = Finish()(batch(True, side=32, **more, classes=3, turn=1))
    assert all(torch.equal(out[key], out["a"].roll(place, 0)) for place, key in enumerate(more, 1))
    assert (out["classes"], out["turn"]) == (3, 1)
    # Sketches of photos: the drawing that stands for a photo is one alone, so its sibling is the same.
    more["subset_drawing"] = more["subset"]
    drawn = Finish("a", Sketched("sobel", {}, 1))(batch(True, side=32, **more))
    assert torch.equal(drawn["sibling"], drawn["a"])
    assert torch.equal(drawn["subset_drawing"], drawn["a"].roll(2, 0))
    assert torch.equal(drawn["subset"], out["subset"])
    assert torch.equal(drawn["style"], out["style"])
