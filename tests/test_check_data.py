"""The command from words to table, JSON line, files and exit code."""

import json
import os
import subprocess
import sys

import hydra
import numpy as np
import pytest
from PIL import Image

from suite.check_data import check_data
from suite.data.sketch_sets import Manifest, write_manifest
from suite.errors import UserError
from suite.run.config import CONF, register_resolvers

KEYS = {
    "dataset", "root", "split", "photos", "sketches", "pairs", "orphan_photos", "orphan_sketches", "missing", "broken",
    "labels", "unread", "values",
}  # fmt: skip


def run(*words):
    register_resolvers()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        check_data(hydra.compose("check_data", list(words)))


@pytest.fixture
def figures(capsys):
    """figures(*words): the JSON object on the last line, and what a person sees above it."""

    def last_line(*words):
        run(*words)
        *above, line = capsys.readouterr().out.splitlines()
        return json.loads(line), "\n".join(above)

    return last_line


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 9, 3), 120, np.uint8)).save(path)


@pytest.fixture
def pairs(tmp_path):
    """Ten pairs in photos/ and sketches/, with a photo and two sketches of no partner: words that name the set."""
    for number in range(10):
        picture(tmp_path / "set" / "photos" / f"{number}.png")
        picture(tmp_path / "set" / "sketches" / f"{number}.png")
    for name in ("photos/alone.png", "sketches/[b]x.png", "sketches/日本.png"):
        picture(tmp_path / "set" / name)
    return ["data=paired_folders", f"data.root={tmp_path / 'set'}", "data.a=photos", "data.b=sketches"]


def test_the_last_line_is_one_ascii_json_object_with_all_counts(pairs, figures, tmp_path):
    counted, above = figures(*pairs)
    assert counted.keys() >= KEYS
    assert counted["dataset"] == "paired_folders"
    assert counted["root"] == str(tmp_path / "set")
    assert counted["split"] == {
        "train": {"photos": 8, "sketches": 8, "pairs": 8}, "test": {"photos": 2, "sketches": 2, "pairs": 2}
    }  # fmt: skip
    assert [counted[key] for key in ("photos", "sketches", "pairs")] == [10, 10, 10]
    assert [counted[key] for key in ("orphan_photos", "orphan_sketches", "missing")] == [1, 2, 0]
    assert counted["broken"] is None
    assert counted["labels"] == {}
    assert counted["tasks"] == ["paired", "unpaired", "semi_supervised", "self_supervised"]
    assert "set/photos/alone.png" in above
    assert "set/sketches/[b]x.png" in above
    assert "set/sketches/日本.png" in above
    assert "2 of the 10 are held out as test" in above


def test_the_splits_are_those_of_training(pairs, figures):
    from suite.data.module import PictureData

    words = [word for word in pairs if word != "data=paired_folders"]
    settings = dict(word.removeprefix("data.").split("=") for word in words)
    wanted = {"train": 6, "test": 3}
    data = PictureData(source="paired_folders", task="paired", split=wanted, seed=5, cache=False, workers=0, **settings)
    counted, _ = figures(*pairs, "data.split={train: 6, test: 3}", "seed=5")
    assert {split: of["pairs"] for split, of in counted["split"].items()} == wanted
    assert {split: len(records) for split, records in data.splits.items()} == wanted


def test_the_built_in_faces_have_labels_and_serve_every_task(figures):
    counted, above = figures("data=faces", "data.count={train: 12, val: 2, test: 2}", "data.size=32")
    assert counted["root"] is None
    assert sum(counted["labels"].values()) == 16
    assert set(counted["labels"]) == {"female", "male"}
    assert counted["tasks"] == ["paired", "unpaired", "labelled", "semi_supervised", "self_supervised"]
    assert f"female {counted['labels']['female']}" in above


def test_photos_alone_are_usable_and_become_pairs_by_sketching(figures, tmp_path):
    for number in range(12):
        picture(tmp_path / f"{number}.jpg")
    words = ["data=celeba_hq", f"data.root={tmp_path}"]
    counted, above = figures(*words)
    assert (counted["photos"], counted["pairs"], counted["tasks"]) == (12, 0, [])
    assert "data.sketch=sobel" in above
    counted, _ = figures(*words, "data.sketch=sobel")
    assert (counted["pairs"], counted["simulated"]) == (12, "sobel")
    assert "paired" in counted["tasks"]


def test_a_target_is_listed_beside_its_data_set(pairs, figures, tmp_path):
    target = f"data.target={{source: cufsf, root: {tmp_path / 'target'}, split: {{train: 3, test: 1}}}}"
    for number in range(4):
        picture(tmp_path / "target" / "cropped_sketch" / f"{number:05d}.jpg")
    counted, above = figures(*pairs, "data.task=semi_supervised", "data.direction=b2a", target)
    assert counted["pairs"] == 10
    assert counted["target"]["dataset"] == "cufsf"
    assert counted["target"]["split"]["train"] == {"photos": 0, "sketches": 3, "pairs": 0}
    assert f"cufsf in {tmp_path / 'target'}" in above
    with pytest.raises(UserError, match=r"data\.target needs photos, .* at all; data\.direction=b2a takes"):
        run(*pairs, "data.task=semi_supervised", target)


def test_a_target_that_training_would_not_take_is_shown_and_refused(pairs, figures, capsys, tmp_path):
    words = [*pairs, "data.task=semi_supervised", "data.direction=b2a"]
    same = f"{{source: paired_folders, root: {tmp_path / 'set'}, a: photos, b: sketches}}"
    with pytest.raises(UserError, match=r"^data\.root=.* and data\.target\.root=.*: 10 pictures of data\.target"):
        run(*words, f"data.target={same}")
    counted = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert counted["target"]["sketches"] == 12  # those of its two without photo, too
    _, above = figures(*words, f"data.target={same}", "data.sketch=sobel")
    assert "10 of 10 photos of the pairs of data.target are among the photos of data" in " ".join(above.split())
    photos = f"{{source: celeba_hq, root: {tmp_path / 'set' / 'sketches'}}}"
    with pytest.raises(UserError, match=r"^celeba_hq: 10 photos: data\.target needs drawings"):
        run(*words, f"data.target={photos}")


@pytest.mark.parametrize(
    ("on_broken", "broken", "reason"),
    [
        ("error", 1, "can't be decoded, the first is {}; mend or remove them, or set data.on_broken=skip"),
        ("skip", 1, None),
        ("skip", 3, "3 of 200 pictures can't be decoded, the first is {}; that is more than 1 %: mend or remove them"),
    ],
)
def test_what_training_would_do_with_broken_pictures(on_broken, broken, reason, tmp_path, capsys):
    root = tmp_path / "set"
    for number in range(100):
        picture(root / "x" / f"{number}.png")
        picture(root / "y" / f"{number}.png")
    names = [root / "x" / f"{number}.png" for number in range(broken)]
    for name in names:
        name.write_bytes(b"")
    words = ["data=paired_folders", f"data.root={root}", "data.a=x", "data.b=y", "verify=true"]
    if reason is None:
        run(*words, f"data.on_broken={on_broken}")
    else:
        with pytest.raises(UserError) as error:
            run(*words, f"data.on_broken={on_broken}")
        assert str(error.value).endswith(reason.format(names[0]))
    out = capsys.readouterr().out
    assert json.loads(out.splitlines()[-1])["broken"] == broken
    assert all(str(name) in out for name in names)


def test_sheet_and_report_are_written_and_replaced_only_when_asked(pairs, figures, tmp_path):
    (tmp_path / "set" / "photos" / "3.png").write_bytes(b"no picture")
    sheet, report = tmp_path / "new" / "sheet.png", tmp_path / "new" / "report.txt"
    words = [*pairs, f"sheet={sheet}", f"report={report}", "samples=3", "data.on_broken=skip"]
    figures(*words)
    assert Image.open(sheet).mode == "RGB"
    lines = report.read_text(encoding="utf-8").splitlines()
    assert f"orphan photos\t{tmp_path / 'set' / 'photos' / 'alone.png'}" in lines
    assert sum(line.startswith("orphan sketches\t") for line in lines) == 2
    before = sheet.read_bytes()
    with pytest.raises(UserError, match=r"sheet\.png is already there: name another file, or set overwrite=true"):
        run(*words)
    with pytest.raises(UserError, match=r"report\.txt is already there"):
        run(*pairs, f"report={report}")
    assert sheet.read_bytes() == before
    figures(*words, "overwrite=true", "samples=1")
    assert sheet.read_bytes() != before
    assert sorted(path.name for path in sheet.parent.iterdir()) == ["report.txt", "sheet.png"]


def test_what_is_not_read_and_what_networks_see(pairs, figures, tmp_path):
    for name in ("photos/a.XCF", "photos/b.psd", "notes.txt"):
        (tmp_path / "set" / name).write_bytes(b"")
    picture(tmp_path / "set" / "extra" / "deep" / "1.png")
    counted, above = figures(*pairs, f"report={tmp_path / 'report.txt'}")
    assert counted["unread"] == {"xcf": 1, "psd": 1, "pictures": 1}
    grey = {"least": -0.059, "largest": -0.059, "mean": -0.059}
    assert counted["values"] == {"photos": grey, "sketches": grey}
    assert "2 files below" in above
    assert "extra/ holds 1 picture" in above
    assert "not read\t" in (tmp_path / "report.txt").read_text()
    assert "none of 20 looked at; verify=true" in above


def test_a_broken_picture_of_the_sample_is_an_error_where_training_would_stop(pairs, capsys, tmp_path):
    (tmp_path / "set" / "photos" / "3.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"^1 of 20 pictures looked at can't be decoded, the first is .*photos/3\.png"):
        run(*pairs)
    assert "1 of 20 looked at; verify=true" in capsys.readouterr().out


def test_pairs_of_different_shapes_are_refused_where_they_are_to_cover_a_square(pairs, tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "set" / "photos" / "3.png")
    run(*pairs)
    with pytest.raises(UserError, match=r"^data\.resize=cover: in 1 of 10 pairs .*photos/3\.png .*\(9x9 and 9x6\)"):
        run(*pairs, "data.resize=cover")


def test_a_file_that_cannot_be_written_is_refused_before_the_work(pairs, capsys, tmp_path):
    (tmp_path / "file").touch()
    for word in (f"sheet={tmp_path / 'file' / 'x.png'}", f"report={tmp_path / 'file' / 'new' / 'x.txt'}"):
        with pytest.raises(UserError, match=rf"^{word.replace('.', '[.]')}: can't write to .*file: Not a directory"):
            run(*pairs, word)
    assert capsys.readouterr().out == ""
    with pytest.raises(UserError, match=r"there is no such folder"):
        run("data=cufs", "data.root=/nowhere", f"sheet={tmp_path / 'new' / 'deep' / 'x.png'}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "set"]  # the test of writing leaves nothing


def test_all_pictures_in_test_are_shown_and_refused(pairs, capsys):
    with pytest.raises(UserError, match=r"the split train has nothing for data\.task=paired, .* lies in test"):
        run(*pairs, "data.split={test: 10}")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["split"]["test"]["pairs"] == 10


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "data is not set: say data=<name>; choose from anime_faces, "),
        (["data=cufs"], "data.root is missing: say where the pictures of data.source=cufs are"),
        (["data=faces", "verify=yes please"], "verify=yes please: give true or false"),
        (["data=faces", "samples=0"], "samples=0: give a whole number from 1 to 1000"),
        (["data=faces", "sheet=x.txt"], "sheet=x.txt: give a file name ending in .png"),
        (["data=faces", "sheet=/"], "sheet=/: give a file name ending in .png"),
        (["data=faces", "report=/"], "report=/ is a folder: give the name of a file"),
        (
            ["data=faces", "+data.stile=loose"],
            "data.stile: the source faces has no such option; did you mean data.style",
        ),
        (["data=photo_sketch", "data.root=/nowhere"], "data.root: /nowhere: there is no such folder; expected image/"),
    ],
)
def test_bad_input_is_one_line_that_names_the_key(words, line):
    with pytest.raises(UserError) as error:
        run(*words)
    assert str(error.value).startswith(line)
    assert "\n" not in str(error.value)


def test_the_command_from_outside(tmp_path):
    """Exit codes, and both outputs of a set with a broken picture and a name that is no text."""
    for name in ("x/1.png", "x/2.png", "y/1.png", "y/2.png"):
        picture(tmp_path / "set" / name)
    os.rename(tmp_path / "set" / "y" / "2.png", os.fsencode(tmp_path / "set" / "y") + b"/\xff\n2.png")
    (tmp_path / "set" / "x" / "1.png").write_bytes(b"")
    words = ["data=unpaired_folders", f"data.root={tmp_path / 'set'}", "data.a=x", "data.b=y", "verify=true"]
    command = [sys.executable, "-m", "suite.check_data"]
    done = subprocess.run([*command, *words, "sheet=sheet.png"], capture_output=True, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert json.loads(done.stdout.splitlines()[-1].decode("ascii"))["broken"] == 1
    line = done.stderr.decode("ascii").removesuffix("\n")
    assert line.startswith("error: 1 of 4 pictures can't be decoded, the first is ")
    assert "\n" not in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "sheet.png"]
    done = subprocess.run([*command, "data=cufs", "data.rooot=x"], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: unknown key data.rooot: did you mean data.root?\n"


@pytest.fixture
def people(tmp_path):
    """people(train, test): words that name folders of identities with so many pictures each."""

    def make(train, test):
        for split, of_split in (("train", train), ("test", test)):
            for name, count in of_split.items():
                (tmp_path / "people" / split / name).mkdir(parents=True, exist_ok=True)
                for number in range(count):
                    picture(tmp_path / "people" / split / name / f"{number}.png")
        return ["data=identity_folders", f"data.root={tmp_path / 'people'}"]

    return make


def test_pictures_of_each_label_are_counted_in_each_split(people, figures):
    counted, above = figures(*people({"ann": 3, "bob": 2}, {"ann": 1, "bob": 1}))
    assert counted["labels"] == {"ann": 4, "bob": 3}
    assert [counted["split"][split]["labels"] for split in ("train", "test")] == [
        {"ann": 3, "bob": 2},
        {"ann": 1, "bob": 1},
    ]
    assert "train: ann 3, bob 2" in above
    assert "test: ann 1, bob 1" in above


@pytest.mark.parametrize(
    ("train", "test", "words", "message"),
    [
        ({"ann": 3}, {"bob": 2}, (), "two labels at least to train on, and there are those of ann alone"),
        ({"ann": 3, "bob": 2}, {"cat": 1}, ("data.balanced=true",), "no training picture of label cat: data.balanced"),
        ({"ann": 3, "bob": 2}, {"ann": 1}, ("data.balanced=true", "data.batch_size=3"), r"use data\.batch_size=4$"),
    ],
)
def test_labels_that_can_not_be_trained_on_are_refused(people, train, test, words, message):
    with pytest.raises(UserError, match=message):
        run(*people(train, test), *words)


def test_a_label_without_training_picture_is_no_error_where_batches_are_not_balanced(people, figures):
    counted, _ = figures(*people({"ann": 3, "bob": 2}, {"cat": 1}))
    assert counted["split"]["train"]["labels"] == {"ann": 3, "bob": 2}


def test_line_drawings_belong_to_every_split(pairs, figures, tmp_path):
    for number in range(3):
        picture(tmp_path / "lines" / f"{number}.png")
    counted, above = figures(*pairs, "data.task=unpaired", f"data.line_drawings={tmp_path / 'lines'}")
    assert (counted["photos"], counted["sketches"], counted["pairs"]) == (10, 3, 0)
    assert {split: of_split["sketches"] for split, of_split in counted["split"].items()} == {"train": 3, "test": 3}
    assert sum(of_split["photos"] for of_split in counted["split"].values()) == 10
    assert "unpaired" in counted["tasks"]
    assert "data.line_drawings=" in above
    assert "no split" not in above


def test_sketch_sets_are_counted_with_their_photos(pairs, figures, tmp_path):
    for name, count in (("step5", 9), ("step10", 8)):
        for number in range(count):
            picture(tmp_path / "sketches" / name / f"{number}.png")
    write_manifest(tmp_path / "sketches", Manifest(("step5", "step10"), 8, 10, "TOM", 0.7))
    words = [*pairs, "data.task=self_supervised", f"data.sketch_sets={tmp_path / 'sketches'}"]
    counted, above = figures(*words, "data.split={train: 7, test: 2}")
    assert (counted["pairs"], counted["sketches"], counted["orphan_photos"]) == (9, 17, 1)
    assert "2 by photo (step5, step10), made by TOM" in above
    with pytest.raises(UserError, match="the split test has 1 pair, and a sketch is evaluated with"):
        run(*words, "data.split={train: 8, test: 1}")


def test_pictures_that_equal_another_are_counted(pairs, figures, tmp_path):
    assert figures(*pairs)[0]["copies"] is None
    for number in range(10):
        for side in ("photos", "sketches"):
            level = np.full((6, 9, 3), 20 * number, np.uint8)
            Image.fromarray(level).save(tmp_path / "set" / side / f"{number}.png")
    counted, above = figures(*pairs, "verify=true")
    assert counted["copies"] == 0
    assert "copies" not in above
    Image.fromarray(np.full((6, 9, 3), 60, np.uint8)).save(tmp_path / "set" / "photos" / "4.png")
    counted, above = figures(*pairs, "verify=true", f"report={tmp_path / 'report'}")
    assert counted["copies"] == 1
    assert "1 pictures equal another, pixel by pixel" in " ".join(above.split())
    (line,) = (line for line in (tmp_path / "report").read_text().splitlines() if line.startswith("copies\t"))
    assert f"{tmp_path}/set/photos/4.png" in line
