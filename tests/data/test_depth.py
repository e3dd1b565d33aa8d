"""Which values of pictures with more than 8 bits become black and white."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from suite.arguments import check_value
from suite.data.catalog import PictureFile, flatten, upright
from suite.data.depth import Depth, check_depth, range_shown
from suite.data.keys import DataKeys
from suite.data.pictures.store import fingerprint
from suite.errors import UserError

RAMP = np.arange(256, dtype=np.float64).reshape(16, 16)  # what every picture below shows, black to white


def shown(path, depth="auto", mode="L"):
    return np.asarray(flatten(upright(path), mode, depth))


def saved(path, array, **tags):
    """A TIFF with tags of floats by number, or a PNG."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in tags.items():
        info.tagtype[int(tag[1:])] = 12
        info[int(tag[1:])] = value
    Image.fromarray(array).save(path, **({"tiffinfo": info} if tags else {}))
    return path


def png(path, array, significant=None):
    """16 bits a channel, as PIL can't write it of colours, with the chunk sBIT."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    kinds = {1: 0, 2: 4, 3: 2, 4: 6}
    channels = 1 if array.ndim == 2 else array.shape[2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    head = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], 16, kinds[channels], 0, 0, 0)
    bits = b"" if significant is None else chunk(b"sBIT", bytes([significant] * channels))
    content = chunk(b"IHDR", head) + bits + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


def of_bits(bits):
    return np.round(RAMP * ((2**bits - 1) / 255)).astype(np.uint16)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_as_many_as_hold_the_largest_value(tmp_path, bits, suffix):
    path = saved(tmp_path / f"x.{suffix}", of_bits(bits))
    np.testing.assert_allclose(shown(path), RAMP, atol=0.51)
    assert range_shown(upright(path), "auto") == (0, 2**bits - 1)
    dark = of_bits(bits) // 2 ** (bits - 8)
    np.testing.assert_array_equal(shown(saved(path, dark), (0, 2**bits - 1)), np.round(dark * 255 / (2**bits - 1)))


def test_the_whole_range_of_the_type_and_each_files_own(tmp_path):
    path = saved(tmp_path / "x.png", of_bits(12) + 1000)
    np.testing.assert_allclose(shown(path, "full"), (of_bits(12) + 1000.0) * 255 / 65535, atol=0.51)
    np.testing.assert_allclose(shown(path, "file"), RAMP, atol=0.51)
    flat = saved(tmp_path / "flat.png", np.full((4, 4), 700, np.uint16))
    assert (shown(flat, "file") == 0).all()


@pytest.mark.parametrize(
    ("significant", "scale", "expected"),
    [(12, 1, 4095), (12, 16, 65535), (16, 1 / 16, 65535)],  # as the camera gave them; as the standard has it; dark
)
def test_a_png_says_how_many_bits_it_has(tmp_path, significant, scale, expected):
    values = np.floor(of_bits(12).astype(float) * scale)
    path = png(tmp_path / "x.png", values.astype(np.uint16), significant)
    assert range_shown(upright(path), "auto") == (0, expected)
    np.testing.assert_allclose(shown(path), values * 255 / expected, atol=0.51)


def test_a_tiff_says_its_range(tmp_path):
    ct = (RAMP * 10 - 1000).astype(np.int32)
    path = saved(tmp_path / "x.tif", ct, t340=-1000.0, t341=1550.0)
    np.testing.assert_allclose(shown(path), RAMP, atol=0.51)
    path = saved(tmp_path / "narrow.tif", ct, t340=0.0, t341=255.0)  # a window: the rest is black and white
    np.testing.assert_array_equal(shown(path), np.clip(ct, 0, 255))
    path = saved(tmp_path / "float.tif", ct.astype(np.float32), t340=-1000.0, t341=1550.0)
    np.testing.assert_allclose(shown(path), RAMP, atol=0.51)


def test_signed_values_have_the_range_that_the_file_holds(tmp_path):
    path = saved(tmp_path / "ct.tif", (RAMP * 10 - 1000).astype(np.int32))
    np.testing.assert_allclose(shown(path), RAMP, atol=0.51)
    assert range_shown(upright(path), "auto") == (-1000, 1550)
    np.testing.assert_allclose(shown(path, (-1000, 1550)), RAMP, atol=0.51)
    np.testing.assert_allclose(shown(path, "file"), RAMP, atol=0.51)
    assert range_shown(upright(path), "full") == (-(2**31), 2**31 - 1)
    np.testing.assert_allclose(shown(saved(tmp_path / "large.tif", (RAMP * 10**6).astype(np.int32))), RAMP, atol=0.51)


@pytest.mark.parametrize("largest", [1, 1.02, 255, 4095, 65535])
def test_floats_are_from_0_to_1_or_counts(tmp_path, largest):
    path = saved(tmp_path / "x.tif", (RAMP / 255 * largest).astype(np.float32))
    expected = np.minimum(RAMP * 1.02, 255) if largest == 1.02 else RAMP
    np.testing.assert_allclose(shown(path), expected, atol=0.51)


def test_what_is_no_number_is_refused(tmp_path):
    path = saved(tmp_path / "x.tif", np.where(RAMP > 3, np.nan, 0).astype(np.float32))
    for depth in ("auto", "full", "file", (0, 1)):
        with pytest.raises(ValueError, match="no numbers"):
            shown(path, depth)


def test_what_pil_scales_to_16_bits_stays_dark(tmp_path):
    header, values = b"P5 16 16 4095\n", of_bits(12) // 16
    (tmp_path / "x.pgm").write_bytes(header + values.astype(">u2").tobytes())
    np.testing.assert_allclose(shown(tmp_path / "x.pgm"), values * 255 / 4095, atol=0.51)


def test_16_bits_of_which_0_is_white(tmp_path):
    path = saved(tmp_path / "x.tif", of_bits(12))
    photometric = struct.pack("<HHI", 262, 3, 1)
    path.write_bytes(path.read_bytes().replace(photometric + b"\1", photometric + b"\0"))
    np.testing.assert_allclose(shown(path), 255 - RAMP, atol=0.51)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_16_bits_a_colour(tmp_path, bits):
    """PIL would keep the upper 8 bits, of which a camera of 12 bits fills 4."""
    colour = np.dstack([of_bits(bits), of_bits(bits).T, of_bits(bits)[::-1]])
    path = png(tmp_path / "x.png", colour)
    expected = np.dstack([RAMP, RAMP.T, RAMP[::-1]])
    np.testing.assert_allclose(shown(path, mode="RGB"), expected, atol=0.51)
    assert range_shown(upright(path), "auto") == (0, 2**bits - 1)
    np.testing.assert_allclose(shown(path, "full", "RGB"), colour * (255 / 65535), atol=1)
    np.testing.assert_allclose(shown(path, (0, 2**bits - 1), "RGB"), expected, atol=1)
    np.testing.assert_allclose(shown(path, "file", "RGB"), expected, atol=1)
    clear = png(tmp_path / "clear.png", np.dstack([colour, np.full((16, 16), 65535)]))
    np.testing.assert_allclose(shown(clear, mode="RGB"), expected, atol=0.51)
    gone = png(tmp_path / "gone.png", np.dstack([colour, np.zeros((16, 16))]))
    assert (shown(gone, mode="RGB") == 255).all()


def test_one_bit_palettes_and_cmyk_have_their_range(tmp_path):
    Image.fromarray(RAMP > 100).save(tmp_path / "x.tif", compression="group4")
    for depth in ("auto", "full", "file", (0, 4095)):
        np.testing.assert_array_equal(shown(tmp_path / "x.tif", depth), np.where(RAMP > 100, 255, 0))
        assert range_shown(upright(tmp_path / "x.tif"), depth) is None


def test_adobes_cmyk_is_stored_inverted(tmp_path):
    """A JPEG of four colours with Adobe's marker holds 255 where there is no ink; PIL writes and reads it so."""
    file = BytesIO()
    Image.new("CMYK", (16, 16), (0, 255, 0, 0)).save(file, "jpeg", quality=100)
    assert b"Adobe" in file.getvalue()
    (tmp_path / "x.jpg").write_bytes(file.getvalue())
    np.testing.assert_allclose(shown(tmp_path / "x.jpg", mode="RGB")[0, 0], (255, 0, 255), atol=3)


def test_a_half_of_a_strip_keeps_what_the_file_says(tmp_path):
    path = saved(tmp_path / "x.tif", (RAMP * 10 - 1000).astype(np.int32), t340=-1000.0, t341=1550.0)
    half = flatten(PictureFile(path, "right").load(), "L")
    np.testing.assert_allclose(np.asarray(half), RAMP[:, 8:], atol=0.51)


@pytest.mark.parametrize("value", ["auto", "full", "file", [0, 4095], (-1000.0, 3000)])
def test_values_of_the_key(value):
    check_value("data.depth", value, Depth)
    check_depth("data.depth", value)


@pytest.mark.parametrize("value", [[4095, 0], [0], [0, 1, 2], [0, float("inf")]])
def test_a_list_that_is_no_range(value):
    with pytest.raises(UserError, match=r"^data\.depth=\[[\d,inf]+\]: give the values of black and white, the l"):
        check_depth("data.depth", value)


def test_the_cache_and_every_fit_know_it(tmp_path):
    pictures = [PictureFile(saved(tmp_path / "x.png", of_bits(12)))]
    fits = [DataKeys(source="faces", depth=depth).fit("photo", True) for depth in ("auto", "full", [0, 4095], [0, 99])]
    assert [fit.depth for fit in fits] == ["auto", "full", (0, 4095), (0, 99)]
    assert len({fingerprint(pictures, fit) for fit in fits}) == 4
    decoded = DataKeys(source="faces", size=16, crop=False, channels_a=1, depth=[0, 4095]).fit("photo", False)
    np.testing.assert_allclose(decoded.decode(pictures[0])[0], RAMP, atol=0.51)


def test_a_word_that_is_none():
    with pytest.raises(UserError, match=r"data\.depth=deep: give one of auto, full, file or"):
        check_value("data.depth", "deep", Depth)
