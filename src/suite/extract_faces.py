"""`python -m suite.extract_faces video=<videos> output=<folder>`: face crops of one identity, for face swapping."""

import contextlib
import shlex
import time
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from suite.arguments import number, one_of, truth, whole_number
from suite.errors import UserError
from suite.files import make_folder
from suite.run import cli
from suite.run.config import plain


def extract_faces(config: DictConfig) -> None:
    """Cut the faces out of a video or a folder of them; `config` is composed from conf/extract_faces.yaml."""
    values = plain(config)
    _check(values)
    source, folder = (Path(str(values.pop(key))).expanduser() for key in ("video", "output"))
    overwrite = values.pop("overwrite")

    from suite.data.tools.video_faces import Crops, extract, find_videos, frontal_faces, open_states, state_path
    from suite.progress import counting

    crops = Crops(**values)
    states = open_states(find_videos(source), folder, crops, overwrite)
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
    sides = [f"data.root={folder.parent}", f"data.a={folder.name}", f"data.b={beside[0].name if beside else '<other>'}"]
    print(f"python -m suite.train experiment=cyclegan_lsgan data=unpaired_folders {shlex.join(sides)}")


def _check(values: dict[str, Any]) -> None:
    for key in ("video", "output"):
        if values[key] in (None, ""):
            raise UserError(f"{key} is not set: say {key}=…")
    whole_number("every", values["every"], least=1)
    number("min_face", values["min_face"], least=0.02, below=1)
    number("margin", values["margin"], least=0)
    if values["size"] is not None:
        whole_number("size", values["size"], least=16)
    one_of("format", values["format"], ["jpg", "png"])
    for key in ("largest_only", "overwrite"):
        truth(key, values[key])


def main() -> None:
    """The console script `suite-extract-faces`."""
    cli.run("extract_faces", extract_faces)


if __name__ == "__main__":
    main()
