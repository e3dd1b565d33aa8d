"""The command suite.pack: what it says, and that the command it ends with trains from the shards."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from suite import pack
from suite.run.config import compose, instantiate


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """run("data=…", …) -> exit code, standard output, standard error"""

    def command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["suite.pack", *words])
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        code = 0
        try:
            pack.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two folders of pictures, eight each."""
    for side in ("trainA", "trainB"):
        for number in range(8):
            path = tmp_path / f"my set/{side}/{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(number).integers(0, 256, (12, 12, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(path)
    return tmp_path / "my set"


def test_it_ends_with_a_command_that_reads_the_shards(run: Callable, pictures: Path, tmp_path: Path) -> None:
    words = ["data=unpaired_folders", "data.split={train: 6, test: 2}"]
    code, out, err = run(*words, f"data.root={pictures}", f"output={tmp_path / 'the shards'}", "shard_size=0.004")
    assert (code, err) == (0, "")
    shards = len(list((tmp_path / "the shards").glob("*.tar")))
    assert f"16 pictures, 0.041 MB, in {shards} shards: {tmp_path / 'the shards'}\n" in out
    assert shards > 1
    command = out.splitlines()[-1].partition("python -m suite.train experiment=EXPERIMENT ")[2]
    assert shlex.split(command)[:-1] == words
    _, data = instantiate(compose("train", ["experiment=cyclegan_lsgan", "scale=smoke", *shlex.split(command)]))
    data.setup()
    assert data.streaming == str(tmp_path / "the shards")
    assert {split: len(records) for split, records in data.splits.items()} == {"train": 12, "test": 4}


def test_what_is_there_is_not_replaced_unasked(run: Callable, pictures: Path, tmp_path: Path) -> None:
    words = ["data=unpaired_folders", f"data.root={pictures}"]
    shards = tmp_path / "shards"
    assert run(*words, f"output={shards}")[0] == 0
    (pictures / "trainA/0.png").unlink()
    code, out, err = run(*words, f"output={shards}")
    assert (code, out) == (2, "")
    assert err == f"error: output={shards} is packed already: overwrite=true packs it again, or name another folder\n"
    code, out, _ = run(*words, f"output={shards}", "overwrite=true")
    assert "15 pictures" in out
    code, _, err = run(*words, f"output={pictures}", "overwrite=true")
    assert err == f"error: output={pictures} is there and no packed set: name another folder\n"
    assert len(list(pictures.rglob("*.png"))) == 15


def test_broken_pictures_stop_it_or_are_counted(run: Callable, pictures: Path, tmp_path: Path) -> None:
    words = ["data=unpaired_folders", f"data.root={pictures}", f"output={tmp_path / 'shards'}"]
    (pictures / "trainB/3.png").write_bytes(b"")
    code, _, err = run(*words)
    assert code == 2
    assert err.startswith(f"error: {pictures / 'trainB/3.png'}: no readable picture (")
    assert not (tmp_path / "shards").exists()
    code, out, _ = run(*words, "data.on_broken=skip")
    assert f"1 broken and skipped: {pictures / 'trainB/3.png'}\n15 pictures" in out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["output=x"], "data is not set: say data=<name>; choose from anime_faces, "),
        (["data=celeba"], "output is not set: say output="),
        (["data=celeba", "output=x"], "data.root is missing: say where the pictures of data.source=celeba are"),
        (["data=faces", "output=x", "shard_size=0"], "shard_size=0: give a number"),
        (["data=faces", "output=x", "overwrite=1"], "overwrite=1: give true or false"),
        (["data=faces", "output=x", "data.nonsense=1"], "unknown key data.nonsense"),
        (["data=celeba", "output=x", "data.streaming=y"], "data.streaming=y is packed already"),
    ],
)
def test_bad_input_is_one_line(words: list[str], line: str, run: Callable, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {line}")
    assert len(err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
