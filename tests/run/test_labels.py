"""A paper that has labels: it is built with the names that the data's have, and asked about those of other data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
from torch import Tensor, nn

import suite.papers
from suite.arguments import Name
from suite.data.batch import Batch
from suite.errors import UserError
from suite.networks.build import build_generator
from suite.papers import register
from suite.papers.base import Paper, Report
from suite.run.config import CONF, check_labels, instantiate, register_resolvers

CONFIGURATION = """\
# @package _global_
defaults:
  - _paper
  - _self_
model: {paper: by_label, labels: null, lr: 0.01, betas: [0.5, 0.9], epochs: 1, decay_epochs: 0}
"""


@pytest.fixture
def compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(suite.papers, "_registered", {})

    @register
    class ByLabel(Paper):
        name = "by_label"
        tasks = ("labelled",)
        trains_on_pictures = False

        def __init__(self, *, labels: list[Name] | None, **shared: Any) -> None:
            super().__init__(**shared)
            assert labels is not None
            self.labels = tuple(labels)
            self.G = build_generator({"name": "resnet", "blocks": 1, "width": 4}, 3, 3)
            self.asked: Mapping[str, int] = {}
            self.assemble()

        def trained(self) -> dict[str, dict[str, nn.Module]]:
            return {"G": {"G": self.G}}

        def generators(self) -> dict[str, nn.Module]:
            return {"G": self.G}

        def check_labels(self, names: tuple[str, ...], counts: Mapping[str, int] | None = None) -> None:
            if names != self.labels:
                raise UserError(f"labels: {names}")
            self.asked = counts

        def step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
            losses: Report = {"G": self.G(torch.zeros(1, 3, 8, 8)).mean()}
            self.update("G", losses)
            return losses

    register_resolvers()
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "by_label.yaml").write_text(CONFIGURATION)

    def make(*words: str) -> Any:
        where = [f"hydra.searchpath=[file://{tmp_path / 'conf'}]", f"cache_dir={tmp_path / 'cache'}"]
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra.compose("train", [*where, "model=by_label", "scale=smoke", *words])

    return make


def test_labels_are_those_of_the_data_and_stand_in_the_configuration(compose: Any, tmp_path: Path) -> None:
    config = compose("data.task=labelled")
    model, data = instantiate(config)
    assert model.labels == ("female", "male")
    assert config.model.labels == ["female", "male"]
    assert model.hparams["labels"] == ["female", "male"]
    assert not data.with_pictures
    assert not (tmp_path / "cache" / "pictures").exists()
    check_labels(model, data, training=True)
    assert model.asked == data.label_counts("train")
    assert list(model.asked) == ["female", "male"]
    assert sum(model.asked.values()) == 8


def test_labels_that_are_said_stay(compose: Any) -> None:
    config = compose("data.task=labelled", "model.labels=[f,m]")
    model, data = instantiate(config)
    assert model.labels == ("f", "m")
    with pytest.raises(UserError, match=r"^labels: \('female', 'male'\)$"):
        check_labels(model, data, training=True)


def test_another_task_is_refused_by_its_name(compose: Any) -> None:
    with pytest.raises(UserError, match=r"^data\.task=unpaired: ByLabel trains on data\.task=labelled$"):
        instantiate(compose("data.task=unpaired"))


def test_a_split_without_pictures_has_none_of_each_label(compose: Any) -> None:
    _, data = instantiate(compose("data.task=labelled", "data.count.val=0"))
    assert data.label_counts("val") == {"female": 0, "male": 0}
