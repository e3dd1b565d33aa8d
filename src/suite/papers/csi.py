"""Convolutional sketch inversion (Güçlütürk 2016), against which DA-GAN is measured: sketches to photos, from pairs."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from suite.arguments import NonNegative
from suite.data.batch import Batch
from suite.losses.pixel import rmse
from suite.losses.total_variation import total_variation
from suite.networks.csi import SketchInversionNetwork
from suite.networks.layers import Norm, Width
from suite.papers.base import Direction, Report
from suite.papers.perceptual import PerceptualPaper
from suite.papers.reference import ReferenceCSI


class CSI(PerceptualPaper):
    """One network and three losses: pixels, features, total variation. Targets of a second style are only measured.

    Source: Güçlütürk 2016, as its public re-implementations have it; the weights of the losses are not verified.
    """

    name = "csi"
    depth: ClassVar[Literal[16, 19]] = 16
    layer = "relu2_2"
    directions: Mapping[Direction, str] = {"a2b": "G"}
    tasks = ("paired", "semi_supervised")

    def __init__(
        self,
        *,
        width: Width,
        norm: Norm,
        lambda_pixel: NonNegative,
        lambda_feature: NonNegative,
        lambda_tv: NonNegative,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.lambda_pixel, self.lambda_feature, self.lambda_tv = lambda_pixel, lambda_feature, lambda_tv
        self.G = SketchInversionNetwork(self.hparams["channels_a"], self.hparams["channels_b"], width, norm)
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        return {"G": {"G": self.G}}

    def generators(self) -> dict[str, nn.Module]:
        return {"G": self.G}

    def published_step(self, batch: Batch) -> Callable[[Batch], object] | None:
        return ReferenceCSI.step_of(self)

    def step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        with self.learning("G"):
            losses = self.losses(batch["a"], batch["b"])
            self.update("G", losses)
        return losses

    def losses(self, x: Tensor, y: Tensor) -> Report:
        """Of sketches x (B, Ca, H, W) and their photos y (B, Cb, H, W) in [-1, 1], each term with its weight."""
        fake = self.G(x)
        with torch.no_grad():
            real_features = self.features(y)
        losses = {
            "pixel": self.lambda_pixel * rmse(fake, y),
            "feature": self.lambda_feature * rmse(self.features(fake), real_features),
        }
        if self.lambda_tv > 0:
            losses["TV"] = self.lambda_tv * total_variation(fake)
        return losses
