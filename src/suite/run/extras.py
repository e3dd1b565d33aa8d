"""What is not installed unless it is asked for."""

import importlib.util

from suite.errors import UserError


def need(module: str, extra: str, needed_for: str) -> None:
    """Raises UserError, the line that says what to install, where a package of an extra is not there."""
    if importlib.util.find_spec(module) is None:
        raise UserError(f"{needed_for} needs {module}, which is not installed: pip install 'suite[{extra}]'")
