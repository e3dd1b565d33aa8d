"""The data sets: one function each, `(*, root, **its own options) -> Catalog`, opening no picture.

To add one, write its function in a file of this folder, add a line to `SOURCES` and a `conf/data/<name>.yaml`.
"""

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import wraps
from importlib import import_module
from typing import Any

from suite.arguments import arguments_of, check_types
from suite.data.catalog import Catalog
from suite.errors import UserError

SOURCES = {
    "unpaired_folders": "suite.data.sources.folders:unpaired_folders",
    "paired_folders": "suite.data.sources.folders:paired_folders",
    "anime_faces": "suite.data.sources.anime_faces:anime_faces",
    "faces": "suite.data.sources.faces:faces",
    "celeba": "suite.data.sources.celeba:celeba",
    "celeba_hq": "suite.data.sources.celeba_hq:celeba_hq",
    "cufs": "suite.data.sources.cufs:cufs",
    "cufsf": "suite.data.sources.cufsf:cufsf",
    "photo_sketch": "suite.data.sources.photo_sketch:photo_sketch",
    "sketchy": "suite.data.sources.sketchy:sketchy",
    "wikiart": "suite.data.sources.wikiart:wikiart",
    "identity_folders": "suite.data.sources.identity_folders:identity_folders",
}

# What the DataModule decides for every source: `root` and `size` are its own arguments of the same name. A source that
# draws its pictures keeps its own `seed`: the run's seed changes the order of the pictures, never the data set.
_SET_BY_MODULE = {"root", "size", "seed"}


def find_source(name: str, key: str = "data") -> Callable[..., Catalog]:
    """The source's function. Raises UserError where there is none of that name; `key` is where it stands."""
    if name not in SOURCES:
        raise UserError(f"{key}.source={name}: there is no such source; choose from {', '.join(SOURCES)}")
    module, _, function = SOURCES[name].partition(":")
    return _refusing_unreadable(getattr(import_module(module), function))


def _refusing_unreadable(source: Callable[..., Catalog]) -> Callable[..., Catalog]:
    """The source, with one line for what the system does not let it read: no permission, a drive that is gone."""

    @wraps(source)
    def listed(**arguments: Any) -> Catalog:
        try:
            return source(**arguments)
        except OSError as error:
            raise UserError(f"{error.filename or 'data.root'}: can't be read: {error.strerror or error}") from error

    return listed


def source_arguments(name: str) -> set[str]:
    """All keyword arguments of a source's function."""
    return set(inspect.signature(find_source(name)).parameters)


def source_options(name: str) -> set[str]:
    """The options of a source that a user may write as `data.<option>=`."""
    return source_arguments(name) - _SET_BY_MODULE


def check_options(name: str, options: Mapping[str, object], key: str = "data") -> None:
    """Raises UserError for the first option that the source does not have, or whose value is of another kind.

    `key` is where the options stand.
    """
    kinds = arguments_of(find_source(name, key))
    known = set(kinds) - _SET_BY_MODULE
    for option in options:
        if option not in known:
            near = get_close_matches(option, known, 1)
            hint = f"did you mean {key}.{near[0]}?" if near else f"it has {', '.join(sorted(known)) or 'none'}"
            raise UserError(f"{key}.{option}: the source {name} has no such option; {hint}")
    check_types(f"{key}.", kinds, options)
