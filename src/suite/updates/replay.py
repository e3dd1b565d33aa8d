"""The pool of earlier fakes that a discriminator is trained on (Shrivastava 2017; CycleGAN section 4)."""

from typing import Any

import torch
from torch import Tensor, nn


class ReplayPool(nn.Module):
    """Keeps `size` earlier pictures; while a discriminator sees half new and half old ones it can't forget.

    A picture is stored and returned while the pool fills. Then, with probability one half, it takes the place of a
    random stored one, which is returned instead. `size` 0 returns what comes in. The pool is part of a checkpoint.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.stored: Tensor | None = None  # (size, C, H, W), on the pictures' device
        self.count = 0

    def forward(self, pictures: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W), some of them from earlier calls. Takes and gives no gradient.

        `generator` is on the CPU; None: torch's global one.
        """
        pictures = pictures.detach()
        if self.size == 0:
            return pictures
        if self.stored is None or self.stored.shape[1:] != pictures.shape[1:]:
            self.stored, self.count = pictures.new_empty(self.size, *pictures.shape[1:]), 0
        self.stored = self.stored.to(pictures)
        returned = pictures.clone()
        # All draws at once and on the CPU: nothing waits for the device.
        swaps = torch.rand(len(pictures), generator=generator).tolist()
        slots = torch.randint(self.size, (len(pictures),), generator=generator).tolist()
        for i, (swap, slot) in enumerate(zip(swaps, slots, strict=True)):
            if self.count < self.size:
                self.stored[self.count] = pictures[i]
                self.count += 1
            elif swap < 0.5:
                returned[i] = self.stored[slot]
                self.stored[slot] = pictures[i]
        return returned

    def get_extra_state(self) -> dict[str, Any]:
        return {"stored": None if self.stored is None else self.stored[: self.count].clone(), "count": self.count}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.count, kept = state["count"], state["stored"]
        if kept is None or self.size < self.count:
            self.stored, self.count = None, 0
            return
        self.stored = kept.new_empty(self.size, *kept.shape[1:])
        self.stored[: self.count] = kept
