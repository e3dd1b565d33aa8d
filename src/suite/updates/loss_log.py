"""Loss values kept on the device until it is time to look: a training step never waits for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from suite.errors import UserError

NEVER = torch.iinfo(torch.int64).max


def is_loss(name: str) -> bool:
    return "/" not in name


@dataclass
class _Sums:
    total: Tensor  # (losses,)
    steps: int
    first_bad_step: Tensor  # (losses,) int64, NEVER while all was finite

    def on(self, device: torch.device) -> Self:
        """Moved to the device if they are not there: once, after they came from a checkpoint."""
        if self.total.device != device:
            self.total, self.first_bad_step = self.total.to(device), self.first_bad_step.to(device)
        return self


class LossLog:
    """Means of named losses since the last look, and the first step at which one was not finite.

    Steps may report different sets of losses (a critic's extra steps report the critic's alone): a loss's mean is over
    the steps that reported it. A name with a slash, as in `norms/G`, is no loss: it may be infinite, and belongs to no
    epoch's mean.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], _Sums] = {}
        self._epoch: dict[str, tuple[float, int]] = {}  # totals and steps of what has been flushed

    def add(self, losses: Mapping[str, Tensor], step: int) -> None:
        """Note the losses of one step: scalars of any device and precision. Waits for nothing."""
        values = torch.stack([loss.detach().float() for loss in losses.values()])
        names = tuple(losses)
        if names not in self._sums:
            self._sums[names] = _Sums(torch.zeros_like(values), 0, torch.full_like(values, NEVER, dtype=torch.int64))
        sums = self._sums[names].on(values.device)
        sums.total += values
        sums.steps += 1
        sums.first_bad_step.masked_fill_(~torch.isfinite(values) & (sums.first_bad_step == NEVER), step)

    def flush(self, most_over_ranks: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """The mean of each loss since the last flush: the one moment that waits for the device.

        `most_over_ranks` gives the largest values on any rank, so that every rank learns of a bad loss of one.
        Raises UserError where a loss was not finite, naming the first such loss and its step.
        """
        sums, self._sums = self._sums, {}
        totals: dict[str, float] = {}
        steps: dict[str, int] = {}
        bad: list[tuple[int, str]] = []
        for names, of_names in sums.items():
            first_bad_steps = (-most_over_ranks(-of_names.first_bad_step)).tolist()
            bad += [
                (step, name)
                for step, name in zip(first_bad_steps, names, strict=True)
                if step < NEVER and is_loss(name)
            ]
            for name, total in zip(names, of_names.total.tolist(), strict=True):
                totals[name] = totals.get(name, 0.0) + total
                steps[name] = steps.get(name, 0) + of_names.steps
        if bad:
            # The first is the cause: one update with it, and every later loss is bad, too.
            step, name = min(bad, key=lambda found: found[0])
            raise UserError(
                f"the loss '{name}' was not finite in batch {step}: go on with resume=<the run's folder> "
                "and a lower model.lr, model.clip_norm=1 or trainer.precision=32-true"
            )
        for name, total in totals.items():
            if not is_loss(name):
                continue
            before, steps_before = self._epoch.get(name, (0.0, 0))
            self._epoch[name] = before + total, steps_before + steps[name]
        return {name: total / steps[name] for name, total in totals.items()}

    def state_dict(self) -> dict[str, Any]:
        """What has been added and not yet shown, for a checkpoint within an epoch."""
        return {
            "sums": [[list(names), sums.total, sums.steps, sums.first_bad_step] for names, sums in self._sums.items()],
            "epoch": {name: list(of_name) for name, of_name in self._epoch.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._sums = {tuple(names): _Sums(total, steps, bad) for names, total, steps, bad in state["sums"]}
        self._epoch = {name: (total, steps) for name, (total, steps) in state["epoch"].items()}

    def end_epoch(self) -> dict[str, float]:
        """The mean of each loss over all that has been flushed since the last call: on this rank alone."""
        epoch, self._epoch = self._epoch, {}
        return {name: total / steps for name, (total, steps) in epoch.items()}
