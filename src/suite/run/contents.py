"""What a checkpoint holds, which may be anyone's: data alone, and what is odd about it is one line."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from suite.arguments import Count, fits, shown
from suite.errors import UserError

if TYPE_CHECKING:
    from torch.optim import Optimizer

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


def built(paper: "type[Paper]", settings: dict[str, Any], path: Path, spare: int = 0) -> "Paper":
    """The model of a checkpoint, with fresh weights. Raises UserError for settings that make none, or a larger one.

    No network is larger than the file that holds it: one that would be ends this before its memory is touched.
    spare: how many weights it may have that are not in the file.
    """
    from torch.nn.modules.module import register_module_parameter_registration_hook

    left = path.stat().st_size + spare

    def count(_module: Any, _name: str, weights: Any) -> None:
        nonlocal left
        left -= 0 if weights is None else weights.numel()
        if left < 0:
            raise UserError("its settings are of larger networks than it holds")

    hook = register_module_parameter_registration_hook(count)
    try:
        return paper(**settings)
    except Exception as error:  # whatever a constructor makes of values of any kind
        raise UserError(f"{path} can't be used: {reason(error)}") from error
    finally:
        hook.remove()


def check_finite(state: Mapping[str, Any], path: Path) -> None:
    """Raises UserError, naming the networks, where a weight is no number."""
    import torch

    bad = [name for name, value in state.items() if isinstance(value, torch.Tensor) and not value.isfinite().all()]
    if networks := dict.fromkeys(name.removeprefix("ema.").partition(".")[0] for name in bad):
        raise UserError(
            f"{path}: weights of {', '.join(networks)} are not finite (NaN or infinite), training had gone wrong "
            f"before it was saved; use another of {path.parent}"
        )


def check_training(content: dict[str, Any], path: Path) -> None:
    """Hold what a resumed training goes on with to its kinds. Raises UserError.

    Lightning takes values of any kind for its progress, and fails at whatever first counts with them.
    """
    kinds = {"loops": dict[str, Any], "optimizer_states": list[dict[str, Any]], "callbacks": dict[str, dict[str, Any]]}
    for part, kind in kinds.items():
        if not fits(content.get(part), kind):
            raise UserError(f"{path} can't be gone on with: its {part} are {shown(content.get(part))}")
    if odd := _odd_progress(content["loops"], "loops"):
        raise UserError(f"{path} can't be gone on with: its {odd}")


_COUNTS = ("ready", "started", "processed", "completed")  # of Lightning's progress, and never more


def _odd_progress(node: Any, name: str) -> str:
    """Where progress is no count, and what stands there; empty where all is well."""
    if isinstance(node, dict) and name.rpartition(".")[2] not in _COUNTS:
        # The states of loaders, where they have any, are their own.
        return next(
            filter(None, (_odd_progress(node[key], f"{name}.{key}") for key in node if key != "combined_loader")), ""
        )
    return "" if isinstance(node, bool) or fits(node, Count) else f"{name} is {shown(node)}"


def check_moments(optimizers: "Sequence[Optimizer]") -> None:
    """Hold what optimizers remember of each weight to what they make of one themselves. Raises ValueError."""
    import torch

    for optimizer in optimizers:
        weight = torch.nn.Parameter(torch.zeros(1))
        weight.grad = torch.zeros(1)
        of_gpu = {"capturable": False} if "capturable" in optimizer.defaults else {}  # which a CPU refuses
        fresh = type(optimizer)([weight], **optimizer.defaults | of_gpu | {"lr": 0.0})
        fresh.step()
        for own, state in optimizer.state.items():
            if not isinstance(state, dict) or (state and state.keys() != fresh.state[weight].keys()):
                raise ValueError(f"an optimizer remembers {shown(state)} of a weight")
            for name, value in state.items():
                if not isinstance(value, torch.Tensor) or value.numel() not in (1, own.numel()):
                    raise ValueError(f"an optimizer's {name} is not of its weight")


@contextmanager
def one_line(path: Path) -> Iterator[None]:
    """Whatever the contents of that file make fail inside becomes a UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{path} can't be used: {reason(error)}") from error


def reason(error: Exception) -> str:
    """What is said of it, on one line."""
    if isinstance(error, UserError):
        return str(error)
    return textwrap.shorten(f"{type(error).__name__}: {error}", 160, placeholder=" …")
