"""A CycleGAN small enough to train in a test, and a Trainer around it that writes nothing unasked."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from suite.data.batch import Batch
from suite.papers.cyclegan import CycleGAN
from suite.run.config import defaults_of


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser that pages are tested in."""
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        pytest.skip("needs the browser chromium")
    return found[0]


@pytest.fixture
def make_cyclegan() -> Callable[..., CycleGAN]:
    """Builds equal models from equal changes: the weights are drawn from one seed."""

    def make(**changes: Any) -> CycleGAN:
        torch.manual_seed(0)
        settings: dict[str, Any] = defaults_of("cyclegan") | {
            "backbone": {"name": "resnet", "blocks": 1, "width": 4},
            "discriminator": {"name": "patch", "downs": 2, "width": 4},
            "adversarial": {"loss": "lsgan"},
            "epochs": 1,
            "decay_epochs": 1,
        }
        for name, value in changes.items():
            more = isinstance(value, dict) and "name" not in value  # a named network is a whole other one
            settings[name] = settings[name] | value if more else value
        return CycleGAN(**settings)

    return make


@pytest.fixture
def make_batches() -> Callable[..., list[Batch]]:
    """Batches of coloured noise in [-1, 1], different in each batch, equal in each call."""

    def make(count: int, batch_size: int = 1, size: int = 32, dtype: torch.dtype = torch.float32) -> list[Batch]:
        random = torch.Generator().manual_seed(1)
        shape = (batch_size, 3, size, size)
        return [
            {side: (torch.rand(shape, generator=random) * 2 - 1).to(dtype) for side in ("a", "b")} | {"paired": False}
            for _ in range(count)
        ]

    return make


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., pl.Trainer]:
    """Trains a model on a list of batches in a real Trainer, one epoch unless told otherwise."""

    def run(model: pl.LightningModule, batches: list[Batch], **changes: Any) -> pl.Trainer:
        ckpt_path = changes.pop("ckpt_path", None)
        settings: dict[str, Any] = {
            "accelerator": "cpu",
            "max_epochs": 1,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "limit_val_batches": 0,
            "num_sanity_val_steps": 0,
            "default_root_dir": tmp_path,
        }
        trainer = pl.Trainer(**(settings | changes))
        trainer.fit(model, DataLoader(batches, batch_size=None), ckpt_path=ckpt_path, weights_only=True)  # type: ignore[arg-type]
        return trainer

    return run
