"""A value of the wrong type or out of range is refused by its key, in one line."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import pytest

from suite.arguments import (
    Count,
    Example,
    File,
    Name,
    NonNegative,
    OneOf,
    Positive,
    Seed,
    Share,
    ShareAboveZero,
    ShareBelowOne,
    arguments_of,
    check_types,
    one_of,
    shown,
)
from suite.errors import UserError


def takes(
    count: int = 1,
    rate: float = 0.5,
    on: bool = True,
    kind: Literal["red", "blue"] = "red",
    side: Literal["left"] | None = None,
    pair: tuple[float, float] = (0.0, 1.0),
    anything: Any = None,
    name: Name | None = None,
    file: File = "x",
    steps: Positive = 1,
    pictures: Count = 0,
    seed: Seed = 0,
    decay: ShareBelowOne = 0.0,
    lr: NonNegative = 0.1,
    flip: Share = 0.5,
    label: ShareAboveZero = 1.0,
    length: Literal["max", "min"] | Positive = "max",
    colours: Sequence[Annotated[str, OneOf(("red", "blue"))]] = (),
    words: Sequence[str] | str | None = None,
    split: Annotated[Mapping[Literal["train", "test"], Positive | ShareAboveZero], Example("{train: 9}")] | None = None,
) -> None: ...


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 1.5}, "x.count=1.5: give a whole number"),
        ({"count": True}, "x.count=true: give a whole number"),
        ({"rate": "1e-4x"}, "x.rate=1e-4x: give a number"),
        ({"rate": None}, "x.rate=null: give a number"),
        ({"rate": True}, "x.rate=true: give a number"),
        ({"rate": 10**400}, "x.rate=1000"),
        ({"rate": float("nan")}, "x.rate=nan: give a number"),
        ({"on": "maybe"}, "x.on=maybe: give true or false"),
        ({"on": 1}, "x.on=1: give true or false"),
        ({"kind": "green"}, "x.kind=green: choose from red, blue"),
        ({"kind": None}, "x.kind=null: choose from red, blue"),
        ({"side": "right"}, "x.side=right: choose from left, null"),
        ({"pair": 0.5}, "x.pair=0.5: give 2 numbers, as in x.pair=[0.5,0.5]"),
        ({"pair": [0.5]}, "x.pair=[0.5]: give 2 numbers"),
        ({"pair": ["a", "b"]}, "x.pair=[a,b]: give 2 numbers"),
        ({"name": 5}, "x.name=5: give a name or null, a number in quotes: \"x.name='5'\""),
        ({"name": " "}, "x.name=: give a name or null"),
        ({"name": "a\nb", "file": ""}, "x.file=: give a path"),
        ({"file": ["a\nb"]}, "x.file=[a b]: give a path"),
        ({"steps": 0}, "x.steps=0: give a whole number of at least 1 and below 2147483648"),
        ({"steps": 1.0}, "x.steps=1.0: give a whole number"),
        ({"steps": 2**31}, "x.steps=2147483648: give a whole number"),
        ({"pictures": -1}, "x.pictures=-1: give a whole number of at least 0"),
        ({"seed": 2**32}, "x.seed=4294967296: give a whole number of at least 0 and below 4294967296"),
        ({"decay": 1.0}, "x.decay=1.0: give a number of at least 0 and below 1"),
        ({"lr": -1e-4}, "x.lr=-0.0001: give a number of at least 0"),
        ({"lr": float("inf")}, "x.lr=inf: give a number of at least 0"),
        ({"flip": 1.1}, "x.flip=1.1: give a number from 0 to 1"),
        ({"label": 0}, "x.label=0: give a number above 0, and at most 1"),
        ({"length": "longest"}, "x.length=longest: give one of max, min or a whole number of at least 1"),
        ({"length": 0}, "x.length=0: give one of max, min or a whole number"),
        ({"colours": "red"}, "x.colours=red: give a list, as in x.colours=[red,blue], each of red, blue"),
        ({"colours": ["red", "green"]}, "x.colours=green: choose from red, blue"),
        ({"colours": [["red"]]}, "x.colours=[red]: choose from red, blue"),
        ({"words": [1, 2]}, "x.words=[1,2]: give a list, as in x.words=[a,b], each a name"),
        ({"split": "train:9"}, "x.split=train:9: give a mapping in quotes, as in 'x.split={train: 9}' or null"),
        ({"split": [1]}, "x.split=[1]: give a mapping in quotes"),
        ({"split": {"trian": 9}}, "x.split.trian: choose from train, test"),
        ({"split": {"train": 9, "test": "many"}}, "x.split.test=many: give a whole number of at least 1 and below 2"),
        ({"split": {"train": None}}, "x.split.train=null: give a whole number"),
        (
            {"split": {"train:9": None}},
            "x.split.train:9: choose from train, test",
        ),  # as YAML reads it
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        check_types("x.", takes, values)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_what_fits_passes() -> None:
    check_types("x.", takes, {"count": 3, "rate": 1, "on": False, "kind": "blue", "pair": [0, 0.9], "side": "left"})
    check_types("x.", takes, {"anything": object(), "name": None, "unknown": "x", "file": Path("x"), "side": None})
    check_types("x.", takes, {"steps": 1, "pictures": 0, "seed": 2**32 - 1, "decay": 0, "lr": 1e300, "label": 1})
    check_types("x.", takes, {"flip": 0, "length": "min", "colours": ["red"], "words": "a,b", "split": None})
    check_types("x.", takes, {"flip": 1, "length": 3, "colours": [], "words": ["a"], "split": {"train": 0.1}})


def test_what_is_wrong_is_shown_on_one_line_and_not_at_any_length() -> None:
    assert shown({"a": [1, None, True], "b": "x\ny"}) == "{a: [1,null,true], b: x y}"
    assert len(shown("x" * 1000)) < 100
    assert len(shown(list(range(1000)))) < 100
    assert len(shown("word " * 1000)) < 100


def test_arguments_of_functions_classes_and_keys() -> None:
    class Plain:
        def __init__(self, width: Positive, **more: Any) -> None: ...

    @dataclass
    class Data:
        width: Positive

    class Keys(TypedDict):
        width: Positive

    def function(width: Positive, *, height=1) -> None: ...

    for owner in (Plain, Data, Keys):
        assert dict(arguments_of(owner)) == {"width": Positive}
    assert dict(arguments_of(function)) == {"width": Positive, "height": Any}


def test_one_of_some_choices() -> None:
    one_of("mode", "min", ("min", "max"))
    for value in ("mim", None, ["min"], os.devnull):
        with pytest.raises(UserError, match=r"^mode=.*: choose from min, max"):
            one_of("mode", value, ("min", "max"))
