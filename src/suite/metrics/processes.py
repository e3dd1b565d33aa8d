"""Several processes measure as one."""

from typing import Any

import torch
from pytorch_lightning import Trainer


def gather(value: Any, trainer: Trainer) -> list[Any]:
    """The values of all processes in the order of their rank; any value that can be pickled."""
    if trainer.world_size == 1:
        return [value]
    values: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(values, value)
    return values
