"""An exported folder is data, whoever sent it: what is odd about it is one line."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

import suite
from suite.errors import UserError
from suite.papers.cyclegan import CycleGAN
from suite.run.config import defaults_of
from suite.run.exported import SETTINGS, WEIGHTS

torch_file = pytest.importorskip("safetensors.torch")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As `suite.export` writes it."""
    from suite.exporting.weights import write_weights

    networks = {"backbone": {"name": "resnet", "blocks": 1, "width": 2}}
    model = CycleGAN(**defaults_of("cyclegan") | networks | {"discriminator": {"name": "pixel", "width": 1}})
    (tmp_path / "model").mkdir()
    write_weights(model, "auto", tmp_path / "model")
    return tmp_path / "model"


def change(folder: Path, **changes: Any) -> None:
    settings = json.loads((folder / SETTINGS).read_text())
    for key, value in changes.items():
        (settings if key in settings else settings["hyper_parameters"])[key] = value
    (folder / SETTINGS).write_text(json.dumps(settings))


def weights(folder: Path, **changes: Any) -> None:
    """Change tensors by their number in the file; None leaves one out."""
    there = torch_file.load_file(folder / WEIGHTS)
    for name, value in changes.items():
        key = sorted(there)[int(name[1:])] if name[1:].isdigit() else name
        if value is None:
            del there[key]
        else:
            there[key] = value
    torch_file.save_file(there, folder / WEIGHTS)


def header(folder: Path, text: bytes) -> None:
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text)


ODD = {
    "a class for a paper": (lambda f: change(f, paper="os.system"), "is of os.system, a paper which this version does"),
    "a paper that is none": (lambda f: change(f, paper=["x"]), "has no paper of the right kind"),
    "no settings": (lambda f: change(f, hyper_parameters=None), "has no hyper_parameters of the right kind"),
    "an unknown one": (
        lambda f: change(f, hyper_parameters={"x": 1}), r"model\.safetensors can't be used: TypeError",
    ),
    "a call": (lambda f: change(f, backbone={"_target_": "os.mkdir"}), r"can't be used: model\.backbone\.name=None"),
    "terabytes": (
        lambda f: change(f, backbone={"name": "resnet", "blocks": 100, "width": 1024}),
        "can't be used: its settings are of larger networks than it holds",
    ),
    "terabytes that do not translate": (
        lambda f: change(f, discriminator={"name": "patch", "downs": 14, "width": 1024}),
        "can't be used: its settings are of larger networks than it holds",
    ),
    "a depth": (lambda f: change(f, depth=[9, 1]), r"config\.json: depth=\[9,1\]"),
    "steps": (lambda f: change(f, steps=-1), "has no steps of the right kind"),
    "no JSON": (lambda f: (f / SETTINGS).write_text("{"), r"config\.json is damaged"),
    "a list": (lambda f: (f / SETTINGS).write_text("[]"), "is not of a model of this suite"),
    "depths of JSON": (lambda f: (f / SETTINGS).write_text("[" * 10**5), r"config\.json is damaged"),
    "a book": (lambda f: (f / SETTINGS).write_text(" " * 2**21), r"config\.json is damaged: .*too large"),
    "another network's": (lambda f: weights(f, **{"D_A.x": torch.zeros(1)}), "D_A is not in both"),
    "less": (lambda f: weights(f, _0=None), "does not fit the model's settings"),
    "another shape": (lambda f: weights(f, _0=torch.zeros(7)), "does not fit the model's settings"),
    "no number": (lambda f: weights(f, _0=torch.full([2], float("nan"))), "does not fit|are not finite"),
    "a pickle": (lambda f: torch.save({"a": 1}, f / WEIGHTS), "is damaged or no file of weights"),
    "half": (lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-9]), "is damaged or no file of weights"),
    "a header of terabytes": (
        lambda f: header(f, b'{"G.x":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'),
        "is damaged or no file of weights",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_one_line(folder: Path, name: str) -> None:
    make, complaint = ODD[name]
    make(folder)
    with pytest.raises(UserError, match=complaint) as refused:
        suite.load(folder)
    assert "\n" not in str(refused.value)


def test_weights_that_are_not_finite_name_their_network(folder: Path) -> None:
    there = torch_file.load_file(folder / WEIGHTS)
    name = next(name for name in there if name.startswith("F."))
    weights(folder, **{name: torch.full_like(there[name], float("inf"))})
    with pytest.raises(UserError, match=r"weights of F are not finite"):
        suite.load(folder)


def test_it_has_no_checkpoints(folder: Path) -> None:
    assert suite.load(folder, mode="train").mode == "train"
    with pytest.raises(UserError, match=r"is an exported model, which has no checkpoints: leave checkpoint=best out"):
        suite.load(folder, "best")
