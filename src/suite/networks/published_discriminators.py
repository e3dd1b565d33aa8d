"""Discriminators as pytorch-CycleGAN-and-pix2pix saves them: which one a file holds, and its weights under our names.

Its PatchGANs (`basic`, and `n_layers` with any number of them) are numbered like ours, behind `model.`, and so is its
PixelGAN, behind `net.`; as of its commit 2a7afba. That of pix2pix reads its input and then the drawing, as ours does.
In its CycleGAN D_A is that beside G_A, and so judges pictures of B: our D_B.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from suite.errors import UserError
from suite.networks.build import build_discriminator
from suite.networks.published import WRAPPERS, norm_of, read_state, renamed, without_spectral_norm

_FIRST = re.compile(r"(.*\.)?(model|net)\.0\.weight")


@dataclass(frozen=True)
class Critic:
    """What `build_discriminator` takes."""

    discriminator: dict[str, Any]
    in_channels: int

    def __str__(self) -> str:
        kind, norm = self.discriminator["name"], self.discriminator["norm"]
        seen = "PixelGAN" if kind == "pixel" else f"PatchGAN of {9 * 2 ** self.discriminator['downs'] - 2} pixels"
        return (
            f"{seen}, width {self.discriminator['width']}, {'no' if norm == 'none' else norm} norm, "
            f"{self.in_channels} channels"
        )

    def without_values(self) -> nn.Module:
        """The network with names and shapes alone."""
        with torch.device("meta"):
            return build_discriminator(self.discriminator, self.in_channels)


class PublishedDiscriminator(NamedTuple):
    """A discriminator out of a file, its weights under our names."""

    architecture: Critic
    weights: dict[str, Tensor]

    def __str__(self) -> str:
        count = sum(weight.numel() for weight in self.architecture.without_values().parameters())
        return f"{self.architecture}: {count:,} weights"


def read_discriminator(path: Path) -> PublishedDiscriminator:
    """The one in a file, see `recognise_discriminator`; no code from it is run. Raises UserError, naming the file."""
    try:
        return recognise_discriminator(read_state(path))
    except ValueError as error:
        raise UserError(f"{path} {error}") from error


def recognise_discriminator(state: Mapping[str, Tensor]) -> PublishedDiscriminator:
    """The architecture that a published state_dict is of, with its weights under our names.

    Names may have any prefix, and generators may stand beside it; spectral norms are divided out, statistics of
    InstanceNorm left out. Raises ValueError with the reason, to be read after the name of a file.
    """
    kind, state = _discriminator_alone(without_spectral_norm(state))
    first, second = state["model.0.weight"], state["model.2.weight"]
    discriminator: dict[str, Any] = {"name": kind, "width": first.shape[0], "norm": norm_of(state, "model.2.weight")}
    if kind == "patch":
        discriminator["downs"] = sum(weight.ndim == 4 for weight in state.values()) - 2
        if not 1 <= discriminator["downs"] <= 5:
            raise ValueError("is no PatchGAN of 1 to 5 layers between its first and its last")
    if not first.numel() or not second.numel():
        raise ValueError("has layers without channels")
    if first.shape[1] not in (1, 2, 3, 4, 6):
        raise ValueError(
            f"reads {first.shape[1]} channels: a picture has 1 or 3, and input and drawing of pix2pix 2, 4 or 6"
        )
    architecture = Critic(discriminator, first.shape[1])
    wanted = architecture.without_values().state_dict()
    names = {ours: ours.replace("layers.", "model.", 1) for ours in wanted}
    return PublishedDiscriminator(architecture, renamed(state, wanted, names, discriminator["norm"], architecture))


def _discriminator_alone(state: Mapping[str, Tensor]) -> tuple[str, dict[str, Tensor]]:
    """Its kind, and what belongs to it, named as a PatchGAN's. Raises ValueError for none, and for several.

    A generator has no convolution two places behind its first: neither a U-Net's outermost level nor a ResNet.
    """
    found = {}
    for name in state:
        if match := _FIRST.fullmatch(name):
            start = name.removesuffix("0.weight")
            if state[name].ndim == 4 and (then := state.get(f"{start}2.weight")) is not None and then.ndim == 4:
                found[start] = "pixel" if match[2] == "net" else "patch"
    if len(found) > 1:
        names = ", ".join(
            sorted(start.rpartition(".")[0].rpartition(".")[0] or "one without a name" for start in found)
        )
        raise ValueError(
            f"holds {len(found)} discriminators, {names}: save the state_dict() of one alone, and give that"
        )
    for start, kind in found.items():
        return kind, {
            f"model.{name.removeprefix(start)}": value for name, value in state.items() if name.startswith(start)
        }
    if any(".conv_block." in name or "model.model." in name for name in state):
        raise ValueError("is a generator: give the discriminator, as latest_net_D.pth")
    names = ", ".join(WRAPPERS.sub("", name) for name in list(map(str, state))[:3])
    raise ValueError(f"is no discriminator of pytorch-CycleGAN-and-pix2pix: its weights are named {names}, …")
