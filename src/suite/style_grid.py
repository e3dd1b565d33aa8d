"""`python -m suite.style_grid run=<run> input=<sketches> styles=<pictures> output=<file>`: sketches by styles."""

from pathlib import Path
from typing import Literal, TypedDict

from omegaconf import DictConfig

from suite.arguments import File, Name, Positive
from suite.errors import UserError
from suite.files import make_folder, write_picture
from suite.run import cli, folder
from suite.run.checks import checked
from suite.translating.outputs import named_picture, pictures_of


class Keys(TypedDict):
    """conf/style_grid.yaml."""

    run: File
    input: File
    styles: File
    output: File
    direction: Literal["a2b", "b2b"]
    mix: Literal[1, 2, 4]
    rows: Positive
    columns: Positive
    checkpoint: Name
    overwrite: bool
    device: Name


def style_grid(config: DictConfig) -> None:
    """Draw a grid; `config` is composed from conf/style_grid.yaml."""
    values = checked(config, Keys)
    run, output = Path(values["run"]).expanduser(), named_picture(Path(values["output"]).expanduser())
    folder.refuse_two_checkpoints(run, values["checkpoint"])
    if output.exists() and not values["overwrite"]:
        raise UserError(f"output={output} is already there: name another file, or set overwrite=true")
    inputs = pictures_of(Path(values["input"]).expanduser(), "input", output)[: values["rows"]]
    styles = pictures_of(Path(values["styles"]).expanduser(), "styles", output)
    if len(styles) < values["mix"]:
        raise UserError(f"mix={values['mix']}: styles={values['styles']} has only {len(styles)}")

    from suite.progress import counting
    from suite.translating.batches import pick_device, pick_direction
    from suite.translating.style_grid import draw_grid

    model = folder.load_model(run, values["checkpoint"], str(pick_device(values["device"])))
    if not model.needs_style:
        raise UserError(f"run={run}: this {type(model).__name__} takes no style; suite.translate translates with it")
    direction = pick_direction(model, values["direction"])
    with counting(disable=not cli.on_terminal()) as progress:
        columns = min(values["columns"], len(styles))
        bar = progress.add_task("drawing", total=columns)
        depth = folder.depth_of(run)
        grid = draw_grid(model, inputs, styles, columns, direction, values["mix"], lambda: progress.advance(bar), depth)
    make_folder(output.parent)
    write_picture(grid, output)
    what = "photo" if direction == "b2b" else "sketch"
    counted = f"{len(inputs)} {what}" + ("" if len(inputs) == 1 else "s" if what == "photo" else "es")
    print(f"{counted} by {columns} style{'s' * (columns > 1)}: {output}")


def main() -> None:
    """The console script `suite-style-grid`."""
    cli.run("style_grid", style_grid)


if __name__ == "__main__":
    main()
