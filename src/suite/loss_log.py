"""Loss values kept on the device until it is time to look: a training step never waits for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from suite.errors import UserError


@dataclass
class _Sums:
    total: Tensor  # (losses,)
    steps: int
    first_bad_step: Tensor  # (losses,), -1 while all was finite


class LossLog:
    """Means of named losses since the last look, and the first step at which one was not finite.

    Steps may report different sets of losses (a critic's extra steps report the critic's alone); each set has its
    own sums.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], _Sums] = {}

    def add(self, losses: Mapping[str, Tensor], step: int) -> None:
        """Note the losses of one step: scalars of any device and precision. Waits for nothing."""
        values = torch.stack([loss.detach().float() for loss in losses.values()])
        names = tuple(losses)
        if names not in self._sums:
            self._sums[names] = _Sums(torch.zeros_like(values), 0, torch.full_like(values, -1))
        sums = self._sums[names]
        sums.total += values
        sums.steps += 1
        sums.first_bad_step.masked_fill_(~torch.isfinite(values) & (sums.first_bad_step < 0), step)

    def flush(self, most_over_ranks: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """The mean of each loss since the last flush: the one moment that waits for the device.

        `most_over_ranks` gives the largest value on any rank, so that every rank learns of a bad loss of one.
        Raises UserError where a loss was not finite, naming it and the step.
        """
        sums, self._sums = self._sums, {}
        means: dict[str, float] = {}
        for names, of_names in sums.items():
            for name, bad_step in zip(names, most_over_ranks(of_names.first_bad_step).tolist(), strict=True):
                if bad_step >= 0:
                    raise UserError(
                        f"the loss '{name}' was not finite at step {int(bad_step)}: the last checkpoint is good; "
                        "try a lower model.lr, model.clip_norm=1 or trainer.precision=32-true"
                    )
            means |= zip(names, (of_names.total / of_names.steps).tolist(), strict=True)
        return means
