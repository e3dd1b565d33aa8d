"""What a paper makes of a batch: between two sides, and of pictures with labels, in a grid and in figures."""

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor, nn

from suite.data.module import PictureData
from suite.images import signed_to_uint8
from suite.metrics.callback import MetricsCallback
from suite.metrics.distances import frechet_distance
from suite.metrics.features import Features
from suite.papers import arguments_of
from suite.papers.base import Paper
from suite.papers.translation import Translation, between_sides
from suite.run.config import defaults_of
from suite.run.picture_grids import HEADER, PictureGrids


@pytest.mark.parametrize(("direction", "source", "target"), [("a2b", "a", "b"), ("b2a", "b", "a")])
def test_one_side_into_the_other(direction: str, source: str, target: str) -> None:
    batch = {side: torch.rand(2, 3, 4, 4) for side in ("a", "b")}
    batch |= {"paired": False, "fresh_a": torch.tensor([True, False]), "fresh_b": torch.tensor([True, True])}
    output = torch.rand(2, 3, 4, 4)
    alone = between_sides(batch, direction, output)
    assert (alone.name, alone.reals, list(alone.row)) == (direction, target, ["input", "output"])
    assert alone.row["input"] is batch[source]
    assert alone.output is alone.row["output"] is output
    assert alone.truth is alone.drawings is alone.drawing_count is None
    assert alone.counts is batch[f"fresh_{source}"]
    beside = between_sides(batch | {"paired": True}, direction, output)
    assert list(beside.row) == ["input", "output", "truth"]
    assert beside.truth is beside.row["truth"] is batch[target]


@pytest.mark.parametrize("side", ["a", "b"])
def test_all_drawings_of_a_photo_go_with_what_is_drawn(side: str) -> None:
    batch = {"a": torch.rand(2, 3, 4, 4), "b": torch.rand(2, 3, 4, 4), "paired": True}
    batch |= {"drawings": torch.rand(2, 3, 3, 4, 4), "drawing_count": torch.tensor([1, 3]), "drawing_side": side}
    towards, away = ("b2a", "a2b") if side == "a" else ("a2b", "b2a")
    drawn, back = between_sides(batch, towards, batch["a"]), between_sides(batch, away, batch["a"])
    assert drawn.drawings is batch["drawings"]
    assert drawn.drawing_count is batch["drawing_count"]
    assert back.drawings is back.drawing_count is None
    # Strokes of one sketch, as the task self_supervised has them, are no drawings to compare with.
    del batch["drawing_side"]
    assert between_sides(batch, towards, batch["a"]).drawings is None


class ColourMeans(Features):
    """Three figures a picture, quickly."""

    key = "colour_means"
    num_features = 3

    def extract(self, pictures: Tensor) -> Tensor:
        return pictures.float().mean(dim=(-2, -1)) / 255


class ToLabel(Paper):
    """Gives a picture the colour of a label: the smallest paper that translates by class."""

    name = "to_label"
    tasks = ("labelled",)

    def __init__(self, *, labels: tuple[str, ...], **shared: Any) -> None:
        super().__init__(**shared)
        self.labels = labels
        self.colours = nn.Embedding(len(labels), 3)
        self.assemble()

    def trained(self) -> dict[str, dict[str, nn.Module]]:
        return {"G": self.generators()}

    def generators(self) -> dict[str, nn.Module]:
        return {"colours": self.colours}

    def coloured(self, pictures: Tensor, label: int | Tensor) -> Tensor:
        labels = torch.as_tensor(label, device=pictures.device).expand(len(pictures))
        return pictures * 0.5 + self.translator("colours")(labels)[:, :, None, None]

    def step(self, batch: Any, drawn: dict[str, Tensor]) -> dict[str, Tensor]:
        losses = {"L2": (self.coloured(batch["a"], batch["label"]) - batch["a"]).square().mean()}
        self.update("G", losses)
        return losses

    def translate(self, batch: Any, direction: str = "a2b") -> Tensor:
        raise NotImplementedError

    @torch.no_grad()
    def predict(self, batch: Any) -> list[Translation]:
        made = {name: self.coloured(batch["a"], label) for label, name in enumerate(self.labels)}
        shown = Translation("labels", None, {"input": batch["a"]} | {f"as {name}": made[name] for name in made})
        others = {name: batch["label"] != label for label, name in enumerate(self.labels)}  # no picture as what it is
        return [
            shown,
            *(Translation(f"to_{name}", made[name], reals=f"label={name}", counts=others[name]) for name in made),
        ]


def test_a_paper_of_labels_has_a_grid_and_figures_by_label(tmp_path: Path) -> None:
    data = PictureData(
        source="faces", task="labelled", size=32, load_size=32, count={"train": 4, "val": 10, "test": 2},
        batch_size=4, eval_batch_size=4, workers=0, cache_dir=str(tmp_path),
    )  # fmt: skip
    torch.manual_seed(0)
    settings = defaults_of("cyclegan")
    shared = {key: settings[key] for key in arguments_of(Paper) if key in settings}
    model = ToLabel(labels=("female", "male"), **shared)
    metrics = MetricsCallback(["fid", "l1"], str(tmp_path), features="random_vgg")
    metrics.extractor = ColourMeans()
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, callbacks=[PictureGrids(tmp_path / "images", 3, 1, train=2), metrics],
        num_sanity_val_steps=0, use_distributed_sampler=False, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    trainer.fit(model, datamodule=data)

    names = {"labels_epoch0001.png", "train_labels_epoch0001.png"}
    assert {path.name for path in (tmp_path / "images").iterdir()} == names
    assert Image.open(tmp_path / "images" / "labels_epoch0001.png").size == (2 * 3 * 32, 2 * 32 + HEADER)

    pictures = torch.cat([batch["a"] for batch in data.val_dataloader()])
    labels = torch.cat([batch["label"] for batch in data.val_dataloader()])
    assert 2 <= labels.sum() <= 8  # some of both
    expected = {}
    for section, label in (("val", 0), ("val_to_male", 1)):
        fakes = model.coloured(pictures[labels != label] / 127.5 - 1, label).detach()
        features = [metrics.extractor(some) for some in (pictures[labels == label], signed_to_uint8(fakes))]
        expected[f"{section}/fd_random_vgg"] = frechet_distance(*features)
        expected |= {f"{section}/n": len(fakes), f"{section}/n_real": len(features[0])}
    figures = {name: value.item() for name, value in trainer.callback_metrics.items() if name.startswith("val")}
    assert figures == pytest.approx(expected, rel=1e-3)
