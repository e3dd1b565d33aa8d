"""What every paper of the suite shares: it translates pictures, with networks that alternating updates train.

A paper builds its networks from plain values, says in `trained` which of them each optimizer moves, writes its
algorithm in `step` with `learning` and `update`, and says in `translate` what it makes of a picture. Everything else
is bookkeeping around that, here and in `AlternatingUpdates`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from suite.arguments import check_value
from suite.data.batch import Batch
from suite.errors import UserError
from suite.images import padded
from suite.networks.contract import PictureNetwork
from suite.networks.layers import keep_training_behaviour
from suite.papers import arguments_of
from suite.papers.translation import Translation, between_sides
from suite.updates.alternating import AlternatingUpdates, Report, Step

if TYPE_CHECKING:
    from suite.data.module import PictureData

__all__ = ["Direction", "Mode", "Paper", "Report", "Step"]

Direction = str  # a2b, b2a, or a name that a paper gives, as to_male
Mode = Literal["eval", "train"]


class Paper(AlternatingUpdates):
    """Base of the papers. Its arguments' defaults are in conf/model.

    Raises UserError for arguments that are not what their annotations say.
    """

    name: ClassVar[str]  # in configurations and checkpoints
    # The generator of each direction that `translate` knows, the paper's own first; none: nothing is translated yet.
    # A paper whose directions follow from its arguments sets them in its constructor.
    directions: Mapping[Direction, str] = {"a2b": "G"}
    tasks: tuple[str, ...] = ("unpaired", "paired")  # values of data.task whose batches `step` can read
    stages: tuple[str, ...] = ()  # values of model.stage, in order; () trains all in one
    in_place_of: Mapping[str, tuple[str, ...]] = {}  # of a stage: those that no run has beside it
    or_other_networks: tuple[str, str] = ("", "")  # what else helps where a size does not divide, or is too small
    labels: tuple[str, ...] = ()  # where its directions are those to labels: their names
    fixed_size: int | None = None  # pixels: the one side of pictures that the networks read; None: any that divides
    size_key = "size"  # of its arguments: the one that gives that side
    needs_style = False  # True: bare pictures are translated in the style of an exemplar, see `take_style`
    trains_on_pictures = True  # False: a step reads no pictures, and its batches have none
    mode: Mode = "eval"  # train, for a trained model: translate with `keep_training_behaviour` of the generators

    def __init__(
        self,
        *,
        channels_a: Literal[1, 3],
        channels_b: Literal[1, 3],
        compile: bool,
        stage: str | None = None,
        **updates: Any,
    ) -> None:
        super().__init__(stage=stage, **updates)
        self.save_hyperparameters(logger=False)  # those of the paper's own class, too
        annotations = arguments_of(type(self))
        for key, value in self.hparams.items():
            check_value(f"model.{key}", value, annotations.get(key, Any))
        if stage not in (self.stages or (None,)):
            known = f"choose from {', '.join(self.stages)}" if self.stages else f"{self.name} has no stages"
            said = "which stage? Say stage=<name>" if stage is None else f"model.stage={stage}"
            raise UserError(f"{said}: {known}")
        self.compile_networks = compile

    # What a paper defines, beside `trained`, `generators`, `step` and `draw` ------------------------------------------

    @torch.no_grad()
    def translate(self, batch: Batch | Tensor, direction: Direction = "a2b") -> Tensor:
        """Pictures of the source domain, or a batch that holds them, to the target domain.

        (B, C, H, W) in [-1, 1] both ways, of any size, without gradient; through the EMA where there is one. Sizes that
        the networks don't read are padded, and cut off again.
        """
        x = batch if isinstance(batch, Tensor) else batch[source_side(direction)]
        height, width = x.shape[-2:]
        return self.translator(self.directions[direction])(padded(x, self.divisor))[..., :height, :width]

    def towards(self, target: str) -> Direction:
        """The direction to the label of that name. Raises UserError where the model knows no such label."""
        raise UserError(f"target={target}: {type(self).__name__} knows no labels; say direction=")

    def take_style(self, picture: Tensor) -> None:
        """Translate bare pictures in the style of that one, (1, C, H, W) in [-1, 1] of the target domain, from now on.

        Raises UserError where the model takes no style.
        """
        raise UserError(f"style=…: {type(self).__name__} takes no style; leave it out")

    def predict(self, batch: Batch) -> list[Translation]:
        """What metrics measure of a batch, and picture grids show; the first is the paper's main one."""
        return [between_sides(batch, direction, self.translate(batch, direction)) for direction in self.directions]

    def sheets(self, batch: Batch) -> dict[str, Tensor]:
        """Whole pictures, uint8 (3, H, W), by name: what a validation shows of its first batch, beside rows."""
        return {}

    def check_data(self, data: "PictureData") -> None:
        """Refuse data that this model can't be trained on, before the first step."""
        check_task(type(self), self.tasks, data.task)
        if self.fixed_size is not None and data.size != self.fixed_size:
            raise UserError(f"model.{self.size_key}={self.fixed_size}: it follows data.size, set that")
        if data.size % self.divisor:
            nearest = max(self.divisor, round(data.size / self.divisor) * self.divisor)
            raise UserError(
                f"data.size={data.size} is not a multiple of {self.divisor}, which the networks need: "
                f"use data.size={nearest}{self.or_other_networks[0]}"
            )
        smallest = max((network.smallest for network in self._of_pictures()), default=1)
        if data.size < smallest:
            raise UserError(
                f"data.size={data.size} is too small for the networks, which need {smallest}: "
                f"use a larger data.size{self.or_other_networks[1]}"
            )

    def check_labels(self, names: tuple[str, ...], counts: Mapping[str, int] | None = None) -> None:
        """Refuse labelled data that this model can't be trained on, when they are listed and nothing is written yet.

        names: of all labels. counts: of each name the training pictures, where it is to be trained.
        """

    def check_start(self, settings: Mapping[str, Any], start_from: Path) -> None:
        """Refuse an earlier stage whose networks were trained for other settings than this model's.

        settings: its arguments, as its checkpoint has them.
        """

    def start_after(self, checkpoint: Mapping[str, Any]) -> None:
        """Remember of an earlier stage's checkpoint what a stage that builds on it keeps to, beside its networks."""

    def find_weights(self) -> None:
        """Find or download files that training needs beside the data, before a run is begun. Raises UserError."""

    def leave_behind(self, data: "PictureData", run: Path) -> None:
        """What a trained stage makes for the next one, as files in its folder.

        One process does, anew if stopped: the model is in eval mode, on the device that it was trained on, and every
        loader of `data` gives all pictures.
        """

    def published_step(self, batch: Batch) -> Callable[[Batch], object] | None:
        """The step as it was published, on copies of the networks; None: nothing published does what this is set to."""
        return None

    def example(self, count: int, size: int) -> Batch:
        """A training batch of so many samples without content, to calculate from what memory a step takes."""
        a, b = (torch.empty(count, self.hparams[f"channels_{side}"], size, size) for side in "ab")
        return {"a": a, "b": b, "paired": "paired" in self.tasks}

    def summary(self) -> dict[str, str]:
        """What the model is, for people: lines by title."""
        sizes = [f"{name} {_weights(network):,}" for name, network in self.networks().items()]
        stage = "" if self.stage is None else f", stage {self.stage}"
        rows = {"model": f"{type(self).__name__}{stage}: {', '.join(sizes)}"}
        if frozen := self.frozen_stages + self.freeze_names:
            rows["frozen"] = ", ".join(frozen)
        return rows

    def as_network(self, direction: Direction) -> nn.Module:
        """What translates in that direction as one network of tensors alone, which a graph can be made of.

        It reads pictures (B, C, H, W) in [-1, 1] of a size that needs no padding, and with `needs_style` an exemplar of
        style for each, and gives what `translate` does. Raises UserError where no such network is.
        """
        return self.translator(self.directions[direction])

    # What it is -----------------------------------------------------------------------------------------------------

    @property
    def divisor(self) -> int:
        """What both sides of a picture must be multiples of."""
        return max((network.divisor for network in self._of_pictures()), default=1)

    def translator(self, name: str) -> nn.Module:
        """The generator of that name as it should be used for pictures: averaged where there is an EMA."""
        return self.ema[name] if self.ema is not None and name in self.ema else self.generators()[name]

    def translating(self) -> dict[str, nn.Module]:
        """All networks that translations go through, by name, averaged where there is an EMA."""
        resting = {name: getattr(self, name) for name in self.frozen_stages}
        return resting | {name: self.translator(name) for name in self.generators()}

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if not mode and self.mode == "train":
            for name in self.generators():
                keep_training_behaviour(self.translator(name))
        return self

    def _of_pictures(self) -> list[PictureNetwork]:
        networks = self.networks() | self.generators()
        return [network for network in networks.values() if isinstance(network, PictureNetwork)]

    def setup(self, stage: str) -> None:
        if stage == "fit" and self.compile_networks:
            for network in self.networks().values():
                network.compile()  # in place: the names in a checkpoint stay what they are

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Nothing: the callbacks for metrics and pictures call `predict` for what they need."""

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Nothing, as in validation."""

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["paper"] = self.name


def source_side(direction: Direction) -> Literal["a", "b"]:
    """Which pictures of a batch are translated in that direction: those of `b` in b2a and b2b, else those of `a`."""
    return "b" if direction in ("b2a", "b2b") else "a"


def check_task(paper: type[Paper], tasks: tuple[str, ...], task: str) -> None:
    """Raises UserError where a paper reads no batches of that task."""
    if task not in tasks:
        raise UserError(f"data.task={task}: {paper.__name__} trains on data.task={'|'.join(tasks)}")


def _weights(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())
