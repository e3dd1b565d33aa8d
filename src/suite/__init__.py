"""GAN image-to-image translation between sketches, photos, cartoons and paintings.

model, data = suite.build("cyclegan_lsgan", ["scale=smoke"])
model = suite.load("runs/cyclegan_lsgan/20261121-101500-000000")
cartoons = model.translate(photos)
"""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # everything heavy is imported where it is used: `import suite` takes milliseconds
    from pathlib import Path

    from suite.data.module import PictureData
    from suite.papers.base import Paper

__all__ = ["build", "load"]
__version__ = "0.1.0"


def build(experiment: str, overrides: "list[str] | None" = None) -> "tuple[Paper, PictureData]":
    """The model and the data of an experiment, untrained; overrides as on the command line.

    Needs nothing on disk until the data's `setup()`. Raises UserError for a configuration that can't work.
    """
    from suite.run.config import compose, instantiate

    return instantiate(compose("train", [f"experiment={experiment}", *(overrides or [])]))


def load(
    run: "str | Path", checkpoint: str = "last", device: str = "cpu", mode: "Literal['eval', 'train']" = "eval"
) -> "Paper":
    """A trained model in eval mode: from a checkpoint file, or a run folder (`checkpoint`: last, best, step500).

    Or from a folder of `suite.export format=safetensors` or `hub`, or hf://owner/name of the hub, with @revision behind
    it where it is to be one version: weights and settings are read, and no code of it is run.

    `.translate(batch)` takes pictures (B, C, H, W) in [-1, 1]. In mode `train` it uses the statistics of the batch, and
    dropout, as pix2pix was tested; a model that has neither does the same in both. Raises UserError where nothing can
    be loaded.
    """
    from suite.run.folder import load_model

    return load_model(run, checkpoint, device, mode)
