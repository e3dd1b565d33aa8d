"""What translates, as a folder that `suite.load` reads: weights in safetensors, settings beside them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.data.depth import Depth
from suite.files import write_whole
from suite.run.exported import SETTINGS, WEIGHTS, Settings, read_exported

if TYPE_CHECKING:
    from torch import Tensor

    from suite.papers.base import Paper


def write_weights(model: "Paper", depth: Depth, folder: Path) -> int:
    """Write the two files, and read them back to see that they hold the model. How many weights they hold.

    The networks that translate alone, averaged where the model has an EMA; nothing of the machine that it was trained
    on. depth: as the run read pictures of more than 8 bits.
    """
    from safetensors.torch import save

    weights = weights_of(model)
    settings: Settings = {
        "paper": model.name, "hyper_parameters": settings_of(model), "depth": depth, "steps": model.steps,
    }  # fmt: skip
    write_whole(folder / WEIGHTS, save(weights, metadata={"format": "pt"}))
    write_whole(folder / SETTINGS, json.dumps(settings, indent=1) + "\n")
    again = weights_of(read_exported(folder))
    assert weights.keys() == again.keys()
    assert all(value.equal(again[name]) for name, value in weights.items())
    return sum(weight.numel() for network in model.translating().values() for weight in network.parameters())


def weights_of(model: "Paper") -> "dict[str, Tensor]":
    """By network and name; each in memory of its own, as safetensors wants them."""
    return {
        f"{network}.{name}": value.detach().cpu().clone().contiguous()
        for network, module in model.translating().items()
        for name, value in module.state_dict().items()
    }


def settings_of(model: "Paper") -> dict[str, Any]:
    """The model's arguments: the averages are the weights now, and no file of this machine is named."""
    settings = {**model.hparams, "ema_decay": 0.0, "compile": False}
    return settings | {"features_weights": None} if "features_weights" in settings else settings
