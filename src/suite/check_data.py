"""`python -m suite.check_data data=<name> data.root=<folder>`: what a data set has and lacks, before training."""

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any, TypedDict

from omegaconf import DictConfig

from suite.arguments import File, Range, Seed
from suite.errors import UserError
from suite.files import make_folder, write_picture, write_whole
from suite.run import cli
from suite.run.checks import checked
from suite.run.config import need_data


class Keys(TypedDict):
    """conf/check_data.yaml."""

    data: dict[str, Any]  # as `DataKeys` takes them
    verify: bool
    sheet: File | None
    samples: Annotated[int, Range(least=1, most=1000)]
    report: File | None
    overwrite: bool
    seed: Seed
    cache_dir: File


def check_data(config: DictConfig) -> None:
    """Show what is there; raises UserError where it can't be used. `config` is composed from conf/check_data.yaml."""
    need_data(config)
    values = checked(config, Keys)
    sheet = _new_file("sheet", values["sheet"], values["overwrite"], (".png", ".jpg", ".jpeg", ".webp"))
    report = _new_file("report", values["report"], values["overwrite"])

    from suite.data.keys import DataKeys
    from suite.data.tools.checking import (
        Broken,
        Findings,
        check_labels,
        check_pairs,
        check_styles,
        check_target,
        list_sets,
        say,
        show,
    )

    data = DataKeys(**values["data"])
    listed = list_sets(data)
    for path in filter(None, (sheet, report)):
        make_folder(path.parent)
    found = []
    for catalog, splits in listed:
        looked = _look(catalog.records, data.depth, values["verify"], data.fit("photo", training=True).whole)
        broken = [Broken(one.name, one.reason) for of in looked for one in of.broken] if values["verify"] else None
        found.append(Findings(catalog, splits, broken, looked, data.depth))
    for findings in found:
        show(findings)
    if sheet is not None:
        from suite.data.finish import sketcher
        from suite.data.tools.contact_sheet import choose, draw_sheet

        chosen = choose(found[0].splits, values["samples"], values["seed"])
        write_picture(draw_sheet(chosen, found[0].catalog, sketcher(data), data.size, data.depth), sheet)
        say("sheet", str(sheet))
    if report is not None:
        write_whole(report, "".join(findings.report() for findings in found))
        say("report", str(report))
    figures = found[0].figures() | ({"target": found[1].figures()} if len(found) > 1 else {})
    print(json.dumps(figures), flush=True)  # before an error's line, where both go to one place
    for findings, task in zip(found, (data.task, None), strict=False):
        findings.check_usable(data.skip_broken, task)
    check_pairs(data, found[0].splits)
    check_labels(data, found[0])
    check_styles(data, found[0])
    if len(found) > 1:
        check_target(data, found[0].catalog, found[1].catalog)


def _new_file(key: str, given: File | None, overwrite: bool, suffixes: tuple[str, ...] = ()) -> Path | None:
    """The file to write. Raises UserError where it can't be, or would replace another."""
    if given is None:
        return None
    path = Path(given).expanduser()
    if suffixes and path.suffix.lower() not in suffixes:
        raise UserError(f"{key}={path}: give a file name ending in {', '.join(suffixes)}")
    if path.is_dir():
        raise UserError(f"{key}={path} is a folder: give the name of a file")
    if path.exists() and not overwrite:
        raise UserError(f"{key}={path} is already there: name another file, or set overwrite=true")
    there = next(folder for folder in path.absolute().parents if folder.exists())
    try:  # what can't be written is said now, not after an hour of decoding
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UserError(f"{key}={path}: can't write to {there}: {error.strerror}") from error
    return path


def _look(records: list[Any], depth: Any, verify: bool, covers: bool) -> list[Any]:
    """Decode a sample of each kind of picture, or all of them.

    Under a progress bar on standard error: the other output is for the table and the JSON line.
    """
    from rich.console import Console

    from suite.data.tools.looking import Looked, by_kind, look_at, spread
    from suite.progress import counting

    kinds = {"photo": "photos", "drawing": "sketches"}
    chosen = {kind: (of, of if verify else spread(of)) for kind, of in by_kind(records).items() if of}
    console = Console(stderr=True)
    with counting(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("decoding pictures", total=sum(len(few) for _, few in chosen.values()))
        return [
            Looked.of(kinds[kind], len(of), few, look_at(few, depth, lambda more: progress.advance(bar, more), covers))
            for kind, (of, few) in chosen.items()
        ]


def main() -> None:
    """The console script `suite-check-data`."""
    cli.run("check_data", check_data)


if __name__ == "__main__":
    main()
