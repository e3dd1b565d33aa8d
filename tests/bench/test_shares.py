"""What share of a step a network takes, on the way forward and on the way back."""

import torch
from torch import Tensor, nn

from suite.bench.shares import shares_of_networks
from suite.bench.trace import trace_steps


class Two(nn.Module):
    """Four layers, then one of the same size."""

    def __init__(self) -> None:
        super().__init__()
        self.large = nn.Sequential(*(nn.Linear(400, 400) for _ in range(4)))
        self.small = nn.Linear(400, 400)
        self.held: dict[str, nn.Module] = {}


def test_the_way_back_counts_for_the_network_that_went_forth() -> None:
    model, batch = Two(), torch.randn(400, 400)

    def step(batch: Tensor) -> None:
        # Forward 4 products and 2; back 7, as nothing is before the first, and 2 + 1.
        x = model.small(model.large(batch))
        (x.mean() + model.small(x.detach()).mean()).backward()

    step(batch)
    off = torch.autocast("cpu", torch.bfloat16, enabled=False)
    measured = [shares_of_networks(trace_steps(model, step, batch, off)) for _ in range(11)]  # type: ignore[arg-type]
    # The middle one: beside other work a single step of milliseconds is now and then interrupted within one network.
    shares = sorted(measured, key=lambda shares: shares["large"] / shares["small"])[len(measured) // 2]
    assert set(shares) == {"large", "small"}
    assert 0.8 < sum(shares.values()) <= 1
    assert 1.5 < shares["large"] / shares["small"] < 3.3  # 11 to 5
