"""Sketches computed from photos: against formulas written out in numpy, and what they promise to whoever trains."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from suite.errors import UserError
from suite.faces import FaceParameters, draw
from suite.sketching import SKETCHES, bold, check_style, erase, rectangles, simulate
from suite.sketching.__main__ import main

Array = NDArray[np.float64]
styles = pytest.mark.parametrize("style", SKETCHES)


def faces(size: int, count: int = 2) -> Tensor:
    drawn = [draw(FaceParameters.sample(93, index), "photo", size) for index in range(count)]
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2) / 255


def erased(sketch: Tensor, **settings: Any) -> Tensor:
    return erase(sketch, rectangles(len(sketch), *sketch.shape[-2:], **settings))


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def luma(photo: Tensor) -> Array:
    red, green, blue = photo.double().numpy()
    return 0.299 * red + 0.587 * green + 0.114 * blue


def window_sums(grey: Array, weights: Array, mode: str) -> Array:
    """Every pixel's neighbourhood, weighted and summed."""
    radius = len(weights) // 2
    padded = np.pad(grey, radius, mode=mode)  # type: ignore[call-overload]
    windows = np.lib.stride_tricks.sliding_window_view(padded, weights.shape)
    return np.asarray((windows * weights).sum((-2, -1)))


def blurred(grey: Array, sigma: float) -> Array:
    radius = math.ceil(3 * sigma)
    bell = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    return window_sums(grey, np.outer(bell, bell) / bell.sum() ** 2, "reflect")


def test_sobel_is_the_formula() -> None:
    photo = noise(3, 256, 300)
    grey = blurred(luma(photo), 0.8)
    kernel = np.outer([1, 2, 1], [-1, 0, 1]) / 8
    slope = np.hypot(window_sums(grey, kernel, "edge"), window_sums(grey, kernel.T, "edge"))
    count = round(slope.size * 0.02)
    share = slope / np.sort(slope.ravel())[-count]
    expected = 1 - np.clip((share - 0.2) / 0.8, 0, 1) ** 1.5
    sketch = simulate("sobel", photo[None], percentile=98.0, paper=0.2, gamma=1.5)
    assert expected.min() == 0
    assert expected.std() > 0.01
    np.testing.assert_allclose(sketch[0, 0].numpy(), expected, atol=1e-4)


def test_dodge_is_luma_over_its_blur() -> None:
    photo = noise(3, 256, 300)
    grey = luma(photo)
    expected = np.minimum((grey + 0.05) / (blurred(grey, 3.5) + 0.05) / 0.9, 1) ** 2
    np.testing.assert_allclose(simulate("dodge", photo[None], paper=0.1, contrast=2)[0, 0], expected, atol=1e-4)


def test_xdog_is_the_published_filter_at_full_tone() -> None:
    """Winnemoeller et al.: T((1 + p) G_sigma - p G_k_sigma), here of a photo divided by its mean brightness."""
    photo = noise(3, 256, 300)
    grey = luma(photo) / luma(photo).mean()
    u = (1 + 5) * blurred(grey, 1.0) - 5 * blurred(grey, 2.0)
    expected = np.where(u >= 0.8, 1, 1 + np.tanh(2 * (u - 0.8)))
    sketch = simulate("xdog", photo[None], ratio=2.0, sharpness=5.0, threshold=0.8, steepness=2.0, tone=1.0)
    np.testing.assert_allclose(sketch[0, 0], expected, atol=1e-4)
    lines = simulate("xdog", photo[None], ratio=2.0, sharpness=5.0, threshold=0.8, steepness=2.0)
    u = 1 + 5 * (blurred(grey, 1.0) - blurred(grey, 2.0))
    np.testing.assert_allclose(lines[0, 0], np.where(u >= 0.8, 1, 1 + np.tanh(2 * (u - 0.8))), atol=1e-4)


@styles
@pytest.mark.parametrize("level", [0.0, 0.02, 0.37, 1.0])
def test_a_flat_photo_is_white_paper(style: str, level: float) -> None:
    for shape in ((1, 3, 32, 32), (2, 1, 64, 33)):
        assert simulate(style, torch.full(shape, level)).sub(1).abs().max() < 1e-6
    assert simulate("xdog", torch.full((1, 3, 32, 32), level), tone=1.0).min() == 1


@styles
def test_the_grain_of_a_flat_photo_is_not_drawn(style: str) -> None:
    for level in (0.03, 0.5):
        grainy = level + (noise(1, 3, 256, 256) * 3 - 1.5).round() / 255
        assert simulate(style, grainy).mean() > 0.97


@styles
@pytest.mark.parametrize("size", [64, 256, 1024])
def test_a_face_is_dark_lines_on_white_paper(style: str, size: int) -> None:
    sketch = simulate(style, faces(size))
    assert sketch.dtype == torch.float32
    assert sketch.shape == (2, 1, size, size)
    assert sketch.min() >= 0
    assert sketch.max() == 1
    assert (sketch == 1).float().mean() > 0.6
    assert 0.005 < (sketch < 0.5).float().mean() < 0.15


@styles
def test_a_sketch_looks_alike_at_every_size(style: str) -> None:
    """Lines as wide at 1024 as at 256, once reduced; without scaling, half the ink would be missing."""
    large, small = simulate(style, faces(1024)), simulate(style, faces(256))
    reduced = torch.nn.functional.avg_pool2d(large, 4)
    ink = float((1 - reduced).mean() / (1 - small).mean())
    assert 0.8 < ink < 1.25
    assert np.corrcoef(reduced.flatten(), small.flatten())[0, 1] > 0.85


@styles
@pytest.mark.parametrize("plain", [True, False])
def test_a_sketch_does_not_depend_on_its_batch(style: str, plain: bool) -> None:
    """To the bit: these pixels fill no whole vectors, and five photos have more than one thread's share of them."""
    steep = {"sobel": {"gamma": 1.5}, "dodge": {"contrast": 2.5}, "xdog": {"sharpness": 200.0, "steepness": 50.0}}
    options = {} if plain else steep[style]
    photos = torch.cat([faces(128, 3), 0.3 * faces(128, 1), torch.zeros(1, 3, 128, 128)])[..., 3:, 1:]
    alone = torch.cat([simulate(style, photo[None], **options) for photo in photos])
    assert torch.equal(simulate(style, photos, **options), alone)


@pytest.mark.parametrize(("style", "options"), [("sobel", {}), ("xdog", {}), ("xdog", {"tone": 1.0})])
@pytest.mark.parametrize("size", [96, 1024])
def test_a_darker_exposure_gives_the_same_sketch(style: str, options: dict[str, float], size: int) -> None:
    bright, dark = (simulate(style, exposure * faces(size, 1), **options) for exposure in (1, 0.5))
    torch.testing.assert_close(dark, bright, atol=2e-3, rtol=0)


@styles
def test_a_grey_photo_is_its_own_luma(style: str) -> None:
    grey = noise(2, 1, 48, 40)
    torch.testing.assert_close(simulate(style, grey), simulate(style, grey.expand(-1, 3, -1, -1)), atol=2e-3, rtol=0)


@styles
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_photos_are_computed_in_float32(style: str, dtype: torch.dtype) -> None:
    photos = faces(64).to(dtype)
    assert torch.equal(simulate(style, photos), simulate(style, photos.float()))


@styles
def test_the_rim_of_a_photo_is_no_line(style: str) -> None:
    """A ramp of brightness has no edge: padding with zeros would draw a frame around it."""
    ramp = torch.linspace(0.4, 0.6, 128).expand(1, 3, 96, 128)
    assert simulate(style, ramp).min() > 0.9


@styles
@pytest.mark.parametrize("shape", [(32, 32), (32, 100), (1, 1), (5, 3)])
def test_small_and_oblong_photos_are_sketched(style: str, shape: tuple[int, int]) -> None:
    sketch = simulate(style, noise(2, 3, *shape))
    assert sketch.shape == (2, 1, *shape)
    assert sketch.isfinite().all()


@styles
def test_the_device_is_never_read(style: str) -> None:
    """On the meta device there is nothing to read: `.item()`, `.cpu()` or a branch on a value would raise."""
    sketch = simulate(style, torch.empty(2, 3, 64, 64, device="meta"))
    assert erased(bold(sketch)).shape == (2, 1, 64, 64)


@styles
def test_a_large_batch_is_sketched_in_time(style: str) -> None:
    """Four photos at 1024: 0.2 to 0.6 s on one core."""
    photos, start = noise(4, 3, 1024, 1024), time.perf_counter()
    assert simulate(style, photos).shape == (4, 1, 1024, 1024)
    assert time.perf_counter() - start < 10


def test_bold_is_a_minimum_filter() -> None:
    sketch = noise(2, 1, 256, 260)
    padded = np.pad(sketch[:, 0].numpy(), ((0, 0), (2, 2), (2, 2)), constant_values=1)
    five = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (1, 2)).min((-2, -1))
    three = np.lib.stride_tricks.sliding_window_view(padded[:, 1:-1, 1:-1], (3, 3), (1, 2)).min((-2, -1))
    assert np.array_equal(bold(sketch)[:, 0], three)
    assert np.array_equal(bold(sketch, radius=2)[:, 0], five)
    np.testing.assert_allclose(bold(sketch, radius=1.25)[:, 0], 0.75 * three + 0.25 * five, atol=1e-6)  # 4 roundings
    assert torch.equal(bold(sketch, radius=0), sketch)


@pytest.mark.parametrize("size", [32, 64, 256, 700])
def test_bold_never_lightens_and_grows_with_the_size(size: int) -> None:
    sketch = torch.ones(1, 1, size, size)
    sketch[..., size // 2] = 0  # a line of one pixel gains 2 at 256, as much of the width at every size
    assert (bold(sketch) <= sketch).all()
    gained = (1 - bold(sketch)).double().sum() / size - 1
    assert float(gained) == pytest.approx(2 * size / 256, abs=1e-4)


def test_erased_paper_is_white_and_the_rest_untouched() -> None:
    sketch = noise(64, 1, 40, 56) * 0.9
    out = erased(sketch, generator=torch.Generator().manual_seed(1))
    assert (out == 1).any()
    assert torch.equal(out[out != 1], sketch[out != 1])


def test_erased_draws_rectangles_of_the_wanted_size_and_shape() -> None:
    gone = (
        erased(torch.zeros(500, 1, 200, 100), probability=1, times=1, generator=torch.Generator().manual_seed(0))[:, 0]
        == 1
    )
    for picture in gone:
        rows, columns = picture.any(1).nonzero(), picture.any(0).nonzero()
        height, width = len(rows), len(columns)
        assert picture.sum() == height * width  # filled
        assert rows[-1] - rows[0] + 1 == height  # in one piece
        assert columns[-1] - columns[0] + 1 == width
        assert 0.018 < height * width / 20000 < 0.103  # whole pixels, rounded
        assert 0.27 < height / width < 3.6
    # Anywhere, up to the rim; a corner is seldom reached.
    assert all(rim.any() for rim in (gone[:, 0], gone[:, -1], gone[:, :, 0], gone[:, :, -1]))
    assert 0.03 < float(gone.float().mean(0)[100, 50]) < 0.2


def test_erased_takes_nine_percent_and_spares_one_picture_in_25() -> None:
    gone = erased(torch.zeros(4000, 1, 64, 64), generator=torch.Generator().manual_seed(0)).flatten(1)
    assert 0.088 < float(gone.mean()) < 0.097  # 2 * 0.8 * 0.06, less what overlaps
    assert 0.03 < float((gone.sum(1) == 0).float().mean()) < 0.05  # (1 - 0.8)²
    assert torch.equal(erased(noise(5, 1, 9, 9), probability=0), noise(5, 1, 9, 9))


def test_erased_depends_on_the_generator_alone() -> None:
    def gone(seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return erased(torch.zeros(4, 3, 64, 64, dtype=dtype), generator=torch.Generator().manual_seed(seed)) == 1

    first = gone(3)
    torch.rand(7)
    assert torch.equal(first, gone(3))
    assert torch.equal(first, gone(3, torch.bfloat16))
    assert not torch.equal(first, gone(4))
    torch.manual_seed(3)
    assert torch.equal(first, erased(torch.zeros(4, 3, 64, 64)) == 1)  # without one, torch's own
    # No number is drawn on the sketches' device: only the CPU's generator moves, and the meta device takes part.
    generator = torch.Generator().manual_seed(3)
    erased(torch.empty(4, 3, 64, 64, device="meta"), generator=generator)
    following = torch.Generator().manual_seed(3)
    torch.rand(4 * 2 * 5, generator=following)
    assert torch.equal(generator.get_state(), following.get_state())


@pytest.mark.parametrize(
    ("style", "options", "message"),
    [
        ("soebl", {}, "data.sketch=soebl: choose from sobel, dodge, xdog"),
        (["sobel"], {}, "data.sketch=[sobel]: choose from"),
        ("dodge", {"gamma": 1.0}, "data.sketch_options.gamma: data.sketch=dodge has no such option, choose from sigma"),
        ("sobel", {"photo": 1.0}, "data.sketch_options.photo: data.sketch=sobel has no such option"),
        ("sobel", {"sigma": "wide"}, "data.sketch_options.sigma=wide: give a number"),
        ("sobel", {"sigma": True}, "data.sketch_options.sigma=true: give a number"),
        (
            "sobel",
            {"percentile": 100},
            "data.sketch_options.percentile=100: give a number of at least 50 and below",
        ),
        ("xdog", {"sigma": -1}, "data.sketch_options.sigma=-1: give a number of at least 0"),
        ("xdog", {"threshold": math.nan}, "data.sketch_options.threshold=nan: give a number"),
        ("sobel", 3, "data.sketch_options=3: give options by name, in quotes, as in 'data.sketch_options={sigma: 1}'"),
    ],
)
def test_what_there_is_not_is_refused_by_name(style: object, options: object, message: str) -> None:
    with pytest.raises(UserError) as error:
        check_style(style, options)  # type: ignore[arg-type]
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@styles
def test_what_there_is_passes_and_changes_the_sketch(style: str) -> None:
    plain = simulate(style, faces(64))
    changes = {"sigma": 5, "percentile": 90, "paper": 0.3, "gamma": 2.0, "contrast": 6.0, "ratio": 3.0}
    changes |= {"sharpness": 40.0, "threshold": 0.9, "steepness": 9.0, "tone": 1.0}
    used = [name for name in changes if name in SKETCHES[style].__annotations__]
    assert used == [name for name in SKETCHES[style].__annotations__ if name not in ("photo", "return")]
    for name in used:
        check_style(style, {name: changes[name]})
        assert not torch.equal(simulate(style, faces(64), **{name: changes[name]}), plain), name


def test_the_contact_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*arguments: str) -> None:
        monkeypatch.setattr("sys.argv", ["sketching", *arguments])
        main()

    picture = tmp_path / "sheet.png"
    command(str(picture), "--rows=2", "--size=32")
    assert "2 faces, 192 x 64 pixels" in capsys.readouterr().out
    pixels = np.asarray(Image.open(picture))
    assert pixels.shape == (64, 6 * 32, 3)
    assert np.array_equal(pixels[32:, :32], draw(FaceParameters.sample(93, 1), "photo", 32))
    assert (pixels[:, 128:160] <= pixels[:, 96:128]).all()  # bold after xdog
    with pytest.raises(UserError, match="--size from 32"):
        command(str(picture), "--size=31")
    with pytest.raises(UserError, match="can't be written"):
        command(str(tmp_path / "no" / "sheet.png"), "--rows=1", "--size=32")
