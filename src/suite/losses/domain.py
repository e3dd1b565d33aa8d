"""The game between a domain discriminator and an encoder: Liu 2018 (DA-GAN), Eq. 8.

D says how likely a latent code is to be of the target domain (hand-drawn), as a logit. `bce` is cross-entropy, for D
with the true domains, for the encoder with the opposite ones. The paper's Eq. 8, which D is said to minimise,

    L_DA = E[log(1 - D(rho_T))] + E[log D(rho_S)],

has no minimum: it falls without end where D says 1 of everything, or 0. `literal` is that, for study, its logarithms
kept above LEAST_LOG; the encoder then maximises it.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

DomainLoss = Literal["bce", "literal"]
LEAST_LOG = -100.0  # as in torch's BCELoss


def discriminator(loss: DomainLoss, source: Tensor, target: Tensor) -> Tensor:
    """What D minimises; logits of any shape, in fp32."""
    if loss == "literal":
        return _literal(source, target)
    return F.softplus(source.float()).mean() + F.softplus(-target.float()).mean()


def encoder(loss: DomainLoss, source: Tensor, target: Tensor) -> Tensor:
    """What the encoder minimises, which moves both domains; logits of any shape, in fp32."""
    if loss == "literal":
        return -_literal(source, target)
    return F.softplus(-source.float()).mean() + F.softplus(target.float()).mean()


def scores(source: Tensor, target: Tensor) -> dict[str, Tensor]:
    """For people: the share of the codes of either domain that D recognises; half where it can only guess."""
    source, target = source.detach().float(), target.detach().float()
    return {"scores/source_right": (source < 0).float().mean(), "scores/target_right": (target > 0).float().mean()}


def _literal(source: Tensor, target: Tensor) -> Tensor:
    """log(1 - D) is logsigmoid(-logit), log D is logsigmoid(logit)."""
    of_target = F.logsigmoid(-target.float()).clamp(min=LEAST_LOG)
    of_source = F.logsigmoid(source.float()).clamp(min=LEAST_LOG)
    return of_target.mean() + of_source.mean()
