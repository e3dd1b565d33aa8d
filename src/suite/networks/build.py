"""From a configuration entry to a network: `{name: resnet, blocks: 9, ...}` -> module."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from suite.arguments import check_types
from suite.errors import UserError
from suite.networks.contract import Discriminator, Generator, PictureNetwork
from suite.networks.discriminators import GlobalDiscriminator, PatchDiscriminator, PixelDiscriminator
from suite.networks.layers import init_normal
from suite.networks.resnet import ResNetGenerator
from suite.networks.unet import UNetGenerator
from suite.networks.unetpp import UNetPlusPlusGenerator

# One name, one architecture. The other keys of an entry are the class's own arguments.
GENERATORS: dict[str, Callable[..., Generator]] = {
    "resnet": ResNetGenerator,
    "unet": UNetGenerator,
    "unetpp": UNetPlusPlusGenerator,
}
DISCRIMINATORS: dict[str, Callable[..., Discriminator]] = {
    "patch": PatchDiscriminator,
    "pixel": PixelDiscriminator,
    "global": GlobalDiscriminator,
}

N = TypeVar("N", bound=PictureNetwork)


def build_generator(
    backbone: Mapping[str, Any], in_channels: int, out_channels: int, supervises_heads: bool = False
) -> Generator:
    """A generator with freshly drawn weights.

    supervises_heads: whether the paper trains every head of a backbone with deep supervision; refused where not.
    """
    make, options = _pick(backbone, GENERATORS, "backbone")
    if options.get("deep_supervision") and not supervises_heads:
        raise UserError("model.backbone.deep_supervision=true: this model trains the last head alone; set it false")
    return _initialised(make(in_channels, out_channels, **options))


def build_discriminator(discriminator: Mapping[str, Any], in_channels: int) -> Discriminator:
    """A discriminator with freshly drawn weights."""
    make, options = _pick(discriminator, DISCRIMINATORS, "discriminator")
    return _initialised(make(in_channels, **options))


def _pick(entry: Mapping[str, Any], table: Mapping[str, Callable[..., N]], role: str) -> tuple[Callable[..., N], dict]:
    options = dict(entry)
    name = options.pop("name", None)
    if name not in table:
        raise UserError(f"model.{role}.name={name} is unknown: use one of {', '.join(table)}")
    allowed = set(inspect.signature(table[name]).parameters) - {"in_channels", "out_channels"}
    if unknown := sorted(set(options) - allowed):
        raise UserError(f"model.{role}.{unknown[0]} is not an option of {name}: it takes {', '.join(sorted(allowed))}")
    check_types(f"model.{role}.", table[name].__init__, options)
    return table[name], options


def _initialised(network: N) -> N:
    init_normal(network)
    return network
