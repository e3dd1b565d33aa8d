import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from suite.data.catalog import PictureFile
from suite.data.pictures.decode import Fit, broken

AS_IS = 4  # side of the pictures below: resizing to it changes nothing
GREY = np.arange(0, 256, 17, dtype=np.uint8).reshape(4, 4)  # 0, 17, ..., 255
COLOUR = np.stack([GREY, GREY.T, 255 - GREY], axis=-1)


def decode(path, channels=3, side=AS_IS, **fit):
    return Fit(side, channels, **fit).decode(PictureFile(path))


def expect(path, rgb):
    """The file decodes to these RGB pixels (H, W, 3), and to their ITU-R 601 luma as grey."""
    np.testing.assert_array_equal(decode(path), np.asarray(rgb, np.uint8).transpose(2, 0, 1))
    luma = np.asarray(rgb, np.float64) @ (0.299, 0.587, 0.114)
    np.testing.assert_allclose(decode(path, channels=1)[0], luma, atol=0.51)


def repeat(grey):
    return np.repeat(np.asarray(grey)[..., None], 3, axis=-1)


@pytest.mark.parametrize("suffix", ["png", "PNG", "bmp", "tif", "ppm", "webp"])
def test_rgb(tmp_path, suffix):
    Image.fromarray(COLOUR).save(tmp_path / f"x.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    expect(tmp_path / f"x.{suffix}", COLOUR)


@pytest.mark.parametrize("suffix", ["png", "pgm", "tiff"])
def test_grey(tmp_path, suffix):
    Image.fromarray(GREY).save(tmp_path / f"x.{suffix}")
    expect(tmp_path / f"x.{suffix}", repeat(GREY))


def test_black_and_white(tmp_path):
    Image.fromarray(GREY > 100).save(tmp_path / "x.png")
    assert Image.open(tmp_path / "x.png").mode == "1"
    expect(tmp_path / "x.png", repeat(np.where(GREY > 100, 255, 0)))


def test_palette(tmp_path):
    picture = Image.fromarray(GREY // 17)
    picture.putpalette([value for index in range(16) for value in (index, 255 - index, 7)])
    picture.save(tmp_path / "x.png")
    assert Image.open(tmp_path / "x.png").mode == "P"
    index = GREY // 17
    expect(tmp_path / "x.png", np.stack([index, 255 - index, np.full_like(index, 7)], axis=-1))


def test_transparency_lies_on_white(tmp_path):
    alpha = np.zeros((4, 4), np.uint8)
    alpha[0], alpha[1] = 255, 51  # a fifth
    rgba = np.dstack([COLOUR, alpha])
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    share = alpha[..., None] / 255
    np.testing.assert_allclose(
        decode(tmp_path / "rgba.png").transpose(1, 2, 0), COLOUR * share + 255 * (1 - share), atol=1
    )
    Image.fromarray(np.dstack([GREY, alpha]), "LA").save(tmp_path / "la.png")
    np.testing.assert_allclose(
        decode(tmp_path / "la.png", 1)[0], (repeat(GREY) * share + 255 * (1 - share))[..., 0], atol=1
    )

    palette = Image.fromarray(GREY // 17)
    palette.putpalette([0] * 48)
    palette.save(tmp_path / "p.png", transparency=3)
    expect(tmp_path / "p.png", repeat(np.where(GREY // 17 == 3, 255, 0)))
    Image.fromarray(GREY).save(tmp_path / "l.png", transparency=17)
    expect(tmp_path / "l.png", repeat(np.where(GREY == 17, 255, GREY)))


def test_cmyk(tmp_path):
    cmyk = Image.new("CMYK", (4, 4), (255, 0, 0, 0))
    cmyk.save(tmp_path / "x.tif")
    expect(tmp_path / "x.tif", np.full((4, 4, 3), (0, 255, 255)))
    cmyk.resize((16, 16)).save(tmp_path / "x.jpg", quality=100)
    assert Image.open(tmp_path / "x.jpg").mode == "CMYK"
    np.testing.assert_allclose(decode(tmp_path / "x.jpg")[:, 0, 0], (0, 255, 255), atol=3)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bits_are_scaled_not_clipped(tmp_path, suffix):
    deep = GREY.astype(np.uint16) * 257 + 100  # 100 of 257 does not reach the next grey
    deep[-1, -1] = 65535
    Image.fromarray(deep).save(tmp_path / f"x.{suffix}")
    expect(tmp_path / f"x.{suffix}", repeat(GREY))


def test_16_bits_a_colour(tmp_path):
    """PIL can't write it: a PNG by hand."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in COLOUR)
    head = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(png)
    expect(tmp_path / "x.png", COLOUR)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(tmp_path, suffix, orientation):
    """Stored so that its tag brings back the upright picture: red at the top left, blue at the bottom left."""
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :16, 0], upright[16:, :16, 2] = 255, 255
    undo = {  # EXIF 2.32, table 6: where row 0 and column 0 of the stored picture lie
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == "webp" else {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    Image.fromarray(np.ascontiguousarray(undo)).save(tmp_path / f"x.{suffix}", exif=exif, **options)
    decoded = decode(tmp_path / f"x.{suffix}", side=32, resize="cover", whole=True)
    np.testing.assert_allclose(decoded, upright.transpose(2, 0, 1), atol=4)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_exif_block_does_not_break_the_picture(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "x.png", exif=b"Exif\0\0MM\0*garbage")
    expect(tmp_path / "x.png", COLOUR)


def test_squash_and_cover(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 255  # the middle square is white
    Image.fromarray(wide).save(tmp_path / "x.png")
    squashed = decode(tmp_path / "x.png", side=30)
    assert squashed.shape == (3, 30, 30)
    np.testing.assert_array_equal(squashed[0, 15, [0, 5, 15, 24, 29]], [0, 0, 255, 0, 0])
    assert decode(tmp_path / "x.png", side=10, resize="cover").min() > 200
    whole = decode(tmp_path / "x.png", side=10, resize="cover", whole=True)
    assert whole.shape == (3, 10, 30)
    np.testing.assert_array_equal(whole[0, 5, [0, 5, 15, 25, 29]], [0, 0, 255, 0, 0])


def test_resizing_is_bicubic_and_anti_aliased(tmp_path):
    stripes = np.tile(np.array([[0, 255]], np.uint8), (64, 32))
    Image.fromarray(stripes).save(tmp_path / "x.png")
    small = decode(tmp_path / "x.png", channels=1, side=8)[0]
    assert np.abs(small.astype(int) - 127).max() < 12  # without anti-aliasing: all black or all white
    step = np.repeat(np.array([[60, 200]], np.uint8), 2, axis=0)
    Image.fromarray(step).save(tmp_path / "step.png")
    large = decode(tmp_path / "step.png", channels=1, side=16)[0]
    assert large.min() < 60 < 200 < large.max()  # bicubic overshoots, bilinear does not


def test_strip_halves_of_an_odd_and_a_rotated_strip(tmp_path):
    strip = np.zeros((4, 9, 3), np.uint8)
    strip[:, :4], strip[:, 5:] = 10, 20
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(strip, 1).copy()).save(tmp_path / "x.png", exif=exif)
    for half, level in (("left", 10), ("right", 20)):
        picture = PictureFile(tmp_path / "x.png", half)
        assert picture.load().size == (4, 4)
        assert (Fit(4, 3).decode(picture) == level).all()


def test_large_paintings_are_no_attack(tmp_path):
    Image.new("1", (20_000, 10_000)).save(tmp_path / "x.png")  # 200 megapixels: PIL's own guard warns
    with warnings.catch_warnings(action="error"), Image.open(tmp_path / "x.png") as picture:
        assert picture.size == (20_000, 10_000)
    assert Image.MAX_IMAGE_PIXELS < 2**30


@pytest.mark.parametrize("content", ["nothing", "text", "truncated jpeg", "truncated png"])
def test_broken_files_raise_an_error_that_one_line_can_tell(tmp_path, content):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(buffer, "png" if "png" in content else "jpeg")
    data = {"nothing": b"", "text": b"no picture\n" * 50}.get(content, buffer.getvalue()[: len(buffer.getvalue()) // 2])
    (tmp_path / "x.jpg").write_bytes(data)
    picture = PictureFile(tmp_path / "x.jpg")
    with pytest.raises(OSError, match=r"x\.jpg|Error|empty") as error:
        Fit(8, 3).decode(picture)
    message = str(broken(picture, error.value))
    assert "\n" not in message
    assert str(tmp_path / "x.jpg") in message
    assert "data.on_broken=skip" in message
