"""Weights that keep still: some for good, others while it is not their turn."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from torch import nn

from suite.errors import UserError


def freeze(names: Sequence[str], model: nn.Module, networks: Mapping[str, nn.Module]) -> None:
    """Freeze networks of a model, or layers of it, by name. Raises UserError for what has no weights."""
    for name in names:
        try:
            weights = list((networks.get(name) or model.get_submodule(name)).parameters())
        except AttributeError:
            weights = []
        if not weights:
            raise UserError(
                f"model.freeze: {name} is no network or layer with weights; there are {', '.join(networks)}"
            )
        for weight in weights:
            weight.requires_grad_(False)


def learnt(network: nn.Module) -> list[nn.Parameter]:
    """The weights of a network that are not frozen."""
    return [weight for weight in network.parameters() if weight.requires_grad]


@contextmanager
def learning_alone(some: Mapping[str, nn.Module], networks: Mapping[str, nn.Module]) -> Iterator[None]:
    """Inside, of all the networks some learn, and the others only hand gradients on."""
    mine = {id(weight) for network in some.values() for weight in network.parameters()}
    weights = [weight for network in networks.values() for weight in learnt(network) if id(weight) not in mine]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
