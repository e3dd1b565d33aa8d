"""The adversarial losses, by name: what a discriminator and a generator minimise, given logits.

| loss    | discriminator                             | generator            | source                          |
|---------|-------------------------------------------|----------------------|---------------------------------|
| vanilla | (BCE(D(x), 1) + BCE(D(G(z)), 0)) / 2      | BCE(D(G(z)), 1)      | Goodfellow 2014, non-saturating |
| lsgan   | (mean (D(x)-1)^2 + mean D(G(z))^2) / 2    | mean (D(G(z))-1)^2   | Mao 2017                        |
| hinge   | mean max(0, 1-D(x)) + mean max(0, 1+D(G)) | -mean D(G(z))        | Lim & Ye 2017                   |
| wgan    | mean D(G(z)) - mean D(x) [+ penalty]      | -mean D(G(z))        | Arjovsky 2017, Gulrajani 2017   |
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from suite.arguments import check_types, number, whole_number

Loss = Literal["vanilla", "lsgan", "hinge", "wgan"]
LOSSES: tuple[Loss, ...] = get_args(Loss)


@dataclass(frozen=True)
class AdversarialLoss:
    """One adversarial game: its loss, and what keeps its critic Lipschitz."""

    loss: Loss
    critic_steps: int = 1  # discriminator updates per generator update, each on a fresh batch
    penalty: Literal["none", "squared", "absolute"] = "none"
    penalty_weight: float = 10.0  # lambda of WGAN-GP
    weight_clip: float = 0.0  # the critic's weights are clamped to +- this after its update; 0: not

    def __post_init__(self) -> None:
        check_types("model.adversarial.", type(self), vars(self))
        whole_number("model.adversarial.critic_steps", self.critic_steps, least=1)
        number("model.adversarial.penalty_weight", self.penalty_weight, least=0)
        number("model.adversarial.weight_clip", self.weight_clip, least=0)

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """What the discriminator minimises; logits of any shape, in fp32 whatever they come in."""
        real, fake = real.float(), fake.float()
        match self.loss:
            case "vanilla":
                # BCE(x, 1) = softplus(-x) and BCE(x, 0) = softplus(x), with logits
                return 0.5 * (F.softplus(-real).mean() + F.softplus(fake).mean())
            case "lsgan":
                return 0.5 * ((real - 1).square().mean() + fake.square().mean())
            case "hinge":
                return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
            case "wgan":
                return fake.mean() - real.mean()

    def generator(self, fake: Tensor) -> Tensor:
        """What the generator minimises; logits of any shape, in fp32 whatever they come in."""
        fake = fake.float()
        match self.loss:
            case "vanilla":
                return F.softplus(-fake).mean()
            case "lsgan":
                return (fake - 1).square().mean()
            case "hinge" | "wgan":
                return -fake.mean()

    def gradient_penalty(self, critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """`penalty_weight` times how far the critic's gradient norm is from 1, between real and fake pictures.

        real, fake: (B, C, H, W), no gradient needed. The norm is taken per picture, over all its pixels and
        channels (Gulrajani 2017, Eq. 3); `squared` is theirs, `absolute` is Dalva & Okuyan's Eq. 7.
        """
        # Eight mantissa bits are too few for a norm near 1, and a half overflows: fp32 throughout.
        with torch.autocast(real.device.type, enabled=False):
            real, fake = real.detach().float(), fake.detach().float()
            epsilon = torch.rand(len(real), 1, 1, 1, device=real.device)
            between = torch.lerp(fake, real, epsilon).requires_grad_()
            # .forward: a compiled network's call has no second derivative (pytorch issue 91469)
            scores = critic.forward(between)
            (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
            distance = gradient.flatten(1).norm(2, dim=1) - 1
            return self.penalty_weight * (distance.square() if self.penalty == "squared" else distance.abs()).mean()

    def clip_weights(self, critics: nn.Module) -> None:
        """Clamp every weight of the critics to +-`weight_clip` (Arjovsky 2017, Algorithm 1 line 7)."""
        with torch.no_grad():
            for weight in critics.parameters():
                weight.clamp_(-self.weight_clip, self.weight_clip)
