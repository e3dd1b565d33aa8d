"""A model without losses, the pictures that it is shown, and a Trainer around both."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from suite.images import uint8_to_unit, unit_to_signed
from suite.papers.base import Paper
from suite.run.checkpoints import AtomicCheckpointIO

SHARED: dict[str, Any] = {
    "channels_a": 3, "channels_b": 1, "optimizer": "adam", "lr": 1e-3, "betas": (0.5, 0.999), "epochs": 9,
    "decay_epochs": 0, "steps": None, "decay_steps": 0, "clip_norm": 0.0, "ema_decay": 0.0, "freeze": [],
    "compile": False,
}  # fmt: skip


class Drawer(Paper):
    """Translates every picture to black, and draws a random number for it; one weight.

    Notes the modes in which it translates and trains.
    """

    name = "drawer"
    directions = ("a2b", "b2a")

    def __init__(self, **changes: Any) -> None:
        super().__init__(**SHARED | changes)
        self.weight = nn.Linear(1, 1)
        self.translated: set[bool] = set()
        self.trains: set[bool] = set()
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        return {"G": self.generators()}

    def generators(self) -> dict[str, nn.Module]:
        return {"G": self.weight}

    def translate(self, batch: Any, direction: str = "a2b") -> Tensor:
        torch.rand(1)
        self.translated.add(self.training)
        return torch.full_like(batch["b" if direction == "a2b" else "a"], -1)

    def step(self, batch: Any, drawn: dict[str, Tensor]) -> dict[str, Tensor]:
        self.trains.add(self.training)
        losses = {"loss": self.weight(torch.ones(1, 1)).sum()}
        self.update("G", losses)
        return losses


def pictures(count: int, paired: bool = True) -> list[dict[str, Any]]:
    """One batch a picture; `a` is white in its upper half, `b` grey."""
    a = torch.full((1, 3, 4, 4), -1.0)
    a[:, :, :2] = 1
    b = torch.zeros(1, 1, 4, 4)
    return [{"a": a, "b": b, "paired": paired, "index": torch.tensor([n])} for n in range(count)]


def loader(batches: list) -> DataLoader:
    # A generator of its own: the usual one would take a number from the global one.
    return DataLoader(batches, batch_size=None, generator=torch.Generator())  # type: ignore[arg-type]


class TrainingPictures(pl.LightningDataModule):
    """Three of them, as uint8 in evaluation form, in batches of one; counts how many are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def train_dataloader(self) -> DataLoader:
        return loader(pictures(2))

    def val_dataloader(self) -> DataLoader:
        return loader(pictures(1))

    def first_batches(self, split: str, count: int) -> Any:
        assert split == "train"
        for grey in (10, 20, 30)[:count]:
            self.read += 1
            a = torch.full((1, 3, 4, 4), grey, dtype=torch.uint8)
            yield {"a": a, "b": a[:, :1] + 100, "paired": True, "index": torch.tensor([0])}

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        stored = {side: batch[side] for side in ("a", "b") if batch[side].dtype == torch.uint8}
        return batch | {side: unit_to_signed(uint8_to_unit(picture)) for side, picture in stored.items()}


class Drawn(pl.Callback):
    """What each step would draw for two purposes, and for dropout."""

    def __init__(self) -> None:
        self.drawn: list[tuple[float, float, float]] = []

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(pl_module, Drawer)
        generators = [pl_module.draws.generator(purpose) for purpose in ("noise", "pool_a")]
        one, other, dropout = (torch.rand(1, generator=generator).item() for generator in (*generators, None))
        self.drawn.append((one, other, dropout))


@pytest.fixture
def toys() -> SimpleNamespace:
    return SimpleNamespace(Drawer=Drawer, Drawn=Drawn, TrainingPictures=TrainingPictures, pictures=pictures)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., pl.Trainer]:
    def make(*callbacks: pl.Callback, epochs: int = 1, val: list | None = None, **more: Any) -> pl.Trainer:
        ckpt_path, model, data = more.pop("ckpt_path", None), more.pop("model", Drawer()), more.pop("data", None)
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=epochs, callbacks=list(callbacks), default_root_dir=tmp_path,
            logger=more.pop("logger", False), enable_progress_bar=False, enable_model_summary=False,
            num_sanity_val_steps=0, plugins=[AtomicCheckpointIO()], **more,
        )  # fmt: skip
        loaders = [] if data else [loader(pictures(2)), loader(val or pictures(1))]
        trainer.fit(model, *loaders, datamodule=data, ckpt_path=ckpt_path, weights_only=True)
        return trainer

    return make
