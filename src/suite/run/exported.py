"""A model that left its run: the weights of what translates in model.safetensors, what they are of in config.json.

The folder may be anyone's, or the hub's: it is data. Of a hub these two files are fetched, and nothing else; no code of
it runs, and no class that it names is looked up.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, TypeVar

from suite.arguments import Count, fits
from suite.data.depth import Depth, check_depth
from suite.errors import UserError
from suite.files import free_bytes, readable_bytes, size_of_file
from suite.papers import find_paper
from suite.run.contents import built, check_finite, one_line, reason
from suite.run.extras import need

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo
    from torch import Tensor

    from suite.papers.base import Paper

WEIGHTS, SETTINGS = "model.safetensors", "config.json"
_MOST_SETTINGS = 2**20  # bytes of config.json
# Weights that a model may have beside those of its file: what trains it, and does not translate.
_SPARE = 2**24
NAME_ON_HUB = r"[\w.-]+/[\w.-]+"
# As fsspec writes a model of the hub; a Path of it has one slash less.
_OF_HUB = re.compile(rf"hf:/{{1,2}}(?P<name>{NAME_ON_HUB})(@(?P<revision>[\w./-]+))?")

T = TypeVar("T")


class Settings(TypedDict):
    """config.json."""

    paper: str
    hyper_parameters: dict[str, Any]
    depth: Depth  # as `data.depth` of the run
    steps: Count


class Hub(NamedTuple):
    """A model of the hub, and which version of it; None: the newest."""

    name: str
    revision: str | None


def is_exported(place: Path) -> bool:
    """Whether it is a folder that `suite.export` wrote, of its format safetensors or hub."""
    return (place / WEIGHTS).is_file() and (place / SETTINGS).is_file()


def read_exported(folder: Path) -> "Paper":
    """The model of an exported folder. Networks that only trained it are drawn anew. Raises UserError."""
    need("safetensors", "export", f"{folder / WEIGHTS}")
    from safetensors.torch import load_file

    settings, path = read_settings(folder), folder / WEIGHTS
    try:
        paper = find_paper(settings["paper"])
    except UserError as error:
        raise UserError(f"{folder} is of {settings['paper']}, a paper which this version does not have") from error
    try:
        size_of_file(path)
        weights = load_file(path)
    except Exception as error:  # OSError, or whatever is wrong with its header
        raise UserError(f"{path} is damaged or no file of weights: {reason(error)}") from error
    model = built(paper, settings["hyper_parameters"], path, spare=_SPARE)
    with one_line(path):
        _take(model, weights)
    check_finite(weights, path)
    model.steps = settings["steps"]
    return model


def _take(model: "Paper", weights: "Mapping[str, Tensor]") -> None:
    """Give each network that translates its weights. Raises UserError where some lack, or are of no such network."""
    found: dict[str, dict[str, Tensor]] = {}
    for key, value in weights.items():
        of, _, name = key.partition(".")
        found.setdefault(of, {})[name] = value
    networks = model.translating()
    if odd := sorted(networks.keys() ^ found.keys()):
        raise UserError(f"it holds {', '.join(found) or 'nothing'}; this model translates with {', '.join(networks)}: "
                        f"{odd[0]} is not in both")  # fmt: skip
    for name, network in networks.items():
        try:
            network.load_state_dict(found[name])
        except RuntimeError as error:
            raise UserError(
                f"{name} does not fit the model's settings: {' '.join(str(error).split())[:160]}"
            ) from error


def read_settings(folder: Path) -> Settings:
    """What config.json says. Raises UserError where it is damaged."""
    path = folder / SETTINGS
    try:
        if size_of_file(path) > _MOST_SETTINGS:
            raise ValueError("it is too large")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: {reason(error)}") from error
    for key, kind in Settings.__annotations__.items():
        if not isinstance(content, dict) or not fits(content.get(key), kind):
            raise UserError(f"{path} is not of a model of this suite: it has no {key} of the right kind")
    check_depth(f"{path}: depth", content["depth"])
    return {key: content[key] for key in Settings.__annotations__}  # type: ignore[return-value]


# Of the hub -----------------------------------------------------------------------------------------------------------


def of_hub(place: str | Path) -> Hub | None:
    """The model that hf://owner/name or hf://owner/name@revision means; None where it is a path."""
    if not str(place).startswith("hf:/"):
        return None
    if not (found := _OF_HUB.fullmatch(str(place))):
        raise UserError(f"{place}: say hf://owner/name, or hf://owner/name@revision")
    return Hub(found["name"], found["revision"])


def local(place: str | Path) -> Path:
    """The path itself, or where a model of the hub lies once it is fetched. Raises UserError."""
    hub = of_hub(place)
    return Path(place) if hub is None else _fetched(hub)


@cache
def _fetched(hub: Hub) -> Path:
    need("huggingface_hub", "hub", f"hf://{hub.name}")
    said = f"hf://{hub.name}" + (f"@{hub.revision}" if hub.revision else "")
    folder = asked(said, lambda: _download(hub, said), "can't be read")
    if not is_exported(folder):
        raise UserError(f"{said} is no model of this suite: it has no {SETTINGS} with {WEIGHTS}")
    return folder


def _download(hub: Hub, said: str) -> Path:
    """The folder of its two files, once it is known how large they are; as it was fetched before without the hub."""
    from huggingface_hub import HfApi, errors, snapshot_download

    get = partial(snapshot_download, hub.name, revision=hub.revision, allow_patterns=[SETTINGS, WEIGHTS])
    try:
        there = HfApi().model_info(hub.name, revision=hub.revision, files_metadata=True)
    except errors.RevisionNotFoundError:
        raise
    except (errors.HTTPError, errors.OfflineModeIsEnabled) as error:
        try:
            return Path(get(local_files_only=True))
        except errors.LocalEntryNotFoundError:
            raise error from None
    _check_sizes(there, said)
    return Path(get())


def _check_sizes(there: "ModelInfo", said: str) -> None:
    """Raises UserError where a file of it is larger than it may be; one that was fetched before takes no room."""
    from huggingface_hub import constants, try_to_load_from_cache

    room = Path(constants.HF_HUB_CACHE)
    free = free_bytes(room)
    for file in there.siblings or ():
        if file.rfilename not in (SETTINGS, WEIGHTS):
            continue
        if file.size is None:
            raise UserError(f"{said} can't be read: the hub does not say how large its {file.rfilename} is")
        if file.rfilename == SETTINGS and file.size > _MOST_SETTINGS:
            raise UserError(f"{said} is no model of this suite: its {SETTINGS} is too large")
        if file.size > free and not isinstance(
            try_to_load_from_cache(there.id, file.rfilename, revision=there.sha), str
        ):
            raise UserError(
                f"{said} does not fit the disk: its {file.rfilename} is {readable_bytes(file.size)}, and {room} has "
                f"{readable_bytes(free)}; free some, or set HF_HOME to a folder elsewhere"
            )


def asked(what: str, ask: Callable[[], T], failed: str) -> T:
    """What a hub answers. Raises UserError, one line that begins with what was asked for, where it does not."""
    from huggingface_hub import errors
    from huggingface_hub.utils import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        return ask()
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        why = {
            401: "it is not there, or the hub does not know you: run `hf auth login`, or set HF_TOKEN",
            403: "your token may not do that: take one that may write",
            404: "there is no such model, revision or file",
        }.get(status, f"the hub answered {status or reason(error)}")
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, errors.HTTPError) as error:
        first = error.__cause__ or error
        why = f"the hub can't be reached ({reason(first) if isinstance(first, Exception) else first})"
    except (errors.HFValidationError, errors.RevisionResolutionError) as error:
        why = reason(error)
    except OSError as error:
        why = error.strerror or reason(error)
    raise UserError(f"{what} {failed}: {why}")
