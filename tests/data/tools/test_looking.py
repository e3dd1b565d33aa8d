"""Values, pages and transparency of the pictures that are looked at."""

import numpy as np
import pytest
from PIL import Image

from suite.data.catalog import PictureFile, Record
from suite.data.tools.looking import SAMPLE, Looked, by_kind, look_at, spread


def looked(*pictures, depth="auto", total=None):
    files = [PictureFile(picture) for picture in pictures]
    return Looked.of("photos", total or len(files), files, look_at(files, depth))


def saved(path, array, **options):
    Image.fromarray(array).save(path, **options)
    return path


def test_values_are_those_of_the_network(tmp_path):
    half = np.repeat(np.array([[0], [255]], np.uint8), 6, axis=1).repeat(3, axis=0)
    one = looked(saved(tmp_path / "1.png", half), saved(tmp_path / "2.png", half), total=9)
    assert one.figures() == {"least": -1, "largest": 1, "mean": 0}
    assert one.summary() == "photos: -1.00 to 1.00 in the network, mean 0.00; 2 of 9 looked at"
    assert one.warnings("auto") == []
    grey = looked(saved(tmp_path / "3.png", np.full((4, 4, 3), 51, np.uint8)))
    assert grey.figures() == {"least": -0.6, "largest": -0.6, "mean": -0.6}
    assert grey.summary().endswith("all 1 looked at")


@pytest.mark.parametrize(("level", "word"), [(15, "black"), (250, "white"), (120, None)])
def test_a_set_that_is_nearly_black_or_white_is_named(tmp_path, level, word):
    found = looked(saved(tmp_path / "1.png", np.full((40, 40), level, np.uint8))).warnings("full")
    assert found == ([] if word is None else [f"the photos are nearly {word}; look at them, and at data.depth=full"])
    strokes = np.full((40, 40), 250, np.uint8)
    strokes[20] = 0
    assert looked(saved(tmp_path / "2.png", strokes)).warnings("auto") == []  # a drawing of few lines


def test_values_are_kept_as_a_sum(tmp_path):
    one = looked(*(saved(tmp_path / f"{n}.png", np.full((4, 4, 3), n, np.uint8)) for n in range(40)))  # two processes
    assert [seen.values for seen in one.seen] == [()] * 40
    assert one.counts.tolist() == [48] * 40 + [0] * 216


def test_pages_and_transparency_are_counted_with_an_example(tmp_path):
    pages = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    Image.new("RGBA", (8, 8), (9, 99, 200, 30)).save(tmp_path / "y.png")
    found = looked(tmp_path / "x.tif", tmp_path / "y.png").warnings("auto")
    assert found == [
        f"1 of 2 photos looked at hold several pages or frames, of which the first alone is read, such as "
        f"{tmp_path / 'x.tif'} (3); save the others as files of their own",
        f"1 of 2 photos looked at are transparent in places and lie on white, such as {tmp_path / 'y.png'}",
    ]


def test_ranges_that_differ_within_a_set_are_named_with_one_that_holds_all(tmp_path):
    ramp = np.linspace(0, 1, 64).reshape(8, 8)
    files = [saved(tmp_path / f"{top}.png", (ramp * top).astype(np.uint16)) for top in (4095, 4000, 1000)]
    one = looked(*files)
    assert one.depths() == "photos of more than 8 bits, black to white: 0 to 4095 in 2, 0 to 1023 in 1"
    (warning,) = one.warnings("auto")
    assert "in 2 ranges, black to white: 2 from 0 to 4095, 1 from 0 to 1023; data.depth=[0,4095] reads" in warning
    assert looked(*files, depth=(0, 4095)).warnings((0, 4095)) == []
    assert looked(*files, depth="file").warnings("file") == []


def test_a_sample_is_spread_over_the_set():
    files = [PictureFile(str(number)) for number in range(1000)]
    chosen = spread(files)
    assert len(chosen) == len(set(chosen)) == SAMPLE
    assert (chosen[0], chosen[-1]) == (files[0], files[-1])
    assert spread(files[:5]) == files[:5]


def test_a_photo_that_stands_for_its_drawing_is_looked_at_once():
    photo, drawing = PictureFile("photo"), PictureFile("drawing")
    records = [Record("1", photo, (photo,)), Record("2", photo), Record("3", drawings=(drawing,))]
    assert by_kind(records) == {"photo": [photo], "drawing": [drawing]}
