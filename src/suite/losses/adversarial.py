"""The adversarial losses, by name: what a discriminator and a generator minimise, given logits.

| loss    | discriminator                             | generator            | source                          |
|---------|-------------------------------------------|----------------------|---------------------------------|
| vanilla | (BCE(D(x), 1) + BCE(D(G(z)), 0)) / 2      | BCE(D(G(z)), 1)      | Goodfellow 2014, non-saturating |
| lsgan   | (mean (D(x)-1)^2 + mean D(G(z))^2) / 2    | mean (D(G(z))-1)^2   | Mao 2017                        |
| hinge   | mean max(0, 1-D(x)) + mean max(0, 1+D(G)) | -mean D(G(z))        | Lim & Ye 2017                   |
| wgan    | mean D(G(z)) - mean D(x) [+ penalty]      | -mean D(G(z))        | Arjovsky 2017, Gulrajani 2017   |

`real_label` takes the place of the discriminator's 1 for real pictures: below 1 it is one-sided label smoothing
(Salimans 2016, section 3.4). The fakes' 0 and the generator's 1 stay.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from suite.arguments import NonNegative, Positive, ShareAboveZero, check_types
from suite.errors import UserError
from suite.networks.layers import uses_batch_statistics

Loss = Literal["vanilla", "lsgan", "hinge", "wgan"]
LOSSES: tuple[Loss, ...] = get_args(Loss)


@dataclass(frozen=True)
class AdversarialLoss:
    """One adversarial game: its loss, and what keeps its critic Lipschitz."""

    loss: Loss
    critic_steps: Positive = 1  # discriminator updates per generator update, each on a fresh batch
    penalty: Literal["none", "squared", "absolute"] = "none"
    penalty_weight: NonNegative = 10.0  # lambda of WGAN-GP
    weight_clip: NonNegative = 0.0  # the critic's weights are clamped to +- this after its update; 0: not
    real_label: ShareAboveZero = 1.0  # vanilla and lsgan: what real pictures should be judged; 0.9 smooths the labels

    def __post_init__(self) -> None:
        check_types("model.adversarial.", type(self), vars(self))
        if self.real_label < 1 and self.loss not in ("vanilla", "lsgan"):
            raise UserError(
                f"model.adversarial.real_label={self.real_label}: {self.loss} has no labels to smooth; "
                "set it to 1, or use adversarial=vanilla or lsgan"
            )

    def check_critic(self, critic: nn.Module) -> None:
        """Raises UserError for a critic that this game can't be played with."""
        if self.penalty != "none" and uses_batch_statistics(critic):
            raise UserError(
                "a gradient penalty is per picture, and BatchNorm mixes the pictures of a batch: "
                "set model.discriminator.norm=instance or none"
            )

    def discriminator(self, real: Tensor, fake: Tensor, real_weights: Tensor | None = None) -> Tensor:
        """What the discriminator minimises; logits of any shape, in fp32 whatever they come in.

        real_weights: (len(real),) that sum to 1, how much each real picture counts; all alike where not given.
        """
        real, fake = real.float(), fake.float()
        match self.loss:
            case "vanilla":
                # BCE(x, 1) = softplus(-x) and BCE(x, 0) = softplus(x), with logits
                t = self.real_label
                of_real, of_fake = t * F.softplus(-real) + (1 - t) * F.softplus(real), F.softplus(fake)
            case "lsgan":
                of_real, of_fake = (real - self.real_label).square(), fake.square()
            case "hinge":
                of_real, of_fake = F.relu(1 - real), F.relu(1 + fake)
            case "wgan":
                of_real, of_fake = -real, fake
        mean = of_real.mean() if real_weights is None else real_weights @ of_real.flatten(1).mean(1)
        return (0.5 if self.loss in ("vanilla", "lsgan") else 1.0) * (mean + of_fake.mean())

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

    def scores(self, real: Tensor, fake: Tensor, of: str = "") -> dict[str, Tensor]:
        """What the discriminator says, for people: mean logits, and the share that is on its right side.

        real, fake: logits of any shape. The sides meet where it can't decide: at 0, in LSGAN half way to `real_label`.
        Names are `scores/<what><of>`.
        """
        real, fake = real.detach().float(), fake.detach().float()
        middle = self.real_label / 2 if self.loss == "lsgan" else 0.0
        return {
            f"scores/real{of}": real.mean(),
            f"scores/fake{of}": fake.mean(),
            f"scores/real_right{of}": (real > middle).float().mean(),
            f"scores/fake_right{of}": (fake < middle).float().mean(),
        }

    def draw_epsilon(self, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A picture's place between real and fake, for the gradient penalty: (B, 1, 1, 1) on the device of `like`.

        generator: on that device; None: torch's own.
        """
        return torch.rand(len(like), 1, 1, 1, device=like.device, generator=generator)

    def gradient_penalty(self, critic: nn.Module, real: Tensor, fake: Tensor, epsilon: Tensor) -> Tensor:
        """`penalty_weight` times how far the critic's gradient norm is from 1, between real and fake pictures.

        real, fake: (B, C, H, W), no gradient needed. epsilon: see `draw_epsilon`. Gulrajani 2017 (Eq. 3, `squared`) and
        Dalva & Okuyan (Eq. 7 to 9, `absolute` in Eq. 7) know one function f, a number for a picture, in loss and
        penalty alike. Here f is what the losses use, the mean of a picture's logits: its gradient's norm is taken over
        all pixels and channels of that picture, and the penalty is the mean over the pictures.
        """
        # Eight mantissa bits are too few for a norm near 1, and a half overflows: fp32 throughout.
        with torch.autocast(real.device.type, enabled=False):
            real, fake = real.detach().float(), fake.detach().float()
            between = torch.lerp(fake, real, epsilon.to(real.dtype)).requires_grad_()
            # .forward: a compiled network's call has no second derivative (pytorch issue 91469)
            scores = critic.forward(between).flatten(1).mean(1)
            # Pictures don't see each other, so the gradient of the sum over them holds that of each.
            (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
            distance = gradient.flatten(1).norm(2, dim=1) - 1
            return self.penalty_weight * (distance.square() if self.penalty == "squared" else distance.abs()).mean()

    def clip_weights(self, critics: nn.Module) -> None:
        """Clamp every weight of the critics that learns to +-`weight_clip` (Arjovsky 2017, Algorithm 1 line 7)."""
        with torch.no_grad():
            for weight in critics.parameters():
                if weight.requires_grad:
                    weight.clamp_(-self.weight_clip, self.weight_clip)
