"""Checks of plain values that a user may have typed. Each raises UserError with one line that names the key."""

from collections.abc import Sequence

from suite.errors import UserError


def whole_number(key: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UserError(f"data.{key}={value}: give a whole number of at least {least}")


def share(key: str, value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise UserError(f"data.{key}={value}: give a number from 0 to 1")


def one_of(key: str, value: object, choices: Sequence[object]) -> None:
    if value not in choices:
        raise UserError(f"data.{key}={value}: choose from {', '.join(str(choice) for choice in choices)}")


def truth(key: str, value: object) -> None:
    if not isinstance(value, bool):
        raise UserError(f"data.{key}={value}: give true or false")
