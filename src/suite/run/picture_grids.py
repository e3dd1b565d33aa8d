"""images/ of a run folder: what the model makes of pictures, one grid a translation after each validation."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from PIL import Image, ImageDraw
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor

from suite.arguments import Count, Positive, check_value
from suite.data.batch import Batch
from suite.files import make_folder, write_picture
from suite.images import signed_to_uint8, to_pil, to_rgb
from suite.papers.base import Paper

HEADER = 14  # pixels above a grid, for the titles of its columns: a line of Pillow's own font


@dataclass
class Grid:
    """The rows of one grid so far."""

    columns: dict[str, int]  # width by title, in order
    rows: list[Tensor] = field(default_factory=list)  # uint8 (B, 3, H, width of all columns)

    @property
    def caption(self) -> str:
        return " | ".join(self.columns)

    def draw(self) -> Image.Image:
        """All rows below a line of titles."""
        rows = torch.cat(self.rows)
        picture = to_pil(arrange(rows))
        grid = Image.new("RGB", (picture.width, picture.height + HEADER), "white")
        grid.paste(picture, (0, HEADER))
        for left in range(0, picture.width, rows.shape[-1]):
            for title, width in self.columns.items():
                grid.paste(written(title, width), (left, 0))
                left += width
        return grid

    def single(self) -> list[list[Image.Image]]:
        """The pictures of each row by themselves, in the order of the columns."""
        rows = torch.cat(self.rows).split(list(self.columns.values()), dim=-1)
        return [[to_pil(picture) for picture in row] for row in zip(*rows, strict=True)]


class PictureGrids(Callback):
    """Writes the rows of what a paper makes of the first `count` validation pictures to images/, and to W&B.

    As <name>_<when>.png, one grid for each of the paper's translations that has a row, its columns titled: of one side
    into the other input | output | truth, the truth left out where the data has none. The same pictures every time; to
    W&B also one by one, as a table a validation. So,
    too, the first `train` training pictures, uncropped, as train_<name>: the first process alone makes them, and draws
    no random number. Beside them the paper's `sheets`, as they are. After every n-th validation, counted through a run
    and those that resume it.
    """

    def __init__(self, folder: Path, count: Count, every_n_validations: Positive, train: Count = 0) -> None:
        self.folder, self.count, self.every, self.train = folder, count, every_n_validations, train
        self.validations = 0  # begun
        self.collected = 0
        self.grids: dict[str, Grid] = {}
        self.sheets: dict[str, Image.Image] = {}
        self.training_pictures: list[Batch] = []  # uint8

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.train > 0 and trainer.is_global_zero:  # now: uncropped they are in no cache, and their files may go
            data: Any = trainer.datamodule  # type: ignore[attr-defined]
            self.training_pictures = list(data.first_batches("train", self.train))

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking:
            self.validations += 1

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
            if self.collected == 0:
                assert isinstance(pl_module, Paper)
                self.sheets = {name: to_pil(sheet) for name, sheet in pl_module.sheets(batch).items()}
            self._add(pl_module, batch, most=self.count - self.collected)
            self.collected += len(batch["index"])

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._due(trainer):
            return
        if self.train > 0:
            self._add_training_pictures(trainer, pl_module)
        assert isinstance(pl_module, Paper)
        make_folder(self.folder)
        drawn = {name: (grid.draw(), grid.caption) for name, grid in self.grids.items()}
        drawn |= {name: (sheet, name) for name, sheet in self.sheets.items()}
        for name, (picture, caption) in drawn.items():
            write_picture(picture, self.folder / f"{name}_{moment(trainer, pl_module)}.png")
            for logger in trainer.loggers:
                if isinstance(logger, WandbLogger):
                    logger.log_image(f"pictures/{name}", [picture], step=pl_module.batches, caption=[caption])
                    if name in self.grids:
                        log_table(logger, name, self.grids[name], trainer, pl_module)
        self.grids, self.sheets, self.collected = {}, {}, 0

    def state_dict(self) -> dict[str, Any]:
        return {"validations": self.validations}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        check_value("callbacks.PictureGrids.validations", state_dict["validations"], Count)
        self.validations = state_dict["validations"]

    def _due(self, trainer: pl.Trainer) -> bool:
        return trainer.is_global_zero and not trainer.sanity_checking and self.validations % self.every == 0

    def _add(self, pl_module: pl.LightningModule, batch: Batch, most: int | None = None, prefix: str = "") -> None:
        assert isinstance(pl_module, Paper)
        for translation in pl_module.predict(batch):
            if translation.row:
                columns = {title: pictures.shape[-1] for title, pictures in translation.row.items()}
                rows = torch.cat([to_rgb(signed_to_uint8(p)) for p in translation.row.values()], dim=-1).cpu()
                self.grids.setdefault(prefix + translation.name, Grid(columns)).rows.append(rows[:most])

    def _add_training_pictures(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """In the model's state of validation; what a model draws at random is given back."""
        device, data = pl_module.device, trainer.datamodule  # type: ignore[attr-defined]
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            for batch in self.training_pictures:
                on_device = data.transfer_batch_to_device(batch, device, 0)
                self._add(pl_module, data.on_after_batch_transfer(on_device, 0), prefix="train_")


def log_table(logger: WandbLogger, name: str, grid: Grid, trainer: pl.Trainer, model: Paper) -> None:
    """tables/<name>: a row a picture, with when it was made, so that W&B sorts and pages through a training."""
    import wandb

    when = [trainer.current_epoch + 1, model.steps]
    data = [[*when, number, *map(wandb.Image, pictures)] for number, pictures in enumerate(grid.single(), start=1)]
    logger.log_table(f"tables/{name}", ["epoch", "step", "picture", *grid.columns], data, step=model.batches)


def moment(trainer: pl.Trainer, model: Paper) -> str:
    """When a validation is, for the name of a file: epoch0001, or step000500 where validations are counted in steps."""
    if trainer.check_val_every_n_epoch is None:
        return f"step{model.steps:06d}"
    return f"epoch{trainer.current_epoch + 1:04d}"


def latest(folder: Path, wanted: str | None = None) -> Path | None:
    """A grid of the last validation: the wanted one, else of several the first by name; None where there is none."""
    grids = [path for path in folder.glob("*.png") if not path.name.startswith("train_")]
    if not grids:
        return None
    when = max(grids, key=lambda path: path.stat().st_mtime_ns).stem.rpartition("_")[2]
    of_last = [path for path in grids if path.stem.endswith(f"_{when}")]
    return min(of_last, key=lambda path: (path.stem != f"{wanted}_{when}", path))


def arrange(rows: Tensor) -> Tensor:
    """Pictures (B, C, H, W) in two columns, which fit a screen better than one: (C, H * ceil(B / 2), 2 * W)."""
    if len(rows) % 2 and len(rows) > 1:
        rows = torch.cat([rows, torch.full_like(rows[:1], 255)])
    columns = rows.chunk(2)
    return torch.cat([torch.cat(list(column), dim=-2) for column in columns], dim=-1)


def written(title: str, width: int) -> Image.Image:
    """Black on white, HEADER pixels high, in the middle; what is longer than `width` pixels is cut at the right."""
    strip = Image.new("RGB", (width, HEADER), "white")
    pen = ImageDraw.Draw(strip)
    pen.text((max(0, (width - pen.textlength(title)) / 2), 1), title, fill="black")
    return strip
