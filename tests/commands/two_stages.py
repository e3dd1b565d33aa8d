"""A paper small enough for the tests that trains in two stages: a generator, then an encoder of what that makes.

    python tests/commands/two_stages.py --config-dir tests/commands/two_stages_conf experiment=two_stages …

G: a -> b, by its L1 distance to b.     E: tells from G(a) how bright a was; G rests.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from suite.arguments import NonNegative, Positive
from suite.data.batch import Batch
from suite.losses.pixel import l1
from suite.networks.contract import Encoder, Generator
from suite.papers import register
from suite.papers.base import Paper, Report

CONF = Path(__file__).with_name("two_stages_conf")


class TinyGenerator(Generator):
    def __init__(self, in_channels: int, out_channels: int, width: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.divisor = in_channels, out_channels, 2
        down, up = nn.Conv2d(in_channels, width, 4, 2, 1), nn.ConvTranspose2d(width, out_channels, 4, 2, 1)
        self.layers = nn.Sequential(down, nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.1), up, nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class TinyEncoder(Encoder):
    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.in_channels, self.out_features = in_channels, 1
        pooled = nn.Sequential(nn.Conv2d(in_channels, width, 4, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.layers = nn.Sequential(pooled, nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@register
class TwoStages(Paper):
    name = "two_stages"
    stages = ("generator", "encoder")
    tasks = ("paired",)

    def __init__(self, *, width: Positive, noise: NonNegative, **shared: Any) -> None:
        super().__init__(**shared)
        a, b = self.hparams["channels_a"], self.hparams["channels_b"]
        self.noise = noise
        self.G = TinyGenerator(a, b, width)
        if self.stage == "encoder":
            self.E = TinyEncoder(b, width)
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        return {"G": {"G": self.G}} if self.stage == "generator" else {"E": {"E": self.E}}

    def generators(self) -> dict[str, nn.Module]:
        return {"G": self.G}

    def leave_behind(self, data: Any, run: Path) -> None:
        (run / "left_behind.txt").write_text(f"{self.stage} {self.steps}")

    def draw(self, batch: Batch) -> dict[str, Tensor]:
        return {"noise": self.noise * torch.randn(batch["a"].shape, generator=self.draws.generator("noise"))}

    def generator_step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        with self.learning("G"):
            losses = {"L1": l1(self.G(batch["a"] + drawn["noise"]), batch["b"])}
            self.update("G", losses)
        return losses

    def encoder_step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        a = batch["a"] + drawn["noise"]
        with torch.no_grad():
            made = self.G(a)
        with self.learning("E"):
            losses = {"brightness": l1(self.E(made), a.mean(dim=(1, 2, 3))[:, None])}
            self.update("E", losses)
        return losses


if __name__ == "__main__":
    from suite.train import main

    main()
