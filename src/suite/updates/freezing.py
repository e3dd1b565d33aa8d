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


def lowest_layers(count: int, name: str, network: nn.Module) -> list[str]:
    """The names of so many layers of a network, from its input on: convolutions, each with the norm behind it.

    name: of the network. Raises UserError where it has no more layers than that.
    """
    layers: list[list[str]] = []
    for place, module in network.named_modules(prefix=name):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layers.append([place])
        elif isinstance(module, nn.modules.batchnorm._BatchNorm) and layers and module.affine:
            layers[-1].append(place)
    if count >= len(layers):
        raise UserError(
            f"model.freeze_d={count}: {name} has {len(layers)} layers, and one at least is to learn; give "
            f"{len(layers) - 1} at most, or model.freeze=[{name}] for the whole of it"
        )
    return [place for layer in layers[:count] for place in layer]


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
