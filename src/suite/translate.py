"""`python -m suite.translate run=<run> input=<pictures> output=<folder>`: a trained model on pictures, or a video."""

import time
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from omegaconf import DictConfig, OmegaConf

from suite.arguments import File, Name, Positive, Range, Seed, Size
from suite.data.depth import Depth, check_depth
from suite.data.suffixes import VIDEOS
from suite.data.unread import Unread, count_unread
from suite.errors import UserError
from suite.files import make_folder
from suite.run import cli, folder
from suite.run.checks import checked
from suite.run.config import CONF
from suite.run.console import counted
from suite.translating.outputs import is_video, match_styles, match_video, videos_in

if TYPE_CHECKING:
    from suite.papers.base import Paper


class Keys(TypedDict):
    """conf/translate.yaml."""

    run: File
    input: File
    output: File
    direction: Name | None
    target: Name | None
    style: File | None
    checkpoint: Name
    mode: Literal["eval", "train"]
    seed: Seed
    size: Size | None
    tile: Size | None
    depth: Depth | None
    crops: bool
    min_face: Annotated[float, Range(least=0.02, below=1)]
    margin: Annotated[float, Range(least=0, most=10)]
    overwrite: bool
    batch_size: Positive
    device: Name
    bf16: bool


def translate(config: DictConfig) -> None:
    """Translate a picture, a folder of them, or a video; `config` is composed from conf/translate.yaml."""
    values = checked(config, Keys)
    run, source, target = (Path(path).expanduser() for path in (values["run"], values["input"], values["output"]))
    folder.refuse_two_checkpoints(run, values["checkpoint"])
    if values["target"] is not None and values["direction"] is not None:
        raise UserError(f"target={values['target']} and direction={values['direction']}: say one of them")
    if values["depth"] is not None:
        check_depth("depth", values["depth"])
    if source.is_file() and is_video(source):
        _translate_video(values, run, source, target)
    else:
        _translate_pictures(values, run, source, target)


def _translate_pictures(values: Keys, run: Path, source: Path, target: Path) -> None:
    for word in _changed(values, "crops", "min_face", "margin"):
        raise UserError(f"{word} is for videos, and input={source} is none: leave it out")
    style = _style(values)
    by_style = match_styles(source, target, style)
    pairs = [pair for pairs in by_style.values() for pair in pairs]
    if source.is_dir() and (videos := videos_in(source)):
        print(f"{counted(videos, 'video')} in {source} left out: name one at a time, input=<file>")
    if source.is_dir():
        unread = count_unread(source, (str(picture) for picture, _ in pairs))
        others = {kind: count for kind, count in unread.kinds.items() if f".{kind}" not in VIDEOS}
        for line in Unread(str(source), others).lines():  # pictures may be translations that lie there
            print(line)
    wanted = {of: [pair for pair in by_style[of] if values["overwrite"] or not pair[1].exists()] for of in by_style}
    count = sum(map(len, wanted.values()))
    there = f"{len(pairs) - count} already there (overwrite=true translates them again)"
    in_folder = source.is_dir() or (style is not None and style.is_dir())
    where = target if in_folder else pairs[0][1]
    if not count:
        print(f"nothing to do in {where}: {there}")
        return

    from suite.progress import counting
    from suite.translating.batches import read_style, translate_files

    model, direction = _model(values, run)
    depth, looks = _depth(values, run), Looks()
    styles = {of: read_style(model, of, depth) for of, of_style in wanted.items() if of is not None and of_style}
    most, failed = _room(values, model, direction, {pair[0] for of_style in wanted.values() for pair in of_style})
    wanted = {of: [pair for pair in of_style if pair[0] not in failed] for of, of_style in wanted.items()}
    failures = count - sum(map(len, wanted.values()))

    started = time.monotonic()
    with counting(disable=not cli.on_terminal()) as progress:
        bar = progress.add_task("translating", total=count - failures)
        for of, of_style in wanted.items():
            if of in styles:
                model.take_style(styles[of])
            make_folder(target if in_folder else where.parent)
            without = translate_files(
                model,
                of_style,
                direction,
                size=values["size"],
                tile=values["tile"],
                batch_size=values["batch_size"],
                most=most,
                bf16=values["bf16"],
                depth=depth,
                on_done=lambda: progress.advance(bar),
                on_read=looks.take,
            )
            failed |= without
            failures += len(without)
    seconds = time.monotonic() - started
    done = count - failures
    in_styles = f", {counted(len(by_style), 'style')}" if style is not None and style.is_dir() else ""
    print(
        f"{counted(done, 'picture')} translated ({direction}{in_styles}) into {where}: {seconds:.1f} s, "
        f"{done / seconds:.1f} pictures/s" + f"; {there}" * (count < len(pairs))
    )
    for line in looks.lines():
        print(line)
    if failed:
        some = ", ".join(f"{path} ({reason})" for path, reason in list(failed.items())[:3])
        raise UserError(f"{counted(len(failed), 'picture')} not translated: {some}" + ", …" * (len(failed) > 3))


def _translate_video(values: Keys, run: Path, source: Path, target: Path) -> None:
    for word in _changed(values, "tile"):
        raise UserError(f"{word} is for pictures, and input={source} is a video: leave it out")
    if values["crops"]:
        for word in _changed(values, "min_face", "margin"):
            raise UserError(f"{word}: with crops=true no faces are looked for; leave one of them out")
    style = _style(values)
    if style is not None and not style.is_file():
        raise UserError(f"style={style} is no file: a video is translated in the style of one picture, name it")
    target = match_video(source, target)
    if target.exists() and not values["overwrite"]:
        print(f"nothing to do: {target} is already there (overwrite=true translates it again)")
        return

    from suite.data.tools.video_faces import frontal_faces
    from suite.progress import counting
    from suite.translating.batches import read_style
    from suite.translating.video import Faces, VideoTranslator, first_frame

    first_frame(source)  # refused before the model is read
    model, direction = _model(values, run)
    if style is not None:
        model.take_style(read_style(model, style, _depth(values, run)))
    faces = None if values["crops"] else Faces(frontal_faces(values["min_face"]), values["margin"])
    translator = VideoTranslator(model, direction, faces, values["size"], values["batch_size"], values["bf16"])

    started = time.monotonic()
    with counting(disable=not cli.on_terminal()) as progress:
        bar = progress.add_task("translating", total=None)
        done = translator.translate(source, target, on_frame=partial(progress.update, bar))
    seconds = time.monotonic() - started
    if done.broken:
        print(f"{source}: part of it is missing or broken, and left out")
    found = "" if values["crops"] else f", {counted(done.faces, 'face')}"
    unchanged = f"{counted(done.without_face, 'frame')} without a face unchanged; " if done.without_face else ""
    print(
        f"{counted(done.frames, 'frame')}{found} translated ({direction}) into {target}: {seconds:.1f} s, "
        f"{done.frames / seconds:.1f} frames/s; {unchanged}{done.sound}"
    )


def _model(values: Keys, run: Path) -> "tuple[Paper, str]":
    """The model, and the direction to translate in."""
    import torch

    from suite.translating.batches import pick_device, pick_direction

    model = folder.load_model(run, values["checkpoint"], str(pick_device(values["device"])), values["mode"])
    if model.needs_style and values["style"] is None:
        raise UserError("in which style? Say style=<picture>, or a folder of pictures for each of them")
    torch.manual_seed(values["seed"])
    return model, pick_direction(model, values["direction"], values["target"])


def _room(values: Keys, model: "Paper", direction: str, sources: set[Path]) -> tuple[int | None, dict[Path, str]]:
    """How many pixels a pass may have, if that is known, and what is too large for the memory, with what helps.

    Says what the pictures will take, where that is much. Raises UserError where none of them fits.
    """
    from suite.data.catalog import PictureFile
    from suite.data.pictures.headers import size_of
    from suite.run import room
    from suite.translating.tiles import sees_tiles

    size, tile, batch_size = values["size"], values["tile"], values["batch_size"]
    with warnings.catch_warnings(action="ignore"):  # what Pillow thinks of large pictures
        sizes = {path: found for path in sorted(sources) if (found := size_of(PictureFile(path))) is not None}
    there = room.room_for(model, direction, sizes, size=size, tile=tile, batch_size=batch_size, bf16=values["bf16"])
    if tile is not None and max(map(max, sizes.values()), default=0) > tile and sees_tiles(model, direction):
        print(
            f"tile={tile}: these networks normalise each tile by itself, so that its colours may differ from the next "
            "one's; where that shows, use larger tiles, or size="
        )
    if there is None:
        return None, {}
    failed = room.too_large(there, sizes, size, tile)
    if len(failed) == len(sources):
        path, reason = next(iter(failed.items()))
        others = f", and {counted(len(failed) - 1, 'other picture')} too" if len(failed) > 1 else ""
        raise UserError(f"{path}: {reason}{others}")
    for line in room.said(there, {path: sizes[path] for path in sizes if path not in failed}, size, tile, batch_size):
        print(line)
    return there.pixels, failed


class Looks:
    """What was seen of pictures on the way, to be said once."""

    def __init__(self) -> None:
        self.several: dict[Path, int] = {}
        self.transparent: dict[Path, None] = {}

    def take(self, path: Path, pages: int, transparent: bool) -> None:
        if pages > 1:
            self.several[path] = pages
        if transparent:
            self.transparent[path] = None

    def lines(self) -> list[str]:
        found = []
        if self.several:
            path, pages = next(iter(self.several.items()))
            found.append(
                f"of {counted(len(self.several), 'file')} with several pages or frames the first was translated, such "
                f"as {path} ({pages})"
            )
        if self.transparent:
            found.append(
                f"{counted(len(self.transparent), 'picture')} transparent in places translated on white, such as "
                f"{next(iter(self.transparent))}"
            )
        return found


def _depth(values: Keys, run: Path) -> Depth:
    return folder.depth_of(run) if values["depth"] is None else values["depth"]


def _style(values: Keys) -> Path | None:
    return None if values["style"] is None else Path(values["style"]).expanduser()


def _changed(values: Keys, *keys: str) -> list[str]:
    """Those of the keys that are not at their defaults, as they were typed."""
    defaults = OmegaConf.load(CONF / "translate.yaml")
    return [f"{key}={str(value).lower()}" for key in keys if (value := values[key]) != defaults[key]]  # type: ignore


def main() -> None:
    """The console script `suite-translate`."""
    cli.run("translate", translate)


if __name__ == "__main__":
    main()
