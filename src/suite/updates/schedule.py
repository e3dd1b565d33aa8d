"""How long a model trains, and at which learning rate: in epochs or in steps, both in the same unit."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Schedule:
    """At the full learning rate first, then linearly towards 0 (CycleGAN, section 4).

    A step is an update of the generator, or of the network that is trained where there is none; an epoch is as many of
    them as the data has batches. A critic's batches in between count in neither.
    """

    unit: Literal["epoch", "step"]
    full: int  # epochs or steps at the full learning rate
    decay: int  # then so many towards 0

    @property
    def total(self) -> int:
        return self.full + self.decay

    def factor(self, done: int) -> float:
        """What the learning rate is multiplied by, after so many epochs or steps; it never is 0 before the end."""
        return max(0.0, 1 - max(0, done + 1 - self.full) / (self.decay + 1))

    def __str__(self) -> str:
        return f"{self.total} {self.unit}" + "s" * (self.total != 1)
