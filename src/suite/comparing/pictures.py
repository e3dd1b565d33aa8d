"""The same pictures through several models: what is put in, which way each model goes, and what comes out."""

import base64
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from omegaconf import DictConfig
from PIL import Image
from torch import Tensor

from suite import images
from suite.arguments import shown
from suite.comparing.runs import Run
from suite.data.batch import Batch
from suite.data.catalog import PictureFile, flatten
from suite.data.keys import DataKeys, Side
from suite.data.module import PictureData
from suite.errors import UserError
from suite.papers.base import Direction, Paper
from suite.run import folder, stored
from suite.run.checks import check_keys, check_values
from suite.run.config import plain
from suite.translating.batches import forward
from suite.translating.fitting import Fitting, resize

Way = tuple[str, str]  # photo to drawing, or of models that know labels: nothing, and the direction
_LOSSLESS = 128  # pixels of the longer side: up to it, pictures in a page are kept to the bit
_QUALITY = 95
_GIVE = "; or give pictures to compare with, input=<folder>"


class Shot(NamedTuple):
    """A picture in a page: what it is, and its pixels as a data URI."""

    title: str
    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Inputs:
    """Pictures to translate, uint8 (C, H, W): by the kind that they are, with the counterparts where they have them.

    whose: in words. owner: the folder of the run whose own pictures they are. keys: of their records in its data set,
    by kind, to be looked for among those that another run was trained on.
    """

    names: Mapping[str, Sequence[str]]  # of each picture
    by_kind: Mapping[str, Sequence[Tensor]]  # photo, drawing; "": whatever is asked for
    whose: str
    owner: Path | None = None
    paired: bool = False
    styles: Sequence[Tensor] = ()  # of each, for models that take one
    dataset: str = ""
    keys: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of(self, way: Way) -> Sequence[Tensor]:
        """Those that are translated in that way; none where there are none of the kind."""
        return self.by_kind.get(self._kind(way), ())

    def named(self, way: Way) -> Sequence[str]:
        """The names of those."""
        return self.names.get(self._kind(way), ())

    def _kind(self, way: Way) -> str:
        if "" in self.by_kind:
            return ""
        return way[0] or ("photo" if "photo" in self.by_kind else next(iter(self.by_kind)))

    def truths(self, way: Way) -> Sequence[Tensor]:
        return self.by_kind.get(way[1], ()) if self.paired and way[0] != way[1] else ()


@dataclass
class Made:
    """What one run makes of the inputs: by way a picture each, or in words why there is none."""

    shots: dict[Way, list[Tensor]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    steps: int | None = None


# What is put in -------------------------------------------------------------------------------------------------------


def own_inputs(run: Run, count: int, cache_dir: str) -> Inputs:
    """The first validation pictures of a run, with the splits that it has; of training where none are held out.

    Says which folders they are read from. Raises UserError where its data are not on this machine.
    """
    saved = run.config.copy()
    check_keys(saved, only=("data",))
    if distant := stored.distant_place(saved.data):
        raise UserError(f"the pictures of {run.folder} are not on this machine but in {distant}{_GIVE}")
    stored.take_own(saved, stored.Own(cache_dir, stored.own_mode()))
    check_values(saved, only=("data",))
    if said := stored.said_places(saved.data):
        print(f"reading {said}", flush=True)
    data = PictureData(**plain(saved.data))
    data.kept = folder.kept_splits(run.last, saved.data)
    try:
        data.prepare_data()
    except UserError as error:
        raise UserError(f"{error}{_GIVE}") from error
    split = "val" if data.holds_out else "train"
    batches = [data.finish(batch) for batch in data.first_batches(split, count)]
    sides: list[Side] = [side for side in get_args(Side) if all(side in batch for batch in batches)]
    of_kinds: dict[str, list[tuple[str, Tensor]]] = {data.kind(side): _of_side(batches, side) for side in sides}
    names = {kind: [name for name, _ in of_kind] for kind, of_kind in of_kinds.items()}
    by_kind = {kind: [picture for _, picture in of_kind] for kind, of_kind in of_kinds.items()}
    paired = all(bool(batch["paired"]) for batch in batches)
    return Inputs(
        names=names,
        by_kind=by_kind,
        whose=f"the first {'validation' if split == 'val' else 'training'} pictures of run {run.name}",
        paired=paired,
        owner=run.folder,
        styles=by_kind.get("photo", ()) if paired else (),
        dataset=data.catalog.dataset,
        keys={data.kind(side): frozenset(names[data.kind(side)]) for side in sides if not data.of_target(side)},
    )


def _of_side(batches: Sequence[Batch], side: Side) -> list[tuple[str, Tensor]]:
    """Name and picture of each; not those of the shorter side that come round again."""
    return [
        (str(name), images.signed_to_uint8(picture))
        for batch in batches
        for name, picture, fresh in zip(
            batch["key" if side == "a" else f"key_{side}"], batch[side], batch[f"fresh_{side}"], strict=True
        )
        if fresh
    ]


def inputs_of(pictures: Sequence[Path], source: Path, size: int | None) -> Inputs:
    """Picture files, as they are; of larger ones the shorter side is brought to `size` pixels. Raises UserError."""
    names = {"": [path.name for path in pictures]}
    return Inputs(names, {"": [_read(path, size) for path in pictures]}, f"from {source}")


def with_style(inputs: Inputs, style: Path, size: int | None) -> Inputs:
    """The inputs, all of them in the style of one picture. Raises UserError where it is none."""
    return Inputs(**{**vars(inputs), "styles": [_read(style, size)] * max(map(len, inputs.by_kind.values()))})


def _read(path: Path, size: int | None) -> Tensor:
    try:
        flat = flatten(PictureFile(path).load(), "RGB")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no readable picture ({' '.join(str(error).split())})") from error
    shorter = min(flat.size)
    if size is not None and shorter > size:
        width, height = (max(1, round(side * size / shorter)) for side in flat.size)
        flat = flat.resize((width, height), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(flat)).permute(2, 0, 1).contiguous()


# What comes out -------------------------------------------------------------------------------------------------------


def translate(run: Run, inputs: Inputs, checkpoint: str, device: str) -> Made:
    """What a run makes of the inputs in every way that it knows, and what is to be said of it.

    A run that can't be shown is a note: the others can.
    """
    made = Made()
    if run.problem:
        made.notes.append(run.problem)
        return made
    try:
        model = folder.load_model(run.last, checkpoint, device)
        made.steps = model.steps
        keys = _keys_of(run.config)
    except UserError as error:
        made.notes.append(str(error))
        return made
    if not model.directions:
        made.notes.append(f"stage {model.stage} of {type(model).__name__} translates no pictures")
    if model.needs_style and not inputs.styles:
        made.notes.append("it takes a style, and these pictures have none of their own: say style=<picture>")
        return made
    for direction in model.directions:
        way = way_of(direction, keys)
        if (given := inputs.of(way)) and way not in made.shots:
            made.shots[way] = _through(model, direction, given, inputs.styles)
    if run.folder != inputs.owner and (said := trained_on(run.last, inputs, keys)):
        made.notes.append(said)
    if model.needs_style:
        made.notes.append("each picture in the style of its own counterpart, or the one that was given")
    return made


def _keys_of(config: DictConfig) -> DataKeys:
    """What the pictures of its batches are; opens no file."""
    check_keys(config, only=("data",))
    return DataKeys(**plain(config.data))


def way_of(direction: Direction, data: DataKeys) -> Way:
    """What is made of what: a2b of one run may be b2a of another, or of one with such labels to_photo."""
    if found := re.fullmatch("([ab])2([ab])", direction):
        source, target = found.groups()
        return data.kind(source), data.kind(target)  # type: ignore[arg-type]
    kinds = {"to_photo": ("drawing", "photo"), "to_drawing": ("photo", "drawing")}
    return kinds.get(direction, ("", direction))


def _through(model: Paper, direction: Direction, given: Sequence[Tensor], styles: Sequence[Tensor]) -> list[Tensor]:
    """Each by itself, so that pictures of any sizes are alike."""
    fitting = Fitting.of(model, direction)
    made = []
    for number, picture in enumerate(given):
        if model.needs_style:
            style = _in_channels(styles[number], model.hparams["channels_b"])
            model.take_style(images.unit_to_signed(images.uint8_to_unit(style[None])))
        fitted = fitting.fit(_in_channels(picture, fitting.channels).numpy())
        result = forward(model, fitted.pixels[None], direction, bf16=False)[0]
        if result.shape[-1] > fitted.pixels.shape[-1]:  # a refinement gives more pixels than it takes
            scale = max(1.0, max(result.shape) / max(fitted.height, fitted.width))
            made.append(resize(result, round(fitted.height * scale), round(fitted.width * scale)))
        else:
            made.append(fitting.back(result, fitted))
    return made


def _in_channels(picture: Tensor, channels: int) -> Tensor:
    """uint8 (C, H, W) in grey or colour."""
    if channels == len(picture):
        return picture
    grey = images.to_pil(picture).convert("L" if channels == 1 else "RGB")
    array = np.array(grey)
    return torch.from_numpy(array[None] if channels == 1 else array.transpose(2, 0, 1).copy())


def trained_on(run: Path, inputs: Inputs, data: DataKeys) -> str:
    """What is to be said of a run's own pictures by its splits.json: other data, or the inputs among them.

    Of another seed a run may have other splits. Each kind is looked for among its own; a name that stands in a split
    that is held out, too, is not counted: in folders of splits each may number its pictures from 0.
    """
    try:
        content: Any = json.loads((run / folder.SPLITS_FILE).read_text(encoding="utf-8"))
        dataset = content["dataset"]
        trained: dict[str, set[str]] = {data.kind(side): _called(names) for side, names in content["train"].items()}
        for split in ("val", "test"):
            for side, names in content.get(split, {}).items():
                trained[data.kind(side)] -= _called(names)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ""  # what `own_inputs` needs of it is checked there
    if inputs.keys and dataset != inputs.dataset:
        return f"it was trained on other data, {shown(dataset)}: these pictures are of {inputs.dataset}"
    seen = [keys & trained.get(kind, set()) for kind, keys in inputs.keys.items()]
    if not any(seen):
        return ""
    count, of = (
        len(set().union(*sets)) if inputs.paired else sum(map(len, sets)) for sets in (seen, inputs.keys.values())
    )
    return f"{count} of the {of} shown were among the pictures it was trained on"


def _called(names: Sequence[str]) -> set[str]:
    """What the records of some names may have as keys: without the split in front, and the suffix."""
    found = {part for name in names for part in (str(name), str(name).partition("/")[2])}
    return found | {os.path.splitext(name)[0] for name in found}


# As they stand in a page ----------------------------------------------------------------------------------------------


def shot(title: str, picture: Tensor) -> Shot:
    """uint8 (C, H, W) as WebP, small ones to the bit."""
    pil = images.to_pil(picture.contiguous())
    content = io.BytesIO()
    pil.convert("RGB").save(content, "WEBP", lossless=max(pil.size) <= _LOSSLESS, quality=_QUALITY)
    return Shot(title, f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}", *pil.size)
