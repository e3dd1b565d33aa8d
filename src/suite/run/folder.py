"""A run folder: where everything of a run lies, and how a model comes back out of it.

config.yaml  metrics.csv  log.txt  splits.json  checkpoints/*.ckpt  images/  wandb/  conclusion.txt

or, where a paper trains in stages, stages.yaml and such a folder for each of them.
"""

import re
import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from omegaconf import DictConfig, OmegaConf

from suite.arguments import check_value, fits, one_of, shown
from suite.errors import UserError
from suite.files import damaged_part, make_folder, remove_partial, write_whole
from suite.papers import find_paper
from suite.run.config import plain, resolved
from suite.run.contents import built, check_finite, is_ours, one_line
from suite.run.exported import is_exported, local, read_exported
from suite.run.exported import read_settings as read_exported_settings
from suite.run.hold import hold
from suite.run.stored import read_settings, refuse_links
from suite.run.words import escaped, say

if TYPE_CHECKING:
    from suite.data.depth import Depth
    from suite.data.kept import KeptSplits
    from suite.papers.base import Paper


def read_config(run: Path) -> DictConfig:
    """The resolved configuration of a run. Raises UserError where the folder is none."""
    path = run / "config.yaml"
    if not path.is_file():
        raise UserError(f"{run} is not a run folder: it has no config.yaml")
    return _where_it_is_now(read_settings(path), run)


STAGES = "stages.yaml"
SPLITS_FILE = "splits.json"
_CONCLUSION = "conclusion.txt"


def has_stages(run: Path) -> bool:
    return (run / STAGES).is_file()


def read_stages(run: Path) -> dict[str, DictConfig]:
    """The configurations of a run's stages, by name and in order. Raises UserError where the file is damaged."""
    stages = read_settings(run / STAGES)
    for name, config in stages.items():  # which names a folder
        if not re.fullmatch(r"\w+", str(name)) or not isinstance(config, DictConfig):
            raise UserError(f"{run / STAGES} is damaged: {shown(name)} is no stage with its settings")
    return {
        str(name): _where_it_is_now(stages[name], run / f"{number}_{name}")
        for number, name in enumerate(stages, start=1)
    }


def _where_it_is_now(config: DictConfig, own: Path) -> DictConfig:
    """The configuration of a run, of a stage with the one before where that is now: it may have been moved with it."""
    saved, here = str(config.get("start_from")), own.parent
    before = here / Path(saved).name
    stages = all(re.match(r"\d+_", one.name) for one in (before, own)) and _number(before) < _number(own)
    if not (has_stages(here) and stages and before.is_dir()):
        return config

    def moved(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: moved(one) for key, one in value.items()}
        if isinstance(value, list):
            return [moved(one) for one in value]
        lies_there = isinstance(value, str) and (value == saved or value.startswith(f"{saved}/"))
        return f"{before}{value[len(saved) :]}" if lies_there else value

    return OmegaConf.create(escaped(moved(OmegaConf.to_container(config, resolve=True))))


def of_stage(run: Path) -> Path:
    """The run itself, or of one in stages the last that is finished. Raises UserError where none is."""
    if not has_stages(run):
        return run
    stages = [own for own in run.glob("[0-9]*_*") if own.name.partition("_")[0].isdigit()]
    finished = [own for own in sorted(stages, key=_number) if is_finished(own)]
    if not finished:
        go_on = shlex.quote(say("resume", run))
        raise UserError(f"{run} has no finished stage yet: go on with {go_on}, or name one, as in {run / '1_…'}")
    return finished[-1]


def run_of(place: Path) -> Path:
    """The folder of a run, of one in stages its last that is finished, or the one that a checkpoint file lies in."""
    return place.parent.parent if place.is_file() else of_stage(place)


def begun_run_of(place: Path) -> Path | None:
    """The same where that run has begun; None of a checkpoint file by itself, and of an exported model."""
    if is_exported(place):
        return None
    run = run_of(place)
    return run if (run / "config.yaml").is_file() else None


def _number(stage: Path) -> int:
    return int(stage.name.partition("_")[0])


def is_finished(run: Path) -> bool:
    return (run / _CONCLUSION).is_file()


def finish(run: Path, conclusion: str) -> None:
    """Say that a run is all done, and what came out."""
    write_whole(run / _CONCLUSION, conclusion.strip("\n") + "\n")


def unfinish(run: Path) -> None:
    """Take that back, before it trains on: else one stopped on the way would pass as done."""
    (run / _CONCLUSION).unlink(missing_ok=True)


def write_config(config: DictConfig, run: Path) -> None:
    """Save the resolved configuration; it must hold no mandatory value that is missing."""
    write_whole(run / "config.yaml", OmegaConf.to_yaml(resolved(config)))


def kept_splits(run: Path, data: DictConfig, resumed: bool = False) -> "KeptSplits | None":
    """Which pictures the run was trained with, for `data` as a command changed it; None before its first step.

    Raises UserError where the file is damaged, or a resumed run is told other splits.
    """
    from suite.data.kept import KeptSplits

    path = run / SPLITS_FILE
    if not path.is_file():
        return None
    before = read_config(run).data

    def differs(key: str) -> bool:
        return OmegaConf.select(before, key) != OmegaConf.select(data, key)

    for key in ("split", "target.split"):
        if resumed and differs(key):
            raise UserError(
                f"data.{key}={shown(OmegaConf.select(data, key))}: a resumed run keeps the splits of {path}; leave it "
                f"out, or train a fresh run with start_from={run}"
            )
    elsewhere = [
        of_set
        for of_set, prefix in (("data", ""), ("data.target", "target."))
        if differs(f"{prefix}root") or differs(f"{prefix}streaming")
    ]
    return KeptSplits.read(path, tuple(elsewhere), resumed)


def checkpoint_path(run: Path, which: str = "last", key: str = "checkpoint") -> Path:
    """A checkpoint of a run: `last`, `best`, `first` of those kept at chosen steps, or a file's name; said by the key.

    Raises UserError where it is not there.
    """
    there = sorted(file.stem for file in (run / "checkpoints").glob("*.ckpt"))
    if which == "first":
        steps = [int(name.removeprefix("step")) for name in there if re.fullmatch(r"step\d+", name)]
        if there and not steps:
            raise UserError(
                f"{key}=first: {run} has no step<number>.ckpt; use {key}={' or '.join(there)}, or train it with "
                "checkpoint.at_steps=[…]"
            )
        which = f"step{min(steps)}" if steps else which
    path = run / "checkpoints" / f"{which.removesuffix('.ckpt')}.ckpt"
    if not path.is_file():
        raise UserError(
            f"{path} does not exist: use {key}={' or '.join(there)}"
            if there
            else f"{run} has no checkpoint yet: the run ended before its first epoch did"
        )
    return path


def refuse_two_checkpoints(run: Path, which: str) -> None:
    """Raises UserError where run= is a checkpoint file, and checkpoint= names one too."""
    if run.is_file() and which != "last":
        raise UserError(f"run={run} is a checkpoint file already: leave checkpoint={which} out")


def resumed_checkpoint(run: Path) -> Path | None:
    """The checkpoint that a run goes on from; None where it ended before it saved its first."""
    path = run / "checkpoints" / "last.ckpt"
    return path if path.is_file() else None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content, without running code from it. Raises UserError where it is damaged or not ours."""
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        damaged = damaged_part(path)
    except Exception as error:  # torch raises half a dozen types for a damaged file, OSError without a name among them
        if isinstance(error, OSError) and error.filename:
            raise UserError(f"can't read {path}: {error.strerror}") from error
        raise UserError(f"{path} is damaged or not a checkpoint: use another of {path.parent}") from error
    if damaged:
        raise UserError(
            f"{path} is damaged: {damaged} in it is not what was saved; use another of {path.parent}, or a copy"
        )
    if not is_ours(content):
        raise UserError(f"{path} is not a checkpoint of this suite")
    return content


def restore(model: "Paper", content: dict[str, Any], path: Path) -> "Paper":
    """The model with a checkpoint's weights, and as far as that had come. Raises UserError where they don't fit."""
    with one_line(path):
        load_weights(model, content, path)
        model.on_load_checkpoint(content)
    return model


def load_model(
    run: str | Path, checkpoint: str = "last", device: str = "cpu", mode: Literal["eval", "train"] = "eval"
) -> "Paper":
    """A trained model in eval mode, from wherever `suite.load` takes one."""
    one_of("mode", mode, ("eval", "train"))
    place = local(run)
    if not place.exists():
        raise UserError(f"{place} does not exist: give a run folder, a checkpoint file, or hf://owner/name of the hub")
    if is_exported(place) and checkpoint != "last":
        raise UserError(f"{run} is an exported model, which has no checkpoints: leave checkpoint={checkpoint} out")
    model = read_exported(place) if is_exported(place) else _of_checkpoint(place, checkpoint)
    model.mode = mode
    return model.to(device).eval()


def _of_checkpoint(run: Path, checkpoint: str) -> "Paper":
    path = run if run.is_file() else checkpoint_path(of_stage(run), checkpoint)
    content = read_checkpoint(path)
    try:
        paper = find_paper(content["paper"])
    except UserError as error:
        raise UserError(f"{path} is a checkpoint of {content['paper']}, which this version does not have") from error
    model = restore(built(paper, content["hyper_parameters"], path), content, path)
    check_finite(content["state_dict"], path)
    return model


def depth_of(run: Path) -> "Depth":
    """The `data.depth` that a run, or the run that a checkpoint file lies in, was trained with; else `auto`."""
    from suite.data.depth import Depth, check_depth

    if is_exported(run := local(run)):
        return read_exported_settings(run)["depth"]
    place = run_of(run)
    if not (place / "config.yaml").is_file():
        return "auto"  # a checkpoint by itself
    data = read_config(place).get("data")
    found: Any = plain(data).get("depth", "auto") if isinstance(data, DictConfig) else "auto"
    check_value(f"{place / 'config.yaml'}: data.depth", found, Depth)
    check_depth(f"{place / 'config.yaml'}: data.depth", found)
    return found


def load_weights(model: "Paper", content: dict[str, Any], path: Path) -> None:
    """Put a checkpoint's weights into a model. Raises UserError where they are another paper's or another size's."""
    if content["paper"] != model.name:
        raise UserError(f"{path} is a checkpoint of {content['paper']}, and the run is of {model.name}")
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        raise UserError(f"{path} does not fit the model's settings: {_difference(error)}") from error


def _difference(error: RuntimeError) -> str:
    return textwrap.shorten(str(error).partition(":")[2], 160, placeholder=" …")


def start_weights(model: "Paper", start_from: Path, checkpoint: str) -> dict[str, str]:
    """Give a fresh model's networks the weights of another run's networks of the same name, averaged where it has them.

    start_from: a run folder, of which `checkpoint` is taken, or a checkpoint file. Returns what was taken and what was
    not, for `summary`. A stage may take none, and train on what an earlier one left behind. Raises UserError where
    sizes differ, nothing fits and it is no stage, or an earlier stage's network is not there.
    """
    if not start_from.exists():
        raise UserError(f"start_from={start_from} does not exist: give a run folder or a checkpoint file")
    path = start_from if start_from.is_file() else checkpoint_path(of_stage(start_from), checkpoint, key="start")
    content = read_checkpoint(path)
    state: dict[str, Any] = content["state_dict"]
    untrained = content.get("fresh", [])  # of published weights, networks that no file was given of
    if not fits(untrained, list[str]):
        raise UserError(f"{path} can't be used: its fresh networks are {shown(untrained)}")
    found: dict[str, dict[str, Any]] = {}
    for averaged in (False, True):
        for name, value in state.items():
            of_average = name.startswith("ema.")
            network, _, weight = name.removeprefix("ema.").partition(".")
            if of_average == averaged and weight != "_extra_state" and network not in untrained:
                found.setdefault(network, {})[weight] = value
    ours = {
        name: child for name, child in model.named_children() if name != "ema" and any(True for _ in child.parameters())
    }
    taken = [name for name in ours if name in found]
    if not taken and model.stage is None:
        raise UserError(f"start_from={start_from}: it has {', '.join(found)}; this model has {', '.join(ours)}")
    if lacking := [name for name in model.frozen_stages if name not in found]:
        raise UserError(
            f"start_from={start_from} lacks {', '.join(lacking)}, which model.stage={model.stage} builds on"
        )
    if model.frozen_stages:
        with one_line(path):
            model.check_start(content["hyper_parameters"], start_from)
            model.start_after(content)
    for name in taken:
        try:
            ours[name].load_state_dict(found[name])
        except RuntimeError as error:
            raise UserError(
                f"start_from={start_from}: {name} does not fit the model's settings: {_difference(error)}"
            ) from error
    model.begin_average()
    said = f"{', '.join(taken) or 'none'} of {path}"
    if new := [name for name in ours if name not in found]:
        said += f"; new: {', '.join(new)}"
    if left := [name for name in found if name not in ours]:
        said += f"; left: {', '.join(left)}"
    return {"starts from": said}


def claim(run: Path, resumed: bool = False) -> None:
    """Make sure that a run's folder can be written, by this process alone, and holds no other run; sweep it.

    A resumed run's may lead nowhere else.
    """
    make_folder(run)
    if resumed:
        refuse_links(run)
    hold(run)
    refuse_another(run, resumed)
    remove_partial(run)


def refuse_another(run: Path, resumed: bool = False) -> None:
    """Raises UserError where the folder holds a run that is not to be resumed."""
    if not resumed and any((run / name).exists() for name in ("config.yaml", STAGES)):
        go_on = shlex.quote(say("resume", run))
        raise UserError(f"{run} already holds a run: {go_on}, or choose another folder")
