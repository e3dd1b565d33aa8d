"""pix2pix' step as it was published: Isola 2017, section 3, in the order of the authors' released code.

And of several drawings of a photo: Gao 2020, section 6.1, after Li 2019.
"""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from suite.papers.reference.cyclegan import is_published

if TYPE_CHECKING:
    from suite.data.batch import Batch
    from suite.papers.pix2pix import Pix2Pix


class ReferencePix2Pix:
    """G: x -> y against D, which sees x beside y, trained by `step`. The weights of both networks change in place.

    D judges each drawing of a photo in a pass of its own, and G is held to the closest of them. With deep supervision
    every head of G has an L1 loss of its own, the mean of them counts, and D judges the last.
    """

    def __init__(
        self,
        G: nn.Module,
        D: nn.Module,
        loss: Literal["vanilla", "lsgan"] = "vanilla",
        lambda_l1: float = 100.0,
        real_label: float = 1.0,  # what D should say of a drawing
        deep_supervision: bool = False,
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
    ) -> None:
        self.G, self.D = G, D
        self.criterion = mse_loss if loss == "lsgan" else binary_cross_entropy_with_logits
        self.lambda_l1, self.real_label, self.deep_supervision = lambda_l1, real_label, deep_supervision
        self.opt_G = torch.optim.Adam(G.parameters(), lr, betas)
        self.opt_D = torch.optim.Adam(D.parameters(), lr, betas)

    @classmethod
    def step_of(cls, model: "Pix2Pix", batch: "Batch") -> "Callable[[Batch], object] | None":
        """As `ReferenceCycleGAN.step_of`. Where a batch's photos differ in how many drawings they have: None."""
        if not is_published(model) or model.lambda_l1 == 0:
            return None
        if "drawings" in batch and (batch["drawing_count"] < batch["drawings"].shape[1]).any():
            return None
        published = cls(
            **copy.deepcopy(model.networks()),
            loss=model.adversarial.loss,  # type: ignore[arg-type]  # one of the two, see above
            lambda_l1=model.lambda_l1,
            real_label=model.adversarial.real_label,
            deep_supervision=model.deep_supervision,
            lr=model.lr,
            betas=model.betas,
        )

        def step(batch: "Batch") -> dict[str, Tensor]:
            # Erasing and noise are done to the data, before the step.
            drawings = batch["drawings"] if "drawings" in batch else batch["b"][:, None]
            return published.step(model.disturbed(batch["a"], model.draw(batch)), drawings)

        return step

    def step(self, x: Tensor, drawings: Tensor) -> dict[str, Tensor]:
        """One update of the discriminator, then one of the generator; the losses, under the paper module's names.

        x: (B, Ca, H, W) and drawings: (B, K, Cb, H, W) in [-1, 1], as many of each photo.
        """
        heads = list(self.G(x, every_head=True)) if self.deep_supervision else [self.G(x)]
        fake = heads[-1]

        self.D.requires_grad_(True)
        self.opt_D.zero_grad()
        of_fake = self.adversarial(x, fake.detach(), 0.0)
        of_real = torch.stack([self.adversarial(x, drawing, self.real_label) for drawing in drawings.unbind(dim=1)])
        losses = {"D": 0.5 * (of_fake + of_real.mean())}
        losses["D"].backward()
        self.opt_D.step()

        self.D.requires_grad_(False)
        self.opt_G.zero_grad()
        losses["G_adv"] = self.adversarial(x, fake, 1.0)
        losses["L1"] = self.lambda_l1 * torch.stack([self.closest(head, drawings) for head in heads]).mean()
        (losses["G_adv"] + losses["L1"]).backward()
        self.opt_G.step()
        return losses

    def adversarial(self, x: Tensor, y: Tensor, label: float) -> Tensor:
        """How far D's logits for y, drawn from x, are from a label: 1 for real, 0 for fake."""
        logits = self.D(torch.cat([x, y], dim=1))
        return self.criterion(logits, torch.full_like(logits, label))

    @staticmethod
    def closest(fake: Tensor, drawings: Tensor) -> Tensor:
        """The L1 distance of each fake to the drawing that is closest as a whole; their mean."""
        distances = [(fake - drawing).abs().flatten(1).mean(dim=1) for drawing in drawings.unbind(dim=1)]
        return torch.stack(distances).min(dim=0).values.mean()
