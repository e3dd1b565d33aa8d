"""`suite.arguments` for the keys of `data`, which are named here without that word."""

from collections.abc import Sequence

from suite import arguments


def whole_number(key: str, value: object, least: int) -> None:
    arguments.whole_number(f"data.{key}", value, least)


def share(key: str, value: object) -> None:
    arguments.share(f"data.{key}", value)


def one_of(key: str, value: object, choices: Sequence[object]) -> None:
    arguments.one_of(f"data.{key}", value, choices)


def truth(key: str, value: object) -> None:
    arguments.truth(f"data.{key}", value)
