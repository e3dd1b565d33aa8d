"""A root that is wrong, for every source: the message says what was expected and, where it is near, where it lies."""

import tarfile
from pathlib import Path

import pytest

from suite.data.sources import SOURCES, find_source
from suite.errors import UserError

ATTRIBUTES = "1\nMale Smiling\n000001.jpg 1 -1\n"

# Layout -> source, options, files, and the folder one level too low (None: that folder is a root, too).
LAYOUTS = {
    "trainA": ("unpaired_folders", {}, ["trainA/1.jpg", "trainB/2.jpg", "testA/3.jpg"], "trainA"),
    "a and b": ("unpaired_folders", {"a": "x", "b": "y"}, ["x/1.jpg", "y/2.jpg"], "x"),
    "pairs": ("paired_folders", {}, ["trainA/1.jpg", "trainB/1.jpg"], "trainB"),
    "pairs of a and b": ("paired_folders", {"a": "x", "b": "y"}, ["x/1.jpg", "y/1.jpg"], "y"),
    "pairs by split": ("paired_folders", {"a": "x", "b": "y"}, ["train/x/1.jpg", "train/y/1.jpg"], "train/x"),
    "strips": ("paired_folders", {"strips": True}, ["train/1.jpg", "val/2.jpg"], None),
    "animegan": ("anime_faces", {}, ["train_photo/1.jpg", "Hayao/style/1.jpg"], "train_photo"),
    "whitebox": ("anime_faces", {}, ["face_photo/1.jpg", "face_cartoon/pa_face/1.jpg"], "face_cartoon"),
    "ugatit": ("anime_faces", {}, ["trainA/1.jpg", "trainB/1.jpg"], "trainA"),
    "celeba": (
        "celeba", {"attribute": "Male"}, ["Img/img_align_celeba/000001.jpg", "Anno/list_attr_celeba.txt"], "Img"
    ),
    "celeba of Kaggle": (
        "celeba", {"attribute": "Male"},
        ["img_align_celeba/img_align_celeba/000001.jpg", "list_attr_celeba.txt"], "img_align_celeba/img_align_celeba",
    ),
    "celeba_hq": (
        "celeba_hq", {"attribute": "Male"},
        ["CelebA-HQ-img/1.jpg", "CelebAMask-HQ-attribute-anno.txt"], "CelebA-HQ-img",
    ),
    "stargan": ("celeba_hq", {}, ["train/female/000001.jpg", "train/male/000002.jpg", "val/male/000003.jpg"], "train"),
    "cufs": ("cufs", {}, ["photos/f-005-01.jpg", "sketches/F2-005-01-sz1.jpg"], "sketches"),
    "cufsf": ("cufsf", {}, ["cropped_sketch/00001.jpg"], None),
    "cufsf with photos": ("cufsf", {}, ["photos/00001.jpg", "sketches/00001.jpg"], "photos"),
    "photo_sketch": ("photo_sketch", {}, ["image/1.jpg", "sketch-rendered/width-5/1_01.png"], "image"),
    "sketchy": (
        "sketchy", {"drop": []},
        ["256x256/photo/tx_000000000000/duck/n1_1.jpg", "256x256/sketch/tx_000000000000/duck/n1_1-1.png"], None,
    ),
    "sketchy without renderings": ("sketchy", {"drop": []}, ["photo/duck/n1_1.jpg", "sketch/duck/n1_1-1.png"], "photo"),
    "wikiart": ("wikiart", {}, ["Impressionism/a_b.jpg", "Realism/c_d.jpg"], "Realism"),
    "identities": ("identity_folders", {}, ["ann/1.jpg", "bob/1.jpg"], "ann"),
}  # fmt: skip
READS_EVERYTHING_BELOW = {"cufs", "cufsf"}
BY_SOURCE = {source: layout for layout, (source, *_) in reversed(LAYOUTS.items())}


@pytest.fixture
def laid_out(tmp_path):
    """laid_out(layout): its source, its options, and the root in a folder of its own, three below the test's."""

    def make(layout):
        source, options, files, _ = LAYOUTS[layout]
        root = tmp_path / "mine" / "sets" / "the set"
        for name in files:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(ATTRIBUTES if path.suffix == ".txt" else "")
        return find_source(source), options, root

    return make


def refused(list_source, root, options):
    with pytest.raises(UserError) as error:
        list_source(root=str(root), **options)
    message = str(error.value)
    assert "\n" not in message
    assert str(root) in message
    assert "expected " in message
    return message


def test_every_source_that_has_a_root_is_here():
    assert set(BY_SOURCE) == set(SOURCES) - {"faces"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_right_root_is_read(layout, laid_out):
    list_source, options, root = laid_out(layout)
    assert list_source(root=str(root), **options).records


@pytest.mark.parametrize("levels", [1, 2])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_too_high(layout, levels, laid_out):
    list_source, options, root = laid_out(layout)
    above = root.parents[levels - 1]
    if LAYOUTS[layout][0] in READS_EVERYTHING_BELOW:
        keys = [record.key for record in list_source(root=str(root), **options).records]
        assert [record.key for record in list_source(root=str(above), **options).records] == keys
        return
    assert refused(list_source, above, options).endswith(f"it lies in {root}: set 'data.root={root}'")


@pytest.mark.parametrize("layout", [layout for layout, (*_, low) in LAYOUTS.items() if low is not None])
def test_too_low(layout, laid_out):
    list_source, options, root = laid_out(layout)
    low = LAYOUTS[layout][-1]
    assert refused(list_source, root / low, options).endswith(f"it lies in {root}: set 'data.root={root}'")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_empty_folder(layout, laid_out, tmp_path):
    list_source, options, _ = laid_out(layout)
    empty = tmp_path / "other" / "sets" / "empty"  # other tests' folders don't lie nearby
    empty.mkdir(parents=True)
    message = refused(list_source, empty, options)
    assert message.endswith(f"nothing like it lies nearby; {empty} is empty: check data.root")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_that_is_not_there(layout, laid_out):
    list_source, options, root = laid_out(layout)
    message = refused(list_source, root.with_name("the sat"), options)
    assert message.startswith(f"data.root: {root.with_name('the sat')}: there is no such folder; expected ")
    assert message.endswith(f"it lies in {root}: set 'data.root={root}'")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_instead_of_a_folder(layout, laid_out):
    list_source, options, root = laid_out(layout)
    (root / "readme.md").touch()
    message = refused(list_source, root / "readme.md", options)
    assert "readme.md: is a file, not a folder; expected " in message
    assert message.endswith(f"it lies in {root}: set 'data.root={root}'")


@pytest.mark.parametrize("source", BY_SOURCE)
def test_an_archive_is_to_be_unpacked(source, laid_out):
    list_source, options, root = laid_out(BY_SOURCE[source])
    archive = root.parent.parent / "set.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(root, arcname="set")
    assert "is an archive: unpack it, and name the folder; expected " in refused(list_source, archive, options)


@pytest.mark.parametrize("source", BY_SOURCE)
def test_archives_that_are_not_unpacked_are_named(source, laid_out, tmp_path):
    list_source, options, _ = laid_out(BY_SOURCE[source])
    root = tmp_path / "other" / "sets" / "packed"
    (root / "inner").mkdir(parents=True)
    (root / "inner" / "pictures.zip").touch()
    (root / "inner" / "pictures.tar.zst").touch()
    message = refused(list_source, root, options)
    assert message.endswith(
        f"and inner/pictures.tar.zst, inner/pictures.zip in {root} may hold it: unpack such archives there"
    )


def test_a_folder_of_other_things_is_described(laid_out):
    list_source, options, root = laid_out("photo_sketch")
    other = root.parents[2] / "other" / "sets"
    for number in range(7):
        (other / f"folder {number}").mkdir(parents=True)
    message = refused(list_source, other / "nowhere", options)
    assert f"{other} holds folder 0, folder 1, folder 2, folder 3, folder 4 ...: check data.root" in message


def test_any_two_folders_of_pictures_above_are_no_identities(tree):
    root = tree("holidays/1.jpg", "work/2.jpg", "faces/readme.md")
    assert "nothing like it lies nearby" in refused(find_source("identity_folders"), f"{root}/faces", {})


def test_numbered_pictures_beside_cufsf_are_no_sketches(tree):
    root = tree("CUFSF/cropped_sketch/00001.jpg", *(f"CelebA-HQ/{number:05d}.jpg" for number in range(2500)))
    message = refused(find_source("cufsf"), root, {})
    assert message.endswith(f"it lies in {root}/CUFSF: set data.root={root}/CUFSF")


@pytest.mark.parametrize("source", ["paired_folders", "unpaired_folders"])
def test_a_side_that_is_not_there_is_named_with_what_is(source, tree):
    root = tree("photos/1.jpg", "sketches/1.jpg")
    message = refused(find_source(source), root, {"a": "photo", "b": "sketches"})
    assert "data.a=photo" in message
    assert f"{root} holds photos, sketches" in message
    with pytest.raises(UserError, match=rf"side b: {root}/sketch: there is no such folder; {root} holds photos, sketc"):
        find_source(source)(root=root, a="photos", b="sketch")


@pytest.mark.parametrize(
    ("source", "options", "files"),
    [
        ("paired_folders", {"a": "x", "b": "y"}, ["train/x/1.jpg", "train/y/1.jpg", "test/x/2.jpg", "test/y/2.jpg"]),
        ("paired_folders", {"strips": True}, ["train/1.jpg", "test/2.jpg"]),
        ("unpaired_folders", {"a": "x", "b": "y"}, ["train/x/1.jpg", "train/y/3.jpg", "test/x/2.jpg"]),
        ("identity_folders", {}, ["train/ann/1.jpg", "train/bob/1.jpg", "test/ann/2.jpg"]),
    ],
)
def test_one_split_as_the_root_is_read_with_a_warning(source, options, files, tree):
    root = tree(*files)
    count = len([name for name in files if name.startswith("test")])
    warning = f"{root}/train: test/ ({count} pictures) beside it is not read; data.root={root} reads all splits"
    assert warning in find_source(source)(root=f"{root}/train", **options).warnings
    assert not any("beside" in line for line in find_source(source)(root=f"{root}", **options).warnings)


@pytest.mark.parametrize(
    ("source", "pictures", "annotation", "text"),
    [
        ("celeba", "img_align_celeba", "identity_CelebA.txt", "000001.jpg 7\n"),
        ("celeba_hq", "CelebA-HQ-img", "CelebA-HQ-to-CelebA-mapping.txt", "1 0 000001.jpg\n"),
        ("wikiart", "wikiart", "style_train.csv", "Realism/000001.jpg,21\n"),
    ],
)
def test_pictures_linked_from_elsewhere_belong_to_the_annotations_beside_the_link(
    source, pictures, annotation, text, tree, tmp_path
):
    inside = f"{pictures}/Realism" if source == "wikiart" else pictures
    root = tree(f"disk/mine/{inside}/000001.jpg", texts={f"set/{annotation}": text}) + "/set"
    (tmp_path / "set" / pictures).symlink_to(tmp_path / "disk" / "mine" / pictures)
    assert find_source(source)(root=root).records
    message = refused(find_source(source), f"{root}/{pictures}", {})
    assert message == f"{root}/{pictures}: expected {annotation} in it; it lies in {root}: set data.root={root}"


@pytest.mark.parametrize(
    ("source", "options", "files"),
    [
        ("sketchy", {"drop": []}, ["256x256/{}/photo/duck/{}.jpg", "256x256/{}/sketch/duck/{}-1.png"]),
        ("photo_sketch", {}, ["{}/image/{}.jpg", "{}/sketch-rendered/width-5/{}_01.png"]),
        ("anime_faces", {}, ["{}/face_photo/{}.jpg", "{}/face_cartoon/pa_face/{}.jpg"]),
        ("paired_folders", {"a": "x", "b": "y"}, ["{}/x/{}.jpg", "{}/y/{}.jpg"]),
    ],
)
def test_the_advice_is_never_one_split_of_several(source, options, files, tree):
    splits = {"Train": (1, 2), "Testing": (3,)}
    names = [name.format(split, number) for name in files for split in splits for number in splits[split]]
    root = tree(*(f"sets/mine/{name}" for name in names)) + "/sets/mine"
    records = find_source(source)(root=root, **options).records
    assert {(record.key[-1], record.split) for record in records} == {("1", "train"), ("2", "train"), ("3", "test")}
    for other in (Path(root).parent, Path(root, names[-1]).parent):
        named = refused(find_source(source), other, options).rpartition(": set data.root=")[2]
        assert find_source(source)(root=named, **options).records == records
