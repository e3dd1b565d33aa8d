"""pix2pix (Isola 2017) as Gao (2020) compares it: with several drawings of a photo, and regularised in several ways.

G: x -> y     D tells (x, y) from (x, G(x)); where a photo has drawings y_1 ... y_K, all of them are real to D,
              and G is held to the closest of them
"""

from typing import TYPE_CHECKING, Any

import torch
from kornia.augmentation import RandomErasing
from torch import Tensor, nn

from suite.arguments import number, share
from suite.data.batch import Batch
from suite.errors import UserError
from suite.losses.adversarial import AdversarialLoss
from suite.networks.build import build_discriminator, build_generator
from suite.networks.layers import uses_batch_statistics
from suite.papers.base import GAN, Direction, check_adam
from suite.updates.ema import EMA

if TYPE_CHECKING:
    from suite.data.module import PictureData


class Pix2Pix(GAN):
    """A generator and a discriminator that sees its input, trained on pairs; from `a` to `b`, as data.direction has it.

    Source: Isola 2017 (the method, its defaults, and the equation numbers); Gao 2020, section 6.1 (several drawings,
    after Li 2019) and section 6.1.5 (label smoothing, which is `adversarial.real_label`, erasing and noise).
    """

    tasks = ("paired",)

    def __init__(
        self,
        backbone: dict[str, Any],
        discriminator: dict[str, Any],
        adversarial: dict[str, Any],
        channels_a: int = 3,
        channels_b: int = 3,
        lambda_l1: float = 100.0,  # weight of the L1 distance to the drawing; 0 leaves the adversarial loss alone
        erasing: float = 0.0,  # probability that a rectangle of the input is erased to mid-grey, in training
        erasing_area: tuple[float, float] = (0.02, 0.33),  # of that rectangle, as a share of the picture
        erasing_ratio: tuple[float, float] = (0.3, 3.3),  # of its height to its width
        noise: float = 0.0,  # standard deviation of Gaussian noise on the input, in training; pictures span -1 .. 1
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        epochs: int = 100,  # at full learning rate
        decay_epochs: int = 100,  # then linearly towards 0
        clip_norm: float = 0.0,  # largest gradient norm of an update; 0: any
        ema_decay: float = 0.0,  # of the generator's average; 0: none
        compile: bool = False,
    ) -> None:
        super().__init__(epochs, decay_epochs, clip_norm, ema_decay, compile)
        self.save_hyperparameters(logger=False)
        number("model.lambda_l1", lambda_l1, least=0)
        share("model.erasing", erasing)
        (least_area, most_area), (least_ratio, most_ratio) = erasing_area, erasing_ratio
        number("model.erasing_area", least_area, least=0)
        number("model.erasing_area", most_area, least=least_area, below=1)
        number("model.erasing_ratio", least_ratio, least=0.01)
        number("model.erasing_ratio", most_ratio, least=least_ratio)
        number("model.noise", noise, least=0)
        check_adam(lr, betas)
        self.adversarial = AdversarialLoss(**adversarial)
        self.lambda_l1, self.noise = lambda_l1, noise
        self.lr, self.betas = lr, betas
        # Mid-grey is 0 in [-1, 1]. Its random numbers come from torch's generator on the CPU.
        area, ratio = (least_area, most_area), (least_ratio, most_ratio)
        self.erase = RandomErasing(area, ratio, value=0.0, p=erasing) if erasing > 0 else None

        self.G = build_generator(backbone, channels_a, channels_b, supervises_heads=True)
        self.D = build_discriminator(discriminator, channels_a + channels_b)
        self.adversarial.check_critic(self.D)
        self.deep_supervision = bool(backbone.get("deep_supervision"))
        self.ema = EMA(self.generators(), ema_decay) if ema_decay > 0 else None
        # Passes through D are joined into one batch, where pictures don't see each other in it.
        self.fused = not uses_batch_statistics(self.D)

    def generators(self) -> dict[str, nn.Module]:
        return {"G": self.G}

    def networks(self) -> dict[str, nn.Module]:
        return {"G": self.G, "D": self.D}

    def check_data(self, data: "PictureData") -> None:
        super().check_data(data)
        if data.drawings == "all" and data.swap:
            raise UserError(
                "data.drawings=all with data.direction=b2a: a drawing has one photo, and no closest one; "
                "set data.drawings=one"
            )

    @torch.no_grad()
    def translate(self, batch: Batch | Tensor, direction: Direction = "a2b") -> Tensor:
        return self.translator("G")(batch if isinstance(batch, Tensor) else batch["a"])

    # The algorithm --------------------------------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        x = self.disturbed(batch["a"])
        y, y_weights = real_drawings(batch)
        opt_G, opt_D = self.optimizers()  # type: ignore[attr-defined]  # a list, as there are two

        # The critic moves on each batch, the generator on the last of `critic_steps`.
        generator_moves = (self.d_steps + 1) % self.adversarial.critic_steps == 0
        with torch.set_grad_enabled(generator_moves):
            fakes = self.fakes(x)

        with self.toggled_optimizer(opt_D):
            losses = self.discriminator_losses(x, y, y_weights, fakes[-1].detach(), batch["b"])
            self.update(opt_D, torch.stack(list(losses.values())).sum())
        if self.adversarial.weight_clip > 0:
            self.adversarial.clip_weights(self.D)
        self.d_steps += 1

        if generator_moves:
            with self.toggled_optimizer(opt_G):  # D, one step wiser, judges and learns nothing
                losses |= (of_G := self.generator_losses(x, y, fakes))
                self.update(opt_G, of_G["G_adv"] + self.lambda_l1 * of_G["L1"])  # Eq. 4
            self.g_steps += 1
            self.update_ema()
        self.report(losses)

    def disturbed(self, x: Tensor) -> Tensor:
        """The input as both networks see it in training: with a rectangle erased, with noise (Gao 2020, 6.1.5)."""
        if self.erase is not None:
            with self.draws.in_place_of_global("erasing"):
                x = self.erase(x)
        if self.noise > 0:
            x = x + self.noise * torch.randn(
                x.shape, generator=self.draws.generator("noise", x.device), device=x.device
            )
        return x

    def fakes(self, x: Tensor) -> Tensor:
        """G(x) of every head that is supervised, (heads, B, C, H, W); the last is the picture."""
        return self.G(x, every_head=True) if self.deep_supervision else self.G(x)[None]

    def discriminator_losses(
        self, x: Tensor, y: Tensor, y_weights: Tensor, fake: Tensor, one_y: Tensor
    ) -> dict[str, Tensor]:
        """What D minimises: -L_cGAN (Eq. 1), of real drawings the mean (Gao 2020, 6.1).

        x: (B, Ca, H, W). y: (B, K, Cb, H, W) with weights (B, K), see `real_drawings`. fake: G(x), detached.
        one_y: (B, Cb, H, W), a drawing of each photo, for the gradient penalty between it and the fake.
        """
        real_logits, fake_logits = self.judge(x, y, fake)
        losses = {"D": self.adversarial.discriminator(real_logits, fake_logits, y_weights.flatten())}
        if self.adversarial.penalty != "none":
            losses["penalty"] = self.adversarial.gradient_penalty(self.D, pair(x, one_y), pair(x, fake))
        return losses

    def generator_losses(self, x: Tensor, y: Tensor, fakes: Tensor) -> dict[str, Tensor]:
        """What G minimises, before its weight: the adversarial loss (Eq. 1, non-saturating) and L1 (Eq. 3)."""
        return {"G_adv": self.adversarial.generator(self.D(pair(x, fakes[-1]))), "L1": closest_l1(fakes, y)}

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

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[Any]]:
        opt_G = self.make_optimizer([self.G], self.lr, self.betas)
        opt_D = self.make_optimizer([self.D], self.lr, self.betas)
        return [opt_G, opt_D], [self.linear_decay(opt_G), self.linear_decay(opt_D)]


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


def closest_l1(fakes: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference to the closest drawing of each picture as a whole, averaged over heads and pictures.

    fakes: (heads, B, C, H, W), y: (B, K, C, H, W), both in [-1, 1]; in fp32 whatever they come in. Source: Gao 2020,
    section 6.1.
    """
    distances = (fakes.float()[:, :, None] - y.float()).abs().mean(dim=(3, 4, 5))  # (heads, B, K)
    return distances.amin(dim=2).mean()
