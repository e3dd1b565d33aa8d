"""The losses of Liu 2021 around a classifier that knows each photo by its style: Eq. 8 and 9, in fp32."""

from torch import Tensor
from torch.nn.functional import cross_entropy


def style_classification(logits: Tensor, label: Tensor) -> Tensor:
    """Eq. 8: cross-entropy of logits (B, classes) with labels (B,) int64."""
    return cross_entropy(logits.float(), label)


def unclassifiable(logits: Tensor) -> Tensor:
    """Eq. 9: how far a content's class is from unknown, 0 where all classes are as likely.

    The squared length of softmax(logits) - 1 / classes, (B, classes), as the mean over pictures.
    """
    return (logits.float().softmax(dim=1) - 1 / logits.shape[1]).square().sum(dim=1).mean()
