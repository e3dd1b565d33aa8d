"""The JSON schema of a configuration says what the checks say."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import pytest
from omegaconf import OmegaConf

from suite import train
from suite.arguments import AboveZero, Count, Filled, Name, OneOf, Range, Share, fits
from suite.run.config import CONF, compose, plain
from suite.run.schema import of_annotation, schema

jsonschema = pytest.importorskip("jsonschema")

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 3, 2.5, 0.5, "", "a", "x", [], [1], [0.5, 0.9], ["a", "x"], {}, {"a": 1},
    {"zoom": 0.5}, {"a": "x"},
]  # fmt: skip


@pytest.mark.parametrize(
    "wanted",
    [
        bool, int, float, str, Count, Share, AboveZero, Name, Name | None, Literal["a", "x"], Literal[1, 3], int | str,
        Sequence[Name], list[str] | None, tuple[Share, Share], dict[str, Any], Annotated[str, OneOf(("x",))],
        Mapping[Literal["zoom"], Share], Annotated[Sequence[Count], Filled("a list")], Annotated[int, Range(above=1)],
        Literal["auto"] | bool, Any,
    ],
)  # fmt: skip
def test_a_value_fits_the_schema_where_it_fits_the_annotation(wanted: Any) -> None:
    valid = jsonschema.Draft202012Validator(of_annotation(wanted)).is_valid
    for value in VALUES:
        assert valid(value) == fits(value, wanted), value


@pytest.fixture(scope="module")
def validator() -> Any:
    whole = schema()
    json.dumps(whole, allow_nan=False)
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole)


@pytest.fixture(scope="module")
def resolved() -> dict[str, dict[str, Any]]:
    words = {
        "cyclegan_lsgan": [],
        "pix2pix_final": ["data=paired_folders", "data.root=x", "logger=tensorboard"],
        "sketch_to_image_faces": ["stage=tom", "scale=demo", "name=x", "logger=none"],
    }
    common = ["name=x", "logger=none"]
    return {name: plain(compose("train", [f"experiment={name}", *common, *of])) for name, of in words.items()}


def test_what_experiments_come_to_is_valid(validator: Any, resolved: dict[str, dict[str, Any]]) -> None:
    for name, config in resolved.items():
        assert [error.message for error in validator.iter_errors(config)] == [], name


def test_so_are_the_files_that_say_a_part(validator: Any) -> None:
    files = [file for group in ("experiment", "sweep", "stage") for file in sorted((CONF / group).glob("*.yaml"))]
    assert len(files) > 40
    for file in files:
        config = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
        assert [error.message for error in validator.iter_errors(config)] == [], file.name


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.lr", "fast"),
        ("model.lr", -1),
        ("model.lamda_a", 10),
        ("model.paper", "cyclegn"),
        ("model.lambda_l1", 100),  # pix2pix's
        ("model.backbone.width", 0),
        ("model.backbone.downs", 8),  # a U-Net's
        ("model.adversarial.loss", "lsgn"),
        ("data.task", "pared"),
        ("data.size", 2.5),
        ("data.pairs", "sorted"),  # of another source
        ("data.count.train", "many"),
        ("trainer.devices", 0),
        ("trainer.max_steps", 5),
        ("metrics.mode", "least"),
        ("seed", None),
        ("sed", 0),
        ("defaults", [{"override /data": "facse"}]),
        ("defaults", [{"override /dta": "faces"}]),
    ],
)
def test_a_wrong_value_is_not(key: str, value: Any, validator: Any, resolved: dict[str, dict[str, Any]]) -> None:
    config = OmegaConf.create(resolved["cyclegan_lsgan"])
    OmegaConf.update(config, key, value, force_add=True)
    assert list(validator.iter_errors(OmegaConf.to_container(config)))


def test_a_reference_may_stand_for_any_value(validator: Any) -> None:
    assert validator.is_valid({"model": {"lr": "${seed}"}, "defaults": ["_self_", {"optional /data": "${model}"}]})


def test_the_command_prints_it_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["suite.train", "--schema", "seed=1"])
    with pytest.raises(SystemExit) as stop:
        train.main()
    assert stop.value.code == 2
    assert tuple(capsys.readouterr()) == ("", "error: --schema stands alone: it is of every experiment\n")
    monkeypatch.setattr(sys, "argv", ["suite.train", "--schema"])
    train.main()
    printed = json.loads(capsys.readouterr().out)
    assert printed == schema()
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert not math.isinf(printed["properties"]["timeout"]["anyOf"][0]["maximum"])
