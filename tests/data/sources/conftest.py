"""Trees of data sets: official names, files without content, since a source that opened a picture would fail."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from suite.data.catalog import Catalog
from suite.data.sources import find_source
from suite.errors import UserError

Tree = Callable[..., str]
TX = "tx_000000000000"


@dataclass(frozen=True)
class DataSet:
    """A small copy of a data set as it should be: its files, and how it is read."""

    source: str
    options: dict[str, Any]
    pictures: list[str]
    texts: dict[str, str] = field(default_factory=dict)
    task: str = "unpaired"

    def make(self, root: Path) -> Path:
        for name in self.pictures:
            write(root / name, b"")
        for name, text in self.texts.items():
            write(root / name, text.encode())
        return root

    def catalog(self, root: Path | str) -> Catalog:
        return find_source(self.source)(root=str(root), **self.options)

    def listed(self, root: Path | str) -> list[tuple[object, ...]]:
        """All that a catalog says, with paths below its root."""
        catalog = self.catalog(root)

        def below(picture: Any) -> str:
            return str(picture and os.path.relpath(picture.name, catalog.root))

        rows: list[tuple[object, ...]] = [
            (r.key, r.label, r.group, r.split, below(r.photo), *map(below, r.drawings)) for r in catalog.records
        ]
        left_out = [*catalog.orphan_photos, *catalog.orphan_drawings, *catalog.missing]
        return [*rows, catalog.label_names, [name.replace(str(root), "") for name in left_out]]


def numbered(*patterns: str, numbers: tuple[int, ...] = (1, 2, 10)) -> list[str]:
    return [pattern.format(number) for pattern in patterns for number in numbers]


FACES = (1, 2, 10)
ATTRIBUTES = "3\r\nMale Young \r\n" + "".join(f"{number:06d}.jpg  1 -1\r\n" for number in FACES)
SETS = {
    "unpaired_folders": DataSet("unpaired_folders", {}, numbered("trainA/{}.jpg", "trainB/x/{}.png", "testB/{}.png")),
    "paired_folders": DataSet(
        "paired_folders", {"a": "photos", "b": "drawings"},
        numbered("photos/x/{}.jpg", "photos/y/{}.jpg", "drawings/x/{}.png", "drawings/y/{}.png"), task="paired",
    ),
    "strips": DataSet("paired_folders", {"strips": True}, numbered("train/{}.jpg", "test/{}.jpg"), task="paired"),
    "anime_faces": DataSet("anime_faces", {}, numbered("face_photo/{}.jpg", "face_cartoon/pa_face/{}.jpg")),
    "celeba": DataSet(
        "celeba", {"attribute": "Male"}, numbered("Img/img_align_celeba/{:06d}.jpg"),
        {
            "Anno/list_attr_celeba.txt": ATTRIBUTES,
            "Eval/list_eval_partition.txt": "000001.jpg 2\r\n000002.jpg 0\r\n000010.jpg 0\r\n",
            "Anno/identity_CelebA.txt": "000001.jpg 7\r\n000002.jpg 8\r\n000010.jpg 7\r\n",
        }, task="labelled",
    ),
    "celeba_hq": DataSet(
        "celeba_hq", {"attribute": "Young"}, numbered("CelebA-HQ-img/{}.jpg"),
        {
            "CelebAMask-HQ-attribute-anno.txt": "3\nMale Young\n1.jpg  1  1\n2.jpg  1 -1\n10.jpg  1 -1\n",
            "CelebA-HQ-to-CelebA-mapping.txt": "idx orig_idx orig_file\n" + "".join(
                f"{n} {n - 1} {n:06d}.jpg\n" for n in FACES
            ),
            "list_eval_partition.txt": "000001.jpg 2\n000002.jpg 0\n000010.jpg 0\n",
        }, task="labelled",
    ),
    "stargan": DataSet(
        "celeba_hq", {}, numbered("train/male/{}.jpg", "train/female/{}.jpg", "val/male/{}.jpg"), task="labelled"
    ),
    "cufs": DataSet(
        "cufs", {},
        numbered("photos/m-{:03d}-01.jpg", "sketches/M2-{:03d}-01-sz1.jpg", "AR/photos/{}.png", "AR/sketches/{}.png"),
        {"list_train.txt": "AR/photos/2.png||x\nAR/photos/10.png||x\n", "list_test.txt": "AR/photos/1.png||x\n"},
        task="paired",
    ),
    "cufsf": DataSet(
        "cufsf", {},
        numbered("cropped_sketch/{:05d}.jpg", "feret/{:05d}fa010_930831.tif", "feret/{:05d}fb010_930831.tif"),
        {
            "names_of_photos_used_for_drawing_sketches.txt": "".join(f"{n:05d}fb010_930831.jpg\r\n" for n in FACES),
            "list_train_F.txt": "p/00002.jpg||x\np/00010.jpg||x\n", "list_test_F.txt": "p/00001.jpg||x\n",
        }, task="paired",
    ),
    "photo_sketch": DataSet(
        "photo_sketch", {},
        numbered("image/{}.jpg", *(f"sketch-rendered/width-5/{{}}_{k:02d}.png" for k in (1, 2, 10))),
        {"list/train.txt": "2\n10\n", "list/val.txt": "1\n"}, task="paired",
    ),
    "sketchy": DataSet(
        "sketchy", {"drop": ["error"]},
        [name for photo in ("duck/n1_{}", "swan/n1_{}") for name in numbered(
            f"256x256/photo/{TX}/{photo}.jpg", *(f"256x256/sketch/{TX}/{photo}-{k}.png" for k in (1, 2, 10))
        )],
        {"info/invalid-error.txt": "n1_1-2\n", "info/testset.txt": "duck/n1_1.jpg\nswan/n1_1.jpg\n"}, task="paired",
    ),
    "wikiart": DataSet(
        "wikiart", {}, numbered("wikiart/Realism/a_{}.jpg", "wikiart/Cubism/b_{}.jpg"),
        {
            "style_train.csv": "".join(f"Realism/a_{n}.jpg,21\r\nCubism/b_{n}.jpg,7\r\n" for n in (2, 10)),
            "style_val.csv": "Realism/a_1.jpg,21\r\nCubism/b_1.jpg,7\r\n", "style_class.txt": "7 Cubism\n21 Realism\n",
        }, task="labelled",
    ),
    "identity_folders": DataSet("identity_folders", {}, numbered("ann/{}.jpg", "bob/x/{}.jpg"), task="labelled"),
}  # fmt: skip


@pytest.fixture(params=SETS)
def data_set(request: pytest.FixtureRequest) -> DataSet:
    """Each of the sets in turn."""
    return SETS[request.param]


@pytest.fixture(params=[(name, text) for name, one in SETS.items() for text in one.texts], ids="-".join)
def annotated(request: pytest.FixtureRequest) -> tuple[DataSet, str]:
    """Each of the sets that has annotations, with each of them in turn."""
    return SETS[request.param[0]], request.param[1]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """tree("photos/1.jpg", texts={"list.txt": "content"}): makes the files below one folder, whose path it returns."""

    def make(*names: str, texts: dict[str, str | bytes] | None = None) -> str:
        for name in names:
            write(tmp_path / name, b"")
        for name, text in (texts or {}).items():
            write(tmp_path / name, text if isinstance(text, bytes) else text.encode())
        return str(tmp_path)

    return make


@pytest.fixture
def refused() -> Callable[..., str]:
    """refused(source, **arguments): the one line with which a source refuses."""

    def message(source: Callable[..., object], **arguments: object) -> str:
        with pytest.raises(UserError) as error:
            source(**arguments)
        assert "\n" not in str(error.value)
        return str(error.value)

    return message


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
