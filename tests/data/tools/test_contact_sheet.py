"""Which samples are on a contact sheet, and that their pictures are."""

import numpy as np
import pytest
from PIL import Image

from suite.data.catalog import Catalog, PictureFile, Record
from suite.data.finish import Sketched
from suite.data.tools.contact_sheet import choose, draw_sheet
from suite.errors import UserError
from suite.files import write_picture

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.fixture
def coloured(tmp_path):
    """coloured("red"): a file of one colour, a landscape."""

    def make(name):
        path = tmp_path / f"{name}.png"
        Image.new("RGB", (60, 40), COLOURS[name]).save(path)
        return PictureFile(path)

    return make


def seen(sheet, colour):
    """Pixels of that colour, and the first of them (row, column)."""
    found = np.argwhere((np.asarray(sheet) == COLOURS[colour]).all(-1))
    return len(found), tuple(found[0]) if len(found) else None


def test_kinds_get_equal_shares_and_a_small_one_all_it_has():
    file = PictureFile("never loaded")
    photos = [Record(f"photo {number}", photo=file) for number in range(100)]
    drawings = [Record(f"drawing {number}", drawings=(file,)) for number in range(3)]
    chosen = [sample.record for sample in choose({"train": photos, "test": drawings}, 12, seed=0)]
    assert [record.photo is not None for record in chosen] == [True] * 9 + [False] * 3
    assert len({record.key for record in chosen}) == 12
    assert len(choose({"train": photos}, 12, seed=0)) == 12
    assert len(choose({"train": drawings}, 12, seed=0)) == 3
    assert choose({}, 12, seed=0) == []


def test_the_seed_chooses():
    splits = {"train": [Record(f"{number}", photo=PictureFile("x")) for number in range(100)]}
    assert choose(splits, 5, seed=1) == choose(splits, 5, seed=1)
    assert choose(splits, 5, seed=1) != choose(splits, 5, seed=2)


def test_a_photo_lies_beside_its_drawings(coloured):
    record = Record("scene", coloured("red"), (coloured("green"), coloured("blue")))
    sheet = draw_sheet(choose({"train": [record]}, 1, 0), Catalog("set", None, [record]))
    areas, corners = zip(*(seen(sheet, colour) for colour in COLOURS), strict=True)
    assert min(areas) == max(areas) > 128 * 80  # each as wide as its square, with its own aspect
    assert corners[0][1] < corners[1][1] < corners[2][1]
    assert corners[0][0] == corners[1][0] == corners[2][0]


def test_key_split_and_label_are_written_whatever_the_script(coloured):
    def sheet(key="scene", label=0, split="train"):
        record = Record(key, coloured("red"), label=label)
        catalog = Catalog("set", None, [record], label_names=("cat", "dog"))
        return draw_sheet(choose({split: [record]}, 1, 0), catalog).tobytes()

    sheets = [
        sheet(), sheet(key="other"), sheet(label=1), sheet(split="test"), sheet(key="Äpfel"), sheet(key="日本"),
        sheet(key="日曜"), sheet(key="\udcff"), sheet(key="\n"), sheet(key="z" * 500), sheet(key="z" * 500 + "1"),
    ]  # fmt: skip
    assert len(set(sheets)) == len(sheets)


def test_a_broken_picture_leaves_a_mark_and_the_rest_stands(coloured, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"")
    record = Record("scene", PictureFile(tmp_path / "broken.png"), (coloured("blue"),))
    sheet = draw_sheet(choose({"train": [record]}, 1, 0), Catalog("set", None, [record]))
    assert seen(sheet, "blue")[0] > 128 * 80
    assert (np.asarray(sheet) == (200, 40, 40)).all(-1).sum() > 200


def test_simulated_drawings_are_sketches_of_their_photo(tmp_path):
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, 20:] = (0, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "edge.png")
    photo = PictureFile(tmp_path / "edge.png")
    record = Record("edge", photo, (photo,))
    catalog = Catalog("set", None, [record], simulated="sobel")
    samples = choose({"train": [record]}, 1, 0)
    as_photos, as_sketches = draw_sheet(samples, catalog), draw_sheet(samples, catalog, Sketched("sobel", {}, 1), 64)
    assert seen(as_photos, "blue")[0] == pytest.approx(2 * seen(as_sketches, "blue")[0], rel=0.1)


def test_many_samples_wrap_and_all_fit(coloured):
    records = [Record(str(number), coloured("red"), (coloured("green"),)) for number in range(9)]
    sheet = draw_sheet(choose({"train": records}, 9, 0), Catalog("set", None, records))
    one = draw_sheet(choose({"train": records}, 1, 0), Catalog("set", None, records))
    assert seen(sheet, "green")[0] == 9 * seen(one, "green")[0]
    assert sheet.height > 2.5 * one.height


def test_written_whole_or_not_at_all(tmp_path):
    sheet = Image.new("RGB", (4, 4))
    write_picture(sheet, tmp_path / "sheet.jpg")
    assert Image.open(tmp_path / "sheet.jpg").format == "JPEG"
    with pytest.raises(UserError, match=r"can't write .*/none/sheet\.png: No such file"):
        write_picture(sheet, tmp_path / "none" / "sheet.png")
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.jpg"]
