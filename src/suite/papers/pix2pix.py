"""pix2pix (Isola 2017) as Gao (2020) compares it: with several drawings of a photo, and regularised in several ways.

G: x -> y     D tells (x, y) from (x, G(x)); where a photo has drawings y_1 ... y_K, all of them are real to D,
              and G is held to the closest of them
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from kornia.augmentation import RandomErasing
from torch import Tensor, nn

from suite.arguments import AboveZero, NonNegative, Share, ShareBelowOne
from suite.data.batch import Batch
from suite.errors import UserError
from suite.losses.pixel import closest_l1
from suite.networks.layers import uses_batch_statistics
from suite.papers.base import Report
from suite.papers.gan import GAN
from suite.papers.reference import ReferencePix2Pix

if TYPE_CHECKING:
    from suite.data.module import PictureData


class Pix2Pix(GAN):
    """A generator and a discriminator that sees its input, trained on pairs; from `a` to `b`, as data.direction has it.

    Source: Isola 2017 (the method, its defaults, and the equation numbers); Gao 2020, section 6.1 (several drawings,
    after Li 2019) and section 6.1.5 (label smoothing, which is `adversarial.real_label`, erasing and noise).
    """

    name = "pix2pix"
    tasks = ("paired",)

    def __init__(
        self,
        *,
        lambda_l1: NonNegative,
        erasing: Share,
        erasing_area: tuple[ShareBelowOne, ShareBelowOne],
        erasing_ratio: tuple[AboveZero, AboveZero],
        noise: NonNegative,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        for name, (least, most) in (("erasing_area", erasing_area), ("erasing_ratio", erasing_ratio)):
            if least > most:
                raise UserError(f"model.{name}=[{least},{most}]: give the smaller number first")
        self.lambda_l1, self.noise = lambda_l1, noise
        # Its random numbers come from torch's generator on the CPU.
        area, ratio = (erasing_area[0], erasing_area[1]), (erasing_ratio[0], erasing_ratio[1])
        self.erase = RandomErasing(area, ratio, value=0.0, p=erasing) if erasing > 0 else None

        a, b = self.hparams["channels_a"], self.hparams["channels_b"]
        self.G = self.make_generator(a, b, supervises_heads=True)
        self.D = self.make_discriminator(a + b)
        self.deep_supervision = bool(self.backbone.get("deep_supervision"))
        # Passes through D are joined into one batch, where pictures don't see each other in it.
        self.fused = not uses_batch_statistics(self.D)
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        return {"G": {"G": self.G}, "D": {"D": self.D}}

    def check_data(self, data: "PictureData") -> None:
        super().check_data(data)
        if data.drawings == "all" and data.swap:
            raise UserError(
                "data.drawings=all with data.direction=b2a: a drawing has one photo, and no closest one; "
                "set data.drawings=one"
            )

    def published_step(self, batch: Batch) -> Callable[[Batch], object] | None:
        return ReferencePix2Pix.step_of(self, batch)

    # The algorithm --------------------------------------------------------------------------------------------------

    def draw(self, batch: Batch) -> dict[str, Tensor]:
        x, drawn = batch["a"], {}
        if self.erase is not None:
            with self.draws.in_place_of_global("erasing"):
                drawn["erased"] = self.erase(torch.ones_like(x[:, :1])) == 0
        if self.noise > 0:
            drawn["noise"] = torch.randn(x.shape, generator=self.draws.generator("noise", x.device), device=x.device)
        if self.adversarial.penalty != "none":
            drawn["epsilon"] = self.draw_epsilon(x, "penalty")
        return drawn

    def step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        x = self.disturbed(batch["a"], drawn)
        y, y_weights = real_drawings(batch)
        fakes = self.fakes(x)
        losses = self.critic_moves(x, y, y_weights, fakes[-1].detach(), batch["b"], drawn)
        with self.learning("G"):  # D, one step wiser, judges and learns nothing
            of_G = self.generator_losses(x, y, fakes)
            self.update("G", of_G)
        return losses | of_G

    def critic_step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        x = self.disturbed(batch["a"], drawn)
        y, y_weights = real_drawings(batch)
        with torch.no_grad():
            fakes = self.fakes(x)
        return self.critic_moves(x, y, y_weights, fakes[-1], batch["b"], drawn)

    def critic_moves(
        self, x: Tensor, y: Tensor, y_weights: Tensor, fake: Tensor, one_y: Tensor, drawn: dict[str, Tensor]
    ) -> Report:
        with self.learning("D"):
            losses, scores = self.discriminator_losses(x, y, y_weights, fake, one_y, drawn)
            self.update("D", losses)
        return losses | scores

    def disturbed(self, x: Tensor, drawn: dict[str, Tensor]) -> Tensor:
        """The input as both networks see it in training: with a rectangle erased, with noise (Gao 2020, 6.1.5)."""
        if "erased" in drawn:
            x = x.masked_fill(drawn["erased"], 0.0)  # mid-grey
        return x + self.noise * drawn["noise"] if "noise" in drawn else x

    def fakes(self, x: Tensor) -> Tensor:
        """G(x) of every head that is supervised, (heads, B, C, H, W); the last is the picture."""
        return self.G(x, every_head=True) if self.deep_supervision else self.G(x)[None]

    def discriminator_losses(
        self, x: Tensor, y: Tensor, y_weights: Tensor, fake: Tensor, one_y: Tensor, drawn: dict[str, Tensor]
    ) -> tuple[Report, Report]:
        """What D minimises: -L_cGAN (Eq. 1), of real drawings the mean (Gao 2020, 6.1); and its scores.

        x: (B, Ca, H, W). y: (B, K, Cb, H, W) with weights (B, K), see `real_drawings`. fake: G(x), detached.
        one_y: (B, Cb, H, W), a drawing of each photo, for the gradient penalty between it and the fake.
        """
        real_logits, fake_logits = self.judge(x, y, fake)
        losses = {"D": self.adversarial.discriminator(real_logits, fake_logits, y_weights.flatten())}
        if self.adversarial.penalty != "none":
            real_pair, fake_pair = pair(x, one_y), pair(x, fake)
            losses["penalty"] = self.adversarial.gradient_penalty(self.D, real_pair, fake_pair, drawn["epsilon"])
        return losses, self.adversarial.scores(real_logits, fake_logits)

    def generator_losses(self, x: Tensor, y: Tensor, fakes: Tensor) -> Report:
        """What G minimises (Eq. 4): the adversarial loss (Eq. 1, non-saturating) and L1 (Eq. 3) with its weight."""
        losses = {"G_adv": self.adversarial.generator(self.D(pair(x, fakes[-1])))}
        if self.lambda_l1 > 0:
            losses["L1"] = self.lambda_l1 * closest_l1(fakes, y)
        return losses

    def judge(self, x: Tensor, y: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of the B * K real pairs, those of a photo together, and of the B fake ones.

        In one pass; with BatchNorm one for the fakes and one for each k, as a pass each for real and fake is pix2pix'.
        """
        B, K = y.shape[:2]
        if self.fused:
            pairs = torch.cat([pair(x.repeat_interleave(K, dim=0), y.flatten(0, 1)), pair(x, fake)])
            real_logits, fake_logits = self.D(pairs).split([B * K, B])
            return real_logits, fake_logits
        real = torch.stack([self.D(pair(x, y_k)) for y_k in y.unbind(dim=1)], dim=1)
        return real.flatten(0, 1), self.D(pair(x, fake))


def pair(x: Tensor, y: Tensor) -> Tensor:
    """What D sees: (B, Ca + Cb, H, W)."""
    return torch.cat([x, y.to(x.dtype)], dim=1)


def real_drawings(batch: Batch) -> tuple[Tensor, Tensor]:
    """Every drawing of each photo, (B, K, C, H, W), and its weight in a mean over the batch, (B, K).

    The mean is over a photo's drawings, then over the photos. K is 1 without the key `drawings`. What pads the
    drawings of a photo is replaced by those it has, once again and without weight: so it changes neither what is the
    closest nor the statistics of a BatchNorm.
    """
    if "drawings" not in batch:
        b = batch["b"]
        return b[:, None], torch.full((len(b), 1), 1 / len(b), device=b.device)
    padded, count = batch["drawings"], batch["drawing_count"][:, None]
    B, K = padded.shape[:2]
    k = torch.arange(K, device=padded.device)
    photo = torch.arange(B, device=padded.device)[:, None]
    return padded[photo, k % count], (k < count) / (count * B).float()
