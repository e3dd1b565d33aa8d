"""What a CUDA graph of a step needs, shown on the CPU: everything comes in by its place, nothing is read back on the
host, and all memory stays where it is."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)

from suite.data.batch import Batch
from suite.papers.base import Paper, Report
from suite.run.config import CONF
from suite.updates.replay import ReplayPool

WGAN_GP = {"loss": "wgan", "penalty": "squared", "critic_steps": 2}
BATCH, INSTANCE = {"norm": "batch"}, {"norm": "instance"}
DEEP = {"name": "unetpp", "depth": 2, "width": 4, "norm": "batch", "deep_supervision": True}
VANILLA = dict.fromkeys(("lambda_tri_s", "lambda_tri_c", "lambda_cls_s", "lambda_cls_c"), 0.0)

# By name: the paper, what its model is told, and the drawings of each photo where the paper reads pairs.
CASES: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "cyclegan, pool fills": ("cyclegan", {"pool_size": 50}, ()),
    "cyclegan, pool full": ("cyclegan", {"pool_size": 1}, ()),
    "cyclegan, no pool": ("cyclegan", {"pool_size": 0, "lambda_identity": 0.0}, ()),
    "cyclegan, penalty": ("cyclegan", {"adversarial": WGAN_GP}, ()),
    "cyclegan, weight clip": ("cyclegan", {"adversarial": {"loss": "wgan", "weight_clip": 0.01}}, ()),
    "cyclegan, average": ("cyclegan", {"ema_decay": 0.9, "clip_norm": 0.1}, ()),
    "cyclegan, sgd": ("cyclegan", {"optimizer": "sgd", "clip_norm": 0.1}, ()),
    "cyclegan, BatchNorm": ("cyclegan", {"backbone": BATCH, "discriminator": BATCH, "ema_decay": 0.9}, ()),
    "pix2pix": ("pix2pix", {}, ()),
    "pix2pix, disturbed": ("pix2pix", {"erasing": 1.0, "noise": 0.1}, ()),
    "pix2pix, dropout": ("pix2pix", {"erasing": 0.5, "noise": 0.1, "backbone": {"downs": 4, "dropout": 0.5}}, ()),
    "pix2pix, drawings": ("pix2pix", {"adversarial": {"real_label": 0.9}}, (3, 1, 2)),
    "pix2pix, penalty": ("pix2pix", {"adversarial": WGAN_GP, "discriminator": INSTANCE}, (2, 1)),
    "pix2pix, heads": ("pix2pix", {"backbone": DEEP, "ema_decay": 0.9}, (2, 2)),
    "dagan": ("dagan", {}, ()),
    "dagan, counts": ("dagan", {"inv_steps": 2, "d_steps": 2}, ()),
    "dagan, literal": ("dagan", {"da_loss": "literal", "da_sees": "mean", "da_moves": "target"}, ()),
    "dagan, BatchNorm": ("dagan", {"norm": "batch", "latent_heads": "heads", "upsampling": "transposed"}, ()),
    "dagan, average": ("dagan", {"ema_decay": 0.9, "clip_norm": 0.1}, ()),
    "dagan, no adversary": ("dagan", {"g_steps": 0, "d_steps": 0}, ()),
    "dagan, auto-encoder": ("dagan", {"variational": False, "reduction": "mean", "lambda_tv": 0.0}, ()),
    "two_step": ("two_step", {}, ()),
    "two_step, twice": ("two_step", {"g_steps": 2, "aux_on_fake": True, "embedding": 0, "ema_decay": 0.9}, ()),
    "two_step, encoder": ("two_step", {"stage": "encoder"}, ()),
    "two_step, told": ("two_step", {"stage": "encoder", "encoder_class": True, "encoder_labels": ["male"]}, ()),
    "two_step, pictures": ("two_step", {"stage": "encoder", "encoder_learns": "pictures"}, ()),
    "two_step, joint": ("two_step", {"stage": "joint", "ema_decay": 0.9, "clip_norm": 0.1}, ()),
    "sketch_to_image, tom": ("sketch_to_image", {"stage": "tom"}, ()),
    "sketch_to_image, tom by picture": (
        "sketch_to_image",
        {"stage": "tom", "tom_loss": "vanilla", "gram_of": "picture", "clip_norm": 0.1},
        (),
    ),
    "sketch_to_image": ("sketch_to_image", {}, ()),
    "sketch_to_image, vanilla": ("sketch_to_image", VANILLA | {"style": "none", "style_codes": "last"}, ()),
    "sketch_to_image, as coded": (
        "sketch_to_image",
        {"plain_step": True, "hinge": "batch", "strokes": "sum", "gate_8": "batch", "spectral_bn": True},
        (),
    ),
    "sketch_to_image, refine": ("sketch_to_image", {"stage": "refine", "ema_decay": 0.9, "clip_norm": 0.1}, ()),
    "sketch_to_image, refine unstyled": (
        "sketch_to_image",
        {"stage": "refine", "refiner_styled": False, "checkpointing": True},
        (),
    ),
    "sketch_to_image, joint": ("sketch_to_image", {"stage": "joint", "ema_decay": 0.9, "clip_norm": 0.1}, ()),
    "sketch_to_image, refine faces": (
        "sketch_to_image",
        {"stage": "refine", "refiner": "face", "lambda_refine": 0.0},
        (),
    ),
    "csi": ("csi", {}, ()),
    "csi, average": ("csi", {"norm": "instance", "ema_decay": 0.9, "clip_norm": 0.1, "lambda_tv": 0.0}, ()),
}


def test_every_paper_has_a_case() -> None:
    assert {paper for paper, _, _ in CASES.values()} == {path.stem for path in (CONF / "model").glob("[!_]*.yaml")}


@pytest.fixture(params=CASES)
def case(
    request: pytest.FixtureRequest,
    make_cyclegan: Callable,
    make_batches: Callable,
    make_pix2pix: Callable,
    make_pairs: Callable,
    make_dagan: Callable,
    make_csi: Callable,
    make_sketch_batches: Callable,
    make_two_step: Callable,
    make_labelled: Callable,
    make_sketch_to_image: Callable,
    make_drawn_photos: Callable,
) -> tuple[Callable[..., Paper], list[Batch]]:
    """What builds equal models, and batches for four steps."""
    paper, changes, counts = CASES[request.param]
    make, batches = {
        "cyclegan": (make_cyclegan, make_batches(8, 2)),
        "pix2pix": (make_pix2pix, make_pairs(8, counts)),
        "dagan": (make_dagan, make_sketch_batches(12)),
        "csi": (make_csi, make_sketch_batches(8)),
        "two_step": (make_two_step, make_labelled(8)),
        "sketch_to_image": (make_sketch_to_image, turned(make_drawn_photos(8, changes.get("stage", "autoencoder")))),
    }[paper]
    return partial(make, **changes), batches[: 4 * make(**changes).batches_per_step]


def turned(batches: list[Batch]) -> list[Batch]:
    """Where there are subsets of pictures, another one from the second batch on, and so for every two."""
    return [batch | {"turn": (number + 1) // 2} if "turn" in batch else batch for number, batch in enumerate(batches)]


def memory(model: Paper) -> dict[str, Tensor]:
    """All that a step reads or writes and that is there before and after it, by name."""
    found = dict(model.named_parameters()) | dict(model.named_buffers())
    found |= {f"{name}.grad": weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    found |= {f"{name}.stored": m.stored for name, m in model.named_modules() if isinstance(m, ReplayPool) and m.size}
    for number, optimizer in enumerate(model.optimizers()):
        for place, state in enumerate(optimizer.state.values()):
            found |= {f"{number}.{place}.{name}": value for name, value in state.items()}
        found |= {f"{number}.lr{place or ''}": group["lr"] for place, group in enumerate(optimizer.param_groups)}
    return {name: value.detach() for name, value in found.items()}  # apart from whatever may take its place


# Everything comes in --------------------------------------------------------------------------------------------------


def copied(into: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The values, where the first ones were."""
    for name, value in values.items():
        if isinstance(value, Tensor):
            into.setdefault(name, torch.empty_like(value)).copy_(value)
        else:
            into[name] = value
    return into


def test_a_step_on_memory_that_is_used_again_is_a_training_step(case: tuple) -> None:
    make, batches = case
    model, twin = make(), make()
    model.optimizers()  # are there before a step
    expected: list[Report] = []
    twin.report = expected.append
    buffers: dict[str, Any] = {}
    drawn_buffers: dict[str, Any] = {}
    for number, batch in enumerate(batches):
        torch.manual_seed(number)
        twin.training_step(batch, 0)

        torch.manual_seed(number)
        model.before_step(batch)
        model.write_rates()
        step, counts = model.next_step()
        drawn = copied(drawn_buffers, model.draw(batch))
        luck = torch.get_rng_state()
        reported = step(copied(buffers, batch), drawn)
        # Dropout alone, and the like, draws within a step, from torch's own generator, which a graph knows.
        drops = any(isinstance(module, nn.Dropout) for module in model.modules())
        assert torch.equal(torch.get_rng_state(), luck) is not drops
        model.batches, model.steps = model.batches + 1, model.steps + counts
        for name, value in reported.items():
            assert torch.equal(value, expected[number][name]), name
        assert all(name in reported or name.startswith("norms/") for name in expected[number])
    ours, theirs = memory(model), memory(twin)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


# Nothing is read back -------------------------------------------------------------------------------------------------


def without_values(model: Paper, mode: FakeTensorMode) -> Paper:
    """The model, its weights and buffers replaced by tensors of a shape and a device, and nothing in them."""
    for module in (part for network in (model, *model.held.values()) for part in network.modules()):
        for name, weight in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(mode.from_tensor(weight.detach()), weight.requires_grad))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, mode.from_tensor(buffer))
    return model


def fake_steps(model: Paper, twin: Paper, batches: list[Batch]) -> None:
    """Steps of the model on tensors without values: whatever would have to fetch one raises. The twin draws."""
    model.configure_optimizers()  # what a paper holds for its losses is there, too
    mode = FakeTensorMode()
    without_values(model, mode)
    pools = [module for module in model.modules() if isinstance(module, ReplayPool) and module.size]
    for batch in batches:
        given, drawn = (
            {name: mode.from_tensor(value) if isinstance(value, Tensor) else value for name, value in values.items()}
            for values in (batch, twin.draw(batch))
        )
        with mode:
            model.optimizers()  # are there before a step
            for pool in pools:
                pool.allocate(given["a"])
            model.before_step(given)
            step, counts = model.next_step()
            reported = step(given, drawn)
        assert all(value.shape == () and value.fake_mode is mode for value in reported.values())
        model.batches, model.steps = model.batches + 1, model.steps + counts


def test_a_step_reads_nothing_back(case: tuple) -> None:
    make, batches = case
    model = make()
    fake_steps(model, make(), batches[: 2 * model.batches_per_step])


@pytest.mark.parametrize(
    ("wait", "raises"),
    [
        (lambda loss: loss.item(), DataDependentOutputException),
        (lambda loss: loss.flatten().tolist(), DataDependentOutputException),
        (lambda loss: max(loss, 0.0), DataDependentOutputException),
        (lambda loss: loss[None][loss[None] > 0], DynamicOutputShapeException),
    ],
    ids=["item", "tolist", "branch", "boolean index"],
)
def test_a_step_that_reads_something_back_would_be_noticed(
    wait: Callable, raises: type, make_cyclegan: Callable, make_batches: Callable
) -> None:
    model = make_cyclegan()
    update = model.update
    model.update = lambda name, losses: [wait(loss) for loss in losses.values()] and update(name, losses)
    with pytest.raises(raises):
        fake_steps(model, make_cyclegan(), make_batches(1))


# Memory stays where it is ---------------------------------------------------------------------------------------------


def test_memory_stays_where_it_is_also_when_the_learning_rate_moves(case: tuple) -> None:
    make, batches = case
    model = make(steps=2, decay_steps=2)
    whole_round = model.batches_per_step
    for batch in batches[:whole_round]:
        model.training_step(batch, 0)
    # They are kept, as the place of one that is freed might be given to the one that comes after it.
    first, rates = memory(model), []
    # By identity: a network may be part of another one.
    trained = {id(weight) for network in model.networks().values() for weight in network.parameters()}
    assert first.keys() >= {f"{name}.grad" for name, weight in model.named_parameters() if id(weight) in trained}
    for number, batch in enumerate(batches[whole_round:], start=1):
        model.training_step(batch, 0)
        now = memory(model)
        assert now.keys() == first.keys()
        assert [name for name, value in now.items() if value.data_ptr() != first[name].data_ptr()] == []
        if number % whole_round == 0:
            # Networks that learn at a share of it have one of their own.
            rates.append(max(float(value) for name, value in now.items() if name.startswith("0.lr")))
    assert rates == pytest.approx([model.lr, model.lr * 2 / 3, model.lr / 3])
