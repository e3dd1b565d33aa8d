"""What is said of a data set that lacks what the task needs, and that the way out that is named works."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from suite.data.module import PictureData
from suite.errors import UserError


@pytest.fixture
def cufs(tmp_path: Path, picture: Callable[..., Path]) -> Callable[..., PictureData]:
    """cufs(**arguments): the sketches of twelve students of CUFS, or another source of 32 pixels, without a cache."""

    def make(**arguments: Any) -> PictureData:
        for number in range(12):
            picture(f"cufs/CUHK_training_cropped_sketches/sketches/m-{number:03d}-01-sz1.jpg", seed=number)
        settings: dict[str, Any] = {"size": 32, "load_size": 32, "workers": 0, "cache": False}
        return PictureData(**({"source": "cufs", "root": str(tmp_path / "cufs")} | settings | arguments))

    return make


@pytest.mark.parametrize("task", ["paired", "unpaired", "self_supervised"])
def test_sketches_without_photos_name_a_way_that_works(
    task: str, cufs: Callable[..., PictureData], tmp_path: Path, picture: Callable[..., Path]
) -> None:
    with pytest.raises(UserError) as error:
        cufs(task=task).setup()
    told = str(error.value)
    assert f"data.task={task} needs" in told
    assert "there are no photos at all; drawings alone serve as data.target of another set, or " in told
    assert "data=unpaired_folders data.root=… data.a=<photos> data.b=<drawings>" in told
    assert "data.sketch" not in told
    assert "data.split" not in told
    for number in range(5):
        picture(f"mine/{number}.png", seed=number)
    both = {"a": str(tmp_path / "mine"), "b": str(tmp_path / "cufs")}
    data = cufs(source="unpaired_folders", task="unpaired", root=str(tmp_path), **both)
    data.setup()
    assert {split: len(records) for split, records in data.splits.items()} == {"train": 15, "test": 2}
    target = {"source": "cufs", "root": str(tmp_path / "cufs")}
    faces = {"source": "faces", "root": None, "count": {"train": 2, "val": 1, "test": 1}}
    cufs(task="semi_supervised", direction="b2a", target=target, **faces).setup()


@pytest.mark.parametrize("task", ["paired", "unpaired"])
def test_photos_without_sketches_name_a_way_that_works(
    task: str, cufs: Callable[..., PictureData], tmp_path: Path, picture: Callable[..., Path]
) -> None:
    for number in range(12):
        picture(f"{number}.jpg", seed=number)
    photos: dict[str, Any] = {"source": "celeba_hq", "root": str(tmp_path), "task": task}
    with pytest.raises(UserError, match=r"there are no drawings at all; data\.sketch=sobel"):
        cufs(**photos).setup()
    cufs(**photos, sketch="sobel").setup()


def test_both_without_pairs(unpaired: Callable[..., PictureData]) -> None:
    with pytest.raises(UserError, match=r"needs pairs, and the split train has none; data\.task=unpaired needs no"):
        unpaired(task="paired").setup()


def test_a_split_without_what_is_needed_names_the_key_of_its_data_set(unpaired: Callable[..., PictureData]) -> None:
    data = unpaired(split={"test": 2})
    data.setup()
    with pytest.raises(UserError, match=r"the split train has none; 'data\.split={train: 0\.9, test: 0\.1}' draws"):
        data.train_dataloader()
    target = {"root": str(data.root), "source": "unpaired_folders", "split": {"test": 2}}
    count = {"train": 2, "val": 1, "test": 1}
    where: dict[str, Any] = {"size": 32, "load_size": 32, "workers": 0, "cache": False}
    data = PictureData(source="faces", task="semi_supervised", target=target, count=count, **where)
    data.setup()
    with pytest.raises(UserError, match=r"the split train has none; split: {train: 0\.9, test: 0\.1} in data\.target"):
        data.train_dataloader()


def test_pairs_that_cover_would_cut_apart_are_refused(
    paired: Callable[..., PictureData], picture: Callable[..., Path]
) -> None:
    picture("pairs/sketches/2.png", (10, 10))
    paired(resize="squash").setup()
    with pytest.raises(UserError, match=r"^data\.resize=cover: in 1 of 6 pairs .*2\.png \(12x10 and 10x10\)"):
        paired(resize="cover").setup()
    # Without pairs nothing is cut alike; what is compared in evaluation is.
    where = {"task": "unpaired", "resize": "cover"}
    paired(**where, split={"train": 6}).setup()
    with pytest.raises(UserError, match=r"^data\.resize=cover: in 1 of 6 pairs"):
        paired(**where, split={"test": 6}).setup()


def test_what_is_not_read_is_said_at_the_beginning(
    unpaired: Callable[..., PictureData], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "set" / "trainA").mkdir(parents=True)
    (tmp_path / "set" / "trainA" / "x.psd").write_bytes(b"")
    with caplog.at_level("INFO", "suite"):
        unpaired().setup()
    assert f"1 file below {tmp_path / 'set'} is not read: 1 psd" in caplog.messages


def test_what_is_in_the_cache_needs_its_files_no_more(
    unpaired: Callable[..., PictureData], paired: Callable[..., PictureData]
) -> None:
    for data in (unpaired(), paired(split={"train": 3, "val": 1, "test": 2})):
        data.setup()
        before = [data.fingerprint(split) for split in ("val", "test")]
        shutil.rmtree(data.root)
        assert [data.fingerprint(split) for split in ("val", "test")] == before
        assert len(list(data.reals("val", "b"))) > 0
        for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
            assert len(list(loader)) > 0


def test_without_a_cache_the_file_that_is_gone_is_named(unpaired: Callable[..., PictureData]) -> None:
    data = unpaired(cache=False)
    data.setup()
    shutil.rmtree(data.root)
    with pytest.raises(UserError, match=r"testA/0\.png: no readable picture"):
        next(iter(data.test_dataloader()))
