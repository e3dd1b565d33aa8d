"""The card of a model, a README.md as the hub shows it: what it is, of which data, how good, and what it is not for."""

import json
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from omegaconf import DictConfig

from suite.errors import printable
from suite.exporting.training import DataSet, built_in_alone, command_of, data_sets, foreign_start
from suite.metrics.table import rows_of
from suite.networks.layers import differs_in_training
from suite.run.words import command, say

if TYPE_CHECKING:
    from suite.papers.base import Paper

CARD, GRID, TRAINING = "README.md", "grid.png", "training.yaml"
_PAPERS = {
    "csi": "Güçlütürk et al. 2016, *Convolutional Sketch Inversion*",
    "cyclegan": "Zhu et al. 2017, *Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks*",
    "dagan": "Liu et al. 2018, *Domain-Adaptive Generative Adversarial Networks for Sketch-to-Photo Inversion*",
    "pix2pix": "Isola et al. 2017, *Image-to-Image Translation with Conditional Adversarial Networks*",
    "sketch_to_image": "Liu et al. 2021, *Self-Supervised Sketch-to-Image Synthesis*",
    "two_step": "Dong et al. 2017, *Unsupervised Image-to-Image Translation with Generative Adversarial Networks*",
}
_GRID_SHOWN = f"## Pictures\n\nOf pictures that it was not trained on, two samples a row.\n\n![What it makes]({GRID})"
_FIGURE = re.compile(r"[\w/@ ,.-]{1,80}")  # a name in metrics.json that goes into a table as it is


class Told(NamedTuple):
    """What is known of a model, for its card. `config` and `figures` are a run's, and None where it has left it."""

    model: "Paper"
    name: str  # as its title
    where: str  # what `suite.load` takes: a name of the hub, or <folder>
    weights: int
    config: DictConfig | None
    figures: dict[str, dict[str, float]]
    licence: str | None  # as the hub spells it
    pictures: bool | None  # whether it may show some; None: those of the built-in faces


def write_card(told: Told, shows_grid: bool) -> str:
    """The whole file. shows_grid: whether a picture lies beside it."""
    sets = [] if told.config is None else data_sets(told.config)
    parts = [
        _front(told),
        f"# {told.name}",
        _what(told),
        _use(told),
        _data(sets, foreign_start(told.config)),
        _training(told),
    ]
    parts += [_figures(told.figures), _GRID_SHOWN if shows_grid else "", _limits(told)]
    return "\n\n".join(part for part in parts if part) + "\n"


def licence_of(config: DictConfig | None, said: str | None) -> str:
    """The hub's word for the licence: what was said, else MIT where nothing but the built-in faces was learnt from."""
    return said or ("mit" if built_in_alone(config) else "other")


def _front(told: Told) -> str:
    licence = licence_of(told.config, told.licence)
    named = [] if licence != "other" else ["license_name: see-the-data", f"license_link: {CARD}"]
    tags = ["image-to-image", "gan", told.model.name, "suite"]
    lines = [
        f"license: {json.dumps(licence)}",
        *named,
        "library_name: pytorch",
        "pipeline_tag: image-to-image",
        "tags:",
    ]
    return "\n".join(["---", *lines, *(f"- {tag}" for tag in tags), "---"])


def _what(told: Told) -> str:
    model = told.model
    source = f", after {_PAPERS[model.name]}" if model.name in _PAPERS else ""
    stage = f", stage {model.stage}" if model.stage else ""
    sentences = [
        f"Image-to-image translation by {type(model).__name__}{stage}{source}.",
        _experiment(told.config),
        f"It translates {', '.join(f'`{name}`' for name in model.directions)}.",
        f"Its labels: {', '.join(map(printable, model.labels))}." if model.labels else "",
        "Each picture is made in the style of another one, an exemplar." if model.needs_style else "",
    ]
    a, b = (model.hparams[f"channels_{side}"] for side in "ab")
    channels = f"{a} channels" if a == b else f"{a} channels on side a and {b} on side b"
    sizes = f"{model.fixed_size}x{model.fixed_size} pixels" if model.fixed_size else "of any size"
    return (
        " ".join(filter(None, sentences))
        + f"\n\n{told.weights:,} weights, after {model.steps:,} updates; the networks that only trained it are not "
        f"among them. Pictures go in and come out as (B, C, H, W) from -1 to 1, {channels}, {sizes}; "
        "`suite.translate` takes files of any size."
    )


def _experiment(config: DictConfig | None) -> str:
    """What the experiment's own file says of it in its third line, where it is one of ours."""
    from suite.run.config import CONF

    name = "" if config is None else str(config.get("name"))
    path = CONF / "experiment" / f"{name}.yaml"
    if not re.fullmatch(r"\w+", name) or not path.is_file():
        return ""
    return f"Experiment `{name}`: {path.read_text(encoding='utf-8').splitlines()[2].lstrip('# ')}"


def _use(told: Told) -> str:
    model = told.model
    line = translate_command(model, told.where)
    load = f"model = suite.load({json.dumps(told.where, ensure_ascii=False)})"
    call = "translate(pictures)" if not model.labels else f'translate(pictures, "{list(model.directions)[-1]}")'
    styled = "model.take_style(exemplar)  # (1, C, H, W)\n" if model.needs_style else ""
    return (
        f"## Use\n\nWith the suite, and its extra `hub`:\n\n```sh\n{line}\n```\n\n"
        f"```python\nimport suite\n\n{load}\n{styled}translated = model.{call}  # (B, C, H, W) in [-1, 1]\n```"
    )


def translate_command(model: "Paper", where: str) -> str:
    """The command that translates with a model, which `suite.load` takes from there; what is the user's in capitals."""
    further = [say("target", model.labels[-1])] if model.labels else []
    further += ["style=PICTURE_OR_FOLDER"] if model.needs_style else []
    return command("translate", say("run", where), "input=FILE_OR_FOLDER", "output=FOLDER", *further)


def _data(sets: Sequence[DataSet], start: str | None) -> str:
    """start: what the weights began as, if anything."""
    if not sets:
        return "## Data\n\nNot known: the model was exported without its run."
    rows = []
    for one in sets:
        where = "" if one.where is None else f" From {one.where}."
        rows.append(f"- {one.title}. Licence: {one.licence or 'to be said by the author'}.{where}")
    if start is not None:
        name = printable(start).replace("`", "'")
        rows.append(f"- What `{name}` had learnt from, whose weights the training started from. Licence: as of those.")
    return "## Data\n\n" + "\n".join(rows)


def _training(told: Told) -> str:
    if told.config is None:
        return "## Training\n\nNot known: the model was exported without its run."
    found = command_of(told.config)
    if found is None:
        return f"## Training\n\nBy no experiment of the suite: [{TRAINING}]({TRAINING}) has every setting."
    line, whole = found
    rest = f"[{TRAINING}]({TRAINING}) has every setting" + (
        "." if whole else ", also those that the command leaves out."
    )
    return f"## Training\n\n```sh\n{line}\n```\n\n{rest}"


def _figures(figures: dict[str, dict[str, float]]) -> str:
    """Tables of metrics.json, of the numbers in it that are named as metrics are."""
    tables = []
    for entry, of_entry in figures.items():
        if not _FIGURE.fullmatch(entry):
            continue
        numbers = {name: value for name, value in of_entry.items() if _FIGURE.fullmatch(name) and math.isfinite(value)}
        rows = [f"| {name} | {f'{value:.4f} {spread}'.rstrip()} | {n} |" for name, value, n, spread in rows_of(numbers)]
        if rows:
            tables.append("\n".join([f"`{entry}`", "", "| metric | value | n |", "|---|---|---|", *rows]))
    if not tables:
        return "## Figures\n\nNot measured."
    told = "As `suite.evaluate` found them: the split and the checkpoint, then how many pictures a figure is of."
    return "\n\n".join([f"## Figures\n\n{told}", *tables])


def _limits(told: Told) -> str:
    lines = ["It knows what it was trained on: other faces, scenes, pens or styles come out worse, without a warning."]
    lines.append(
        "It has seen drawn faces alone, and no photo of a person; photos of people are not what it is for."
        if built_in_alone(told.config)
        else "What holds of the data holds of it, too: who is missing there, and for what it may be used."
    )
    lines.append("For research and play; not to identify people, nor to pass off what it makes as pictures of them.")
    if "backbone" in told.model.hparams and any(map(differs_in_training, told.model.translating().values())):
        lines.append(
            "It translates with running statistics and without dropout; pix2pix was tested with both (mode=train)."
        )
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)
