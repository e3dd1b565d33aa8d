"""The losses of an auxiliary classifier GAN (Odena 2016), as Dong 2017, Eq. 2 has them.

D says of a picture how likely it is to be real, P(s|X), and of which label it is, P(c|X), both as logits:

    L_D = log P(s|D(X_real)) + log(1 - P(s|D(X_fake))) + log P(c|D(X_real))
    L_G = log P(s|D(X_fake)) + log P(c|D(X_fake))

The paper prints what is maximised; here is what is minimised, the same with a minus, as means over the batch in fp32.
"""

from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

Judged = tuple[Tensor, Tensor]  # logits of being real (B,), and of the labels (B, labels)


def discriminator(real: Judged, fake: Judged, c: Tensor, aux_on_fake: bool) -> dict[str, Tensor]:
    """What D minimises of real pictures and fakes, both of the labels c (B,).

    aux_on_fake: it learns the labels of fakes, too, as Odena 2016 have it; Eq. 2 above has real pictures alone.
    """
    of_label = cross_entropy(real[1].float(), c)
    if aux_on_fake:
        of_label = of_label + cross_entropy(fake[1].float(), c)
    # -log sigmoid(x) is softplus(-x), -log(1 - sigmoid(x)) is softplus(x)
    return {"D_source": softplus(-real[0].float()).mean() + softplus(fake[0].float()).mean(), "D_label": of_label}


def generator(fake: Judged, c: Tensor) -> dict[str, Tensor]:
    """What G minimises of fakes of the labels c (B,)."""
    return {"G_source": softplus(-fake[0].float()).mean(), "G_label": cross_entropy(fake[1].float(), c)}


def scores(real: Judged, fake: Judged, c: Tensor) -> dict[str, Tensor]:
    """For people: the shares of real pictures and of fakes that D recognises, and whose label it does."""
    return {
        "scores/real_right": (real[0].detach() > 0).float().mean(),
        "scores/fake_right": (fake[0].detach() < 0).float().mean(),
        "scores/real_label_right": (real[1].detach().argmax(1) == c).float().mean(),
        "scores/fake_label_right": (fake[1].detach().argmax(1) == c).float().mean(),
    }
