"""A value of the wrong type or out of range is refused by its key, in one line."""

from typing import Any, Literal

import pytest

from suite.arguments import check_types, number, one_of, share, truth, whole_number
from suite.errors import UserError


def takes(
    count: int = 1,
    rate: float = 0.5,
    on: bool = True,
    kind: Literal["red", "blue"] = "red",
    pair: tuple[float, float] = (0.0, 1.0),
    anything: Any = None,
    name: str | None = None,
) -> None: ...


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"count": 1.5}, "x.count=1.5: give a whole number"),
        ({"count": True}, "x.count=True: give a whole number"),
        ({"rate": "1e-4x"}, "x.rate=1e-4x: give a number"),
        ({"rate": None}, "x.rate=None: give a number"),
        ({"rate": True}, "x.rate=True: give a number"),
        ({"on": "maybe"}, "x.on=maybe: give true or false"),
        ({"on": 1}, "x.on=1: give true or false"),
        ({"kind": "green"}, "x.kind=green: choose from red, blue"),
        ({"pair": 0.5}, r"x.pair=0.5: give 2 numbers, as in x.pair=\[0.5,0.5\]"),
        ({"pair": [0.5]}, "x.pair=.*: give 2 numbers"),
        ({"pair": ["a", "b"]}, "x.pair=.*: give 2 numbers"),
    ],
)
def test_a_wrong_type_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        check_types("x.", takes, values)


def test_right_types_pass() -> None:
    check_types("x.", takes, {"count": 3, "rate": 1, "on": False, "kind": "blue", "pair": [0, 0.9]})
    check_types("x.", takes, {"anything": object(), "name": None, "unknown": "x"})


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: whole_number("n", 0, least=1), "n=0: give a whole number of at least 1"),
        (lambda: whole_number("n", 1.0, least=1), "n=1.0: give a whole number"),
        (lambda: number("decay", 1.0, least=0, below=1), "decay=1.0: give a number of at least 0 and below 1"),
        (lambda: number("lr", -1e-4, least=0), "lr=-0.0001: give a number of at least 0$"),
        (lambda: number("lr", float("nan"), least=0), "lr=nan: "),
        (lambda: share("flip", 1.1), "flip=1.1: give a number from 0 to 1"),
        (lambda: one_of("mode", "mim", ("min", "max")), "mode=mim: choose from min, max"),
        (lambda: truth("crop", "yes"), "crop=yes: give true or false"),
    ],
)
def test_a_value_out_of_range_is_named(check: Any, message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        check()


def test_the_ends_of_a_range() -> None:
    whole_number("n", 1, least=1)
    number("decay", 0, least=0, below=1)
    share("flip", 0)
    share("flip", 1)
