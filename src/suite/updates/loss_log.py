"""Loss values kept on the device until it is time to look: a training step never waits for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from suite.arguments import Count, Positive, check_types
from suite.errors import UserError

_KINDS: Mapping[str, Any] = {  # of a checkpoint
    "sums": list[tuple[list[str], Tensor, Count, Tensor]],
    "epoch": dict[str, tuple[float, Positive]],
}
_NORMS = "norms/"
NEVER = torch.iinfo(torch.int64).max


class NotFinite(UserError):  # noqa: N818  # what there is, as of any UserError
    """A loss or gradient that no training goes on with; its first, and when."""


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
    the steps that reported it. A name with a slash, as in `norms/G`, is no loss: it belongs to no
    epoch's mean, and may be infinite, but for the norms of gradients where `check` and `flush` are told so.
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

    def check(self, most_over_ranks: Callable[[Tensor], Tensor], gradients: bool = False) -> None:
        """Look whether all losses since the last flush were finite, and with `gradients` their norms: this waits.

        `most_over_ranks` gives the largest values on any rank, so that every rank learns of a bad loss of one.
        Raises NotFinite where one was not, naming the first such loss and its step.
        """
        bad: list[tuple[int, bool, str]] = []
        for names, of_names in self._sums.items():
            first_bad_steps = (-most_over_ranks(-of_names.first_bad_step)).tolist()
            for step, name in zip(first_bad_steps, names, strict=True):
                if step < NEVER and (is_loss(name) or (gradients and name.startswith(_NORMS))):
                    bad.append((step, not is_loss(name), name))
        if bad:
            # The first is the cause: one update with it, and every later loss is bad, too.
            step, of_gradient, name = min(bad, key=lambda found: found[:2])
            what = f"gradient of {name.removeprefix(_NORMS)}" if of_gradient else f"loss '{name}'"
            raise NotFinite(
                f"the {what} was not finite in batch {step}: lower model.lr, or set model.clip_norm=1 or "
                "trainer.precision=32-true"
            )

    def flush(self, most_over_ranks: Callable[[Tensor], Tensor], gradients: bool = False) -> dict[str, float]:
        """The mean of each loss since the last flush. Waits for the device, and raises, as `check` does."""
        self.check(most_over_ranks, gradients)
        sums, self._sums = self._sums, {}
        totals: dict[str, float] = {}
        steps: dict[str, int] = {}
        for names, of_names in sums.items():
            for name, total in zip(names, of_names.total.tolist(), strict=True):
                totals[name] = totals.get(name, 0.0) + total
                steps[name] = steps.get(name, 0) + of_names.steps
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
        """Raises UserError for what is of another kind."""
        check_types("losses.", _KINDS, state)
        for names, *values in state["sums"]:
            if any(isinstance(value, Tensor) and value.shape != (len(names),) for value in values):
                raise UserError(f"losses.sums: there are {len(names)} names, and not as many values")
        self._sums = {tuple(names): _Sums(total, steps, bad) for names, total, steps, bad in state["sums"]}
        self._epoch = {name: (total, steps) for name, (total, steps) in state["epoch"].items()}

    def end_epoch(self) -> dict[str, float]:
        """The mean of each loss over all that has been flushed since the last call: on this rank alone."""
        epoch, self._epoch = self._epoch, {}
        return {name: total / steps for name, (total, steps) in epoch.items()}
