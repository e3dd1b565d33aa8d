"""`python -m suite.translate run=<run> input=<pictures> output=<folder>`: a trained model on pictures of any size."""

import time
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from suite.arguments import whole_number
from suite.errors import UserError
from suite.files import make_folder
from suite.run import cli, folder
from suite.run.config import plain
from suite.translating.outputs import match_outputs


def translate(config: DictConfig) -> None:
    """Translate one picture or a folder of them; `config` is composed from conf/translate.yaml."""
    values = plain(config)
    _check(values)
    run, source, target = (Path(str(values[key])).expanduser() for key in ("run", "input", "output"))
    if run.is_file() and values["checkpoint"] != "last":
        raise UserError(f"run={run} is a checkpoint file already: leave checkpoint={values['checkpoint']} out")

    pairs = match_outputs(source, target)
    wanted = [pair for pair in pairs if values["overwrite"] or not pair[1].exists()]
    there = f"{len(pairs) - len(wanted)} already there (overwrite=true translates them again)"
    where = target if source.is_dir() else pairs[0][1]
    if not wanted:
        print(f"nothing to do in {where}: {there}")
        return

    import torch

    from suite.progress import counting
    from suite.translating.batches import pick_device, pick_direction, translate_files

    model = folder.load_model(run, values["checkpoint"], str(pick_device(values["device"])), values["mode"])
    torch.manual_seed(values["seed"])
    direction = pick_direction(model, values["direction"])
    make_folder(target if source.is_dir() else where.parent)

    started = time.monotonic()
    with counting(disable=not cli.on_terminal()) as progress:
        bar = progress.add_task("translating", total=len(wanted))
        failed = translate_files(
            model,
            wanted,
            direction,
            size=values["size"],
            batch_size=values["batch_size"],
            bf16=values["bf16"],
            on_done=lambda: progress.advance(bar),
        )
    seconds = time.monotonic() - started
    done = len(wanted) - len(failed)
    print(
        f"{_pictures(done)} translated ({direction}) into {where}: {seconds:.1f} s, {done / seconds:.1f} pictures/s"
        + f"; {there}" * (len(wanted) < len(pairs))
    )
    if failed:
        some = ", ".join(f"{path} ({reason})" for path, reason in list(failed.items())[:3])
        raise UserError(f"{_pictures(len(failed))} not translated: {some}" + ", …" * (len(failed) > 3))


def _check(values: dict[str, Any]) -> None:
    for key in ("run", "input", "output"):
        if values[key] in (None, ""):
            raise UserError(f"{key} is not set: say {key}=…")
    for key in ("batch_size", "size"):
        value = values[key]
        if not (key == "size" and value is None) and (type(value) is not int or value < 1):
            raise UserError(f"{key}={value}: give a whole number of at least 1")
    whole_number("seed", values["seed"], least=0)
    for key in ("overwrite", "bf16"):
        if type(values[key]) is not bool:
            raise UserError(f"{key}={values[key]}: give true or false")


def _pictures(count: int) -> str:
    return f"{count} picture" if count == 1 else f"{count} pictures"


def main() -> None:
    """The console script `suite-translate`."""
    cli.run("translate", translate)


if __name__ == "__main__":
    main()
