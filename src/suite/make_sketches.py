"""`python -m suite.make_sketches run=<run> data=<name> output=<folder>`: a data set as TOM draws it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from omegaconf import DictConfig

from suite.arguments import File, Filled, Name, Positive, Seed
from suite.errors import UserError
from suite.run import cli, folder
from suite.run.checks import check_keys, checked
from suite.run.config import CONF, compose_again, need_data, plain
from suite.run.words import command, literal, say, task_words, typed
from suite.translating.outputs import named_folder

if TYPE_CHECKING:
    from suite.data.module import PictureData
    from suite.papers.sketch_to_image import SketchToImage


_OF_T = ("features", "features_width", "features_weights", "content_layer", "tom_size", "tom_width", "white_above")
_ONLY_HERE = ("data.resize=", "data.sketch_sets=", "data.line_drawings=", "data.sketch=")  # words that would not serve


class Keys(TypedDict):
    """conf/make_sketches.yaml."""

    data: dict[str, Any]  # as `DataKeys` takes them
    run: File
    output: File
    checkpoints: Annotated[list[Name], Filled("names, as in [step700,last]")] | None
    batch_size: Positive
    device: Name
    seed: Seed
    cache_dir: File


def make_sketches(config: DictConfig) -> None:
    """Draw sketch sets; `config` is composed from conf/make_sketches.yaml."""
    need_data(config)
    values = checked(config, Keys)
    output = named_folder(Path(values["output"]).expanduser())
    run = stage_tom(Path(values["run"]).expanduser())

    from suite.papers.drawing import draw_sets, snapshots
    from suite.progress import counting
    from suite.translating.batches import pick_device

    kept = snapshots(run, values["checkpoints"])
    model: Any = folder.load_model(next(iter(kept.values())), device=str(pick_device(values["device"])))
    data = photos(plain(config.data), model, values["batch_size"])
    total = sum(len(records) for records in data.splits.values())
    print(f"{data.catalog.dataset}: {total} photos")
    with counting(disable=not cli.on_terminal()) as progress:
        bar = progress.add_task("drawing", total=total)
        made = draw_sets(model, kept, data, output, lambda count: progress.advance(bar, count))
    print(f"{made.pictures} photos, each as {', '.join(made.sets)} of {run} drew it: {output}")
    print(f"train with them: {command('train', *next_words(config, run, output, made.sets[0]))}")


def stage_tom(run: Path) -> Path:
    """The run of the stage tom itself. Raises UserError where there is none."""
    if folder.has_stages(run):
        if "tom" not in (there := folder.read_stages(run)):
            raise UserError(f"run={run} has no stage tom, but {', '.join(there)}: give a run that has it")
        if not (run / "1_tom" / "config.yaml").is_file():
            go_on = command("train", say("resume", run))
            raise UserError(f"run={run}: its stage tom has not begun; go on with {go_on}")
        run = run / "1_tom"
    config = folder.read_config(run)
    check_keys(config, only=("model",))
    if config.model.paper != "sketch_to_image" or config.model.stage != "tom":
        stage = f", stage {config.model.stage}" if config.model.get("stage") else ""
        raise UserError(
            f"run={run} is of {config.model.paper}{stage}: sketches are drawn by sketch_to_image, stage tom"
        )
    return run


def photos(keys: dict[str, Any], model: "SketchToImage", batch_size: int) -> "PictureData":
    """The photos of a data set, whole, squashed to the size that T draws at, of whatever split.

    Drawings of its own, and what is done to photos in training, don't matter.
    """
    from suite.data.module import PictureData

    whole = {"size": model.tom_size, "load_size": model.tom_size, "crop": False, "resize": "squash", "channels_a": 3}
    # A sketch that is computed makes a pair of every photo, drawn or not; it is not looked at.
    alone: dict[str, Any] = {"task": "paired", "direction": "a2b", "sketch": "sobel", "drawings": "one"}
    alone |= dict.fromkeys(("target", "line_drawings", "sketch_sets", "sketch_options", "subset", "mismatched"))
    alone |= {"balanced": False, "augment": None, "split": keys["split"] or {"train": 1.0}}
    data = PictureData(**keys | whole | alone | {"eval_batch_size": batch_size})
    data.setup()
    return data


def next_words(config: DictConfig, run: Path, output: Path, start: str) -> list[str]:
    """What to say to suite.train, for the stage that follows: on these photos, with T as it was trained."""
    of_run = folder.read_config(run)
    experiment = f"experiment={of_run.name}"
    if str(of_run.name) not in (path.stem for path in (CONF / "experiment").glob("*.yaml")):  # it has a name of its own
        experiment = f"model={of_run.model.paper}"
    of_data = [typed(word) for word in task_words() if word.startswith(("data=", "data."))]
    words = [experiment, "stage=autoencoder", *(word for word in of_data if not word.startswith(_ONLY_HERE))]
    if config.data.resize != "squash":
        words.append("data.resize=squash")
    words += [say("data.sketch_sets", output), say("start_from", run)]
    if config.checkpoints is not None:  # else it is the first that the run kept, which that stage starts from
        words.append(f"start={start}")
    model = compose_again([literal(word) for word in words]).model
    differing = [key for key in _OF_T if model[key] != of_run.model[key]]
    return words + [
        f"model.{key}=null" if of_run.model[key] is None else say(f"model.{key}", of_run.model[key])
        for key in differing
    ]


def main() -> None:
    """The console script `suite-make-sketches`."""
    cli.run("make_sketches", make_sketches)


if __name__ == "__main__":
    main()
