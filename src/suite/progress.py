"""The progress bar of the commands: how many of how many, and how long it will still take."""

from typing import Any

from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn


def counting(**options: Any) -> Progress:
    """A bar that is gone when it is done; `options` are those of rich's `Progress`."""
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, transient=True, **options)
