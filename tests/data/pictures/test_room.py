"""What decoded pictures take of the disk is said before the first is decoded, and refused where there is no room."""

from collections.abc import Callable
from pathlib import Path

import pytest

from suite.data.module import PictureData
from suite.data.pictures import room
from suite.data.pictures.decode import Fit
from suite.errors import UserError
from suite.files import free_bytes, readable_bytes


def test_it_is_said_once_of_all_that_is_not_decoded_yet(
    unpaired: Callable[..., PictureData], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "suite"):
        unpaired().setup()
    size = 3 * ((5 + 7) * 10**2 + (3 + 4) * 8**2)
    cache = tmp_path / "cache" / "pictures"
    said = f"decoding 19 pictures of unpaired_folders into {cache}: {readable_bytes(size)} on disk"
    assert caplog.messages[0] == said
    assert sum(file.stat().st_size for file in cache.glob("*/pixels.bin")) == size
    caplog.clear()
    with caplog.at_level("INFO", "suite"):
        unpaired().setup()  # all is there
    assert not [message for message in caplog.messages if "decoding" in message]


def test_of_windows_to_be_cut_it_is_the_least(
    unpaired: Callable[..., PictureData], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "suite"):
        unpaired(resize="cover").setup()
    assert ": at least 5 KiB on disk" in caplog.messages[0]


def test_without_room_no_picture_is_decoded(
    unpaired: Callable[..., PictureData], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda folder: 0)
    monkeypatch.setattr(Fit, "decode", lambda *_: pytest.fail("decoded"))
    monkeypatch.setattr(Fit, "flat", lambda *_: pytest.fail("decoded"))
    with pytest.raises(UserError, match=r"^data\.cache_dir=.*: 19 decoded pictures take .* SUITE_CACHE, or lower"):
        unpaired().setup()
    assert not (tmp_path / "cache").exists()


def test_the_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "there") == pytest.approx(free_bytes(tmp_path), rel=0.5)


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 KiB"), (99 * 2**10, "99 KiB"), (5.6 * 2**20, "5.6 MiB"), (310 * 2**20, "310 MiB"), (2**30, "1.0 GiB")],
)
def test_bytes_for_people(count: float, said: str) -> None:
    assert readable_bytes(count) == said
