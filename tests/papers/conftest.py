"""Papers small enough to train in a test, and batches for them; a small CycleGAN is in tests/conftest.py."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from pytorch_lightning.loggers.logger import DummyLogger
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import Tensor

from suite.data.batch import Batch
from suite.papers.base import Paper
from suite.papers.csi import CSI
from suite.papers.dagan import DAGAN
from suite.papers.pix2pix import Pix2Pix
from suite.papers.sketch_to_image import SketchToImage
from suite.papers.two_step import TwoStep
from suite.run.config import defaults_of


@pytest.fixture
def all_in_fp64(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Losses, too, which are fp32 otherwise: where a gradient is near 0, Adam makes whole steps of its rounding."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def make_pix2pix() -> Callable[..., Pix2Pix]:
    """Builds equal models from equal changes: the weights are drawn from one seed."""

    def make(**changes: Any) -> Pix2Pix:
        torch.manual_seed(0)
        settings: dict[str, Any] = defaults_of("pix2pix") | {
            "backbone": {"name": "unet", "downs": 3, "width": 4, "norm": "batch", "dropout": 0.0},
            "discriminator": {"name": "patch", "downs": 2, "width": 4, "norm": "batch"},
            "adversarial": {"loss": "vanilla"},
            "channels_b": 1,
            "epochs": 1,
            "decay_epochs": 1,
        }
        for name, value in changes.items():
            more = isinstance(value, dict) and "name" not in value  # a named network is a whole other one
            settings[name] = settings[name] | value if more else value
        return Pix2Pix(**settings)

    return make


@pytest.fixture
def make_pairs() -> Callable[..., list[Batch]]:
    """Batches of coloured noise with `counts` drawings of each photo, padded with black; none of them: one drawing."""

    def make(count: int, counts: Sequence[int] = (), size: int = 32, dtype: torch.dtype = torch.float32) -> list[Batch]:
        random = torch.Generator().manual_seed(1)
        batches: list[Batch] = []
        for _ in range(count):
            photos = len(counts) or 2
            drawings = (torch.rand(photos, max(counts, default=1), 1, size, size, generator=random) * 2 - 1).to(dtype)
            a = (torch.rand(photos, 3, size, size, generator=random) * 2 - 1).to(dtype)
            batch: Batch = {"a": a, "b": drawings[:, 0], "paired": True}
            if counts:
                for photo, its in enumerate(counts):
                    drawings[photo, its:] = -1
                batch |= {"drawings": drawings, "drawing_count": torch.tensor(counts)}
            batches.append(batch)
        return batches

    return make


PERCEPTUAL = {"features": "random_vgg", "features_width": 4, "features_weights": None, "epochs": 1, "decay_epochs": 1}


def maker(paper: type[Paper], **small: Any) -> Callable[..., Any]:
    """Builds equal models from equal changes: the weights are drawn from one seed."""

    def make(**changes: Any) -> Any:
        torch.manual_seed(0)
        settings = defaults_of(paper.name) | {"channels_a": 1, "channels_b": 3} | PERCEPTUAL | small | changes
        return paper(**settings)

    return make


@pytest.fixture
def make_dagan() -> Callable[..., DAGAN]:
    return maker(DAGAN, width=2, size=32)


@pytest.fixture
def make_csi() -> Callable[..., CSI]:
    return maker(CSI, width=2)


@pytest.fixture
def make_sketch_batches() -> Callable[..., list[Batch]]:
    """Batches of noise as `semi_supervised` has them: grey sketches, their colour photos, sketches of another style."""

    def make(count: int, batch_size: int = 2, size: int = 32, dtype: torch.dtype = torch.float32) -> list[Batch]:
        random = torch.Generator().manual_seed(1)
        return [
            {
                side: (torch.rand(batch_size, channels, size, size, generator=random) * 2 - 1).to(dtype)
                for side, channels in (("a", 1), ("b", 3), ("target", 1))
            }
            | {"paired": True}
            for _ in range(count)
        ]

    return make


@pytest.fixture
def make_two_step() -> Callable[..., TwoStep]:
    """Builds equal models from equal changes: the weights are drawn from one seed. Of step 1 unless told otherwise."""

    def make(**changes: Any) -> TwoStep:
        torch.manual_seed(0)
        small = {"size": 16, "width": 4, "width_d": 4, "latent": 8, "labels": ["female", "male"], "stage": "generator"}
        return TwoStep(**defaults_of("two_step") | {"epochs": 1} | small | changes)

    return make


@pytest.fixture
def make_labelled() -> Callable[..., list[Batch]]:
    """Batches of coloured noise, of labels 0 and 1 in turns."""

    def make(count: int, batch_size: int = 4, size: int = 16, dtype: torch.dtype = torch.float32) -> list[Batch]:
        random = torch.Generator().manual_seed(1)
        return [
            {
                "a": (torch.rand(batch_size, 3, size, size, generator=random) * 2 - 1).to(dtype),
                "label": torch.arange(batch_size) % 2,
                "index": torch.arange(batch_size),
                "paired": False,
            }
            for _ in range(count)
        ]

    return make


@pytest.fixture
def make_sketch_to_image() -> Callable[..., SketchToImage]:
    """Builds equal models from equal changes: the weights are drawn from one seed. Of the auto-encoder by default."""

    def make(**changes: Any) -> SketchToImage:
        torch.manual_seed(0)
        small: dict[str, Any] = {"size": 64, "output_size": 64, "tom_size": 64, "width": 2, "classes": 3, "steps": None}
        small |= {"tom_width": 2, "tom_width_d": 4, "content_layer": "pool2"}
        small |= {"gram_layers": ["pool1", "pool2", "pool3"], "stage": "autoencoder"}
        channels = {"channels_a": 3, "channels_b": 1} if changes.get("stage") == "tom" else {"channels_a": 1}
        return SketchToImage(
            **defaults_of("sketch_to_image") | PERCEPTUAL | {"channels_b": 3} | channels | small | changes
        )

    return make


@pytest.fixture
def make_drawn_photos() -> Callable[..., list[Batch]]:
    """Batches of noise as a stage of sketch_to_image reads them, those of evaluation in them, too."""

    def make(
        count: int, stage: str = "autoencoder", dtype: torch.dtype = torch.float32, output_size: int = 64
    ) -> list[Batch]:
        random = torch.Generator().manual_seed(1)

        def noise(*channels: int) -> Tensor:
            return (torch.rand(3, *channels, output_size, output_size, generator=random) * 2 - 1).to(dtype)

        batches: list[Batch] = []
        for _ in range(count):
            batch: Batch = {"index": torch.arange(3), "paired": True, "fresh_a": torch.ones(3, dtype=torch.bool)}
            if stage == "tom":
                batches.append(batch | {"a": noise(3), "b": noise(1)})
                continue
            batch |= {"a": noise(1), "b": noise(3), "style": noise(3), "drawings": noise(4, 1), "sibling": noise(1)}
            batch |= {"subset": noise(3), "subset_drawing": noise(1), "subset_label": torch.tensor([2, 0, 1])}
            batches.append(batch | {"classes": 3, "turn": 0})
        return batches

    return make


class Table(DummyLogger):
    """Keeps what is logged, by batch."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[int, dict[str, float]] = {}

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.rows[step] = metrics


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def halves() -> Callable[..., list[MixedPrecision]]:
    """A Trainer's plugins, with a real scaler: on the CPU, "16-mixed" alone is bfloat16, which has none."""
    return lambda scale=1024.0: [MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=scale))]
