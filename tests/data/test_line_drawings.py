"""A few line drawings of whatever content against all photos of a data set."""

import json

import pytest

from suite.data.module import PictureData
from suite.errors import UserError


@pytest.fixture
def faces(tmp_path, picture):
    """faces(**arguments): photos of built-in faces against three drawings of levels 200, 201, 202."""

    def make(**arguments):
        for number, name in enumerate(("a", "inner/b", "inner/c")):
            picture(f"lines/{name}.png", level=200 + number)
        settings = {"size": 32, "load_size": 32, "flip": 0.0, "workers": 0, "batch_size": 2, "cache_dir": str(tmp_path)}
        settings |= {"count": {"train": 8, "val": 2, "test": 4}, "line_drawings": str(tmp_path / "lines")}
        return PictureData(**({"source": "faces", "task": "unpaired"} | settings | arguments))

    return make


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_every_split_has_all_drawings_and_its_own_photos(faces, tmp_path, direction):
    data = faces(direction=direction)
    data.setup()
    data.write_splits(tmp_path / "splits.json")
    written = json.loads((tmp_path / "splits.json").read_text())
    photos, drawings = ("a", "b") if direction == "a2b" else ("b", "a")
    assert [len(written[split][photos]) for split in ("train", "val", "test")] == [8, 2, 4]
    for split in ("train", "val", "test"):
        assert written[split][drawings] == ["a.png", "inner/b.png", "inner/c.png"]
    levels = {int(level) for batch in data.train_dataloader() for level in batch[drawings][:, 0, 0, 0]}
    assert levels == {200, 201, 202}
    assert not data.has_truth
    assert len(data.test_dataloader().dataset) == 4
    assert len(data.reals("all", drawings).dataset) == 3


def test_a_drawn_split_deals_out_the_photos_alone(faces):
    data = faces(split={"train": 10, "test": 4})
    data.setup()
    assert {split: len(records) for split, records in data.splits.items()} == {"train": 13, "test": 7}
    # The same photos as of the pairs that a later stage makes of them.
    of_pairs = faces(split={"train": 10, "test": 4}, task="paired", line_drawings=None)
    of_pairs.setup()
    for split, pairs in of_pairs.splits.items():
        assert {one.key for one in pairs} == {one.key for one in data.splits[split] if one.photo is not None}


def test_the_source_s_own_drawings_stand_aside(faces):
    catalog = faces().catalog
    assert [one.key for one in catalog.records if one.drawings] == ["a", "inner/b", "inner/c"]
    assert len(catalog.photos()) == 14
    assert "lines" in catalog.drawings_from


def test_folders_that_cannot_serve_are_refused(faces, tmp_path):
    (tmp_path / "empty").mkdir()
    lines = faces().line_drawings
    themselves = {"source": "unpaired_folders", "root": str(tmp_path), "a": "lines", "b": "lines"}
    for data, message in (
        (faces(line_drawings="/nowhere"), r"data\.line_drawings: /nowhere: there is no such folder"),
        (faces(line_drawings=str(tmp_path / "empty")), r"data\.line_drawings=\S+: no picture in it or below"),
        (PictureData(line_drawings=lines, **themselves), r"3 of them are photos of the data, too, such as \S+a\.png"),
    ):
        with pytest.raises(UserError, match=message) as error:
            _ = data.catalog
        assert "\n" not in str(error.value)
