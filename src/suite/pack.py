"""`python -m suite.pack data=<name> data.root=<folder> output=<folder>`: a data set in shards, for data.streaming."""

from pathlib import Path
from typing import Annotated, Any, TypedDict

from omegaconf import DictConfig

from suite.arguments import File, Range, Seed
from suite.errors import UserError
from suite.run import cli
from suite.run.checks import checked
from suite.run.config import need_data
from suite.run.words import command, say, task_words, typed
from suite.translating.outputs import named_folder


class Keys(TypedDict):
    """conf/pack.yaml."""

    data: dict[str, Any]  # as `DataKeys` takes them
    output: File
    shard_size: Annotated[float, Range(least=0.001, below=1e6)]  # megabytes
    overwrite: bool
    seed: Seed
    cache_dir: File


def pack(config: DictConfig) -> None:
    """Pack a data set; `config` is composed from conf/pack.yaml."""
    need_data(config)
    values = checked(config, Keys)
    output = _check(values)

    from suite.data.keys import DataKeys
    from suite.data.listing import list_source
    from suite.data.tools import packing
    from suite.progress import counting

    data = DataKeys(**values["data"])
    if data.streaming is not None:
        raise UserError(f"data.streaming={data.streaming} is packed already: give data.root, and leave it out")
    catalog = list_source(data.own_set, data.drawn_size)
    print(catalog.summary())
    packed_records = (*catalog.records, *catalog.orphans)
    total = sum(len(record.drawings) + (record.photo is not None) for record in packed_records)

    with counting(disable=not cli.on_terminal()) as progress:
        bar = progress.add_task("packing", total=total)
        packed = packing.pack(
            catalog,
            data.source,
            data.options,
            data.drawn_size,
            output,
            shard_bytes=round(values["shard_size"] * 1e6),
            skip_broken=data.skip_broken,
            on_done=lambda: progress.advance(bar),
            depth=data.depth,
        )
    if packed.broken:
        some = ", ".join(packed.broken[:3]) + ", …" * (len(packed.broken) > 3)
        print(f"{len(packed.broken)} broken and skipped: {some}")
    size = f"{packed.bytes / 1e9:.3g} GB" if packed.bytes >= 1e9 else f"{packed.bytes / 1e6:.3g} MB"
    print(f"{packed.pictures} pictures, {size}, in {packed.shards} shards: {output}")
    words = [word for word in _typed() if not word.startswith("data.root=")]
    said = command("train", "experiment=EXPERIMENT", *words, say("data.streaming", output.absolute()))
    print(f"train from them, here or where you copy them to: {said}")


def _check(values: Keys) -> Path:
    """The output folder. Raises UserError for one that may not be replaced."""
    output = named_folder(Path(values["output"]).expanduser())
    if output.exists():
        from suite.data.sources.helpers.packed_catalog import CATALOG

        empty = output.is_dir() and not any(output.iterdir())
        if not empty and not (output / CATALOG).is_file():
            raise UserError(f"output={output} is there and no packed set: name another folder")
        if not empty and not values["overwrite"]:
            raise UserError(f"output={output} is packed already: overwrite=true packs it again, or name another folder")
    return output


def _typed() -> list[str]:
    """What was said of the data set on the command line."""
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized():
        return []
    return [typed(word) for word in task_words() if word.startswith(("data=", "data."))]


def main() -> None:
    """The console script `suite-pack`."""
    cli.run("pack", pack)


if __name__ == "__main__":
    main()
