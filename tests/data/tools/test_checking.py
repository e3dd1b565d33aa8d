"""Counts, labels, tasks and broken pictures of a catalog; what is shown of them."""

import io

import numpy as np
import pytest
from PIL import Image

from suite.data.catalog import Catalog, PictureFile, Record
from suite.data.tools.checking import Findings, count, label_name, labels, pictures, printable, show, tasks
from suite.data.tools.looking import look_at
from suite.errors import UserError


def named(name):
    return PictureFile(name)  # never loaded


PAIR = Record("pair", named("photo"), (named("drawing 1"), named("drawing 2")), label=1)
PHOTO = Record("photo", named("only photo"), label=0)
DRAWING = Record("drawing", drawings=(named("only drawing"),))


def test_counts():
    assert count([PAIR, PHOTO, DRAWING]) == {"photos": 2, "sketches": 3, "pairs": 1}
    assert count([]) == {"photos": 0, "sketches": 0, "pairs": 0}


def test_labels_by_name_and_by_number_where_they_have_none():
    records = [Record(str(label), label=label) for label in (2, 0, 2, 5)] + [PHOTO, DRAWING]
    catalog = Catalog("set", None, records, label_names=("a", "b", "c"))
    assert labels(catalog, records) == {"a": 2, "c": 2, "5": 1}
    assert label_name(catalog, 5) == "5"


def served(splits):
    return {task for task, lacks in tasks(splits).items() if not lacks}


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([PAIR], {"paired", "unpaired", "semi_supervised", "self_supervised"}),
        ([PAIR, PHOTO], {"paired", "unpaired", "semi_supervised", "self_supervised", "labelled"}),
        ([PHOTO, DRAWING], {"unpaired"}),
        ([PHOTO, PHOTO], set()),
        ([DRAWING], set()),
    ],
)
def test_tasks_that_are_served(records, expected):
    assert served({"train": records}) == expected


def test_a_task_is_served_within_one_split():
    assert served({"train": [PHOTO], "test": [DRAWING]}) == set()
    assert tasks({"train": [PHOTO], "test": [DRAWING]})["unpaired"] == "photos and drawings in one split"
    assert "data.sketch=" in tasks({"train": [PHOTO]})["paired"]
    assert tasks({"train": [DRAWING]})["unpaired"] == "photos"


def test_pictures_come_once():
    simulated = Record("simulated", named("x"), (named("x"),))
    assert [picture.path for picture in pictures([PAIR, simulated, DRAWING])] == [
        "photo", "drawing 1", "drawing 2", "x", "only drawing"
    ]  # fmt: skip


def encoded(picture, suffix):
    file = io.BytesIO()
    picture.save(file, suffix)
    return file.getvalue()


@pytest.mark.parametrize("copies", [1, 12])  # in this process, and in several
def test_broken_pictures_are_found_in_order_whatever_is_wrong(tmp_path, copies):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8))
    contents = {
        "empty.png": b"",
        "fine.jpg": encoded(noise, "jpeg"),
        "truncated.jpg": encoded(noise, "jpeg")[:-400],
        "page.jpg": b"<!DOCTYPE html><html></html>",
        "palette.png": encoded(noise.convert("P"), "png"),
        "floats.tif": encoded(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "tiff"),
        "cmyk.jpg": encoded(noise.convert("CMYK"), "jpeg"),
        "truncated.png": encoded(noise, "png")[:-2000],
    }
    files = []
    for number in range(copies):
        for name, content in contents.items():
            path = tmp_path / f"{number} {name}"
            path.write_bytes(content)
            files.append(PictureFile(path))
    files.append(PictureFile(tmp_path / "not there.png"))
    done = []
    broken = [(one.name, one.reason) for one in look_at(files, "auto", done.append) if one.reason]
    wrong = ("empty.png", "truncated.jpg", "page.jpg", "floats.tif", "truncated.png")
    expected = [file.name for file in files if file.name.endswith((*wrong, "not there.png"))]
    assert [name for name, _ in broken] == expected
    assert all(reason and "\n" not in reason for _, reason in broken)
    assert sum(done) == len(files)


def test_no_picture_at_all_is_not_usable():
    with pytest.raises(UserError, match="the source set finds no picture there"):
        Findings(Catalog("set", None, []), {}).check_usable(True, "unpaired")


@pytest.mark.parametrize(
    ("splits", "task", "message"),
    [
        ({"train": [PAIR], "test": [PAIR]}, "paired", None),
        ({"train": [PHOTO]}, "paired", None),  # half of another set
        ({"test": [PHOTO]}, "paired", None),  # likewise: no task is served
        (
            {"test": [PAIR]},
            "paired",
            r"train has nothing for data\.task=paired, what there is lies in test; 'data\.split={",
        ),
        (
            {"train": [PHOTO, DRAWING], "val": [PAIR], "test": [PAIR]},
            "paired",
            "nothing for .*=paired, .* val and test; ",
        ),
        ({"train": [PHOTO, DRAWING], "test": [PAIR]}, "unpaired", None),
        ({"test": [PHOTO, DRAWING]}, "paired", r"nothing for data\.task=unpaired, "),  # not served, but the other
        ({"train": [PHOTO, DRAWING]}, "paired", None),  # what isn't served is no error
        ({"train": [DRAWING]}, None, None),
        (
            {"test": [DRAWING]},
            None,
            r"nothing for data\.target, .* lies in test; split: {train: 0\.9, .*} in data\.target",
        ),
    ],
)
def test_what_serves_a_task_must_serve_it_in_training(splits, task, message):
    findings = Findings(Catalog("set", None, [one for records in splits.values() for one in records]), splits)
    if message is None:
        findings.check_usable(False, task)
    else:
        with pytest.raises(UserError, match=message):
            findings.check_usable(False, task)


def test_few_of_each_kind_are_shown_and_all_reported(capsys):
    catalog = Catalog("set", None, [PAIR], missing=[f"missing {number}" for number in range(7)], warnings=["beware"])
    broken = [(f"broken {number}", "why") for number in range(30)]
    findings = Findings(catalog, {"train": [PAIR]}, broken)
    show(findings)
    out = capsys.readouterr().out
    assert "7: missing 0, missing 1, missing 2, and 4 more\n" in out
    assert "broken 19: why\n" in out
    assert "broken 20" not in out
    assert "and 10 more; report=<file> writes them all" in out
    assert "beware" in out
    lines = findings.report().splitlines()
    assert lines.count("broken\tbroken 29: why") == 1
    assert len(lines) == 7 + 30 + 1


def test_what_no_terminal_shows_is_escaped():
    assert printable("ä 日本 \udcff\n\x1b[31m") == "ä 日本 \\udcff\\n\\x1b[31m"
