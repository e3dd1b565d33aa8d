"""Generators as pytorch-CycleGAN-and-pix2pix saves them: a bare state_dict, from which the architecture is inferred.

The names follow from its modules' places, as of its commit 2a7afba. Its ResNet is numbered like ours. Its U-Net nests
level in level; what a block holds, by number:

    outermost   0 down  1 inner block  2 ReLU  3 up  4 tanh
    between     0 LeakyReLU  1 down  2 norm  3 inner block  4 ReLU  5 up  6 norm  (7 dropout)
    innermost   0 LeakyReLU  1 down  2 ReLU  3 up  4 norm

Its users' files are read, too: a state_dict inside another dictionary, as {"state_dict": …} or a checkpoint of
Lightning with other networks beside the generator, and weights under torch's spectral_norm.
"""

import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from suite.errors import UserError
from suite.networks.build import build_generator
from suite.networks.layers import Norm

WRAPPERS = re.compile(r"^(module\.|_orig_mod\.)+")  # of DataParallel and torch.compile
STATISTICS = (".running_mean", ".running_var", ".num_batches_tracked")
# Of torch's spectral_norm, as it was and as it is: the weight, and both singular vectors.
_SPECTRAL = (
    ("weight_orig", "weight_u", "weight_v"),
    ("parametrizations.weight.original", "parametrizations.weight.0._u", "parametrizations.weight.0._v"),
)


@dataclass(frozen=True)
class Architecture:
    """What `build_generator` takes."""

    backbone: dict[str, Any]
    in_channels: int
    out_channels: int

    def __str__(self) -> str:
        kind = "U-Net, {downs} halvings" if self.backbone["name"] == "unet" else "ResNet, {blocks} blocks"
        norm = "no" if self.backbone["norm"] == "none" else self.backbone["norm"]
        dropout = ", dropout" if self.backbone["dropout"] else ""
        return (
            f"{kind.format(**self.backbone)}, width {self.backbone['width']}, {norm} norm{dropout}, "
            f"{self.in_channels} to {self.out_channels} channels"
        )

    def way_back(self) -> "Architecture":
        """The same from the output's channels to the input's."""
        return Architecture(self.backbone, self.out_channels, self.in_channels)

    @property
    def differs_in_training(self) -> bool:
        """Whether it makes other pictures in training mode, in which the published test script leaves it."""
        return self.backbone["norm"] == "batch" or self.backbone["dropout"] > 0

    def without_values(self) -> nn.Module:
        """The network with names and shapes alone."""
        with torch.device("meta"):
            return build_generator(self.backbone, self.in_channels, self.out_channels)


class PublishedGenerator(NamedTuple):
    """A generator out of a file, its weights under our names."""

    architecture: Architecture
    weights: dict[str, Tensor]

    def __str__(self) -> str:
        count = sum(weight.numel() for weight in self.architecture.without_values().parameters())
        return f"{self.architecture}: {count:,} weights"


def read_published(path: Path, dropout: bool | None = None) -> PublishedGenerator:
    """The generator in a file, see `recognise`; no code from it is run. Raises UserError, which names the file."""
    try:
        return recognise(read_state(path), dropout)
    except ValueError as error:
        raise UserError(f"{path} {error}") from error


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors in a file, by their names. Raises UserError, or ValueError with the reason."""
    try:
        with path.open("rb") as file, warnings.catch_warnings(action="ignore"):  # what torch thinks of other formats
            content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises half a dozen types for a damaged file, OSError among them
        if isinstance(error, OSError) and error.filename is not None:
            raise UserError(f"can't read {path}: {error.strerror}") from error
        if isinstance(error, pickle.UnpicklingError) and (needed := re.search(r"GLOBAL ([\w.]+)", str(error))):
            raise ValueError(
                f"is refused: it holds more than weights ({needed[1]}), and reading that could run foreign code; "
                "if you trust it, save its network.state_dict() with torch.save and give that file"
            ) from error
        raise ValueError("is damaged or not a file of torch.save: fetch it again") from error
    if isinstance(content, dict) and "paper" in content:
        raise ValueError("is a checkpoint of this suite already: python -m suite.translate takes it as it is")
    if not (weights := _flattened(content)):
        raise ValueError("holds no state_dict: give what torch.save wrote of a generator.state_dict()")
    return weights


def _flattened(content: Any) -> dict[str, Tensor]:
    """The tensors in dictionaries within dictionaries, by their names one after the other; all else is left out."""
    found: dict[str, Tensor] = {}
    for name, value in content.items() if isinstance(content, dict) else ():
        if isinstance(name, str) and isinstance(value, Tensor):
            found[name] = value
        elif isinstance(name, str):
            found |= {f"{name}.{inner}": tensor for inner, tensor in _flattened(value).items()}
    return found


def recognise(state: Mapping[str, Tensor], dropout: bool | None = None) -> PublishedGenerator:
    """The architecture that a published state_dict is of, with its weights under our names.

    Names may have any prefix, and other networks may stand beside it. Spectral norms are divided out. Statistics of
    InstanceNorm, which old files hold and nothing used, are left out; biases that a network without norms lacks are 0.
    dropout: of a U-Net, whose file does not show it; where not given it has it, as pix2pix does.
    Raises ValueError with the reason, to be read after the name of a file.
    """
    state = _generator_alone(without_spectral_norm(state))
    if any(name.startswith("model.model.") for name in state):
        levels = 2 + max(name.count("3.model.") for name in state)
        first, last, out_axis = "model.model.0.weight", "model.model.3.weight", 1
        backbone = {"name": "unet", "downs": levels, "dropout": 0.0 if dropout is False else 0.5}
    elif blocks := len({name.split(".")[1] for name in state if ".conv_block." in name}):
        first, last, out_axis = "model.1.weight", f"model.{blocks + 17}.weight", 0
        if "model.10.conv_block.0.weight" in state:
            raise ValueError("is a ResNet with padding_type=zero: its blocks pad with zeros, the suite's reflect")
        plain = "model.10.conv_block.5.weight" in state  # a dropout would have moved this convolution to 6
        backbone = {"name": "resnet", "blocks": blocks, "dropout": 0.0 if plain else 0.5}
        if dropout is not None:
            word = str(dropout).lower()
            raise ValueError(f"shows by itself that its ResNet has {'no ' * plain}dropout: leave dropout={word} out")
    else:
        raise ValueError(_something_else(state))
    if any(name.endswith(".filt") for name in state):
        raise ValueError("is a generator of CUT, whose anti-aliased layers the suite's ResNet does not have")

    for name in (first, last):
        if name not in state or state[name].ndim != 4 or not state[name].numel():
            raise ValueError(f"looks like a {backbone['name']}, but {name} is missing or no convolution's")
    if (name := last.replace("weight", "bias")) not in state:  # the one that networks of all norms have
        raise ValueError(f"looks like a {backbone['name']}, but {name} is missing")
    backbone |= {"width": state[first].shape[0], "norm": norm_of(state, first)}
    in_channels, out_channels = state[first].shape[1], state[last].shape[out_axis]
    for channels, side in ((in_channels, "input"), (out_channels, "output")):
        if channels not in (1, 3):
            raise ValueError(f"has {channels} {side} channels: the suite takes grey pictures (1) and colour (3)")
    architecture = Architecture(backbone, in_channels, out_channels)
    wanted = architecture.without_values().state_dict()
    names = {ours: _their_name(ours, backbone) for ours in wanted}
    return PublishedGenerator(architecture, renamed(state, wanted, names, norm_of(state, first), architecture))


def _generator_alone(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What belongs to the one generator, without the prefix of its names. Raises ValueError for several.

    Where none is found, all: what lacks its first layer may be told by the others.
    """
    starts = {name.removesuffix("model.model.0.weight") for name in state if name.endswith("model.model.0.weight")}
    blocks = {name.partition(".conv_block.")[0].rpartition("model.")[0] for name in state if ".conv_block." in name}
    starts |= {prefix for prefix in blocks if f"{prefix}model.1.weight" in state}
    if len(starts) > 1:
        names = ", ".join(sorted(prefix.rstrip(".") or "one without a name" for prefix in starts))
        raise ValueError(f"holds {len(starts)} generators, {names}: save the state_dict() of one alone, and give that")
    for prefix in starts:
        return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(f"{prefix}model.")}
    return {WRAPPERS.sub("", name): value for name, value in state.items()}


def without_spectral_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as the network uses them. Raises ValueError where a singular vector is not there."""
    plain = dict(state)
    for weight, *vectors in _SPECTRAL:
        for name in [name for name in state if name.endswith(f".{weight}")]:
            layer = name.removesuffix(weight)
            u, v = (plain.pop(f"{layer}{vector}", None) for vector in vectors)
            if u is None or v is None:
                raise ValueError(f"has spectral norm, but {layer}{vectors[u is not None]} is missing")
            value = plain.pop(name)
            plain[f"{layer}weight"] = value / _singular_value(value.double(), u.double(), v.double()).to(value.dtype)
    return plain


def _singular_value(weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """u^T W v, as torch has it in eval mode. W has a row an output, which transposed convolutions have second."""
    found: list[tuple[Tensor, Tensor]] = []
    for rows in (weight.flatten(1), weight.transpose(0, 1).flatten(1)):
        if rows.shape == (len(u), len(v)):
            along = rows @ v  # of the right W this is along u
            found.append((torch.cosine_similarity(along, u, dim=0), u @ along))
    if not found:
        raise ValueError(f"has spectral norm whose vectors do not fit a weight of {sides(weight.shape)}")
    return max(found, key=lambda one: float(one[0]))[1]


def norm_of(state: Mapping[str, Tensor], layer: str) -> Norm:
    """BatchNorm has weights; before InstanceNorm convolutions have biases; with neither they have none.

    layer: the weight of a convolution before a norm.

    Raises ValueError for InstanceNorm with weights.
    """
    if any(name.endswith(".weight") and value.ndim == 1 for name, value in state.items()):
        if not any(name.endswith(".running_var") for name in state):
            raise ValueError("has InstanceNorm with weights of its own (affine=True), which the suite's has not")
        return "batch"
    return "instance" if layer.replace("weight", "bias") in state else "none"


def renamed(
    state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], names: Mapping[str, str], norm: Norm, looks_like: object
) -> dict[str, Tensor]:
    """The weights under our names. Raises ValueError where they are not all that is wanted, or more.

    wanted: shapes by our names; names: theirs by ours. looks_like: what they would make, for messages.
    """
    can_lack = {"batch": ".num_batches_tracked", "none": ".bias"}.get(norm)
    left, weights, faults = dict(state), {}, []
    for ours, shape in ((ours, weight.shape) for ours, weight in wanted.items()):
        theirs = names[ours]
        weight = left.pop(theirs, None)
        if weight is None and can_lack and ours.endswith(can_lack):
            weights[ours] = torch.zeros(shape, dtype=wanted[ours].dtype)
        elif weight is None:
            faults.append(f"{theirs} is missing")
        elif weight.shape != shape:
            faults.append(f"{theirs} is {sides(weight.shape)}, not {sides(shape)}")
        elif not weight.isfinite().all():
            raise ValueError(
                f"has weights that are not finite, as {theirs}: its training went wrong; give the file of an "
                "earlier epoch"
            )
        else:
            weights[ours] = weight
    faults += [f"{name} is one too many" for name in left if norm == "batch" or not name.endswith(STATISTICS)]
    if faults:
        more = f", and {len(faults) - 1} more do not fit" * (len(faults) > 1)
        raise ValueError(f"looks like {looks_like}, but {faults[0]}{more}")
    return weights


def _their_name(ours: str, backbone: Mapping[str, Any]) -> str:
    if backbone["name"] == "resnet":
        return ours.replace("layers.", "model.", 1).replace(".residual.", ".conv_block.")
    side, level, place, kind = ours.split(".")  # as up.3.1.weight; an up's places begin with the ReLU
    outermost, innermost = level == "0", int(level) == backbone["downs"] - 1
    before_relu = 0 if side == "down" else 2 if outermost or innermost else 4
    block = "model.model." if outermost else "model.model.1.model." + "3.model." * (int(level) - 1)
    return f"{block}{int(place) + before_relu}.{kind}"


def _something_else(state: Mapping[str, Tensor]) -> str:
    if "model.0.weight" in state or "net.0.weight" in state:
        return "is a discriminator: give the generator, as latest_net_G.pth, and this one as file_d="
    names = ", ".join(list(map(str, state))[:3])
    return f"is no generator of pytorch-CycleGAN-and-pix2pix: its weights are named {names}, …"


def sides(shape: torch.Size) -> str:
    """A shape in words."""
    return "x".join(map(str, shape)) or "a number"
