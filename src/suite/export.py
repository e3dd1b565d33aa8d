"""`python -m suite.export run=<run> output=<folder> format=onnx|safetensors|hub`: a trained model that leaves."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from omegaconf import DictConfig, OmegaConf

from suite.arguments import File, Name
from suite.errors import UserError
from suite.files import make_folder, remove_abandoned, unfinished_folder
from suite.run import cli, exported, folder
from suite.run.checks import checked
from suite.run.config import CONF
from suite.run.extras import need
from suite.run.stored import refuse_links

if TYPE_CHECKING:
    from suite.exporting import card
    from suite.papers.base import Paper

# Which keys are of one format alone.
_OF_FORMAT = {"onnx": ("direction", "target"), "hub": ("push", "private", "licence", "pictures")}
_EXTRAS = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "safetensors": ("safetensors",), "hub": ("safetensors",)}
_BUILDING = ".export"  # begins the name of the folder that an export is built in


class Keys(TypedDict):
    """conf/export.yaml."""

    run: File
    output: File
    format: Literal["onnx", "safetensors", "hub"]
    direction: Name | None
    target: Name | None
    checkpoint: Name
    push: Name | None
    private: bool
    licence: Name | None
    pictures: bool | None
    overwrite: bool


def export(config: DictConfig) -> None:
    """Export a trained model; `config` is composed from conf/export.yaml."""
    values = checked(config, Keys)
    output = Path(values["output"]).expanduser()
    _check(values, output)
    place = exported.local(Path(values["run"]).expanduser())
    folder.refuse_two_checkpoints(place, values["checkpoint"])
    if values["format"] == "onnx":
        _export_graph(values, place, output)
        return
    from suite.exporting.upload import check_push, upload

    _refuse_present(values, output, [exported.WEIGHTS, exported.SETTINGS])
    name = None if values["push"] is None else check_push(values["push"], values["overwrite"])
    written = _export_weights(values, place, output, name)
    if name is not None:
        uploaded = upload(output, written, name, values["private"])
        print(f"uploaded as hf://{name}: {uploaded}")


def _check(values: Keys, output: Path) -> None:
    """Raises UserError for what can't work, before anything is read."""
    defaults = OmegaConf.load(CONF / "export.yaml")
    for of_format, keys in _OF_FORMAT.items():
        changed = [key for key in keys if values[key] != defaults[key]]  # type: ignore[literal-required, index]
        if changed and values["format"] != of_format:
            raise UserError(f"{changed[0]}= is for format={of_format}, not for format={values['format']}: leave it out")
    if values["target"] is not None and values["direction"] is not None:
        raise UserError(f"target={values['target']} and direction={values['direction']}: say one of them")
    if output.exists() and not output.is_dir():
        raise UserError(f"output={output} is a file: give a folder")
    if any((output / name).exists() for name in ("config.yaml", "stages.yaml", "checkpoints")):
        raise UserError(f"output={output} is a run folder: give another one")
    for module in _EXTRAS[values["format"]]:
        need(module, "export", f"format={values['format']}")


def _refuse_present(values: Keys, output: Path, names: Sequence[str]) -> None:
    there = [name for name in names if (output / name).exists()]
    if there and not values["overwrite"]:
        raise UserError(f"{output / there[0]} is already there: name another folder, or set overwrite=true")


def _export_graph(values: Keys, place: Path, output: Path) -> None:
    from suite.exporting.graph import TOLERANCE, contract, write_graph
    from suite.translating.batches import pick_direction

    model = folder.load_model(place, values["checkpoint"])
    direction = pick_direction(model, values["direction"], values["target"])
    path = output / f"{direction}.onnx"
    _refuse_present(values, output, [path.name])
    try:
        model.as_network(direction)
    except UserError as error:
        raise UserError(f"format=onnx: {error}; format=safetensors takes the whole model") from error
    compared = write_graph(model, direction, path)
    known = contract(model, direction)
    shapes = ", ".join("x".join(map(str, shape)) for shape in compared.shapes)
    read = f"{known['fixed_size']}x{known['fixed_size']} pixels" if known["fixed_size"] else (
        f"sides that are multiples of {known['divisor']}, {known['smallest']} at least"
    )  # fmt: skip
    inputs = " and ".join(f"{name} (B, {c}, H, W)" for name, c in zip(known["inputs"], known["channels"], strict=True))
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, {direction} of {type(model).__name__}")
    print(f"reads {inputs} in [-1, 1], {read}; gives translation (B, {known['out_channels']}, H, W) in [-1, 1]")
    print(
        f"onnxruntime against the model, {shapes}: "
        f"largest difference {compared.difference:.1e} ({TOLERANCE:g} is allowed)"
    )


def _export_weights(values: Keys, place: Path, output: Path, name: str | None) -> list[str]:
    """Write the folder. The names of what is in it, of this model."""
    from suite.exporting import hub
    from suite.exporting.card import translate_command
    from suite.exporting.weights import write_weights

    run = folder.begun_run_of(place)
    if run is not None and values["format"] == "hub":
        refuse_links(run)  # what one leads to would be published
    depth = folder.depth_of(place)
    model = folder.load_model(place, values["checkpoint"])
    if not model.directions:
        raise UserError(
            f"stage {model.stage} of {type(model).__name__} translates no pictures: give the run of another"
        )
    was_there = output.exists()
    make_folder(output)
    remove_abandoned(output, _BUILDING)
    building = unfinished_folder(output / _BUILDING)  # in it: it may lie on another disk than what is beside it
    try:
        weights = write_weights(model, depth, building)
        if values["format"] == "hub":
            hub.write_beside(_told(values, output, model, weights, run, name), run, building)
        names = sorted(path.name for path in building.iterdir())
        _refuse_present(values, output, names)
        for written in names:
            (building / written).replace(output / written)
    finally:
        shutil.rmtree(building, ignore_errors=True)
        if not was_there:
            with suppress(OSError):  # as a rule it is full now
                output.rmdir()
    print(f"{output}: {', '.join(model.translating())}, {weights:,} weights, in {', '.join(names)}")
    print(translate_command(model, str(output)))
    return names


def _told(values: Keys, output: Path, model: "Paper", weights: int, run: Path | None, name: str | None) -> "card.Told":
    from suite.exporting import card
    from suite.run.measured import evaluations

    return card.Told(
        model=model,
        name=name.partition("/")[2] if name else output.resolve().name or model.name,
        where=f"hf://{name}" if name else "FOLDER",
        weights=weights,
        config=None if run is None else folder.read_config(run),
        figures={} if run is None else evaluations(run),
        licence=values["licence"],
        pictures=values["pictures"],
    )


def main() -> None:
    """The console script `suite-export`."""
    cli.run("export", export)


if __name__ == "__main__":
    main()
