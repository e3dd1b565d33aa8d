"""A small model of every paper, in its variants, with batches for a few steps; and all that a step may change."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from torch import Tensor

from suite.data.batch import Batch
from suite.papers.base import Paper
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


@pytest.fixture
def cases() -> dict[str, tuple[str, dict[str, Any], tuple[int, ...]]]:
    return CASES


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


@pytest.fixture
def memory_of() -> Callable[[Paper], dict[str, Tensor]]:
    return _memory


def _memory(model: Paper) -> dict[str, Tensor]:
    """All that a step reads or writes and that is there before and after it, by name."""
    found = dict(model.named_parameters()) | dict(model.named_buffers())
    found |= {f"{name}.grad": weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    found |= {f"{name}.stored": m.stored for name, m in model.named_modules() if isinstance(m, ReplayPool) and m.size}
    for number, optimizer in enumerate(model.optimizers()):
        for place, state in enumerate(optimizer.state.values()):
            found |= {f"{number}.{place}.{name}": value for name, value in state.items()}
        found |= {f"{number}.lr{place or ''}": group["lr"] for place, group in enumerate(optimizer.param_groups)}
    return {name: value.detach() for name, value in found.items()}  # apart from whatever may take its place
