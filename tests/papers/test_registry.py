"""Papers by name: those of the suite, and a small one from elsewhere that is no GAN."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hydra
import pytest
import torch
from torch import Tensor, nn

import suite
import suite.papers
from suite.arguments import NonNegative
from suite.data.batch import Batch
from suite.errors import UserError
from suite.losses.pixel import l1
from suite.networks.build import build_generator
from suite.papers import find_paper, register
from suite.papers.base import Direction, Paper, Report
from suite.run.checks import check_keys
from suite.run.config import CONF, instantiate, register_resolvers

CONFIGURATION = """\
# @package _global_
defaults:
  - _paper
  - _self_
model: {paper: latents, weight: 2.0, lr: 0.01, betas: [0.5, 0.9], epochs: 1, decay_epochs: 1}
"""


def make_class() -> type[Paper]:
    class Latents(Paper):
        """A generator, and a critic that judges vectors."""

        name = "latents"

        def __init__(self, *, weight: NonNegative, **shared: Any) -> None:
            super().__init__(**shared)
            self.weight = weight
            self.G = build_generator({"name": "resnet", "blocks": 1, "width": 4}, 3, 3)
            self.critic = nn.Linear(3, 1)
            self.assemble()

        def trained(self) -> dict[str, dict[str, nn.Module]]:
            return {"G": {"G": self.G}, "critic": {"critic": self.critic}}

        def generators(self) -> dict[str, nn.Module]:
            return {"G": self.G}

        @torch.no_grad()
        def translate(self, batch: Batch | Tensor, direction: Direction = "a2b") -> Tensor:
            return self.translator("G")(batch if isinstance(batch, Tensor) else batch["a"])

        def step(self, batch: Batch, drawn: dict[str, Tensor]) -> Report:
            losses: Report = {"L1": self.weight * l1(self.G(batch["a"]), batch["b"])}
            self.update("G", losses)
            with self.learning("critic"):
                of_critic = {"critic": self.critic(batch["b"].mean((2, 3))).square().mean()}
                self.update("critic", of_critic)
            return losses | of_critic

    return Latents


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite.papers, "_registered", {})


@pytest.fixture
def compose(tmp_path: Path) -> Callable[..., Any]:
    """The configuration of a run of the paper, whose file lies in a folder of its author's."""
    register_resolvers()
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "latents.yaml").write_text(CONFIGURATION)

    def make(*words: str) -> Any:
        where = f"hydra.searchpath=[file://{tmp_path / 'conf'}]"
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            config = hydra.compose("train", [where, "model=latents", "scale=smoke", *words])
        check_keys(config)
        return config

    return make


def test_a_registered_paper_is_configured_trained_and_loaded_as_any(
    compose: Callable, make_batches: Callable, fit: Callable, tmp_path: Path
) -> None:
    made = register(make_class())
    assert find_paper("latents") is made
    model, data = instantiate(compose("model.ema_decay=0.5", "model.freeze=[G.layers.1]"))
    assert type(model) is made
    assert (model.weight, model.lr, data.size) == (2.0, 0.01, 32)
    assert model.summary()["model"].startswith("Latents: G ")

    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    fit(model, make_batches(3)).save_checkpoint(tmp_path / "last.ckpt")
    assert not torch.equal(model.critic.weight, before["critic.weight"])
    assert not torch.equal(model.G.layers[4].weight, before["G.layers.4.weight"])
    assert torch.equal(model.G.layers[1].weight, before["G.layers.1.weight"])
    again = suite.load(tmp_path / "last.ckpt")
    assert type(again) is made
    assert again.steps == 3
    pictures = torch.rand(1, 3, 16, 16)
    assert torch.equal(again.translate(pictures), model.eval().translate(pictures))
    assert not torch.equal(again.translate(pictures), again.G(pictures))  # but through its average


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("model.weight=-1", "model.weight=-1: give a number of at least 0"),
        ("+model.wieght=1", "unknown key model.wieght: did you mean model.weight?"),
        ("+model.pool_size=1", "unknown key model.pool_size: "),
        ("model.lr=x", "model.lr=x: give a number"),
        ("model.freeze=[F]", "model.freeze: F is no network or layer with weights; there are G, critic"),
    ],
)
def test_its_arguments_are_checked_as_any(word: str, message: str, compose: Callable) -> None:
    register(make_class())
    with pytest.raises(UserError) as error:
        instantiate(compose(word))
    assert str(error.value).startswith(message)


def test_a_critic_of_latents_has_no_smallest_picture(compose: Callable) -> None:
    register(make_class())
    model, _ = instantiate(compose())
    assert model.divisor == 4
    model.check_data(SimpleNamespace(size=4, task="paired"))
    with pytest.raises(UserError, match=r"^data.size=6 is not a multiple of 4"):
        model.check_data(SimpleNamespace(size=6, task="paired"))


def test_a_name_is_one_class() -> None:
    first = make_class()
    assert register(register(first)) is first
    with pytest.raises(ValueError, match=r"a paper of the name 'latents' already: give .*Latents another$"):
        register(make_class())
    for name in ("cyclegan", "pix2pix"):
        with pytest.raises(ValueError, match=f"a paper of the name '{name}' already"):
            register(type("Mine", (Paper,), {"name": name}))


def test_an_installed_paper_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_class()
    point = SimpleNamespace(name="latents", load=lambda: made)
    monkeypatch.setattr(suite.papers, "entry_points", lambda group: [point] if group == "suite.papers" else [])
    assert find_paper("latents") is made


def test_an_unknown_name_is_one_line_with_the_known_ones() -> None:
    register(make_class())
    with pytest.raises(UserError) as error:
        find_paper("latent")
    known = "csi, cyclegan, dagan, pix2pix, sketch_to_image, two_step, latents"
    assert str(error.value) == f"model.paper=latent: there is no such paper; choose from {known}"


def test_a_checkpoint_of_a_paper_that_is_not_there_is_one_line(
    compose: Callable, make_batches: Callable, fit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(make_class())
    model, _ = instantiate(compose())
    fit(model, make_batches(1)).save_checkpoint(tmp_path / "last.ckpt")
    monkeypatch.setattr(suite.papers, "_registered", {})
    with pytest.raises(UserError, match=r"last.ckpt is a checkpoint of latents, which this version does not have$"):
        suite.load(tmp_path / "last.ckpt")
