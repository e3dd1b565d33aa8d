"""The models of a page: what each reads and makes, in words, and how a picture goes through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

from omegaconf import DictConfig
from PIL import Image

from suite.data.depth import Depth
from suite.data.keys import DataKeys, Side
from suite.errors import UserError
from suite.papers.base import Direction, Mode, Paper, source_side
from suite.run import folder
from suite.run.checks import check_keys, check_values
from suite.run.config import plain
from suite.translating.batches import in_memory, pick_direction, style_of, translate_picture

_UNKNOWN_SIZE = 256  # pixels, of a checkpoint by itself whose networks read any


@dataclass(frozen=True)
class Trained:
    """A trained model as a page shows it.

    name: what to call it. size: of the shorter side, which pictures are brought to. kinds: what a side of it shows.
    """

    name: str
    model: Paper
    size: int
    depth: Depth
    kinds: Mapping[Side, str]

    @classmethod
    def load(cls, run: Path, name: str, checkpoint: str, device: str, mode: Mode, size: int | None) -> "Trained":
        """The model of a run folder or a checkpoint file. Raises UserError."""
        model = folder.load_model(run, checkpoint, device, mode)
        pick_direction(model, next(iter(model.directions), None))  # there is one
        keys = data_keys(run)
        if size is None:
            size = model.fixed_size or (_UNKNOWN_SIZE if keys is None else keys.size)
        return cls(name, model, size, folder.depth_of(run), {side: _kind(model, keys, side) for side in ("a", "b")})

    def said(self) -> str:
        """What it is, for people."""
        return f"{type(self.model).__name__} after {self.model.steps:,} steps, at {self.size} pixels"

    def translate(
        self, picture: Image.Image, direction: Direction, style: Image.Image | None = None
    ) -> tuple[Image.Image, Image.Image]:
        """A picture as it is read, and its translation, of one size. Raises UserError, ValueError."""
        with _TRANSLATING:  # the style is the model's until the next one
            if style is not None and self.model.needs_style:
                with in_memory(style):
                    self.model.take_style(style_of(self.model, style, self.depth))
            return translate_picture(self.model, picture, direction, size=self.size, depth=self.depth)


_TRANSLATING = Lock()


def data_keys(run: Path) -> DataKeys | None:
    """What a run, or the run that a checkpoint file lies in, was trained on; None of a checkpoint by itself.

    Raises UserError where its configuration is damaged.
    """
    saved = saved_config(run)
    return None if saved is None else DataKeys(**plain(saved.data))


def saved_config(run: Path) -> DictConfig | None:
    """The configuration of that run, of its `data` checked. Raises UserError where that is damaged."""
    if (place := folder.begun_run_of(run)) is None:
        return None
    saved = folder.read_config(place)
    check_keys(saved, only=("data",))
    check_values(saved, only=("data",))
    return saved


def _kind(model: Paper, keys: DataKeys | None, side: Side) -> str:
    """What a side of a model shows: photo or drawing; of a checkpoint by itself by its channels."""
    if keys is not None:
        return keys.kind(side)
    return "drawing" if model.hparams[f"channels_{side}"] == 1 else "picture"


@dataclass(frozen=True)
class Way:
    """A way through the models, which has a tab of the page: what is read, and the directions to choose from."""

    title: str
    source: str  # photo, drawing, picture
    side: Side  # of a batch, that is read
    grey: bool
    directions: Mapping[str, Direction]  # by name; of a model that knows labels one for each

    @property
    def draws(self) -> bool:
        """Whether what it reads can be drawn by hand."""
        return self.source == "drawing"


def ways_of(trained: Sequence[Trained]) -> list[Way]:
    """The ways that all of the models know, that of the first model's own first. Raises UserError where there is none.

    Of models of labels the labels are those of all, and one way leads to them.
    """
    first = trained[0]
    labels = [name for name in first.model.labels if all(name in one.model.labels for one in trained)]
    if labels:
        source, side = first.kinds["a"], source_side("")
        towards = {name: first.model.towards(name) for name in labels}
        ways = [Way(f"{source} to another label", source, side, _grey(trained, side), towards)]
    else:
        ways = [
            _way(trained, direction)
            for direction in first.model.directions
            if not first.model.labels and all(direction in one.model.directions for one in trained)
        ]
    titles = [way.title for way in ways]
    ways = [way if titles.count(way.title) == 1 else _told_apart(way) for way in ways]
    for one in trained[1:]:
        if not ways or any(one.kinds[way.side] != way.source for way in ways):
            raise UserError(
                f"run: {first.name} and {one.name} do not read the same, {_read(first)} and {_read(one)}: "
                "show each on a page of its own, with another port="
            )
    return ways


def _way(trained: Sequence[Trained], direction: Direction) -> Way:
    first, side = trained[0], source_side(direction)
    target: Literal["a", "b"] = "a" if direction == "b2a" else "b"
    source = first.kinds[side]
    styled = " in the style of another" if first.model.needs_style else ""
    title = f"{source} to {first.kinds[target]}{styled}"
    return Way(title, source, side, _grey(trained, side), {title: direction})


def _told_apart(way: Way) -> Way:
    (direction,) = way.directions.values()
    title = f"{way.title} ({direction})"
    return Way(title, way.source, way.side, way.grey, {title: direction})


def _grey(trained: Sequence[Trained], side: Side) -> bool:
    return all(one.model.hparams[f"channels_{side}"] == 1 for one in trained)


def _read(trained: Trained) -> str:
    """What a model reads in each direction, for a message."""
    if trained.model.labels:
        return f"{trained.kinds['a']}s of {', '.join(trained.model.labels)}"
    return ", ".join(
        f"{trained.kinds[source_side(direction)]}s ({direction})" for direction in trained.model.directions
    )


def names_of(runs: Sequence[Path]) -> list[str]:
    """What to call several runs: as their experiments, else by the ends of their paths. Raises UserError."""
    if len({run.resolve() for run in runs}) < len(runs):
        raise UserError(f"run=[{','.join(map(str, runs))}]: one is named twice; name each once")
    saved = [saved_config(run) for run in runs]
    names = [str(one.get("name")) for one in saved if one is not None and one.get("name")]
    length = 1
    while len(set(names)) < len(runs):
        names = ["/".join(run.resolve().parts[-length:]) for run in runs]
        length += 1
    return names
