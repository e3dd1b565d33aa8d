"""A module that predicts and a datamodule that hands out pictures, with nothing else in them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from suite.images import uint8_to_unit, unit_to_signed
from suite.metrics.callback import MetricsCallback
from suite.metrics.features import Features
from suite.papers.translation import Translation, between_sides


def make_pictures(count: int, seed: int, size: int = 16, channels: int = 3) -> Tensor:
    """uint8 (count, channels, size, size): smooth blobs, so that structure can be compared."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, channels, 4, 4, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, size=size, mode="bilinear")
    return (fine * 255).round().to(torch.uint8)


class Rows(Dataset):
    def __init__(self, columns: dict[str, Tensor]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {name: column[row] for name, column in self.columns.items()}


class Data(pl.LightningDataModule):
    """Two sides of pictures; the shorter side repeats and is marked as in an unpaired evaluation set."""

    test_split = "test"

    def __init__(self, a: Tensor, b: Tensor, paired: bool = True, batch_size: int = 3) -> None:
        super().__init__()
        self.sides = {"a": a, "b": b}
        self.paired = paired
        self.batch_size = batch_size
        self.print = "first"
        self.several: dict[str, Tensor] = {}  # drawings of b (N, K, C, H, W) in [-1, 1], drawing_count (N,)
        self.asked: list[tuple[str, str]] = []

    @property
    def has_truth(self) -> bool:
        return self.paired

    def loader(self) -> DataLoader:
        length = max(len(side) for side in self.sides.values())
        columns: dict[str, Tensor] = {"index": torch.arange(length), **self.several}
        for name, side in self.sides.items():
            columns[name] = unit_to_signed(uint8_to_unit(side[torch.arange(length) % len(side)]))
            columns[f"fresh_{name}"] = torch.arange(length) < len(side)

        def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
            side = {"drawing_side": "b"} if self.several else {}
            return torch.utils.data.default_collate(rows) | {"paired": self.paired, **side}

        return DataLoader(Rows(columns), batch_size=self.batch_size, collate_fn=collate)

    train_dataloader = val_dataloader = test_dataloader = loader

    def reals(self, split: str, side: str) -> DataLoader:
        self.asked.append((split, side))
        pictures = self.sides[side] if split in ("val", "test") else self.sides[side].flip(-1)
        return DataLoader(Rows({"picture": pictures, "index": torch.arange(len(pictures))}), batch_size=4)

    def fingerprint(self, split: str) -> str:
        return f"{self.print}-{split}"


class Translator(pl.LightningModule):
    """One trainable figure; predicts the darkened other side, with some dropout if asked to."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(0.5))
        self.dropout = dropout
        self.drawn: list[float] = []

    def predict(self, batch: dict[str, Any]) -> list[Translation]:
        assert not torch.is_autocast_enabled("cpu")
        fakes = {"a2b": batch["a"] * self.gain, "b2a": batch["b"] * self.gain}
        dropped = {name: torch.nn.functional.dropout(fake, self.dropout) for name, fake in fakes.items()}
        return [between_sides(batch, name, fake) for name, fake in dropped.items()]

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Tensor:
        self.drawn.append(torch.rand(()).item())
        return (batch["a"] * self.gain - batch["b"]).square().mean()

    def validation_step(self, batch: dict[str, Any], batch_idx: int) -> None:
        pass

    test_step = validation_step

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-2)


class ColourMeans(Features):
    """Twelve figures a picture, quickly: the colour means of its quarters. Counts the pictures it sees."""

    key = "colour_means"
    num_features = 12

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def extract(self, pictures: Tensor) -> Tensor:
        assert pictures.dtype == torch.uint8
        assert pictures.shape[1] == 3
        self.seen += len(pictures)
        return torch.nn.functional.adaptive_avg_pool2d(pictures.float() / 255, 2).flatten(1)


@pytest.fixture(scope="session")
def vgg19_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights under torchvision's names, as far as conv3_4 and a layer behind it."""
    from torchvision.models import vgg19

    with torch.device("meta"):  # its last layers would take half a gigabyte
        features = vgg19(weights=None, init_weights=False).features[:20]
    features = features.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(3)
    for parameter in features.parameters():
        torch.nn.init.normal_(parameter, std=0.05, generator=generator)
    path = tmp_path_factory.mktemp("weights") / "vgg19.pth"
    torch.save({f"features.{name}": weight for name, weight in features.state_dict().items()}, path)
    return path


@pytest.fixture
def toys() -> SimpleNamespace:
    return SimpleNamespace(
        make_pictures=make_pictures, Data=Data, Translator=Translator, ColourMeans=ColourMeans, Rows=Rows
    )


@pytest.fixture
def trainer(tmp_path) -> Callable[..., pl.Trainer]:
    def build(callback: pl.Callback | None = None, **options: Any) -> pl.Trainer:
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        quiet |= {"enable_model_summary": False, "num_sanity_val_steps": 0, "max_epochs": 1}
        callbacks = [] if callback is None else [callback]
        return pl.Trainer(accelerator="cpu", default_root_dir=tmp_path, callbacks=callbacks, **{**quiet, **options})

    return build


@pytest.fixture
def metrics(tmp_path) -> Callable[..., MetricsCallback]:
    """The callback with quick features, which go under the name of random_vgg."""

    def build(**options: Any) -> MetricsCallback:
        names = ["fid", "kid", "psnr", "ssim", "l1", "l1_closest"]
        callback = MetricsCallback(**{"names": names, "features": "random_vgg", "cache_dir": tmp_path, **options})
        callback.extractor = ColourMeans()
        return callback

    return build


@pytest.fixture
def data() -> Data:
    return Data(make_pictures(10, seed=0), make_pictures(10, seed=1))


@pytest.fixture
def evaluated(trainer) -> Callable[..., dict[str, float]]:
    """The figures of one validation or test, without the numbers of pictures that stand beside them."""

    def run(callback: MetricsCallback, model: pl.LightningModule, data: Any, stage: str = "validate") -> dict:
        around = trainer(callback)
        getattr(around, stage)(model, datamodule=data, verbose=False)
        return {name: value.item() for name, value in around.callback_metrics.items() if "/n" not in name}

    return run
