"""What a picture file is known by."""

from pathlib import Path

import pytest

from suite.data.catalog import PictureFile


@pytest.mark.parametrize("name", ["plain/x.png", "linked/x.png", "plain/link.png", "plain/../linked/link.png"])
def test_a_file_is_known_by_where_it_really_lies(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "elsewhere").mkdir()
    for folder in ("plain", "elsewhere"):
        (tmp_path / folder / "x.png").write_bytes(b"12345")
        (tmp_path / folder / "link.png").symlink_to("x.png")
    (tmp_path / "linked").symlink_to("elsewhere")
    really = (tmp_path / name).resolve()
    known = f"{really}:5:{really.stat().st_mtime_ns}:whole"
    assert PictureFile(tmp_path / name).identity() == known
    monkeypatch.chdir(tmp_path)
    assert PictureFile(Path(name)).identity() == known
    for folder in ("plain", "elsewhere"):  # the same words, another place
        monkeypatch.chdir(tmp_path / folder)
        assert PictureFile(Path("x.png")).identity().startswith(f"{tmp_path.resolve() / folder / 'x.png'}:")
