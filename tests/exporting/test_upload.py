"""push=, and models by their name on the hub: against a hub on this machine."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from exports import command
from stub_hub import StubHub

import suite
from suite.errors import UserError
from suite.run import exported

pytest.importorskip("huggingface_hub")
pytest.importorskip("safetensors")
FILES = {"README.md", "config.json", "grid.png", "model.safetensors", "training.yaml"}


@pytest.fixture(autouse=True)
def _no_words_of_others() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_there_and_back(hub: StubHub, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command(run, tmp_path / "out", "format=hub", "push=me/faces")
    assert capsys.readouterr().out.endswith(f"uploaded as hf://me/faces: {hub.url}/me/faces\n")
    assert set(hub.models["me/faces"]) == FILES
    assert hub.visibility == {"me/faces": "private"}
    for name in FILES:  # in the commit, or by LFS
        assert hub.models["me/faces"][name] == (tmp_path / "out" / name).read_bytes()

    hub.models["me/faces"] |= {"pytorch_model.bin": b"pickle", "modeling.py": b"import os"}
    hub.asked.clear()
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    assert suite.load("hf://me/faces").translate(x).equal(suite.load(run).translate(x))
    suite.load("hf://me/faces")  # asked once in a process
    read = [line.rpartition("/")[2] for line in hub.asked if "/resolve/" in line and line.startswith("GET")]
    assert sorted(read) == ["config.json", "model.safetensors"]
    assert suite.load("hf://me/faces@v1").name == "cyclegan"
    hub.status = 503
    exported._fetched.cache_clear()
    assert suite.load("hf://me/faces").name == "cyclegan"  # as it was fetched before
    hub.status = None

    with pytest.raises(UserError, match=r"^push=me/faces is already there: name another, or set overwrite=true$"):
        command(run, tmp_path / "again", "format=hub", "push=me/faces")
    assert not (tmp_path / "again").exists()
    (tmp_path / "out" / "diary.txt").write_text("mine")
    command(run, tmp_path / "out", "format=hub", "push=me/faces", "private=false", "overwrite=true")
    assert "diary.txt" not in hub.models["me/faces"]
    assert hub.visibility == {"me/faces": "private"}  # as it was


@pytest.mark.parametrize(
    ("push", "change", "complaint"),
    [
        ("me/x", lambda hub, patch: patch.delenv("HF_TOKEN"), "push=me/x: you are not logged in: run `hf auth login`"),
        ("me/x", lambda hub, patch: patch.setenv("HF_TOKEN", "old"), "can't be done: .* the hub does not know you"),
        ("me/x", lambda hub, patch: setattr(hub, "status", 403), "can't be done: your token may not do that"),
        ("me/x", lambda hub, patch: setattr(hub, "status", 418), "can't be done: the hub answered 418$"),
        ("me/x", lambda hub, patch: hub.hang_up(), "can't be done: the hub can't be reached"),
        ("me", lambda hub, patch: None, "^push=me: say push=owner/name$"),
        ("me/a..b", lambda hub, patch: None, "^push=me/a..b can't be done: "),
    ],
)
def test_what_fails_is_one_line(
    hub: StubHub, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, push: str, change: Any, complaint: str
) -> None:
    change(hub, monkeypatch)
    with pytest.raises(UserError, match=complaint) as refused:
        command(run, tmp_path / "out", "format=hub", f"push={push}")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("hf://me/none", r"^hf://me/none can't be read: .*not there|no such model"),
        ("hf://me/odd@v9", "^hf://me/odd@v9 can't be read: there is no such model, revision or file$"),
        ("hf://me/odd", "^hf://me/odd is no model of this suite: it has no config.json with model.safetensors$"),
        ("hf://me", "^hf:.*: say hf://owner/name, or hf://owner/name@revision$"),
        ("hf://../../etc@v1", "say hf://owner/name"),
        ("me/odd", r"^me/odd does not exist: give a run folder, a checkpoint file, or hf://owner/name of the hub$"),
    ],
)
def test_what_is_not_there(hub: StubHub, place: str, complaint: str) -> None:
    hub.models["me/odd"] = {"README.md": b"# odd", "pytorch_model.bin": b"pickle"}
    with pytest.raises(UserError, match=complaint):
        suite.load(place)
    assert not any("pytorch_model" in line for line in hub.asked)


@pytest.mark.parametrize(
    ("name", "size", "complaint"),
    [
        ("config.json", 2**30, "^hf://me/odd is no model of this suite: its config.json is too large$"),
        ("model.safetensors", 2**60, "^hf://me/odd does not fit the disk: its model.safetensors is 1073741824.0 GiB, "),
    ],
)
def test_nothing_is_fetched_that_is_too_large(hub: StubHub, name: str, size: int, complaint: str) -> None:
    hub.models["me/odd"] = {"config.json": b"{}", "model.safetensors": b""}
    hub.sizes[name] = size
    with pytest.raises(UserError, match=complaint):
        suite.load("hf://me/odd")
    assert not any("/resolve/" in line for line in hub.asked)


def test_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    exported._fetched.cache_clear()
    with pytest.raises(UserError, match=r"^hf://me/x needs huggingface_hub, .*: pip install 'suite\[hub\]'$"):
        suite.load("hf://me/x")
