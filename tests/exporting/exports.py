"""Small models of every paper, runs of them, and the command that exports one."""

import json
from functools import cache
from pathlib import Path

import hydra
import numpy as np
import saved
import torch
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from torch import nn

from suite.export import export
from suite.papers.base import Paper
from suite.run.config import CONF, compose, instantiate
from suite.translate import translate


def draw_weights(model: Paper) -> Paper:
    """Weights so large that pictures have contrast, and statistics that differ from those of fresh networks."""
    torch.manual_seed(0)
    for weight in model.parameters():
        nn.init.normal_(weight, 0, 0.2)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model.eval()


@cache
def composed(*words: str) -> DictConfig:
    """The configuration of an experiment at scale=smoke; nobody changes it."""
    return compose("train", [*words, "scale=smoke"])


@cache
def small(*words: str) -> Paper:
    """The model of an experiment at scale=smoke."""
    config = composed(*words).copy()
    if "labels" in config.model:
        config.model.labels = ["female", "male"]
    return draw_weights(instantiate(config)[0])


def save_run(folder: Path, model: Paper, *words: str) -> Path:
    """A run folder of that model and the experiment of these words, written without a trainer."""
    saved.save_run(folder, model)
    config = composed(*words).copy()
    config.name = words[0].partition("=")[2]
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(config, resolve=True))
    (folder / "images").mkdir()
    Image.new("RGB", (8, 8), "red").save(folder / "images" / "a2b_epoch0001.png")
    figures = {
        "steps": 10,
        "test/psnr": 12.3456,
        "test/n": 4.0,
        "test/<b>": 1.0,
        "test/ssim": float("nan"),
        "test/l1": 10**400,
    }
    (folder / "metrics.json").write_text(json.dumps({"test/last": figures, "odd": [1], "x|y": {"a": 1}}))
    return folder


def command(run: Path | str, output: Path, *words: str) -> None:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("export", [f"run='{run}'", f"output='{output}'", *words])
    export(config)


def by_suite(run: Path, picture: Path, target: Path, *words: str) -> np.ndarray:
    """What suite.translate makes of a picture file."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        keys = [f"run='{run}'", f"input='{picture}'", f"output='{target}'", "device=cpu", *words]
        translate(hydra.compose("translate", keys))
    return np.asarray(Image.open(target)).astype(int)
