"""Compose and instantiate the configuration: the way from words on a command line to objects."""

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from suite.errors import UserError
from suite.papers import find_paper
from suite.run.words import escaped, literal

if TYPE_CHECKING:
    from suite.data.kept import KeptSplits
    from suite.data.module import PictureData
    from suite.papers.base import Paper

_INSTALLED = Path(__file__).parents[1] / "conf"  # inside the wheel
_CHECKOUT = Path(__file__).parents[3] / "conf"  # an editable install
CONF = _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT


def register_resolvers() -> None:
    """The functions that configuration files call: `${add:1,2}`, `${home:}`, `${unet_downs:256}` ...."""
    OmegaConf.register_new_resolver("add", lambda *numbers: sum(numbers), replace=True)
    OmegaConf.register_new_resolver("epochs_of", epochs_of, replace=True)
    OmegaConf.register_new_resolver("twice", lambda number: 2 * number, replace=True)
    OmegaConf.register_new_resolver("share_of", _share_of, replace=True)
    OmegaConf.register_new_resolver("at_most", _at_most, replace=True)
    OmegaConf.register_new_resolver("unet_downs", _unet_downs, replace=True)
    OmegaConf.register_new_resolver("l1_of_drawings", _l1_of_drawings, replace=True)
    OmegaConf.register_new_resolver("home", lambda: str(Path.home()), replace=True)
    OmegaConf.register_new_resolver("run_folder", _run_folder, replace=True)


def epochs_of(epochs: int, decay_epochs: int, steps: int | None) -> int:
    """How many epochs the trainer makes of a model's durations; -1 is as many as its steps take."""
    return epochs + decay_epochs if steps is None else -1


def _share_of(number: Any, part: int, whole: int) -> Any:
    """part / whole of a number, rounded; what is no number is left as it is, for the checks to refuse."""
    return round(number * part / whole) if isinstance(number, int | float) else number


def _at_most(number: Any, most: int) -> Any:
    """The smaller of the two; what is no number is left as it is, for the checks to refuse."""
    return min(number, most) if isinstance(number, int | float) else number


def _unet_downs(size: int) -> int:
    """As many levels as a U-Net can have for pictures of this size, and no more than the eight of pix2pix."""
    downs = next((downs for downs in range(8, 3, -1) if size % 2**downs == 0), None)
    if downs is None:
        near = max(16, round(size / 16) * 16)
        raise UserError(
            f"data.size={size} can't be halved four times, the least for a U-Net: use data.size={near}, "
            "or say model.backbone.downs"
        )
    return downs


def _l1_of_drawings(drawings: str) -> str:
    """The L1 that validation has of data with these `drawings`: to the closest of all, or to the one."""
    return "val/l1_closest" if drawings == "all" else "val/l1"


def _run_folder(resume: str | None, fresh: str) -> str:
    if resume is None:
        return fresh
    # Before Hydra makes the folder.
    if not any((Path(str(resume)) / name).is_file() for name in ("config.yaml", "stages.yaml")):
        raise UserError(f"resume={resume} is not a run folder: it has no config.yaml")
    return str(resume)


def composing() -> AbstractContextManager[None]:
    """Inside, Hydra composes from conf/; within a command that composes another time, it is there already."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra

    begun = GlobalHydra.instance().is_initialized()
    return nullcontext() if begun else hydra.initialize_config_dir(str(CONF), version_base="1.3")


def compose(config_name: str, overrides: list[str]) -> DictConfig:
    """The configuration a command line would give, its keys checked. Raises UserError with Hydra's reason."""
    import hydra

    from suite.run.checks import check_keys
    from suite.run.messages import check_words, composition_message

    register_resolvers()
    overrides = [literal(word) for word in overrides]
    check_words(overrides)
    try:
        with composing():
            config = hydra.compose(config_name, overrides)
    except Exception as error:
        reason = composition_message(error, config_name, overrides, multirun=False)
        raise (UserError(reason) if reason else error) from error
    check_keys(config)
    return config


def compose_again(words: list[str]) -> DictConfig:
    """Another configuration of the command that runs, from other words, within Hydra's own main. Raises UserError.

    words: as Hydra has them, see `suite.run.words`.
    """
    import hydra

    try:
        return hydra.compose("train", words)
    except Exception as error:
        from suite.run.messages import composition_message

        reason = composition_message(error, "train", words, multirun=False)
        raise (UserError(reason) if reason else error) from error


def need_data(config: DictConfig) -> None:
    """Raises UserError, with the choices, where a command that has no data set of its own was told none."""
    if config.get("data") is None:
        choices = sorted(path.stem for path in (CONF / "data").glob("[!_]*.yaml"))
        raise UserError(f"data is not set: say data=<name>; choose from {', '.join(choices)}")


def plain(node: DictConfig) -> dict[str, Any]:
    """A configuration node as plain resolved values: what constructors and checkpoints take."""
    from omegaconf.errors import OmegaConfBaseException

    from suite.run.messages import user_message

    try:
        return OmegaConf.to_container(node, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:  # a value that is missing, or that a resolver has refused
        raise UserError(user_message(error)) from error


def resolved(node: DictConfig) -> DictConfig:
    """The node with values in place of references; a text that looks like one, as a folder `${HOME}`, stays a text."""
    return OmegaConf.create(escaped(OmegaConf.to_container(node, resolve=True)))


def instantiate(config: DictConfig, kept: "KeptSplits | None" = None) -> "tuple[Paper, PictureData]":
    """The model and the data, matched against each other. Opens no file of the data set.

    kept: the splits of the run that they are of, see `folder.kept_splits`.

    `model.labels`, where a paper has that key and it is null, becomes in `config` the names that the data's labels
    have: for them alone the data set is listed. Raises UserError for what can't work.
    """
    from suite.data.module import PictureData
    from suite.papers.base import check_task
    from suite.run.checks import check_values

    check_values(config, only=("data", "model"))
    data = PictureData(**plain(config.data))
    data.kept = kept
    paper = find_paper(config.model.paper)
    if "labels" in config.model and config.model.labels is None:
        check_task(paper, paper.tasks, data.task)
        config.model.labels = escaped(list(data.label_names))
    values = plain(config.model)
    del values["paper"]
    model = paper(**values)
    data.rounds, data.with_pictures = model.batches_per_step, model.trains_on_pictures
    model.check_data(data)
    return model, data


def check_labels(model: "Paper", data: "PictureData", training: bool) -> None:
    """Match the labels that the data turn out to have with those of the model. Raises UserError.

    training: there must be pictures of each in the train split.
    """
    if data.task == "labelled":
        model.check_labels(data.label_names, data.label_counts("train") if training else None)


@cache
def _defaults(paper: str) -> DictConfig:
    return compose("train", [f"model={paper}"])


def defaults_of(paper: str) -> dict[str, Any]:
    """What conf/model/<paper>.yaml says: the arguments of the paper's class."""
    return {key: value for key, value in plain(_defaults(paper).model).items() if key != "paper"}
