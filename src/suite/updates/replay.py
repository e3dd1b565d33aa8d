"""The pool of earlier fakes that a discriminator is trained on (Shrivastava 2017; CycleGAN section 4)."""

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from suite.updates.halting import Halt


class ReplayPool(nn.Module):
    """Keeps `size` earlier pictures; while a discriminator sees half new and half old ones it can't forget.

    A picture is stored and returned while the pool fills. Then, with probability one half, it takes the place of a
    random stored one, which is returned instead; the pictures of a batch one after the other. `size` 0 returns what
    comes in. What happens is decided by `draw`, before a step; `forward` only moves pictures, in memory that stays
    where it is. The pool is part of a checkpoint.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.halt = Halt()  # that of the model
        self.count = 0  # of pictures in it
        # (size + 1, C, H, W), where the pictures are; the last place takes what is not kept. Not a buffer: DDP would
        # send those of the first process to all others.
        self.stored: Tensor | None = None

    def allocate(self, like: Tensor) -> None:
        """Make room for pictures like these (B, C, H, W), once, on their device; of another shape, it begins anew."""
        if self.stored is None or self.stored.shape[1:] != like.shape[1:]:
            self.stored, self.count = like.new_zeros(self.size + 1, *like.shape[1:]), 0
        self.stored = self.stored.to(like.device)  # where a checkpoint was loaded elsewhere

    def draw(self, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Decide what becomes of the next batch: (2, B) int64 on the device of `like`, a batch of that shape.

        The first row is what is returned for each picture, a place of the pool, or `size` + i for picture i of the
        batch; the second where it is stored, `size` for nowhere. `generator` is on the CPU; None: torch's global one.
        """
        if self.size == 0:
            return torch.zeros(2, len(like), dtype=torch.int64, device=like.device)
        self.allocate(like)
        swaps = torch.rand(len(like), generator=generator).tolist()
        slots = torch.randint(self.size, (len(like),), generator=generator).tolist()
        returned = [self.size + i for i in range(len(like))]
        last: dict[int, int] = {}  # by place, the picture of this batch that is there now
        for i, (swap, slot) in enumerate(zip(swaps, slots, strict=True)):
            if self.count < self.size:
                last[self.count] = i
                self.count += 1
            elif swap < 0.5:
                returned[i] = self.size + last[slot] if slot in last else slot
                last[slot] = i
        kept = [self.size] * len(like)
        for slot, i in last.items():
            kept[i] = slot
        return torch.tensor([returned, kept]).to(like.device, non_blocking=True)

    def forward(self, pictures: Tensor, drawn: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W), some of them from earlier calls. Takes and gives no gradient.

        Pictures that are not finite are not kept, nor any once the model has come to a halt.
        """
        pictures = pictures.detach()
        if self.size == 0:
            return pictures
        assert self.stored is not None
        pictures = pictures.to(self.stored.dtype)
        returned, kept = drawn
        old = self.stored.index_select(0, returned.clamp(max=self.size))
        new = pictures.index_select(0, (returned - self.size).clamp(min=0))
        from_pool = (returned < self.size).view(-1, 1, 1, 1)
        sound = pictures.isfinite().flatten(1).all(1) & (self.halt.flag(pictures.device) == 0)
        self.stored.index_copy_(0, kept.masked_fill(~sound, self.size), pictures)
        return torch.where(from_pool, old, new)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        if self.stored is not None:
            self.stored = fn(self.stored)
        return super()._apply(fn, recurse)

    def get_extra_state(self) -> dict[str, Any]:
        return {"stored": None if self.stored is None else self.stored[: self.count].clone(), "count": self.count}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        kept: Tensor | None = state["stored"]
        if kept is None or self.size < state["count"]:
            self.stored, self.count = None, 0
            return
        self.allocate(kept)
        assert self.stored is not None
        self.count = state["count"]
        self.stored[: self.count].copy_(kept)
