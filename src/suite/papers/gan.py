"""What adversarial papers add to `Paper`: a game, its critic's extra batches, and what is seen of it."""

from typing import Any

import torch
from torch import Tensor, nn

from suite.data.batch import Batch
from suite.losses.adversarial import AdversarialLoss
from suite.networks.build import build_discriminator, build_generator
from suite.networks.contract import Discriminator, Generator
from suite.networks.layers import uses_batch_statistics
from suite.papers.base import Paper, Report, Step


class GAN(Paper):
    """Base of papers whose generator, discriminator and adversarial loss are chosen: optimizers `G` and `D`.

    Such a paper has two steps: `step` moves all networks, `critic_step` the discriminators alone. Where the game wants
    several critic updates, the generators move on the last of so many batches, the critics on each.
    """

    or_other_networks = (
        ", another backbone, or with a U-Net a lower model.backbone.downs",
        ", or discriminator=pixel",
    )

    def __init__(
        self,
        *,
        backbone: dict[str, Any],
        discriminator: dict[str, Any],
        adversarial: dict[str, Any],
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.backbone, self.discriminator = backbone, discriminator
        self.adversarial = AdversarialLoss(**adversarial)
        self.batches_per_step = self.adversarial.critic_steps

    def make_generator(self, in_channels: int, out_channels: int, **more: bool) -> Generator:
        return build_generator(self.backbone, in_channels, out_channels, **more)

    def make_discriminator(self, in_channels: int) -> Discriminator:
        """Raises UserError for a discriminator that this game can't be played with."""
        critic = build_discriminator(self.discriminator, in_channels)
        self.adversarial.check_critic(critic)
        return critic

    def generators(self) -> dict[str, nn.Module]:
        return self.trained()["G"]

    def critic_step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
        """One update of the discriminators alone."""
        raise NotImplementedError

    def next_step(self) -> tuple[Step, bool]:
        last_of_round = (self.batches + 1) % self.adversarial.critic_steps == 0
        return (self.step if last_of_round else self.critic_step), last_of_round

    def after_update(self, name: str) -> None:
        super().after_update(name)
        if name == "D" and self.adversarial.weight_clip > 0:
            for critic in self.trained()["D"].values():
                self.adversarial.clip_weights(critic)

    def draw_epsilon(self, like: Tensor, purpose: str) -> Tensor:
        """Where between real and fake the gradient penalty looks, for a batch like this one: (B, 1, 1, 1)."""
        return self.adversarial.draw_epsilon(like, self.draws.generator(purpose, like.device))

    def summary(self) -> dict[str, str]:
        game = self.adversarial
        critic = "" if game.critic_steps == 1 else f", {game.critic_steps} critic steps"
        penalty = "" if game.penalty == "none" else f", {game.penalty} gradient penalty"
        smoothing = "" if game.real_label == 1 else f", real label {game.real_label:g}"
        return super().summary() | {
            "networks": f"{self.backbone['name']} + {self.discriminator['name']}",
            "adversarial": f"{game.loss}{penalty}{critic}{smoothing}",
        }


def judge(D: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The logits of real and fake pictures: in one pass, unless BatchNorm would show D both at once."""
    if uses_batch_statistics(D):
        return D(real), D(fake)
    real_logits, fake_logits = D(torch.cat([real, fake.to(real.dtype)])).split([len(real), len(fake)])
    return real_logits, fake_logits
