"""The Kullback-Leibler divergence of a variational auto-encoder."""

from torch import Tensor

from suite.losses.reduction import Reduction, reduced


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor, reduction: Reduction = "sum") -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) in nats: of each picture the sum or mean, and then their mean.

    mean, log_variance: (B, …) of one shape. In fp32. Source: Kingma & Welling 2014, appendix B.
    """
    mean, log_variance = mean.float(), log_variance.float()
    return reduced(0.5 * (mean.square() + log_variance.exp() - 1 - log_variance), reduction)
