"""`python -m suite.translate run=<run> input=<pictures> output=<folder>`: a trained model on pictures of any size."""

import time
from pathlib import Path
from typing import Literal, TypedDict

from omegaconf import DictConfig

from suite.arguments import File, Name, Positive, Seed, Size
from suite.errors import UserError
from suite.files import make_folder
from suite.run import cli, folder
from suite.run.checks import checked
from suite.translating.outputs import match_outputs


class Keys(TypedDict):
    """conf/translate.yaml."""

    run: File
    input: File
    output: File
    direction: Name | None
    checkpoint: Name
    mode: Literal["eval", "train"]
    seed: Seed
    size: Size | None
    overwrite: bool
    batch_size: Positive
    device: Name
    bf16: bool


def translate(config: DictConfig) -> None:
    """Translate one picture or a folder of them; `config` is composed from conf/translate.yaml."""
    values = checked(config, Keys)
    run, source, target = (Path(path).expanduser() for path in (values["run"], values["input"], values["output"]))
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


def _pictures(count: int) -> str:
    return f"{count} picture" if count == 1 else f"{count} pictures"


def main() -> None:
    """The console script `suite-translate`."""
    cli.run("translate", translate)


if __name__ == "__main__":
    main()
