"""`python -m suite.compare <run folder> <run folder> …`: runs side by side, as one page to be opened in a browser."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from omegaconf import DictConfig

from suite.arguments import Count, File, Name, Size
from suite.errors import UserError
from suite.files import make_folder, readable_bytes, write_whole
from suite.run import cli, words
from suite.run.checks import checked
from suite.run.console import counted
from suite.translating.outputs import pictures_of

if TYPE_CHECKING:
    from suite.comparing.pictures import Inputs, Made
    from suite.comparing.runs import Run


class Keys(TypedDict):
    """conf/compare.yaml."""

    runs: Sequence[File]
    output: File
    n: Count
    input: File | None
    size: Size | None
    style: File | None
    checkpoint: Name
    overwrite: bool
    device: Name
    cache_dir: File


def compare(config: DictConfig, places: Sequence[str] = ()) -> None:
    """Write the page; `config` is composed from conf/compare.yaml. places: further runs, or folders of them."""
    values = checked(config, Keys)
    output = Path(values["output"]).expanduser()
    if output.suffix.lower() not in (".html", ".htm") or output.is_dir():
        raise UserError(f"output={output} is no page: give it a name as compare.html")
    if output.exists() and not values["overwrite"]:
        raise UserError(f"output={output} is already there: name another file, or set overwrite=true")

    from suite.comparing.runs import find_runs, in_arms, read_runs

    runs = read_runs(find_runs(Path(place).expanduser() for place in (*places, *values["runs"])))
    arms = in_arms(runs)
    inputs, made = _translated(runs, values)

    from suite.comparing.page import page

    make_folder(output.parent)
    write_whole(output, page(arms, made, inputs))
    for run in runs:
        for note in made[run.folder].notes if run.folder in made else ():
            print(note if str(run.last) in note else f"{run.folder}: {note}")
    what = f"{counted(len(runs), 'run')} in {counted(len(arms), 'arm')}"
    print(f"{what}: {output} ({readable_bytes(output.stat().st_size)}), to be opened in a browser")


def _translated(runs: "Sequence[Run]", values: Keys) -> "tuple[Inputs | None, dict[Path, Made]]":
    """What is put into each run, and what comes out, by its folder."""
    if values["n"] == 0:
        return None, {}
    from suite.comparing import pictures
    from suite.progress import counting
    from suite.translating.batches import pick_device

    device, style = str(pick_device(values["device"])), values["style"]
    if values["input"] is None:
        inputs = pictures.own_inputs(runs[0], values["n"], str(values["cache_dir"]))
    else:
        source = Path(values["input"]).expanduser()
        found = pictures_of(source, "input", Path(values["output"]))[: values["n"]]
        inputs = pictures.inputs_of(found, source, values["size"])
    if style is not None:
        inputs = pictures.with_style(inputs, Path(style).expanduser(), values["size"])
    made = {}
    with counting(disable=not cli.on_terminal()) as progress:
        bar = progress.add_task("translating", total=len(runs))
        for run in runs:
            made[run.folder] = pictures.translate(run, inputs, values["checkpoint"], device)
            progress.advance(bar)
    return inputs, made


def main() -> None:
    """The console script `suite-compare`: folders may be typed as they are, without a key."""
    places, sys.argv[1:] = words.bare(sys.argv[1:])

    def job(config: DictConfig) -> None:
        compare(config, places)

    cli.run("compare", job)


if __name__ == "__main__":
    main()
