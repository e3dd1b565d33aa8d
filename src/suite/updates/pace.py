"""How fast training goes, by the clock between two looks at its losses: nothing waits for the device for it."""

import time

from torch import Tensor

from suite.data.batch import Batch


class Pace:
    """Training images a second of this process since `begin`, or since the last look: a validation is no part of it.

    An image is a sample, as of a pair. It belongs to no checkpoint: a resumed run measures its own.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._images, self._began = 0, time.monotonic()

    def add(self, batch: Batch) -> None:
        self._images += next((len(value) for value in batch.values() if isinstance(value, Tensor)), 0)

    def look(self) -> dict[str, float]:
        """images_per_s, by name; nothing where there were none. To be called when the device is done with them."""
        seconds, images = time.monotonic() - self._began, self._images
        self.begin()
        return {"images_per_s": float(f"{images / seconds:.4g}")} if images and seconds > 0 else {}
