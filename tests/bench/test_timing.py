import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from suite.bench import timing
from suite.papers import arguments_of
from suite.papers.base import Paper
from suite.papers.cyclegan import CycleGAN
from suite.papers.pix2pix import Pix2Pix
from suite.run.config import defaults_of
from suite.updates.loss_log import is_loss


@pytest.fixture
def make_paper(make_cyclegan: Callable) -> Callable[..., Paper]:
    """A small model of either paper; equal changes make equal models."""

    def make(paper: str, **changes: Any) -> Paper:
        if paper == "cyclegan":
            return make_cyclegan(**changes)
        torch.manual_seed(0)
        settings: dict[str, Any] = defaults_of("pix2pix") | {
            "backbone": {"name": "unet", "downs": 3, "width": 4, "norm": "batch", "dropout": 0.0},
            "discriminator": {"name": "patch", "downs": 2, "width": 4, "norm": "batch"},
            "adversarial": {"loss": "vanilla"},
        }
        for name, value in changes.items():
            more = isinstance(value, dict) and "name" not in value  # a named network is a whole other one
            settings[name] = settings[name] | value if more else value
        return Pix2Pix(**settings)

    return make


def steps_of(model: Paper, batches: list) -> None:
    for number, batch in enumerate(batches):
        torch.manual_seed(number)
        model.training_step(batch, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"pool_size": 2, "ema_decay": 0.9},
        {"clip_norm": 0.5},
        {"adversarial": {"loss": "wgan", "penalty": "squared", "critic_steps": 2}},
    ],
)
def test_the_bare_step_is_the_one_under_lightning(
    changes: dict, make_cyclegan: Callable, make_batches: Callable, fit: Callable
) -> None:
    class SameLuck(timing.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
            torch.manual_seed(batch_idx)

    model, batches = make_cyclegan(**changes), make_batches(4)
    bare = CycleGAN(**model.hparams).train()
    bare.load_state_dict(model.state_dict())
    fit(model, batches, callbacks=SameLuck())
    steps_of(bare, batches)
    assert (bare.steps, bare.batches) == (model.steps, model.batches)
    for (name, ours), theirs in zip(bare.named_parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs), name
    assert all(weight.requires_grad for network in bare.networks().values() for weight in network.parameters())


@pytest.mark.parametrize("paper", ["cyclegan", "pix2pix"])
@pytest.mark.parametrize(
    ("changes", "there"),
    [
        ({"adversarial": {"loss": "lsgan"}}, True),
        ({"adversarial": {"loss": "vanilla"}}, True),
        ({"adversarial": {"loss": "hinge"}}, False),
        ({"adversarial": {"critic_steps": 2}}, False),
        ({"adversarial": {"penalty": "squared"}, "discriminator": {"norm": "instance"}}, False),
        ({"adversarial": {"weight_clip": 0.1}}, False),
        ({"clip_norm": 1.0}, False),
        ({"freeze": ["G"]}, False),
    ],
)
def test_there_is_a_reference_for_what_was_published(
    changes: dict, there: bool, paper: str, make_paper: Callable, make_batches: Callable
) -> None:
    (batch,) = make_batches(1)
    assert (make_paper(paper, **changes).published_step(batch) is not None) == there


def test_nothing_was_published_of_cyclegan_without_adam(make_paper: Callable, make_batches: Callable) -> None:
    (batch,) = make_batches(1)
    assert make_paper("cyclegan", optimizer="sgd").published_step(batch) is None
    assert make_paper("cyclegan", optimizer="adam").published_step(batch) is not None


def test_smoothed_labels_were_published_with_pix2pix_alone(make_paper: Callable, make_batches: Callable) -> None:
    (batch,) = make_batches(1)
    smoothed = {"adversarial": {"real_label": 0.9}}
    assert make_paper("cyclegan", **smoothed).published_step(batch) is None
    assert make_paper("pix2pix", **smoothed).published_step(batch) is not None


@pytest.mark.parametrize(("counts", "there"), [([3, 3], True), ([3, 2], False)])
def test_photos_of_a_batch_have_equally_many_drawings_in_the_reference(
    counts: list[int], there: bool, make_paper: Callable
) -> None:
    batch = {"drawings": torch.zeros(2, 3, 3, 32, 32), "drawing_count": torch.tensor(counts)}
    assert (make_paper("pix2pix").published_step(batch) is not None) == there


@pytest.mark.parametrize(
    ("paper", "settings", "drawings"),
    [
        ("cyclegan", {"lambda_a": 2.0, "lambda_b": 3.0, "lambda_identity": 0.1, "pool_size": 1}, 0),
        ("cyclegan", {"lambda_identity": 0.0, "adversarial": {"loss": "vanilla"}}, 0),
        ("pix2pix", {"lambda_l1": 3.0, "adversarial": {"real_label": 0.9}}, 3),
        ("pix2pix", {"adversarial": {"loss": "lsgan"}, "erasing": 1.0, "noise": 0.1}, 0),
        ("pix2pix", {"backbone": {"name": "unetpp", "depth": 2, "width": 4, "deep_supervision": True}}, 3),
    ],
)
def test_the_reference_makes_the_models_steps_on_copies(
    paper: str, settings: dict, drawings: int, make_paper: Callable, make_batches: Callable
) -> None:
    batches = make_batches(3, dtype=torch.float64)
    for batch in batches if drawings else []:
        of_photo = torch.randn(1, drawings, 3, 32, 32, dtype=torch.float64)
        batch |= {"drawings": of_photo, "drawing_count": torch.tensor([drawings])}
    made = make_paper(paper, lr=1e-3, betas=(0.1, 0.2), **settings)
    model = type(made)(**made.hparams).train().double()
    step = model.published_step(batches[0])
    before = [weight.detach().clone() for weight in model.parameters()]
    published = []
    for number, batch in enumerate(batches):
        torch.manual_seed(number)
        published.append(step(batch))
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    # What it did to its copies is what the model does to itself.
    ours: list[dict] = []
    model.report = ours.append
    steps_of(model, batches)
    for of_model, of_reference in zip(ours, published, strict=True):
        expected = {name: loss.item() for name, loss in of_reference.items()}
        seen = {name: loss.item() for name, loss in of_model.items() if is_loss(name)}
        assert seen == pytest.approx(expected, rel=1e-5)


def test_a_step_is_timed_after_the_warmup() -> None:
    made: list[int] = []

    def step(batch: dict) -> None:
        made.append(batch["number"])
        time.sleep(0.2 if len(made) <= 2 else 0.02)

    off = torch.autocast("cpu", torch.bfloat16, enabled=False)
    seconds = timing.time_steps(step, {"number": 7}, warmup=2, steps=5, autocast=off)
    assert made == [7] * 7
    assert 0.02 <= seconds < 0.1


class Sleepy(Paper):
    """A model of no use that takes its time: long in its first steps, short in later ones."""

    directions = ()

    def __init__(self, *, long: int, **shared: Any) -> None:
        super().__init__(**shared)
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.long = long

    @classmethod
    def make(cls, long: int) -> "Sleepy":
        settings = defaults_of("cyclegan")
        return cls(long=long, **{name: settings[name] for name in arguments_of(Paper) if name in settings})

    def generators(self) -> dict:
        return {}

    trained = generators

    def translate(self, batch, direction="a2b"):
        raise NotImplementedError

    def training_step(self, batch, batch_idx) -> None:
        time.sleep(0.2 if self.batches < self.long else 0.02)
        self.batches += 1

    def configure_optimizers(self):
        return [torch.optim.SGD([self.weight])]


@pytest.fixture
def make_trainer(tmp_path) -> Callable:
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    return lambda **more: timing.pl.Trainer(
        **quiet, **more, accelerator="cpu", max_epochs=-1, limit_val_batches=0, default_root_dir=tmp_path
    )


def test_lightnings_steps_are_timed_after_the_warmup(make_trainer: Callable) -> None:
    model = Sleepy.make(long=2)
    seconds = timing.time_lightning(model, {"a": torch.zeros(1)}, 2, 5, make_trainer)
    assert model.batches == 7
    assert 0.02 <= seconds < 0.1


def test_waiting_for_the_loader_is_measured_across_epochs(make_trainer: Callable) -> None:
    class SlowRows(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return 3  # batches an epoch

        def __getitem__(self, row: int) -> dict:
            if row >= 3:
                raise IndexError
            time.sleep(0.06)
            return {"a": torch.full((1,), float(row))}

    class Data(timing.pl.LightningDataModule):
        def train_dataloader(self):
            return timing.DataLoader(SlowRows(), batch_size=None)

    model = Sleepy.make(long=2)
    share, first, batch = timing.time_loader(model, Data(), 2, 5, make_trainer)
    assert model.batches == 7
    assert 0.2 <= first < 0.4
    assert batch["a"].item() == 0  # the seventh
    assert share == pytest.approx(0.06 / 0.08, abs=0.15)


def test_peak_memory_is_this_processs() -> None:
    before = timing.peak_memory(torch.device("cpu"))
    assert 50 < before < 100_000
    block = torch.ones(int(before * 2**20 / 4) + 2**24)  # as much again and 64 MiB
    assert timing.peak_memory(torch.device("cpu")) - before > 32
    del block
