"""The papers, by the name that a configuration (`model.paper`) and a checkpoint may give."""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from suite.errors import UserError

if TYPE_CHECKING:
    from suite.papers.base import Paper

    P = TypeVar("P", bound=type[Paper])

# Loaded when they are asked for. Others register themselves, or are entry points of the group `suite.papers`.
_OURS = {
    "csi": "suite.papers.csi:CSI",
    "cyclegan": "suite.papers.cyclegan:CycleGAN",
    "dagan": "suite.papers.dagan:DAGAN",
    "pix2pix": "suite.papers.pix2pix:Pix2Pix",
    "sketch_to_image": "suite.papers.sketch_to_image:SketchToImage",
    "two_step": "suite.papers.two_step:TwoStep",
}
_registered: "dict[str, type[Paper]]" = {}


def register(paper: "P") -> "P":
    """A decorator: the class can be named by its `name` from now on. Raises ValueError where another one is."""
    if paper.name in _OURS or _registered.setdefault(paper.name, paper) is not paper:
        raise ValueError(f"there is a paper of the name {paper.name!r} already: give {paper.__qualname__} another")
    return paper


def find_paper(name: str) -> "type[Paper]":
    """The class of a paper. Raises UserError where none of that name is known."""
    if name in _OURS:
        module, _, attribute = _OURS[name].partition(":")
        return getattr(import_module(module), attribute)
    if name in _registered:
        return _registered[name]
    with _installed_alone():
        installed = {point.name: point for point in entry_points(group="suite.papers")}
        if name in installed:
            return installed[name].load()
    raise UserError(f"model.paper={name}: there is no such paper; choose from {', '.join(names())}")


def names() -> list[str]:
    """Of all papers that can be found here. Loads none."""
    with _installed_alone():
        return list(dict.fromkeys((*_OURS, *_registered, *(one.name for one in entry_points(group="suite.papers")))))


@contextmanager
def _installed_alone() -> Iterator[None]:
    """Inside, the working folder, which `python -m` searches first, is not: a run that someone sent may lie there."""
    before = list(sys.path)
    if before and Path(before[0]).resolve() == Path.cwd():
        sys.path[:1] = []
    try:
        yield
    finally:
        sys.path[:] = before


def arguments_of(paper: "type[Paper]") -> dict[str, Any]:
    """What a paper's constructor takes, with annotations: its own arguments and those that it hands to its bases."""
    found: dict[str, Any] = {}
    for level in paper.__mro__:
        if "__init__" not in vars(level):
            continue
        constructor = vars(level)["__init__"]
        parameters = inspect.signature(constructor).parameters.values()
        hints = get_type_hints(constructor, include_extras=True)
        found = {p.name: hints.get(p.name, Any) for p in parameters if p.kind is p.KEYWORD_ONLY} | found
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return found
