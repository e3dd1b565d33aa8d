"""What commands are given, written in no time: runs without a trainer, and pictures without structure."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image


def save_run(folder: Path, model: Any) -> Path:
    """What loads a model needs of a run folder, and no more."""
    content: dict[str, Any] = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams), "epoch": 0}
    model.on_save_checkpoint(content)
    (folder / "checkpoints").mkdir(parents=True)
    torch.save(content, folder / "checkpoints" / "last.ckpt")
    return folder


def noise(path: Path, width: int, height: int, mode: str = "RGB", **options: Any) -> Path:
    """Writes a picture without structure; its file name is its seed."""
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    pixels = np.random.default_rng(list(path.name.encode())).integers(0, 256, shape).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, mode).save(path, **options)
    return path
