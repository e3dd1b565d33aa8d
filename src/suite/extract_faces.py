"""`python -m suite.extract_faces video=<videos> output=<folder>`: face crops of one identity, for face swapping."""

import contextlib
import time
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, TypedDict

from omegaconf import DictConfig

from suite.arguments import File, Positive, Range
from suite.errors import UserError
from suite.files import make_folder
from suite.run import cli
from suite.run.checks import checked
from suite.run.words import command, say
from suite.translating.outputs import named_folder


class Keys(TypedDict):
    """conf/extract_faces.yaml."""

    video: File
    output: File
    every: Positive
    min_face: Annotated[float, Range(least=0.02, below=1)]
    margin: Annotated[float, Range(least=0, most=10)]
    size: Annotated[int, Range(least=16, most=2**14)] | None
    largest_only: bool
    format: Literal["jpg", "png"]
    overwrite: bool


def extract_faces(config: DictConfig) -> None:
    """Cut the faces out of a video or a folder of them; `config` is composed from conf/extract_faces.yaml."""
    values = checked(config, Keys)
    source, folder = Path(values["video"]).expanduser(), named_folder(Path(values["output"]).expanduser())

    from suite.data.tools.video_faces import Crops, extract, find_videos, frontal_faces, open_states, state_path
    from suite.progress import counting

    crops = Crops(**{field.name: values[field.name] for field in fields(Crops)})  # type: ignore[literal-required]
    states = open_states(find_videos(source), folder, crops, values["overwrite"])
    todo = [video for video, state in states.items() if not state.finished]
    looked_before = sum(state.looked for state in states.values())
    make_folder(folder)

    find = frontal_faces(crops.min_face)
    started = time.monotonic()
    with counting(disable=not cli.on_terminal()) as progress:
        for video in todo:
            bar = progress.add_task(video.name, total=None)
            extract(video, folder, crops, states[video], find, on_frame=partial(progress.update, bar))
            progress.remove_task(bar)
    seconds = time.monotonic() - started

    faces, looked = sum(state.faces for state in states.values()), sum(state.looked for state in states.values())
    if not faces:
        for video in states:
            state_path(video, folder).unlink()
        with contextlib.suppress(OSError):  # other things are in it
            folder.rmdir()
        raise UserError(
            f"video={source}: no face in the {looked} frames looked at; try a smaller min_face ({crops.min_face}) or "
            f"every ({crops.every}). Only faces turned towards the camera are found"
        )
    for video, state in states.items():
        if not state.faces:
            print(f"{video.name}: no face")
        if state.cut_off:
            print(f"{video.name} ends at frame {state.next_frame} of {state.counted}: the rest is missing or broken")
    speed = f"{seconds:.1f} s, {(looked - looked_before) / seconds:.1f} frames/s"
    done = speed if todo else "nothing to do (overwrite=true cuts them out again)"
    print(f"{faces} faces of {looked} frames in {folder}: {done}")
    beside = sorted({state.parent for state in folder.absolute().parent.glob("*/*.faces.json")} - {folder.absolute()})
    print(
        "next: look through them" + (", and" if beside else ", do the same for another identity beside them, and then")
    )
    root, a = say("data.root", folder.parent), say("data.a", folder.name)
    b = say("data.b", beside[0].name) if beside else "data.b=OTHER"
    print(command("train", "experiment=two_step_faceswap", root))
    print(f"or, of two: {command('train', 'experiment=cyclegan_lsgan', 'data=unpaired_folders', root, a, b)}")


def main() -> None:
    """The console script `suite-extract-faces`."""
    cli.run("extract_faces", extract_faces)


if __name__ == "__main__":
    main()
