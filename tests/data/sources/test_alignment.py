import numpy as np
import pytest
from PIL import Image, ImageDraw

from suite.data.catalog import PictureFile
from suite.data.sources.helpers.alignment import AlignedPicture, read_eyes

EYES = {".dat": (16, 18), ".3pts": (0, 1)}


def points_file(path, eyes):
    """35 points of CUFS or 3 of CUFSF, the eyes where they belong, everything else nonsense."""
    lines = ["n_points: 35 {"] + ["3 4"] * (35 if path.suffix == ".dat" else 3)
    for line, eye in zip(EYES[path.suffix], eyes, strict=True):
        lines[1 + line] = f"{eye[0]} {eye[1]}"
    path.write_text("\r\n".join(lines))
    return path


@pytest.mark.parametrize("suffix", [".dat", ".3pts"])
@pytest.mark.parametrize("eyes", [((420, 330), (560, 290)), ((560, 290), (420, 330)), ((30, 40), (48, 44))])
def test_eyes_come_to_lie_where_the_cropped_copies_have_them(tmp_path, eyes, suffix):
    picture = Image.new("L", (1024, 768), 128)
    radius = abs(eyes[0][0] - eyes[1][0]) / 12
    for (x, y), level in zip(sorted(eyes), (0, 255), strict=True):  # left black, right white
        ImageDraw.Draw(picture).ellipse((x - radius, y - radius, x + radius, y + radius), fill=level)
    picture.save(tmp_path / "f-005-01.png")
    points = points_file(tmp_path / f"f-005-01{suffix}", eyes)
    aligned = AlignedPicture(PictureFile(tmp_path / "f-005-01.png"), points).load()
    assert (aligned.mode, aligned.size) == ("RGB", (200, 250))
    pixels = np.asarray(aligned)[90:160, 50:150, 0].astype(float)
    for expected, found in ((75, pixels < 64), (125, pixels > 192)):
        rows, columns = np.nonzero(found)
        assert columns.mean() + 50.5 == pytest.approx(expected, abs=0.7)
        assert rows.mean() + 90.5 == pytest.approx(125, abs=0.7)


def test_what_lies_outside_is_white(tmp_path):
    Image.new("RGB", (60, 60)).save(tmp_path / "1.png")
    aligned = AlignedPicture(PictureFile(tmp_path / "1.png"), points_file(tmp_path / "1.dat", ((5, 30), (55, 30))))
    pixels = np.asarray(aligned.load())
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[125, 100].tolist() == [0, 0, 0]


def test_pos_files_hold_both_eyes_in_one_line(tmp_path):
    (tmp_path / "a.pos").write_text("163 160 101 164\n")
    assert read_eyes(tmp_path / "a.pos") == (complex(101, 164), complex(163, 160))


@pytest.mark.parametrize("text", ["", "1 2\n3 4", "x y\n" * 35, "7 7\n" * 35])
def test_points_that_are_none_make_the_picture_a_broken_one(tmp_path, text):
    (tmp_path / "1.dat").write_text(text)
    Image.new("RGB", (60, 60)).save(tmp_path / "1.png")
    with pytest.raises(ValueError, match=r"1\.dat"):
        AlignedPicture(PictureFile(tmp_path / "1.png"), tmp_path / "1.dat").load()


def test_other_points_make_another_picture(tmp_path):
    Image.new("RGB", (60, 60)).save(tmp_path / "1.png")
    aligned = AlignedPicture(PictureFile(tmp_path / "1.png"), points_file(tmp_path / "1.dat", ((10, 30), (50, 30))))
    before = aligned.identity()
    points_file(tmp_path / "1.dat", ((100, 30), (500, 30)))
    assert aligned.identity() != before
