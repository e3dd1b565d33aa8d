"""What a training step draws: from (seed, step, rank) and what it is for, whatever was drawn before."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


class Draws:
    """Random generators of one training step, each for one purpose.

    A step then draws the same however the run came to it, the ranks of a DDP run draw differently, and so do the stages
    of a run; what one purpose takes shifts no other. Outside a run, where nobody calls `begin`, everything comes from
    torch's global generators.
    """

    def __init__(self, stage: str | None = None) -> None:
        self.stage = stage
        self._step: tuple[int, int, int] | None = None

    def begin(self, seed: int, step: int, rank: int) -> None:
        """Start a step of a run. Reseeds torch's global generators, too: dropout takes no other."""
        self._step = (seed, step, rank)
        torch.manual_seed(self._seed("dropout"))  # of every device

    def generator(
        self, purpose: str, device: torch.device | str = "cpu", of_all_ranks: bool = False
    ) -> torch.Generator | None:
        """A new generator on `device`, as torch's functions take it; None stands for the global one.

        of_all_ranks: the same on each, as for weights that are drawn again.
        """
        if self._step is None:
            return None
        return torch.Generator(device).manual_seed(self._seed(purpose, of_all_ranks))

    @contextmanager
    def in_place_of_global(self, purpose: str) -> Iterator[None]:
        """For libraries that draw from torch's global generator on the CPU; it is left as it was."""
        if self._step is None:
            yield
            return
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self._seed(purpose))
            yield

    def _seed(self, purpose: str, of_all_ranks: bool = False) -> int:
        assert self._step is not None
        use = purpose if self.stage is None else f"{self.stage}/{purpose}"
        seed, step, rank = self._step
        words = [seed, step, 0 if of_all_ranks else rank, zlib.crc32(use.encode())]
        return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0])
