"""`python -m suite.check_data data=<name> data.root=<folder>`: what a data set has and lacks, before training."""

import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from suite import arguments, cli
from suite.config import CONF, plain
from suite.errors import UserError
from suite.outputs import make_folder, write_whole


def check_data(config: DictConfig) -> None:
    """Show what is there; raises UserError where it can't be used. `config` is composed from conf/check_data.yaml."""
    if config.data is None:
        choices = sorted(path.stem for path in (CONF / "data").glob("[!_]*.yaml"))
        raise UserError(f"data is not set: say data=<name>; choose from {', '.join(choices)}")
    values = plain(config)
    _check(values)
    sheet = _new_file(values, "sheet", (".png", ".jpg", ".jpeg", ".webp"))
    report = _new_file(values, "report")

    from hydra.utils import get_object

    from suite.data.checking import Findings, show
    from suite.data.contact_sheet import choose, draw_sheet, write_sheet
    from suite.data.splits import assign_splits

    data = get_object(values["data"].pop("_target_"))(**values["data"])
    catalog = data.list_pictures()
    splits = assign_splits(catalog, data.split, data.seed)
    findings = Findings(catalog, splits, _verify(catalog.records) if values["verify"] else None)
    show(findings)
    if sheet is not None:
        chosen = choose(splits, values["samples"], values["seed"])
        write_sheet(draw_sheet(chosen, catalog), sheet)
        print(f"{'sheet':<16}{sheet}")
    if report is not None:
        write_whole(report, findings.report())
        print(f"{'report':<16}{report}")
    print(json.dumps(findings.figures()), flush=True)  # before an error's line, where both go to one place
    findings.check_usable(data.skip_broken)


def _check(values: dict[str, Any]) -> None:
    for key in ("verify", "overwrite"):
        arguments.truth(key, values[key])
    arguments.whole_number("samples", values["samples"], least=1)
    arguments.whole_number("seed", values["seed"], least=0)


def _new_file(values: dict[str, Any], key: str, suffixes: tuple[str, ...] = ()) -> Path | None:
    """The file to write. Raises UserError where it can't be, or would replace another."""
    if values[key] is None:
        return None
    path = Path(str(values[key])).expanduser()
    if suffixes and path.suffix.lower() not in suffixes:
        raise UserError(f"{key}={path}: give a file name ending in {', '.join(suffixes)}")
    if path.is_dir():
        raise UserError(f"{key}={path} is a folder: give the name of a file")
    if path.exists() and not values["overwrite"]:
        raise UserError(f"{key}={path} is already there: name another file, or set overwrite=true")
    make_folder(path.parent)
    return path


def _verify(records: list[Any]) -> list[Any]:
    """The broken pictures, found under a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

    from suite.data.checking import find_broken, pictures

    every = pictures(records)
    columns = (*Progress.get_default_columns()[:-1], MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("decoding pictures", total=len(every))
        return find_broken(every, lambda more: progress.advance(bar, more))


def main() -> None:
    """The console script `suite-check-data`."""
    cli.run("check_data", check_data)


if __name__ == "__main__":
    main()
