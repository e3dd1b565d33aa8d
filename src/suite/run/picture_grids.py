"""images/ of a run folder: what the model makes of pictures, one grid after each validation."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor

from suite.data.batch import Batch
from suite.images import signed_to_uint8, to_pil, to_rgb
from suite.papers.base import Paper


class PictureGrids(Callback):
    """Writes input | output | truth of the first `count` validation pictures to images/, and to W&B.

    The same pictures every time, as uint8; the truth is left out where the data has none. So, too, the first `train`
    training pictures, uncropped, as train_<direction>: the first process alone makes them, and draws no random number.
    """

    def __init__(self, folder: Path, count: int, every_n_validations: int, train: int = 0) -> None:
        self.folder, self.count, self.every, self.train = folder, count, every_n_validations, train
        self.collected = 0
        self.rows: dict[str, list[Tensor]] = {}  # per name of a grid: uint8 (B, 3, H, W * pictures in a row)
        self.training_pictures: list[Batch] | None = None  # uint8

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self._due(trainer) and self.collected < self.count:
            self._add(pl_module, batch, most=self.count - self.collected)
            self.collected += len(batch["index"])

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._due(trainer):
            return
        if self.train > 0:
            self._add_training_pictures(trainer, pl_module)
        assert isinstance(pl_module, Paper)
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, rows in self.rows.items():
            grid = to_pil(arrange(torch.cat(rows)))
            grid.save(self.folder / f"{name}_epoch{trainer.current_epoch + 1:04d}.png")
            for logger in trainer.loggers:
                if isinstance(logger, WandbLogger):
                    logger.log_image(f"pictures/{name}", [grid], step=pl_module.batches)
        self.rows, self.collected = {}, 0

    def _due(self, trainer: pl.Trainer) -> bool:
        number = (trainer.current_epoch + 1) // (trainer.check_val_every_n_epoch or 1)  # of this validation
        return trainer.is_global_zero and number % self.every == 0

    def _add(self, pl_module: pl.LightningModule, batch: Batch, most: int | None = None, prefix: str = "") -> None:
        assert isinstance(pl_module, Paper)
        for direction, output in pl_module.predict(batch).items():
            source, target = batch[direction[0]], batch[direction[-1]]
            pictures = [source, output, target] if batch["paired"] else [source, output]
            rows = torch.cat([to_rgb(signed_to_uint8(p)) for p in pictures], dim=-1).cpu()
            self.rows.setdefault(prefix + direction, []).append(rows[:most])

    def _add_training_pictures(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """In the model's state of validation; what a model draws at random is given back."""
        device, data = pl_module.device, trainer.datamodule  # type: ignore[attr-defined]
        if self.training_pictures is None:
            self.training_pictures = list(data.first_batches("train", self.train))
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            for batch in self.training_pictures:
                on_device = data.transfer_batch_to_device(batch, device, 0)
                self._add(pl_module, data.on_after_batch_transfer(on_device, 0), prefix="train_")


def arrange(rows: Tensor) -> Tensor:
    """Pictures (B, C, H, W) in two columns, which fit a screen better than one: (C, H * ceil(B / 2), 2 * W)."""
    if len(rows) % 2 and len(rows) > 1:
        rows = torch.cat([rows, torch.full_like(rows[:1], 255)])
    columns = rows.chunk(2)
    return torch.cat([torch.cat(list(column), dim=-2) for column in columns], dim=-1)
