"""The step of convolutional sketch inversion, written plainly: Güçlütürk 2016."""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

if TYPE_CHECKING:
    from suite.data.batch import Batch
    from suite.papers.csi import CSI


class ReferenceCSI:
    """G: sketch -> photo, trained by `step`; its weights change in place."""

    def __init__(
        self,
        G: nn.Module,
        features: nn.Module,
        lambda_pixel: float = 1.0,
        lambda_feature: float = 1.0,
        lambda_tv: float = 1e-5,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        self.G, self.features = G, features
        self.lambda_pixel, self.lambda_feature, self.lambda_tv = lambda_pixel, lambda_feature, lambda_tv
        self.opt_G = torch.optim.Adam(G.parameters(), lr, betas)

    @classmethod
    def step_of(cls, model: "CSI") -> "Callable[[Batch], object] | None":
        """The step on a copy of a model's network, with its settings; None where it knows none of them."""
        if model.optimizer != "adam" or model.clip_norm > 0 or model.freeze_names:
            return None
        model.hold_features()
        weights = model.lambda_pixel, model.lambda_feature, model.lambda_tv
        plain = cls(copy.deepcopy(model.G), model.held["features"], *weights, model.lr, model.betas)
        return lambda batch: plain.step(batch["a"], batch["b"])

    def step(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """One update; the losses, under the paper module's names. x: (B, Ca, H, W) and y: (B, Cb, H, W) in [-1, 1]."""
        fake = self.G(x)
        down, across = fake.diff(dim=2)[..., :-1], fake.diff(dim=3)[..., :-1, :]
        losses = {
            "pixel": self.lambda_pixel * mse_loss(fake, y).add(1e-12).sqrt(),
            "feature": self.lambda_feature * mse_loss(self.features(fake), self.features(y)).add(1e-12).sqrt(),
            "TV": self.lambda_tv * (down**2 + across**2 + 1e-8).sqrt().sum() / len(x),
        }
        self.opt_G.zero_grad()
        (losses["pixel"] + losses["feature"] + losses["TV"]).backward()
        self.opt_G.step()
        return losses
