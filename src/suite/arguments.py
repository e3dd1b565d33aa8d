"""Checks of plain values that a user may have typed. Each raises UserError with one line that names the key."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

from suite.errors import UserError


def whole_number(key: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UserError(f"{key}={value}: give a whole number of at least {least}")


def number(key: str, value: object, least: float, below: float = float("inf")) -> None:
    if not _is_number(value) or not least <= value < below:  # type: ignore[operator]
        limit = "" if below == float("inf") else f" and below {below:g}"
        raise UserError(f"{key}={value}: give a number of at least {least:g}{limit}")


def share(key: str, value: object) -> None:
    if not _is_number(value) or not 0 <= value <= 1:  # type: ignore[operator]
        raise UserError(f"{key}={value}: give a number from 0 to 1")


def one_of(key: str, value: object, choices: Sequence[object]) -> None:
    if value not in choices:
        raise UserError(f"{key}={value}: choose from {', '.join(str(choice) for choice in choices)}")


def truth(key: str, value: object) -> None:
    if not isinstance(value, bool):
        raise UserError(f"{key}={value}: give true or false")


def check_types(where: str, function: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Hold arguments to the function's annotations: bool, int, float, a Literal, or a tuple of floats; others pass.

    Hydra takes any value for any key: without this, `lr=1e-4x` would be found by whoever first computes with it.
    `where` goes before the argument's name in the message, as in `model.`.
    """
    annotations = get_type_hints(function)
    for name, value in values.items():
        key, wanted = f"{where}{name}", annotations.get(name)
        if wanted is bool:
            truth(key, value)
        elif wanted is int and (not isinstance(value, int) or isinstance(value, bool)):
            raise UserError(f"{key}={value}: give a whole number")
        elif wanted is float and not _is_number(value):
            raise UserError(f"{key}={value}: give a number")
        elif get_origin(wanted) is Literal:
            one_of(key, value, get_args(wanted))
        elif get_origin(wanted) is tuple:
            count = len(get_args(wanted))
            if not isinstance(value, Sequence) or len(value) != count or not all(map(_is_number, value)):
                raise UserError(f"{key}={value}: give {count} numbers, as in {key}=[{','.join(['0.5'] * count)}]")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
