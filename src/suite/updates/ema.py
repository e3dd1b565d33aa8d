"""An exponential moving average of the generators: steadier pictures than the last step's weights."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from suite.updates.halting import Halt


class EMA(nn.ModuleDict):
    """Averaged copies of networks, under the same names: average = decay * average + (1 - decay) * weight.

    Lightning's and torch's own averaging count optimizer steps of every network, or ask the device for a counter on
    each step; this one is called by the generators' update alone and never waits.
    """

    def __init__(self, networks: Mapping[str, nn.Module], decay: float) -> None:
        super().__init__({name: copy.deepcopy(network) for name, network in networks.items()})
        self.decay = decay
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "EMA":
        return super().train(False)  # averaged networks are only ever used to translate

    @torch.no_grad()
    def average(self, networks: Mapping[str, nn.Module], halt: Halt) -> None:
        """Move every average one step towards the networks; buffers (BatchNorm statistics) are copied."""
        for name, network in networks.items():
            averages: list[Tensor] = list(self[name].parameters())
            weights: list[Tensor] = list(network.parameters())
            # Not lerp: with a share that is a tensor it is a kernel a weight.
            share = (1 - halt.flag(averages[0].device)) * (1 - self.decay)
            moves = torch._foreach_sub(weights, averages)
            torch._foreach_mul_(moves, share)
            torch._foreach_add_(averages, moves)
            for average, value in zip(self[name].buffers(), network.buffers(), strict=True):
                average.copy_(value)
