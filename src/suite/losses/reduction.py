"""How a loss with a value for each number of a picture becomes one: terms that are weighed must do it alike."""

from typing import Literal

from torch import Tensor

Reduction = Literal["sum", "mean"]


def reduced(values: Tensor, reduction: Reduction) -> Tensor:
    """(B, …) to the mean over the batch of the sum, or the mean, of each picture's values."""
    of_picture = values.flatten(1)
    return (of_picture.sum(dim=1) if reduction == "sum" else of_picture.mean(dim=1)).mean()
