"""Trees of data sets: official names, files without content, since a source that opened a picture would fail."""

from collections.abc import Callable
from pathlib import Path

import pytest

from suite.errors import UserError

Tree = Callable[..., str]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """tree("photos/1.jpg", texts={"list.txt": "content"}): makes the files below one folder, whose path it returns."""

    def make(*names: str, texts: dict[str, str | bytes] | None = None) -> str:
        for name in names:
            _write(tmp_path / name, b"")
        for name, text in (texts or {}).items():
            _write(tmp_path / name, text if isinstance(text, bytes) else text.encode())
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


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
