import numpy as np
import pytest
import torch

from suite import images

ALL = torch.arange(256, dtype=torch.uint8)


def test_every_value_survives_the_way_there_and_back():
    signed = images.unit_to_signed(images.uint8_to_unit(ALL))
    assert signed.dtype == torch.float32
    assert (signed.min(), signed.max()) == (-1, 1)
    assert torch.equal(images.signed_to_uint8(signed), ALL)


def test_the_short_way_to_the_signed_range_gives_the_same_numbers_and_leaves_the_picture():
    given = ALL.clone()
    assert torch.equal(images.uint8_to_signed(given), images.unit_to_signed(ALL.float() / 255))
    assert torch.equal(given, ALL)


def test_rounds_to_nearest():
    between = (ALL[:-1] + torch.tensor([[0.49], [0.51]])) / 127.5 - 1
    assert torch.equal(images.signed_to_uint8(between), torch.stack([ALL[:-1], ALL[1:]]))


def test_clamps_what_is_out_of_range():
    wild = torch.tensor([-torch.inf, -1.01, 1.01, 300.0, torch.inf])
    assert images.signed_to_uint8(wild).tolist() == [0, 0, 255, 255, 255]
    assert images.signed_to_unit(wild).tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_comes_out_as_float32(half):
    # 1 - 2**-9 is what bfloat16 lacks: the arithmetic itself must be in fp32.
    unit = images.signed_to_unit(torch.tensor([-0.00390625], dtype=half))
    assert unit.dtype == torch.float32
    assert unit.item() == 0.5 - 2**-9


def test_grey_becomes_rgb_and_rgb_stays():
    grey, rgb = torch.rand(2, 1, 3, 4), torch.rand(2, 3, 3, 4)
    assert torch.equal(images.to_rgb(grey), torch.cat([grey, grey, grey], dim=1))
    assert torch.equal(images.to_rgb(rgb), rgb)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_to_pil(channels, mode):
    picture = torch.arange(channels * 2 * 5, dtype=torch.uint8).reshape(channels, 2, 5)
    pil = images.to_pil(picture)
    assert (pil.mode, pil.size) == (mode, (5, 2))
    np.testing.assert_array_equal(np.asarray(pil).reshape(2, 5, channels).transpose(2, 0, 1), picture.numpy())


def test_luma_is_that_of_files_read_as_grey():
    colours = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = np.asarray(images.to_pil(colours[0]).convert("L")).astype(float)
    unit = images.uint8_to_unit(colours)
    np.testing.assert_allclose(images.luma(unit)[0, 0] * 255, expected, atol=0.51)  # Pillow rounds to whole steps
    torch.testing.assert_close(images.luma(images.unit_to_signed(unit)), images.unit_to_signed(images.luma(unit)))
    grey = unit[:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(images.luma(grey), grey[:, :1])


def test_a_picture_is_grey_where_all_its_channels_are_equal():
    pictures = torch.rand(4, 1, 5, 6, generator=torch.Generator().manual_seed(0)).repeat(1, 3, 1, 1)
    pictures[1, 1, 2, 3] += 0.01
    pictures[3, 2, 0, 0] += 0.01
    assert images.is_grey(pictures).tolist() == [True, False, True, False]


@pytest.mark.parametrize(("height", "width"), [(33, 47), (5, 2), (1, 9), (8, 16), (3, 40)])
def test_padding_reflects_as_numpy_does_as_often_as_it_takes(height, width):
    pictures = torch.arange(2 * height * width, dtype=torch.float32).reshape(2, height, width)
    grown = images.padded(pictures, 16)
    assert all(side % 16 == 0 for side in grown.shape[-2:])
    missing = [(0, 0), *((0, after - before) for before, after in zip((height, width), grown.shape[-2:], strict=True))]
    np.testing.assert_array_equal(grown, np.pad(pictures.numpy(), missing, mode="reflect"))
    assert images.padded(pictures.byte(), 1).shape[-2:] == (max(height, 8), max(width, 8))


def test_what_networks_read_is_not_padded():
    pictures = torch.zeros(1, 3, 16, 32)
    assert images.padded(pictures, 16) is pictures
