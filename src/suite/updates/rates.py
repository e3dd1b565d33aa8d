"""The learning rates of a model's optimizers: written into tensors that stay where they are."""

from collections.abc import Mapping, Sequence

from torch.optim import Optimizer

from suite.updates.schedule import Schedule


class LearningRates:
    """What the schedule makes of every optimizer's rate, and for a network that is slowed a share of that.

    A function of what has been done, and of no history. A group of an optimizer has the rate that it began with as
    `initial_lr`, and the name of the network that it moves alone as `network`, empty where it moves several.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.factor = 1.0  # of the schedule, as the optimizers have it
        self._shares: Mapping[str, float] | None = None  # as the optimizers have them; None: nothing is written yet

    def renew(self, optimizers: Sequence[Optimizer], fresh: Sequence[Optimizer]) -> None:
        """Give optimizers the settings of fresh ones: those of a checkpoint may have been changed on resuming."""
        for optimizer, of_run in zip(optimizers, fresh, strict=True):
            for group, settings in zip(optimizer.param_groups, of_run.param_groups, strict=True):
                group["initial_lr"] = float(settings["lr"])
                group.update({name: value for name, value in settings.items() if name != "params"})
        self._shares = None

    def write(self, optimizers: Sequence[Optimizer], done: int, shares: Mapping[str, float]) -> None:
        """The rates after so many epochs or steps, with the shares of slowed networks; in place, where they change."""
        factor = self.schedule.factor(done)
        if (factor, shares) == (self.factor, self._shares):
            return
        self.factor, self._shares = factor, dict(shares)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", float(group["lr"]))
                group["lr"].fill_(group["initial_lr"] * factor * shares.get(group["network"], 1.0))
