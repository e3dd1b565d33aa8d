"""What a checkpoint holds, which may be anyone's: data alone, and what is odd about it is one line."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from suite.arguments import Count, fits
from suite.errors import UserError

if TYPE_CHECKING:
    from suite.papers.base import Paper

_DONE = ("epochs", "steps", "batches")
_KINDS: dict[str, Any] = {
    "paper": str, "hyper_parameters": dict[str, Any], "state_dict": dict[str, Any],
    "done": dict[Literal["epochs", "steps", "batches"], Count],
}  # fmt: skip


def is_ours(content: Any) -> bool:
    """Whether it is what a checkpoint of the suite holds, as far as that can be said of any paper's."""
    return (
        isinstance(content, dict)
        and all(fits(content.get(key), kind) for key, kind in _KINDS.items())
        and all(key in content["done"] for key in _DONE)
    )


def built(paper: "type[Paper]", settings: dict[str, Any], path: Path) -> "Paper":
    """The model of a checkpoint, with fresh weights. Raises UserError for settings that make none, or a larger one.

    No network is larger than the file that holds it: one that would be ends this before its memory is touched.
    """
    from torch.nn.modules.module import register_module_parameter_registration_hook

    left = path.stat().st_size

    def count(_module: Any, _name: str, weights: Any) -> None:
        nonlocal left
        left -= 0 if weights is None else weights.numel()
        if left < 0:
            raise UserError("its settings are of larger networks than it holds")

    hook = register_module_parameter_registration_hook(count)
    try:
        return paper(**settings)
    except Exception as error:  # whatever a constructor makes of values of any kind
        raise UserError(f"{path} can't be used: {_reason(error)}") from error
    finally:
        hook.remove()


@contextmanager
def one_line(path: Path) -> Iterator[None]:
    """Whatever the contents of that file make fail inside becomes a UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} can't be used: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    return textwrap.shorten(f"{type(error).__name__}: {error}", 160, placeholder=" …")
