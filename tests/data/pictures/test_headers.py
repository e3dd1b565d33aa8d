"""Shapes and pages from the head of a file; formats that are read, and those that are never started."""

import numpy as np
import pytest
from PIL import Image, features

from suite.data.catalog import PictureFile, Record, is_transparent, upright
from suite.data.pictures.headers import check_alike, pages_of, size_of
from suite.errors import UserError


def saved(path, size=(30, 20), **options):
    Image.new("RGB", size, (200, 100, 50)).save(path, **options)
    return PictureFile(path)


def test_shapes_are_upright_and_of_halves(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert size_of(saved(tmp_path / "x.png")) == (30, 20)
    assert size_of(saved(tmp_path / "turned.jpg", exif=exif)) == (20, 30)
    assert PictureFile(tmp_path / "turned.jpg").load().size == (20, 30)
    assert size_of(PictureFile(tmp_path / "x.png", "left")) == (15, 20)
    (tmp_path / "broken.png").write_bytes(b"")
    assert size_of(PictureFile(tmp_path / "broken.png")) is None


@pytest.mark.parametrize(("suffix", "expected"), [("tif", 3), ("webp", 3), ("gif", 3), ("png", 3), ("mpo", 1)])
def test_pages(tmp_path, suffix, expected):
    others = [Image.new("RGB", (30, 20), (grey, grey, grey)) for grey in (0, 90)]
    picture = saved(tmp_path / f"x.{suffix}", save_all=True, append_images=others)
    assert pages_of(picture) == expected
    np.testing.assert_allclose(np.asarray(picture.load().convert("RGB"))[0, 0], (200, 100, 50), atol=4)
    assert pages_of(saved(tmp_path / f"one.{suffix}")) == 1


@pytest.mark.parametrize("suffix", ["jfif", "jpe", "gif", "mpo", "apng", "ppm", "pnm", "dib", "jp2", "avif"])
def test_formats_that_are_read(tmp_path, suffix):
    if not features.check({"jp2": "jpg_2000", "avif": "avif"}.get(suffix, "jpg")):
        pytest.skip("this Pillow was built without it")
    picture = saved(tmp_path / f"x.{suffix}")
    np.testing.assert_allclose(np.asarray(picture.load().convert("RGB"))[0, 0], (200, 100, 50), atol=4)


@pytest.mark.parametrize("suffix", ["eps", "tga", "ico", "psd"])
def test_no_other_decoder_is_asked(tmp_path, suffix, monkeypatch):
    """A PostScript file of a picture's name would start a program."""
    file = tmp_path / f"x.{suffix}"
    if suffix == "psd":
        file.write_bytes(b"8BPS" + bytes(60))
    else:
        saved(file)
    with pytest.raises(OSError, match="cannot identify"):
        upright(file.rename(tmp_path / "x.png"))


def test_pairs_of_one_shape_at_other_sizes(tmp_path):
    one = saved(tmp_path / "1.png", (178, 218))
    for size in ((356, 436), (89, 109), (90, 110), (286, 350), (286, 351)):
        check_alike([Record("x", one, (saved(tmp_path / "2.png", size),))])
    for size in ((178, 178), (218, 178), (356, 420), (200, 218)):
        with pytest.raises(UserError, match=r"^data\.resize=cover: in 1 of 2 pairs of data .*data\.resize=squash"):
            check_alike([Record("x", one, (one, saved(tmp_path / "2.png", size))), Record("y", one, (one,)), *of(one)])


def of(picture):
    """A pair that fits, and records that are none."""
    other = PictureFile(picture.path, "whole").path
    twin = other.with_name("twin.png")
    twin.write_bytes(other.read_bytes())
    return [Record("fits", picture, (PictureFile(twin),)), Record("photo", picture), Record("d", drawings=(picture,))]


def test_transparent_is_what_has_a_pixel_to_see_through(tmp_path):
    assert not is_transparent(Image.new("RGBA", (2, 2), (0, 0, 0, 255)))
    assert is_transparent(Image.new("RGBA", (2, 2), (0, 0, 0, 254)))
    assert not is_transparent(Image.new("L", (2, 2)))
    palette = Image.new("P", (2, 2))
    palette.info["transparency"] = 0
    assert is_transparent(palette)
