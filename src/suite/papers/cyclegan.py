"""CycleGAN (Zhu 2017) with the adversarial losses that Dalva & Okuyan compare: vanilla, LSGAN, Wasserstein.

G: A -> B     D_B tells B from G(A)          G(F(b)) ~ b
F: B -> A     D_A tells A from F(B)          F(G(a)) ~ a
"""

from typing import Any, get_args

import torch
from torch import Tensor, nn

from suite.arguments import number, one_of, whole_number
from suite.data.batch import Batch
from suite.errors import UserError
from suite.losses.adversarial import AdversarialLoss
from suite.networks.build import build_discriminator, build_generator
from suite.networks.layers import uses_batch_statistics
from suite.papers.base import GAN, Direction, Optimizer, check_adam
from suite.updates.ema import EMA
from suite.updates.replay import ReplayPool


class CycleGAN(GAN):
    """Two generators and two discriminators, trained on unpaired pictures of two domains.

    Source: Zhu 2017 (the method); Dalva & Okuyan (the losses, batch 2). Equation numbers are the report's.
    """

    directions = ("a2b", "b2a")

    def __init__(
        self,
        backbone: dict[str, Any],
        discriminator: dict[str, Any],
        adversarial: dict[str, Any],
        channels_a: int = 3,
        channels_b: int = 3,
        lambda_a: float = 10.0,  # weight of the cycle a -> b -> a
        lambda_b: float = 10.0,  # weight of the cycle b -> a -> b
        lambda_identity: float = 0.5,  # relative to lambda_a and lambda_b: 0.5 weighs 5; 0 switches it off
        pool_size: int = 50,  # earlier fakes kept per domain; 0: none
        optimizer: Optimizer = "adam",  # sgd: without momentum, `betas` unused
        lr: float = 2e-4,
        betas: tuple[float, float] = (0.5, 0.999),
        epochs: int = 100,  # at full learning rate
        decay_epochs: int = 100,  # then linearly towards 0
        clip_norm: float = 0.0,  # largest gradient norm of an update; 0: any
        ema_decay: float = 0.0,  # of the generators' average; 0: none
        compile: bool = False,
    ) -> None:
        super().__init__(epochs, decay_epochs, clip_norm, ema_decay, compile)
        self.save_hyperparameters(logger=False)
        for name, weight in (("lambda_a", lambda_a), ("lambda_b", lambda_b), ("lambda_identity", lambda_identity)):
            number(f"model.{name}", weight, least=0)
        whole_number("model.pool_size", pool_size, least=0)
        one_of("model.optimizer", optimizer, get_args(Optimizer))
        check_adam(lr, betas)
        if lambda_identity > 0 and channels_a != channels_b:
            raise UserError(
                f"the identity loss needs as many channels on both sides, not {channels_a} and {channels_b}: "
                "set model.lambda_identity=0, or data.channels_a and data.channels_b alike"
            )
        self.adversarial = AdversarialLoss(**adversarial)
        self.lambda_a, self.lambda_b, self.lambda_identity = lambda_a, lambda_b, lambda_identity
        self.optimizer, self.lr, self.betas = optimizer, lr, betas

        self.G = build_generator(backbone, channels_a, channels_b)
        self.F = build_generator(backbone, channels_b, channels_a)
        self.D_A = build_discriminator(discriminator, channels_a)
        self.D_B = build_discriminator(discriminator, channels_b)
        self.adversarial.check_critic(self.D_A)
        self.pool_a, self.pool_b = ReplayPool(pool_size), ReplayPool(pool_size)
        self.ema = EMA(self.generators(), ema_decay) if ema_decay > 0 else None
        # Passes through one network are joined into one batch, where pictures don't see each other in it.
        self.fused = not uses_batch_statistics(self.G)

    def generators(self) -> dict[str, nn.Module]:
        return {"G": self.G, "F": self.F}

    def networks(self) -> dict[str, nn.Module]:
        return {"G": self.G, "F": self.F, "D_A": self.D_A, "D_B": self.D_B}

    @torch.no_grad()
    def translate(self, batch: Batch | Tensor, direction: Direction = "a2b") -> Tensor:
        x = batch if isinstance(batch, Tensor) else batch[direction[0]]
        return self.translator("G" if direction == "a2b" else "F")(x)

    # The algorithm --------------------------------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        a, b = batch["a"], batch["b"]
        opt_G, opt_D = self.optimizers()  # type: ignore[attr-defined]  # a list, as there are two

        # The generators move on the last of `critic_steps` batches, the critics on each.
        losses: dict[str, Tensor] = {}
        if (self.d_steps + 1) % self.adversarial.critic_steps == 0:
            with self.toggled_optimizer(opt_G):  # the discriminators judge, and learn nothing
                losses, fake_a, fake_b = self.generator_losses(a, b)
                self.update(opt_G, torch.stack(list(losses.values())).sum())
            self.g_steps += 1
            self.update_ema()
        else:
            with torch.no_grad():
                fake_a, fake_b = self.F(b), self.G(a)

        with self.toggled_optimizer(opt_D):
            losses |= (critic := self.discriminator_losses(a, b, fake_a.detach(), fake_b.detach()))
            self.update(opt_D, torch.stack(list(critic.values())).sum())
        if self.adversarial.weight_clip > 0:
            self.adversarial.clip_weights(self.D_A)
            self.adversarial.clip_weights(self.D_B)
        self.d_steps += 1
        self.report(losses)

    def generator_losses(self, a: Tensor, b: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
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

    def discriminator_losses(self, a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> dict[str, Tensor]:
        """What D_A and D_B minimise (Eq. 3, 4 or 8), on real pictures and on pictures of the replay pools.

        fake_a, fake_b: this step's fakes, detached. The gradient penalty (Eq. 7) is taken on them and not on pool
        pictures: it belongs between the real pictures and what the generator makes now.
        """
        losses = {}
        for side, D, real, fake, pool in (
            ("a", self.D_A, a, fake_a, self.pool_a),
            ("b", self.D_B, b, fake_b, self.pool_b),
        ):
            real_logits, fake_logits = self.judge(D, real, pool(fake, self.draws.generator(f"pool_{side}")))
            losses[f"D_{side}"] = self.adversarial.discriminator(real_logits, fake_logits)
            if self.adversarial.penalty != "none":
                generator = self.draws.generator(f"penalty_{side}", real.device)
                losses[f"penalty_{side}"] = self.adversarial.gradient_penalty(D, real, fake, generator=generator)
        return losses

    def judge(self, D: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The logits of real and fake pictures: in one pass, unless BatchNorm would show D both at once."""
        if uses_batch_statistics(D):
            return D(real), D(fake)
        real_logits, fake_logits = D(torch.cat([real, fake.to(real.dtype)])).split([len(real), len(fake)])
        return real_logits, fake_logits

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[Any]]:
        opt_G = self.make_optimizer([self.G, self.F], self.lr, self.betas, self.optimizer)
        opt_D = self.make_optimizer([self.D_A, self.D_B], self.lr, self.betas, self.optimizer)
        return [opt_G, opt_D], [self.linear_decay(opt_G), self.linear_decay(opt_D)]


def l1(x: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference, in fp32 whatever the precision of the run."""
    return torch.nn.functional.l1_loss(x.float(), y.float())
