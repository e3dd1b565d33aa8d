"""`python -m suite.demo run=<run>`: a page to draw in, or to drop a picture on, for trained models."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from omegaconf import DictConfig

from suite.arguments import File, Filled, Name, Range, Size
from suite.errors import UserError
from suite.run import cli, exported, folder
from suite.run.checks import checked

if TYPE_CHECKING:
    from suite.demo_page.panel import Tries
    from suite.demo_page.trained import Trained


class Keys(TypedDict):
    """conf/demo.yaml."""

    run: File | Annotated[Sequence[File], Filled("runs")]
    checkpoint: Name
    mode: Literal["eval", "train"]
    size: Size | None
    data_root: File | None
    device: Name
    host: Name
    port: Annotated[int, Range(least=1, most=65535)]


def demo(config: DictConfig) -> None:
    """Show a page until it is stopped; `config` is composed from conf/demo.yaml."""
    values = checked(config, Keys)
    given = values["run"]
    runs = [Path(run).expanduser() for run in ([given] if isinstance(given, str) else given)]  # type: ignore[union-attr]
    for run in runs:
        folder.refuse_two_checkpoints(run, values["checkpoint"])

    from suite.demo_page.serving import check_address, folder_of_page, served

    check_address(values["host"], values["port"])  # before the models are read
    for run in runs:
        exported.local(run)  # before the page takes the hub away; it is fetched once in a process
    with folder_of_page() as place:
        from suite.demo_page.page import build

        trained = _trained(values, runs)
        tries = _tries(values, runs[0], place)
        with served(build(trained, tries), values["host"], values["port"], place) as address:
            print(f"{address}  (Ctrl-C ends it)", flush=True)
            threading.Event().wait()


def _trained(values: Keys, runs: Sequence[Path]) -> "list[Trained]":
    from suite.demo_page.trained import Trained, names_of
    from suite.translating.batches import pick_device

    device = str(pick_device(values["device"]))
    trained = [
        Trained.load(run, name, values["checkpoint"], device, values["mode"], values["size"])
        for run, name in zip(runs, names_of(runs), strict=True)
    ]
    for run, one in zip(runs, trained, strict=True):
        print(f"{run}: {one.said()}")
    return trained


def _tries(values: Keys, run: Path, place: Path) -> "Tries":
    """Examples of the run as files in a folder; that there are none ends nothing, and is said."""
    from suite.demo_page.examples import Examples
    from suite.demo_page.panel import Tries

    root = None if values["data_root"] is None else Path(values["data_root"]).expanduser()
    try:
        examples = Examples(run, root)
        if examples.places:
            print(f"examples of {examples.places}")
        return Tries(examples.write(place))
    except (UserError, OSError) as error:
        print(f"no examples: {error}")
        return Tries(lacking=str(error))


def main() -> None:
    """The console script `suite-demo`."""
    cli.run("demo", demo)


if __name__ == "__main__":
    main()
