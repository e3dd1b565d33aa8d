"""Values that a user may have typed, held to the annotations of what takes them.

Hydra takes any value for any key: without this, `lr=1e-4x` would be found by whoever first computes with it. What a
key may be stands once, as the annotation of the argument that it becomes. Every check raises UserError with one line
that names the key, the value, and what is wanted.
"""

import functools
import inspect
import math
import os
import textwrap
import types
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints

from suite.errors import UserError

# What an annotation may say beside the type ---------------------------------------------------------------------------


class Limit(Protocol):
    """Which values of its type an `Annotated` means; str() says it in words behind those of the type."""

    def holds(self, value: Any) -> bool: ...


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
            return f"from {self.least} to {self.most}"
        limits = [
            (self.least, f"of at least {self.least}"),
            (self.above, f"above {self.above}"),
            (self.below, f"below {self.below}"),
            (self.most, f"at most {self.most}"),
        ]
        words = [words for limit, words in limits if math.isfinite(limit)]
        return (", and " if math.isfinite(self.most) else " and ").join(words)


@dataclass(frozen=True)
class OneOf:
    """One of some words that are listed elsewhere; a Literal says the same of words that are listed nowhere else."""

    choices: Collection[str]

    def holds(self, value: str) -> bool:
        return value in self.choices

    def __str__(self) -> str:
        return f"of {', '.join(self.choices)}"


@dataclass(frozen=True)
class Filled:
    """Text, or a list, that is not empty; `what` it is, in words."""

    what: str

    def holds(self, value: str | os.PathLike[str] | Sequence[Any]) -> bool:
        return bool(str(value).strip()) if isinstance(value, str | os.PathLike) else len(value) > 0


@dataclass(frozen=True)
class Example:
    """How a value of this kind is typed, for the message."""

    text: str


# The kinds of numbers that arguments are. No count of anything here goes into the billions: beyond that stands a typing
# error, and memory or time without end.
Count = Annotated[int, Range(least=0, below=2**31)]
Positive = Annotated[int, Range(least=1, below=2**31)]
Seed = Annotated[int, Range(least=0, below=2**32)]
NonNegative = Annotated[float, Range(least=0, below=math.inf)]
AboveZero = Annotated[float, Range(above=0, below=math.inf)]
Share = Annotated[float, Range(least=0, most=1)]
ShareBelowOne = Annotated[float, Range(least=0, below=1)]
ShareAboveZero = Annotated[float, Range(above=0, most=1)]
Size = Annotated[int, Range(least=1, most=2**13)]  # pixels, a side: 200 MB as a picture, seconds to bring it there

Name = Annotated[str, Filled("a name")]
File = Annotated[str | os.PathLike[str], Filled("a path")]  # of a file or folder


# The checks -----------------------------------------------------------------------------------------------------------


def arguments_of(owner: Any) -> Mapping[str, Any]:
    """What can be given by name to a function, a class, or as a key of a TypedDict, and the annotation of each."""
    return _arguments_of(owner)


@functools.cache
def _arguments_of(owner: Any) -> Mapping[str, Any]:
    if typing.is_typeddict(owner) or is_dataclass(owner):
        return MappingProxyType(get_type_hints(owner, include_extras=True))
    function = owner.__init__ if isinstance(owner, type) else owner  # type: ignore[misc]
    hints = get_type_hints(function, include_extras=True)
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = [name for name, parameter in inspect.signature(owner).parameters.items() if parameter.kind in kinds]
    return MappingProxyType({name: hints.get(name, Any) for name in names})


def check_types(where: str, owner: Callable[..., Any] | Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Hold values to the annotations of what takes them, or to `arguments_of` it; a name without annotation passes.

    `where` goes before the argument's name in the message, as in `model.`.
    """
    annotations = owner if isinstance(owner, Mapping) else arguments_of(owner)
    for name, value in values.items():
        check_value(f"{where}{name}", value, annotations.get(name, Any))


def check_value(key: str, value: Any, wanted: Any) -> None:
    """Hold one value to an annotation: types, Literal, lists, mappings, their unions, and `Annotated` with limits."""
    if not fits(value, wanted):
        raise UserError(_wrong(key, value, wanted))


def fits(value: Any, wanted: Any) -> bool:
    kind, inside = get_origin(wanted), get_args(wanted)
    if kind is Annotated:
        return fits(value, inside[0]) and all(limit.holds(value) for limit in inside[1:] if hasattr(limit, "holds"))
    if kind is Literal:
        return any(type(value) is type(choice) and value == choice for choice in inside)
    if kind in (Union, types.UnionType):
        return any(fits(value, one) for one in inside)
    if kind is tuple and Ellipsis not in inside:
        return _is_list(value) and len(value) == len(inside) and all(map(fits, value, inside))
    if kind in (list, tuple, Sequence):
        return _is_list(value) and all(fits(one, inside[0]) for one in value)
    if kind in (dict, Mapping):
        return isinstance(value, Mapping) and all(
            fits(one, inside[0]) and fits(of_one, inside[1]) for one, of_one in value.items()
        )
    if isinstance(kind, type):  # as in PathLike[str]
        return isinstance(value, kind)
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and _is_float(value)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if wanted is None:
        return value is None
    return wanted is Any or not isinstance(wanted, type) or isinstance(value, wanted)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_float(value: float) -> bool:
    """Whether it is a number, and a whole one no larger than floats go."""
    try:
        return not math.isnan(float(value))
    except OverflowError:
        return False


# What is said of a value that does not fit ----------------------------------------------------------------------------


def _wrong(key: str, value: Any, wanted: Any) -> str:
    """The message, of the entry in a list or mapping that does not fit where the rest does."""
    kind, inside = get_origin(wanted), get_args(wanted)
    if kind is Annotated and _entries(value, inside[0]):
        kind, inside = get_origin(inside[0]), get_args(inside[0])
    if kind in (Union, types.UnionType) and (likely := [one for one in inside if _entries(value, one)]):
        return _wrong(key, value, likely[0])
    if kind in (dict, Mapping) and isinstance(value, Mapping):
        name, of_name = next(item for item in value.items() if not all(map(fits, item, inside)))
        if fits(name, inside[0]):
            return _wrong(f"{key}.{name}", of_name, inside[1])
        choices = _choices(inside[0])
        return f"{key}.{shown(name)}: {f'choose from {choices}' if choices else f'give {_in_words(inside[0], key)}'}"
    if kind in (list, tuple, Sequence) and _is_list(value) and _choices(inside[0]):
        entry = next(entry for entry in value if not fits(entry, inside[0]))
        return f"{key}={shown(entry)}: choose from {_choices(inside[0])}"
    if choices := _choices(wanted):
        return f"{key}={shown(value)}: choose from {choices}"
    hint = ""
    if isinstance(value, int | float) and not isinstance(value, bool) and _takes_text(wanted):
        hint = f", a number in quotes: \"{key}='{shown(value)}'\""
    return f"{key}={shown(value)}: give {_in_words(wanted, key)}{hint}"


def shown(value: Any) -> str:
    """A value as it would be typed, on one line and not at any length."""
    if value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, Mapping):
        text = "{" + ", ".join(f"{shown(name)}: {shown(of_name)}" for name, of_name in value.items()) + "}"
    elif _is_list(value):
        text = "[" + ",".join(map(shown, value)) + "]"
    else:
        text = " ".join(str(value).split())
    return textwrap.shorten(text, 80, placeholder=" …") if len(text.split()) > 1 else text[:80] + "…" * (len(text) > 80)


def _entries(value: Any, wanted: Any) -> bool:
    """Whether both are lists, or both mappings: what is wrong is then in an entry."""
    kind, inside = get_origin(wanted), get_args(wanted)
    if kind is Annotated:
        return _entries(value, inside[0])
    if kind in (dict, Mapping):
        return isinstance(value, Mapping)
    return kind in (list, tuple, Sequence) and _is_list(value)


def _choices(wanted: Any) -> str:
    """The words or numbers that are all there is to choose from; empty where there is more."""
    kind, inside = get_origin(wanted), get_args(wanted)
    if kind is Literal:
        return ", ".join(map(shown, inside))
    if kind is Annotated:
        return next((", ".join(limit.choices) for limit in inside[1:] if isinstance(limit, OneOf)), "")
    if kind in (Union, types.UnionType):
        each = ["null" if one is type(None) else _choices(one) for one in inside]
        return ", ".join(each) if all(each) else ""
    return ""


def _takes_text(wanted: Any) -> bool:
    kind, inside = get_origin(wanted), get_args(wanted)
    if kind is Annotated:
        return _takes_text(inside[0])
    return wanted is str or (kind in (Union, types.UnionType) and any(map(_takes_text, inside)))


def _in_words(wanted: Any, key: str) -> str:
    kind, inside = get_origin(wanted), get_args(wanted)
    if kind is Annotated:
        if example := next((limit.text for limit in inside[1:] if isinstance(limit, Example)), None):
            # In quotes: a shell would take the braces apart.
            what = "a mapping" if example.startswith("{") else _in_words(inside[0], key)
            return f"{what} in quotes, as in '{key}={example}'"
        if text := next((limit.what for limit in inside[1:] if isinstance(limit, Filled)), None):
            return text
        return f"{_in_words(inside[0], key)} {' '.join(map(str, inside[1:]))}"
    if kind is Literal:
        return "one of " + ", ".join(map(shown, inside))
    if kind in (Union, types.UnionType):
        return " or ".join(_in_words(one, key) for one in inside)
    if kind is tuple and Ellipsis not in inside:
        some = ",".join(["0.5"] * len(inside))
        of = "" if get_origin(inside[0]) is not Annotated else f", each {_in_words(inside[0], key)}"
        return f"{len(inside)} numbers, as in {key}=[{some}]{of}"
    if kind in (list, tuple, Sequence):
        choices = _choices(inside[0])
        some = ",".join(choices.split(", ")[:2]) or "a,b"
        return f"a list, as in {key}=[{some}], each {f'of {choices}' if choices else _in_words(inside[0], key)}"
    if kind in (dict, Mapping):
        return f"a mapping in quotes, as in '{key}={{name: …}}'"
    names: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a name"}
    names |= dict.fromkeys((None, type(None)), "null")
    return names.get(wanted, getattr(wanted, "__name__", str(wanted)))


# Of a single value by name --------------------------------------------------------------------------------------------


def one_of(key: str, value: object, choices: Sequence[str]) -> None:
    check_value(key, value, Annotated[str, OneOf(choices)])
