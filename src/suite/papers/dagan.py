"""DA-GAN (Liu 2018): sketches to photos, by a variational auto-encoder that learns to encode a second style alike.

E, Dec: Inv-Net    x_S -> rho_S -> photo ~ y_S     source: simulated sketches, with photos
                   x_T -> rho_T                    target: hand-drawn sketches, without
D:      DA-Net     tells rho_T from rho_S, and E learns that it can't
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from suite.arguments import NonNegative, Positive, Range, ShareBelowOne
from suite.data.batch import Batch
from suite.errors import UserError
from suite.losses import domain
from suite.losses.kl import kl_to_standard_normal
from suite.losses.perceptual import perceptual
from suite.losses.reduction import Reduction
from suite.losses.total_variation import total_variation
from suite.networks.inversion import DomainNetwork, InversionNetwork, LatentHeads, Upsampling
from suite.networks.layers import Norm, Width
from suite.papers.base import Direction, Report, Step
from suite.papers.perceptual import PerceptualPaper
from suite.papers.reference import ReferenceDAGAN

Update = Literal["Inv", "G", "D"]  # lines 3, 5 and 7 of Algorithm 1; G is the paper's name for the encoder
_Updates = Annotated[int, Range(least=0, most=1000)]  # of a kind in an iteration, each of which is listed


class DAGAN(PerceptualPaper):
    """An inversion network and a domain discriminator of its latent codes, trained on pairs and on bare sketches.

    Source: Liu 2018; equation, algorithm and table numbers are that paper's. What it leaves open is an argument.
    Without steps of G and D there is no adversary, and pairs are enough.
    """

    name = "dagan"
    depth: ClassVar[Literal[16, 19]] = 19
    layer = "conv3_4"
    directions: Mapping[Direction, str] = {"a2b": "Inv"}
    tasks: tuple[str, ...] = ("semi_supervised",)

    def __init__(
        self,
        *,
        size: Positive,
        width: Width,
        norm: Norm,
        upsampling: Upsampling,
        latent_heads: LatentHeads,
        decoder_hidden: Literal[1, 2],
        variational: bool,
        da_input_layer: bool,
        da_sees: Literal["sample", "mean"],
        da_loss: domain.DomainLoss,
        da_moves: Literal["both", "target"],
        lambda_vae: NonNegative,
        lambda_kl: NonNegative,
        lambda_tv: NonNegative,
        reduction: Reduction,
        inv_steps: Annotated[int, Range(least=1, most=1000)],
        g_steps: _Updates,
        d_steps: _Updates,
        lr_g: NonNegative,
        lr_d: NonNegative,
        betas_adversarial: tuple[ShareBelowOne, ShareBelowOne],
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        if g_steps > 0 and d_steps == 0:
            raise UserError(
                f"model.g_steps={g_steps} with model.d_steps=0: the encoder would learn from a D that learns nothing; "
                "set both, or both to 0"
            )
        self.variational, self.da_sees, self.da_loss, self.da_moves = variational, da_sees, da_loss, da_moves
        self.lambda_vae, self.lambda_kl, self.lambda_tv = lambda_vae, lambda_kl, lambda_tv
        self.reduction = reduction
        self.lr_g, self.lr_d, self.betas_adversarial = lr_g, lr_d, betas_adversarial
        a, b = self.hparams["channels_a"], self.hparams["channels_b"]
        self.Inv = InversionNetwork(a, b, width, norm, upsampling, latent_heads, decoder_hidden)
        self.D = DomainNetwork(width, max(1, size // self.Inv.divisor), da_input_layer) if d_steps > 0 else None
        if self.D is None:
            self.tasks = ("semi_supervised", "paired")
        self.parts = parts(inv_steps, g_steps, d_steps)
        self.batches_per_step = len(self.parts)
        self.adversary_moves = g_steps > 0
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        trained: dict[str, dict[str, nn.Module]] = {"Inv": {"Inv": self.Inv}}
        if self.adversary_moves:
            trained["G"] = {"encoder": self.Inv.encoder}
        if self.D is not None:
            trained["D"] = {"D": self.D}
        return trained

    def generators(self) -> dict[str, nn.Module]:
        return {"Inv": self.Inv}

    def rates(self, name: str) -> tuple[float, tuple[float, float]]:
        if name == "Inv":
            return self.lr, self.betas
        of_discriminator = self.lr_d if self.d_lr is None else self.d_lr
        return (self.lr_g if name == "G" else of_discriminator), self.betas_adversarial

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if stage == "fit" and self.compile_networks:
            self.Inv.decoder.compile()  # a step calls encoder and decoder, never the whole

    def published_step(self, batch: Batch) -> Callable[[Batch], object] | None:
        return ReferenceDAGAN.step_of(self)

    def example(self, count: int, size: int) -> Batch:
        batch = super().example(count, size)
        return batch | {"target": torch.empty_like(batch["a"])}

    # Algorithm 1 ----------------------------------------------------------------------------------------------------

    def next_step(self) -> tuple[Step, bool]:
        return partial(self.iterate, self.updates_now), (self.batches + 1) % len(self.parts) == 0

    @property
    def updates_now(self) -> tuple[Update, ...]:
        """Those that the coming batch is for."""
        return self.parts[self.batches % len(self.parts)]

    def draw(self, batch: Batch) -> dict[str, Tensor]:
        """The noise of each sample of rho, (B, channels, H/16, W/16)."""
        a = batch["a"]
        shape = len(a), self.Inv.encoder.latent_channels, *(side // self.Inv.divisor for side in a.shape[-2:])
        purposes: list[str] = []
        for update in self.updates_now if self.variational else ():
            if update == "Inv":
                purposes.append("Inv")
            elif self.da_sees == "sample":
                purposes += [f"{update}_source", f"{update}_target"]
        return {
            purpose: torch.randn(shape, device=a.device, generator=self.draws.generator(purpose, a.device))
            for purpose in purposes
        }

    def iterate(self, updates: tuple[Update, ...], batch: Batch, drawn: dict[str, Tensor]) -> Report:
        """The updates of an iteration that this batch is for, in order; each computes its latent codes anew."""
        seen: Report = {}
        if "Inv" in updates:  # line 3: the whole of Inv-Net minimises (7)
            with self.learning("Inv"):
                losses = self.inversion_losses(batch["a"], batch["b"], drawn)
                self.update("Inv", losses)
            seen |= losses
        if "G" in updates:  # line 5: the encoder hides the domain from D
            assert self.D is not None
            with self.learning("G"):
                on_source, on_target = self.judge(*self.codes(batch["a"], batch["target"], drawn, "G"))
                if self.da_moves == "target":
                    on_source = on_source.detach()
                losses = {"G_da": domain.encoder(self.da_loss, on_source, on_target)}
                self.update("G", losses)
            seen |= losses
        if "D" in updates:  # line 7: D tells the domains apart
            with torch.no_grad():
                codes = self.codes(batch["a"], batch["target"], drawn, "D")
            with self.learning("D"):
                on_source, on_target = self.judge(*codes)
                losses = {"D": domain.discriminator(self.da_loss, on_source, on_target)}
                self.update("D", losses)
            seen |= losses | domain.scores(on_source, on_target)
        return seen

    def inversion_losses(self, x: Tensor, y: Tensor, drawn: dict[str, Tensor]) -> Report:
        """L_inv (Eq. 7) of sketches x (B, Ca, H, W) and their photos y (B, Cb, H, W), each term with its weight."""
        mean, log_variance = self.Inv.encoder(x)
        fake = self.Inv.decoder(sample(mean, log_variance, drawn.get("Inv")))
        with torch.no_grad():
            real_features = self.features(y)
        losses = {  # Eq. 4, 6 and 5
            "L_p": self.lambda_vae * perceptual(self.features(fake), real_features, self.reduction)
        }
        if self.variational and self.lambda_kl > 0:
            weight = self.lambda_vae * self.lambda_kl
            losses["KL"] = weight * kl_to_standard_normal(mean, log_variance, self.reduction)
        if self.lambda_tv > 0:
            losses["TV"] = self.lambda_tv * total_variation(fake, self.reduction)
        return losses

    def codes(self, x_S: Tensor, x_T: Tensor, drawn: dict[str, Tensor], use: Update) -> tuple[Tensor, Tensor]:
        """rho_S and rho_T, as D sees them. In one pass: BatchNorm, where chosen, would else tell the domains apart."""
        mean, log_variance = self.Inv.encoder(torch.cat([x_S, x_T]))
        found = []
        for name, m, v in zip(("source", "target"), mean.chunk(2), log_variance.chunk(2), strict=True):
            found.append(sample(m, v, drawn.get(f"{use}_{name}")))
        return found[0], found[1]

    def judge(self, rho_S: Tensor, rho_T: Tensor) -> tuple[Tensor, Tensor]:
        """D's logits of both domains."""
        assert self.D is not None
        on_source, on_target = self.D(torch.cat([rho_S, rho_T])).chunk(2)
        return on_source, on_target

    def check_data(self, data: Any) -> None:
        super().check_data(data)
        if data.size != self.hparams["size"]:
            raise UserError(f"model.size={self.hparams['size']}: it follows data.size, set that")


def sample(mean: Tensor, log_variance: Tensor, noise: Tensor | None) -> Tensor:
    """rho ~ N(mean, exp(log_variance)), reparametrised (Kingma 2014); without noise its mean."""
    return mean if noise is None else torch.addcmul(mean, (0.5 * log_variance).exp(), noise.to(mean.dtype))


def parts(inv_steps: int, g_steps: int, d_steps: int) -> tuple[tuple[Update, ...], ...]:
    """An iteration of Algorithm 1 by batch: which updates each makes.

    A batch serves updates of different kinds; one kind again wants the next. So once each is one batch, and two of G:
    (Inv, G), (G, D).
    """
    counts: dict[Update, int] = {"Inv": inv_steps, "G": g_steps, "D": d_steps}
    found: list[list[Update]] = [[]]
    for name in (name for name, count in counts.items() for _ in range(count)):
        if name in found[-1]:
            found.append([])
        found[-1].append(name)
    return tuple(tuple(updates) for updates in found)
