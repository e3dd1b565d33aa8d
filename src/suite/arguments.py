"""Checks of plain values that a user may have typed, from the annotations of what takes them.

Hydra takes any value for any key: without this, `lr=1e-4x` would be found by whoever first computes with it. Every
check raises UserError with one line that names the key, the value, and what is wanted.
"""

import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from suite.errors import UserError


@dataclass(frozen=True)
class Range:
    """What a number may be: at least `least`, more than `above`, at most `most`, less than `below`."""

    least: float = -math.inf
    above: float = -math.inf
    most: float = math.inf
    below: float = math.inf

    def holds(self, value: float) -> bool:
        return self.least <= value <= self.most and self.above < value < self.below

    def __str__(self) -> str:
        if math.isfinite(self.least) and math.isfinite(self.most):
            return f"from {self.least:g} to {self.most:g}"
        limits = [
            (self.least, f"of at least {self.least:g}"),
            (self.above, f"above {self.above:g}"),
            (self.most, f"of at most {self.most:g}"),
            (self.below, f"below {self.below:g}"),
        ]
        return " and ".join(words for limit, words in limits if math.isfinite(limit))


# The kinds of numbers that arguments are, for annotations. No count of anything here goes into the billions: beyond
# that stands a typing error, and memory or time without end.
Count = Annotated[int, Range(least=0, below=2**31)]
Positive = Annotated[int, Range(least=1, below=2**31)]
Seed = Annotated[int, Range(least=0, below=2**32)]
NonNegative = Annotated[float, Range(least=0, below=math.inf)]
AboveZero = Annotated[float, Range(above=0, below=math.inf)]
Share = Annotated[float, Range(least=0, most=1)]
ShareBelowOne = Annotated[float, Range(least=0, below=1)]


def check_types(where: str, function: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Hold arguments to the function's annotations; a name without annotation passes.

    `where` goes before the argument's name in the message, as in `model.`.
    """
    annotations = get_type_hints(function, include_extras=True)
    for name, value in values.items():
        check_value(f"{where}{name}", value, annotations.get(name, Any))


def check_value(key: str, value: Any, wanted: Any) -> None:
    """Hold one value to an annotation: numbers with a `Range`, Literal, str, list, tuple, mapping, unions of these."""
    if not _fits(value, wanted):
        if get_origin(wanted) is Literal:
            one_of(key, value, get_args(wanted))
        raise UserError(f"{key}={value}: give {_in_words(wanted, key)}")


def _fits(value: Any, wanted: Any) -> bool:
    kind, inside = get_origin(wanted), get_args(wanted)
    if kind is Annotated:
        limits = [limit for limit in inside[1:] if isinstance(limit, Range)]
        return _fits(value, inside[0]) and all(limit.holds(value) for limit in limits)
    if kind is Literal:
        return any(type(value) is type(choice) and value == choice for choice in inside)
    if kind in (Union, types.UnionType):
        return any(_fits(value, one) for one in inside)
    if kind is tuple and Ellipsis not in inside:
        return _is_list(value) and len(value) == len(inside) and all(map(_fits, value, inside))
    if kind in (list, tuple, Sequence):
        return _is_list(value) and all(_fits(one, inside[0]) for one in value)
    if kind in (dict, Mapping):
        return isinstance(value, Mapping) and all(
            _fits(one, inside[0]) and _fits(of_one, inside[1]) for one, of_one in value.items()
        )
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if wanted is None:
        return value is None
    return wanted is Any or not isinstance(wanted, type) or isinstance(value, wanted)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _in_words(wanted: Any, key: str) -> str:
    kind, inside = get_origin(wanted), get_args(wanted)
    if kind is Annotated:
        limits = " ".join(str(limit) for limit in inside[1:] if isinstance(limit, Range))
        return f"{_in_words(inside[0], key)} {limits}"
    if kind is Literal:
        return "one of " + ", ".join(str(choice) for choice in inside)
    if kind in (Union, types.UnionType):
        return " or ".join(_in_words(one, key) for one in inside)
    if kind is tuple and Ellipsis not in inside:
        some = ",".join(["0.5"] * len(inside))
        return f"{len(inside)} numbers, as in {key}=[{some}]"
    if kind in (list, tuple, Sequence):
        return f"a list, as in {key}=[…], each {_in_words(inside[0], key)}"
    if kind in (dict, Mapping):
        return f"a mapping, as in '{key}={{name: …}}'"
    names: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a name or text"}
    names |= dict.fromkeys((None, type(None)), "null")
    return names.get(wanted, getattr(wanted, "__name__", str(wanted)))


# To be said of a single value by name ---------------------------------------------------------------------------------


def whole_number(key: str, value: object, least: int) -> None:
    check_value(key, value, Annotated[int, Range(least=least)])


def number(key: str, value: object, least: float, below: float = math.inf) -> None:
    check_value(key, value, Annotated[float, Range(least=least, below=below)])


def share(key: str, value: object) -> None:
    check_value(key, value, Share)


def one_of(key: str, value: object, choices: Sequence[object]) -> None:
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise UserError(f"{key}={value}: choose from {', '.join(str(choice) for choice in choices)}")


def truth(key: str, value: object) -> None:
    check_value(key, value, bool)
