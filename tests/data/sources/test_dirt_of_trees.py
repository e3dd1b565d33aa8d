"""Dirt of annotations and of whole trees: line ends, web pages, doubled folders, links, names, permissions."""

import json
import os
from pathlib import Path

import pytest

from suite.data.module import PictureData
from suite.data.sources import check_options, find_source
from suite.errors import UserError

ODD = ["übung", "日本 1", "a.b.v2", "x.webp-1", "-1", "ÉÉ(2)", os.fsdecode(b"caf\xe9")]  # the last: bytes of Latin-1


def in_cells(line, separator, quote=""):
    """A row as a spreadsheet saves it: its cells are those between commas, else between blanks."""
    found = line.split(",") if "," in line else line.split()
    return separator.join(f"{quote}{cell.strip()}{quote}" for cell in found)


SPREADSHEETS = {"semicolons": (";", ""), "tabs": ("\t", ""), "quotes": (",", '"')}


@pytest.mark.parametrize(
    "dirt",
    ["byte order mark", "CRLF", "blanks and empty lines", "a folder of its own name", "UTF-16", *SPREADSHEETS],
)
def test_an_annotation_says_the_same(annotated, tmp_path, dirt):
    data_set, name = annotated
    root = data_set.make(tmp_path / "set")
    clean = data_set.listed(root)
    path = root / name
    lines = path.read_text().split("\n")
    if dirt == "byte order mark":
        path.write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    elif dirt == "CRLF":
        path.write_bytes("\r\n".join(line.rstrip("\r") for line in lines).encode())
    elif dirt == "UTF-16":
        path.write_text("\n".join(lines), encoding="utf-16")
    elif dirt in SPREADSHEETS:
        path.write_text("\ufeff" + "\n".join(in_cells(line, *SPREADSHEETS[dirt]) for line in lines) + "\n;;\n")
    elif dirt == "blanks and empty lines":
        path.write_text("\n" + " \n\n".join(line.rstrip("\r") for line in lines) + "\n \n")
    else:
        path.rename(tmp_path / "moving")
        path.mkdir()
        (tmp_path / "moving").rename(path / path.name)
    assert data_set.listed(root) == clean


def test_an_annotation_that_is_a_web_page_is_named(annotated, tmp_path):
    data_set, name = annotated
    root = data_set.make(tmp_path / "set")
    (root / name).write_text("\ufeff\r\n  <!DOCTYPE html><html><title>Quota exceeded</title>")
    with pytest.raises(UserError) as error:
        data_set.catalog(root)
    assert str(error.value).startswith(f"{root / name}: a web page, not the annotation")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("form", ["slash", "dots", "home", "link", "links inside"])
def test_a_root_may_be_written_otherwise(data_set, tmp_path, form, monkeypatch):
    root = data_set.make(tmp_path / "set")
    clean = data_set.listed(root)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link").symlink_to(root)
    if form == "links inside":
        inside = tmp_path / "linked"
        inside.mkdir()
        for path in root.iterdir():
            (inside / path.name).symlink_to(path)
    forms = {"slash": f"{root}/", "dots": f"{root}/../set", "home": "~/set", "link": f"{tmp_path}/link"}
    assert data_set.listed(forms.get(form, str(tmp_path / "linked"))) == clean


def test_a_folder_that_may_not_be_read_is_named(data_set, tmp_path, monkeypatch):
    """As for a user without permission; whoever runs the tests may be allowed everything."""
    root = data_set.make(tmp_path / "set")
    closed = (root / data_set.pictures[0]).parent

    def refusing(original):
        def read(path="."):
            if Path(path) == closed:
                raise PermissionError(13, "Permission denied", str(path))
            return original(path)

        return read

    for name in ("listdir", "scandir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    with pytest.raises(UserError) as error:
        data_set.catalog(root)
    assert str(error.value) == f"{closed}: can't be read: Permission denied"


DOUBLED = {
    "unpaired_folders": ["trainA", "trainB", "testB"],
    "paired_folders": ["photos", "drawings"],
    "strips": ["train"],
    "anime_faces": ["face_photo", "face_cartoon/pa_face"],
    "celeba": ["Img/img_align_celeba"],
    "celeba_hq": ["CelebA-HQ-img"],
    "cufs": ["photos", "AR/sketches"],
    "cufsf": ["cropped_sketch", "feret"],
    "photo_sketch": ["image", "sketch-rendered/width-5", "sketch-rendered"],
    "sketchy": ["256x256/photo", "256x256/sketch"],
    "wikiart": ["wikiart"],
}


@pytest.mark.parametrize("data_set", DOUBLED, indirect=True)
def test_archives_unpacked_into_folders_of_their_names(data_set, tmp_path, request):
    root = data_set.make(tmp_path / "set")
    clean = [row[:4] for row in data_set.listed(root)[:-2]]
    for name in DOUBLED[request.node.callspec.params["data_set"]]:
        place = root / name
        place.rename(tmp_path / "moving")
        place.mkdir()
        (tmp_path / "moving").rename(place / place.name)
    assert [row[:4] for row in data_set.listed(root)[:-2]] == clean


FREE_NAMES = {
    "unpaired_folders": (["trainA/{}.jpg", "trainB/{}.png"], {}, "unpaired"),
    "paired_folders": (["trainA/{}.jpg", "trainB/{}.png"], {}, "paired"),
    "anime_faces": (["face_photo/{}.jpg", "face_cartoon/pa_face/{}.jpg"], {}, "unpaired"),
    "cufs": (["photos/{}.jpg", "sketches/{}.png"], {}, "paired"),
    "photo_sketch": (["image/{}.jpg", "sketch-rendered/width-5/{}_01.png"], {}, "paired"),
    "sketchy": (["photo/duck/{}.jpg", "sketch/duck/{}-1.png"], {"drop": []}, "paired"),
    "wikiart": (["Realism/{}.jpg", "Cubism/{}.jpg"], {}, "labelled"),
    "identity_folders": (["ann/{}.jpg", "{}/1.jpg"], {}, "labelled"),
}


@pytest.mark.parametrize("source", FREE_NAMES)
def test_odd_names_are_listed_split_and_read(source, tmp_path, picture):
    patterns, options, task = FREE_NAMES[source]
    for name in ODD:
        for pattern in patterns:
            picture(f"set/{pattern.format(name)}", level=90)
    where = {"root": str(tmp_path / "set"), "cache_dir": str(tmp_path / "cache"), "cache": False}
    data = PictureData(source=source, task=task, size=8, load_size=8, workers=0, batch_size=1, **options, **where)
    data.prepare_data()
    data.setup("fit")
    keys = {key for loader in (data.train_dataloader(), data.test_dataloader()) for b in loader for key in b["key"]}
    stems = {key.split("/")[0 if source == "identity_folders" and key.endswith("/1") else -1] for key in keys}
    spelled = {name.lower() if source == "cufs" else name for name in ODD}
    assert spelled <= stems
    data.write_splits(tmp_path / "splits.json")
    written = (tmp_path / "splits.json").read_text()
    assert all(json.dumps(name)[1:-1] in written for name in spelled)


@pytest.mark.parametrize(
    ("source", "files"),
    [
        ("paired_folders", ["trainA/x/1.jpg", "trainA/y/1.jpg", "trainB/x/1.png", "trainB/y/1.png"]),
        ("cufs", ["x/photos/1.jpg", "y/photos/1.jpg", "x/sketches/1.png", "y/sketches/1.png"]),
        ("sketchy", ["photo/x/1.jpg", "photo/y/1.jpg", "sketch/x/1-1.png", "sketch/y/1-1.png"]),
    ],
)
def test_equal_stems_in_sub_folders_are_two_pairs(source, files, tree):
    root = tree(*files)
    records = find_source(source)(root=root, **({"drop": []} if source == "sketchy" else {})).records
    assert len({record.key for record in records}) == len(records) == 2
    for record in records:
        paths = [Path(record.photo.name), Path(record.drawings[0].name)]
        assert len({"x" if "x" in path.parts else "y" for path in paths}) == 1


@pytest.mark.parametrize("given", ["error,ambiguous", " error, ambiguous", ["error", "ambiguous"]])
def test_sketchys_lists_as_one_string(given, tree):
    names = ["photo/duck/1.jpg", *(f"sketch/duck/1-{number}.png" for number in (1, 2, 3))]
    root = tree(*names, texts={"info/invalid-error.txt": "1-1\n", "info/invalid-ambiguous.txt": "1-3\n"})
    [record] = find_source("sketchy")(root=root, drop=given, categories="duck").records
    assert [Path(drawing.name).name for drawing in record.drawings] == ["1-2.png"]
    [record] = find_source("sketchy")(root=root, drop=None).records
    assert len(record.drawings) == 3


@pytest.mark.parametrize(
    ("source", "key"), [("sketchy", "drop"), ("sketchy", "categories"), ("identity_folders", "identities")]
)
def test_a_list_that_is_none_is_refused(source, key, tree, refused):
    root = tree("photo/duck/1.jpg", "sketch/duck/1-1.png", "a/1.jpg", "b/1.jpg", texts={"info/invalid-error.txt": ""})
    assert refused(find_source(source), root=root, **{key: 5}) == f"data.{key}=5: give a list, as in data.{key}=[a,b]"


@pytest.mark.parametrize(
    ("source", "option", "value", "reason"),
    [
        ("photo_sketch", "width", 5, "give a name, a number in quotes: \"data.width='5'\""),
        ("photo_sketch", "width", None, "give a name"),
        ("celeba", "attribute", 5, "give a name"),
        ("unpaired_folders", "a", 1, "give a name"),
        ("paired_folders", "strips", "yes", "give true or false"),
    ],
)
def test_a_value_of_another_kind_is_refused(source, option, value, reason, refused):
    assert reason in refused(check_options, name=source, options={option: value})
    check_options(source, {"attribute": None} if source == "celeba" else {})
