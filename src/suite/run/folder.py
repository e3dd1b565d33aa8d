"""A run folder: where everything of a run lies, and how a model comes back out of it.

config.yaml  metrics.csv  log.txt  splits.json  checkpoints/{last,best}.ckpt  images/  wandb/
"""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from suite.arguments import one_of
from suite.errors import UserError
from suite.files import make_folder, write_whole
from suite.papers import find_paper

if TYPE_CHECKING:
    from suite.papers.base import Paper


def read_config(run: Path) -> DictConfig:
    """The resolved configuration of a run. Raises UserError where the folder is none."""
    path = run / "config.yaml"
    if not path.is_file():
        raise UserError(f"{run} is not a run folder: it has no config.yaml")
    try:
        config = OmegaConf.load(path)
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged: {' '.join(str(error).split())}") from error
    if not isinstance(config, DictConfig):
        raise UserError(f"{path} is damaged: it holds no settings")
    return config


def write_config(config: DictConfig, run: Path) -> None:
    """Save the resolved configuration; it must hold no mandatory value that is missing."""
    write_whole(run / "config.yaml", OmegaConf.to_yaml(config, resolve=True))


def checkpoint_path(run: Path, which: str = "last") -> Path:
    """A checkpoint of a run: `last`, `best`, or the name of a file in its checkpoints folder."""
    path = run / "checkpoints" / f"{which.removesuffix('.ckpt')}.ckpt"
    if not path.is_file():
        there = sorted(file.stem for file in path.parent.glob("*.ckpt"))
        raise UserError(
            f"{path} does not exist: use checkpoint={' or '.join(there)}"
            if there
            else f"{run} has no checkpoint yet: the run ended before its first epoch did"
        )
    return path


def resumed_checkpoint(run: Path) -> Path | None:
    """The checkpoint that a run goes on from; None where it ended before it saved its first."""
    path = run / "checkpoints" / "last.ckpt"
    return path if path.is_file() else None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content, without running code from it. Raises UserError where it is damaged or not ours."""
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types for a damaged file, OSError without a name among them
        if isinstance(error, OSError) and error.filename:
            raise UserError(f"can't read {path}: {error.strerror}") from error
        raise UserError(f"{path} is damaged or not a checkpoint: use another of {path.parent}") from error
    if not isinstance(content, dict) or not isinstance(content.get("paper"), str):
        raise UserError(f"{path} is not a checkpoint of this suite")
    return content


def load_model(
    run: str | Path, checkpoint: str = "last", device: str = "cpu", mode: Literal["eval", "train"] = "eval"
) -> "Paper":
    """A trained model in eval mode, from a run folder or a checkpoint file; see `suite.load`."""
    one_of("mode", mode, ("eval", "train"))
    run = Path(run)
    if not run.exists():
        raise UserError(f"{run} does not exist: give a run folder or a checkpoint file")
    path = run if run.is_file() else checkpoint_path(run, checkpoint)
    content = read_checkpoint(path)
    try:
        paper = find_paper(content["paper"])
    except UserError as error:
        raise UserError(f"{path} is a checkpoint of {content['paper']}, which this version does not have") from error
    model = paper(**content["hyper_parameters"])
    load_weights(model, content, path)
    model.on_load_checkpoint(content)
    model.mode = mode
    return model.to(device).eval()


def load_weights(model: "Paper", content: dict[str, Any], path: Path) -> None:
    """Put a checkpoint's weights into a model. Raises UserError where they are another paper's or another size's."""
    if content["paper"] != model.name:
        raise UserError(f"{path} is a checkpoint of {content['paper']}, and the run is of {model.name}")
    try:
        model.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        difference = textwrap.shorten(str(error).partition(":")[2], 160, placeholder=" …")
        raise UserError(f"{path} does not fit the model's settings: {difference}") from error


def claim(run: Path, resumed: bool = False) -> None:
    """Make sure that a run's folder can be written, and holds no other run."""
    make_folder(run)
    if not resumed and (run / "config.yaml").exists():
        raise UserError(f"{run} already holds a run: resume={run}, or choose another folder")
