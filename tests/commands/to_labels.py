"""A paper small enough for the tests that translates to labels, and reads pictures of one size alone.

to_dark: darker by 60 of 255.     to_light: lighter by as much.
"""

from typing import Any

import torch
from torch import Tensor, nn

from suite.errors import UserError
from suite.networks.contract import Generator
from suite.papers import arguments_of, register
from suite.papers.base import Direction, Paper
from suite.run.config import defaults_of

SIZE = 32
SHIFT = 60  # of 255


class Shifts(Generator):
    def __init__(self, shift: float) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.divisor = 3, 3, 1
        self.shift = nn.Parameter(torch.tensor(shift / 127.5))

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2:] == (SIZE, SIZE)
        return x + self.shift


@register
class ToLabels(Paper):
    name = "to_labels"
    fixed_size = SIZE
    directions = {"to_dark": "dark", "to_light": "light"}  # noqa: RUF012

    def __init__(self, **shared: Any) -> None:
        super().__init__(**shared)
        self.dark, self.light = Shifts(-SHIFT), Shifts(SHIFT)
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        return {"G": self.generators()}

    def generators(self) -> dict[str, nn.Module]:
        return {"dark": self.dark, "light": self.light}

    def towards(self, target: str) -> Direction:
        if (direction := f"to_{target.lower()}") not in self.directions:
            raise UserError(f"target={target}: this model knows dark, light")
        return direction


def to_labels(**changes: Any) -> ToLabels:
    shared = {key: value for key, value in defaults_of("cyclegan").items() if key in arguments_of(ToLabels)}
    return ToLabels(**shared | changes).eval()
