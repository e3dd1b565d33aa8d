"""CycleGAN (Zhu 2017) with the adversarial losses that Dalva & Okuyan compare: vanilla, LSGAN, Wasserstein.

G: A -> B     D_B tells B from G(A)          G(F(b)) ~ b
F: B -> A     D_A tells A from F(B)          F(G(a)) ~ a
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from suite.arguments import Count, NonNegative
from suite.data.batch import Batch
from suite.errors import UserError
from suite.losses.pixel import l1
from suite.networks.layers import uses_batch_statistics
from suite.papers.base import Direction, Report
from suite.papers.gan import GAN, judge
from suite.papers.reference import ReferenceCycleGAN
from suite.updates.replay import ReplayPool


class CycleGAN(GAN):
    """Two generators and two discriminators, trained on unpaired pictures of two domains.

    Source: Zhu 2017 (the method); Dalva & Okuyan (the losses, batch 2). Equation numbers are the report's.
    """

    name = "cyclegan"
    directions: Mapping[Direction, str] = {"a2b": "G", "b2a": "F"}

    def __init__(
        self,
        *,
        lambda_a: NonNegative,
        lambda_b: NonNegative,
        lambda_identity: NonNegative,
        pool_size: Count,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        a, b = self.hparams["channels_a"], self.hparams["channels_b"]
        if lambda_identity > 0 and a != b:
            raise UserError(
                f"the identity loss needs as many channels on both sides, not {a} and {b}: "
                "set model.lambda_identity=0, or data.channels_a and data.channels_b alike"
            )
        self.lambda_a, self.lambda_b, self.lambda_identity = lambda_a, lambda_b, lambda_identity
        self.G, self.F = self.make_generator(a, b), self.make_generator(b, a)
        self.D_A, self.D_B = self.make_discriminator(a), self.make_discriminator(b)
        self.pool_a, self.pool_b = ReplayPool(pool_size), ReplayPool(pool_size)
        # Passes through one network are joined into one batch, where pictures don't see each other in it.
        self.fused = not uses_batch_statistics(self.G)
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        return {"G": {"G": self.G, "F": self.F}, "D": {"D_A": self.D_A, "D_B": self.D_B}}

    def published_step(self, batch: Batch) -> Callable[[Batch], object] | None:
        return ReferenceCycleGAN.step_of(self)

    # The algorithm --------------------------------------------------------------------------------------------------

    def draw(self, batch: Batch) -> dict[str, Tensor]:
        drawn = {}
        for side, pool in (("a", self.pool_a), ("b", self.pool_b)):
            drawn[f"pool_{side}"] = pool.draw(batch[side], self.draws.generator(f"pool_{side}"))
            if self.adversarial.penalty != "none":
                drawn[f"epsilon_{side}"] = self.draw_epsilon(batch[side], f"penalty_{side}")
        return drawn

    def step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        a, b = batch["a"], batch["b"]
        with self.learning("G"):  # the discriminators judge, and learn nothing
            losses, fake_a, fake_b = self.generator_losses(a, b)
            self.update("G", losses)
        return losses | self.critics_move(a, b, fake_a.detach(), fake_b.detach(), drawn)

    def critic_step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        a, b = batch["a"], batch["b"]
        with torch.no_grad():
            fake_a, fake_b = self.F(b), self.G(a)
        return self.critics_move(a, b, fake_a, fake_b, drawn)

    def critics_move(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor, drawn: dict[str, Tensor]) -> Report:
        with self.learning("D"):
            losses, scores = self.discriminator_losses(a, b, fake_a, fake_b, drawn)
            self.update("D", losses)
        return losses | scores

    def generator_losses(self, a: Tensor, b: Tensor) -> tuple[Report, Tensor, Tensor]:
        """L_ADV + L_CYCLE + L_IDENTITY (Eq. 10), each term with its weight, and the two fakes.

        a: (B, Ca, H, W) and b: (B, Cb, H, W) in [-1, 1].
        """
        with_identity = self.lambda_identity > 0
        if with_identity and self.fused:
            # G reads a for its fake and b for its identity, F the other way round: one pass each.
            fake_b, same_b = self.G(torch.cat([a, b])).split([len(a), len(b)])
            fake_a, same_a = self.F(torch.cat([b, a])).split([len(b), len(a)])
        else:
            fake_b, fake_a = self.G(a), self.F(b)
            same_b, same_a = (self.G(b), self.F(a)) if with_identity else (b, a)
        again_a, again_b = self.F(fake_b), self.G(fake_a)

        losses = {
            "G_adv_a": self.adversarial.generator(self.D_A(fake_a)),  # Eq. 3, 5 or 9
            "G_adv_b": self.adversarial.generator(self.D_B(fake_b)),
            "cycle_a": self.lambda_a * l1(again_a, a),  # Eq. 1
            "cycle_b": self.lambda_b * l1(again_b, b),
        }
        if with_identity:  # Eq. 2, with the domains as CycleGAN has them: G leaves b alone, F leaves a
            losses["identity_a"] = self.lambda_a * self.lambda_identity * l1(same_a, a)
            losses["identity_b"] = self.lambda_b * self.lambda_identity * l1(same_b, b)
        return losses, fake_a, fake_b

    def discriminator_losses(
        self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor, drawn: dict[str, Tensor]
    ) -> tuple[Report, Report]:
        """What D_A and D_B minimise (Eq. 3, 4 or 8), on real pictures and on pictures of the replay pools; and scores.

        fake_a, fake_b: this step's fakes, detached. The gradient penalty (Eq. 7) is taken on them and not on pool
        pictures: it belongs between the real pictures and what the generator makes now. drawn: see `draw`.
        """
        losses: Report = {}
        scores: Report = {}
        for side, D, real, fake, pool in (
            ("a", self.D_A, a, fake_a, self.pool_a),
            ("b", self.D_B, b, fake_b, self.pool_b),
        ):
            real_logits, fake_logits = judge(D, real, pool(fake, drawn[f"pool_{side}"]))
            losses[f"D_{side}"] = self.adversarial.discriminator(real_logits, fake_logits)
            scores |= self.adversarial.scores(real_logits, fake_logits, f"_{side}")
            if self.adversarial.penalty != "none":
                epsilon = drawn[f"epsilon_{side}"]
                losses[f"penalty_{side}"] = self.adversarial.gradient_penalty(D, real, fake, epsilon)
        return losses, scores
