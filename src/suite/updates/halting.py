"""Nothing moves any more once a loss or a gradient was not finite: a flag on the device, that no step waits for."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class Halt:
    """The flag of a model: from the update on that it is set in, weights and all else that steps change stay put.

    Whoever looks at the losses ends the training; until then steps go on, and change nothing.
    """

    def __init__(self) -> None:
        self._flag: Tensor | None = None

    def flag(self, device: torch.device) -> Tensor:
        """0, or 1 once it is set: (), float32, as optimizers take `found_inf`; it stays where it is in memory."""
        if self._flag is None or self._flag.device != device:
            self._flag = (
                torch.zeros((), dtype=torch.float32, device=device) if self._flag is None else self._flag.to(device)
            )
        return self._flag

    def see(self, value: Tensor) -> None:
        """Set the flag where the value, a scalar, is not finite."""
        flag = self.flag(value.device)
        flag.copy_(torch.maximum(flag, (~torch.isfinite(value.detach())).to(flag.dtype)))

    def checked(self, loss: Tensor) -> Tensor:
        """The loss; where it is not finite, or the flag is set, its gradients are not: every rank is sent those."""
        self.see(loss)
        flag = self.flag(loss.device)
        return loss * torch.ones_like(flag).masked_fill_(flag > 0, torch.nan)

    @contextmanager
    def keeping(self, buffers: Iterable[Tensor]) -> Iterator[None]:
        """Inside, networks may renew their statistics; at the end those with a flag are what they were before."""
        kept = [(buffer, buffer.clone()) for buffer in buffers]
        yield
        for buffer, before in kept:
            buffer.copy_(torch.where(self.flag(buffer.device) > 0, before, buffer))
