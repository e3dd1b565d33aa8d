"""`python -m suite.make_sketches run=<run> data=<name> output=<folder>`: a data set as TOM draws it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from omegaconf import DictConfig

from suite.arguments import File, Name, Positive, Seed
from suite.errors import UserError
from suite.run import cli, folder
from suite.run.checks import checked
from suite.run.config import need_data, plain

if TYPE_CHECKING:
    from suite.data.module import PictureData
    from suite.papers.sketch_to_image import SketchToImage


class Keys(TypedDict):
    """conf/make_sketches.yaml."""

    data: dict[str, Any]  # as `DataKeys` takes them
    run: File
    output: File
    checkpoints: list[Name] | None
    batch_size: Positive
    device: Name
    seed: Seed
    cache_dir: File


def make_sketches(config: DictConfig) -> None:
    """Draw sketch sets; `config` is composed from conf/make_sketches.yaml."""
    need_data(config)
    values = checked(config, Keys)
    output = Path(values["output"]).expanduser()
    run = stage_tom(Path(values["run"]).expanduser())

    from suite.papers.drawing import draw_sets, snapshots
    from suite.progress import counting
    from suite.translating.batches import pick_device

    kept = snapshots(run, values["checkpoints"])
    model: Any = folder.load_model(next(iter(kept.values())), device=str(pick_device(values["device"])))
    data = photos(plain(config.data), model, values["batch_size"])
    total = sum(len(records) for records in data.splits.values())
    print(data.catalog.summary())
    with counting(disable=not cli.on_terminal()) as progress:
        bar = progress.add_task("drawing", total=total)
        made = draw_sets(model, kept, data, output, lambda count: progress.advance(bar, count))
    print(f"{made.pictures} photos drawn {len(made.sets)} times ({', '.join(made.sets)}): {output}")
    print(f"train with them: stage=autoencoder data.sketch_sets={output} start_from={run} start={made.sets[0]}")


def stage_tom(run: Path) -> Path:
    """The run of the stage tom itself. Raises UserError where there is none."""
    if folder.has_stages(run):
        run = run / "1_tom"
    config = folder.read_config(run)
    if config.model.paper != "sketch_to_image" or config.model.stage != "tom":
        stage = f", stage {config.model.stage}" if config.model.get("stage") else ""
        raise UserError(
            f"run={run} is of {config.model.paper}{stage}: sketches are drawn by sketch_to_image, stage tom"
        )
    return run


def photos(keys: dict[str, Any], model: "SketchToImage", batch_size: int) -> "PictureData":
    """The photos of a data set, whole and at the size that T draws at; drawings of its own don't matter."""
    from suite.data.module import PictureData

    size = {"size": model.tom_size, "load_size": model.tom_size, "crop": False, "channels_a": 3}
    alone = {"task": "paired", "sketch": "sobel", "direction": "a2b", "target": None, "line_drawings": None}
    data = PictureData(**keys | size | alone | {"eval_batch_size": batch_size, "drawings": "one", "augment": None})
    data.setup()
    return data


def main() -> None:
    """The console script `suite-make-sketches`."""
    cli.run("make_sketches", make_sketches)


if __name__ == "__main__":
    main()
