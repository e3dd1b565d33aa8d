"""The three stages of Liu 2021: what each loss moves, the rotating subset, what rests, and how styles come in."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from suite.errors import UserError
from suite.images import signed_to_uint8, uint8_to_unit, unit_to_signed
from suite.papers.reference import ReferenceSketchToImage
from suite.translating.fitting import Fitting

LOSSES = {
    "tom": {"D_T": {"D_T"}, "T": {"T"}, "T_content": {"T"}, "T_gram": {"T"}},
    "autoencoder": {
        "rec": {"S", "C", "G1"}, "tri_s": {"S"}, "tri_c": {"C"}, "cls_s": {"S", "head"}, "cls_c": {"C"},
    },
    "refine": {"D": {"D"}, "G2": {"G2"}, "rec": {"G2"}},
    "joint": {
        "rec": {"S", "C", "G1"}, "tri_s": {"S"}, "tri_c": {"C"}, "cls_s": {"S", "head"}, "cls_c": {"C"}, "D": {"D"},
        "G1": {"S", "C", "G1"},
    },
}  # fmt: skip


def moved(model: Any, loss: Tensor) -> set[str]:
    """The networks that a loss gives a gradient that is not 0."""
    model.zero_grad()
    loss.backward(retain_graph=True)
    children = {name: child for name, child in model.named_children() if name != "ema"}
    return {
        name
        for name, child in children.items()
        if any(w.grad is not None and bool(w.grad.abs().sum() > 0) for w in child.parameters())
    }


@pytest.mark.parametrize("stage", LOSSES)
def test_each_loss_moves_what_it_is_meant_for_and_nothing_else(
    stage: str, make_sketch_to_image: Callable, make_drawn_photos: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, (batch,) = make_sketch_to_image(stage=stage), make_drawn_photos(1, stage)
    found: dict[str, set[str]] = {}

    def note(name: str, losses: dict[str, Tensor]) -> None:
        found.update({of: moved(model, loss) for of, loss in losses.items()})

    monkeypatch.setattr(model, "update", note)
    model.configure_optimizers()
    model.next_step()[0](batch, model.draw(batch))
    assert found == LOSSES[stage]


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ("tom", {}),
        ("autoencoder", {"norm": "none", "gate_8": "batch", "dmi_bias": "masked"}),
        ("autoencoder", {"lambda_tri_c": 0.0, "lambda_cls_c": 0.0, "style": "none", "dmi": "sketch"}),
        ("refine", {}),
        ("refine", {"refiner": "face", "output_size": 128}),
    ],
)
def test_the_steps_are_the_plain_ones(
    stage: str,
    changes: dict[str, Any],
    make_sketch_to_image: Callable,
    make_drawn_photos: Callable,
    all_in_fp64: None,
) -> None:
    batches = make_drawn_photos(3, stage, dtype=torch.float64, output_size=changes.get("output_size", 64))
    model = make_sketch_to_image(stage=stage, **changes).double()
    model.configure_optimizers()
    model.held["features"].double()
    plain = ReferenceSketchToImage.step_of(model)
    assert plain is not None
    for number, batch in enumerate(batches):
        reported: dict[str, Tensor] = {}
        model.report = reported.update
        torch.manual_seed(number)
        model.training_step(batch, 0)
        torch.manual_seed(number)
        theirs: Any = plain(batch)
        ours = {name: value for name, value in reported.items() if "/" not in name}
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            torch.testing.assert_close(ours[name], value, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("stage", LOSSES)
def test_a_step_in_bfloat16_has_losses_in_float32(
    stage: str, make_sketch_to_image: Callable, make_drawn_photos: Callable
) -> None:
    model, (batch,) = make_sketch_to_image(stage=stage), make_drawn_photos(1, stage)
    reported: dict[str, Tensor] = {}
    model.report = reported.update
    before = copy.deepcopy(model.state_dict())
    with torch.autocast("cpu", torch.bfloat16):
        model.training_step(batch, 0)
    assert reported.keys() >= LOSSES[stage].keys()
    assert all(value.dtype == torch.float32 and bool(value.isfinite()) for value in reported.values())
    for name in set().union(*LOSSES[stage].values()):
        weights = getattr(model, name).state_dict()
        assert any(not torch.equal(value, before[f"{name}.{key}"]) for key, value in weights.items()), name


def test_with_another_subset_the_head_and_its_adam_begin_anew(
    make_sketch_to_image: Callable, make_drawn_photos: Callable
) -> None:
    model, (batch,) = make_sketch_to_image(), make_drawn_photos(1, "autoencoder")
    model.training_step(batch, 0)
    (optimizer,) = model.optimizers()
    places = {name: value.data_ptr() for name, value in model.head.state_dict().items()}
    before = copy.deepcopy(model.head.state_dict())
    of_others = [optimizer.state[w]["exp_avg"].clone() for w in model.C.parameters()]
    assert all(bool(optimizer.state[w]["exp_avg"].abs().sum() > 0) for w in model.head.parameters())

    model.before_step(batch | {"turn": 1})
    assert model.turn == 1
    for name, value in model.head.state_dict().items():
        assert not torch.equal(value, before[name])
        assert value.data_ptr() == places[name]
    for weight in model.head.parameters():
        assert all(not value.any() for value in optimizer.state[weight].values())
    for weight, average in zip(model.C.parameters(), of_others, strict=True):
        assert torch.equal(optimizer.state[weight]["exp_avg"], average)
    assert model.slowed() == {"S": pytest.approx(0.5), "G1": pytest.approx(0.5)}

    renewed = copy.deepcopy(model.head.state_dict())
    model.before_step(batch | {"turn": 1})  # the same subset: nothing
    assert all(torch.equal(value, renewed[name]) for name, value in model.head.state_dict().items())


def test_the_plain_update_leaves_the_head_alone(make_sketch_to_image: Callable, make_drawn_photos: Callable) -> None:
    models, batches = [make_sketch_to_image(plain_step=plain) for plain in (False, True)], make_drawn_photos(2)
    for model in models:
        torch.manual_seed(0)
        model.training_step(batches[0], 0)
    once, twice = (model.head.state_dict() for model in models)
    assert all(torch.equal(value, twice[name]) for name, value in once.items())
    (optimizer,) = models[1].optimizers()
    steps = {
        name: optimizer.state[next(getattr(models[1], name).parameters())]["step"].item() for name in ("C", "head")
    }
    assert steps == {"C": 2, "head": 1}


def test_the_auto_encoder_and_tom_rest_while_g2_learns(
    make_sketch_to_image: Callable, make_drawn_photos: Callable
) -> None:
    model, batches = make_sketch_to_image(stage="refine"), make_drawn_photos(2, "refine")
    model.train()
    resting = {name: copy.deepcopy(getattr(model, name).state_dict()) for name in ("T", "S", "C", "G1")}
    before = copy.deepcopy(model.G2.state_dict())
    for batch in batches:
        model.training_step(batch, 0)
    for name, old in resting.items():
        assert all(torch.equal(value, old[key]) for key, value in getattr(model, name).state_dict().items()), name
        assert not any(module.training for module in getattr(model, name).modules())
    assert any(not torch.equal(value, before[key]) for key, value in model.G2.state_dict().items())


@pytest.mark.parametrize("stage", ["autoencoder", "refine"])
def test_what_a_sketch_becomes_does_not_depend_on_its_batch(
    stage: str, make_sketch_to_image: Callable, make_drawn_photos: Callable
) -> None:
    model, (batch,) = make_sketch_to_image(stage=stage), make_drawn_photos(1, stage)
    trained(model, batch)
    whole = model.predict(batch)
    alone = model.predict({key: value[1:2] if isinstance(value, Tensor) else value for key, value in batch.items()})
    for one, among in zip(alone, whole, strict=True):
        torch.testing.assert_close(one.output, among.output[1:2], rtol=1e-4, atol=1e-5)
        for name, value in one.figures.items():
            torch.testing.assert_close(value, among.figures[name][1:2], rtol=1e-4, atol=1e-4)


def trained(model: nn.Module, batch: dict[str, Any]) -> None:
    """Statistics and weights that are not those of the start; then as it translates."""
    model.train()
    model.training_step(batch, 0)  # type: ignore[operator]
    model.eval()


def test_a_sketch_takes_the_style_that_it_is_given(make_sketch_to_image: Callable, make_drawn_photos: Callable) -> None:
    model, (batch,) = make_sketch_to_image(lr=1e-2), make_drawn_photos(1, "autoencoder")
    trained(model, batch)
    with pytest.raises(UserError, match="style="):
        model.translate(batch["a"])
    found = []
    for style in batch["b"]:
        model.take_style(style[None])
        found.append(model.translate(batch["a"][:1]))
    assert not torch.equal(found[0], found[1])
    own = model.translate(batch)  # each sketch in the style of its own picture
    for row, one in enumerate(found[:1]):
        torch.testing.assert_close(own[row : row + 1], one, rtol=1e-4, atol=1e-5)


def test_style_transfer_sketches_a_photo_first(make_sketch_to_image: Callable, make_drawn_photos: Callable) -> None:
    model, (batch,) = make_sketch_to_image().eval(), make_drawn_photos(1, "autoencoder")
    model.take_style(batch["b"][:1])
    lines = model.draw_lines(batch["b"])
    assert set(lines.unique().tolist()) <= {-1.0, 1.0}
    torch.testing.assert_close(model.translate(batch["b"], "b2b"), model.translate(lines, "a2b"))


def test_sketches_of_a_photo_of_any_shape_have_its_shape(make_sketch_to_image: Callable) -> None:
    model = make_sketch_to_image(stage="tom").eval()
    fitting = Fitting.of(model, "a2b")
    fitted = fitting.fit(np.zeros((3, 50, 200), np.uint8))
    made = signed_to_uint8(model.translate(unit_to_signed(uint8_to_unit(fitted.pixels[None])), "a2b"))
    assert fitting.back(made[0], fitted).shape == (1, 50, 200)


@pytest.mark.parametrize("changed", ["norm", "dmi", "dmi_bias", "white_above"])
def test_a_later_stage_is_told_as_the_earlier_one_was(changed: str, make_sketch_to_image: Callable) -> None:
    settings = dict(make_sketch_to_image().hparams)
    other = {"norm": "none", "dmi": "sketch", "dmi_bias": "masked", "white_above": 0.5}[changed]
    with pytest.raises(UserError, match=rf"^start_from=run: it was trained with model\.{changed}="):
        make_sketch_to_image(stage="refine", **{changed: other}).check_start(settings, Path("run"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lambda_cls_s": 0.0}, r"^model\.lambda_cls_c=1\.0 with model\.lambda_cls_s=0: "),
        ({"zoom": [1.5, 1.1]}, r"^model\.zoom=\[1\.5, 1\.1\]: least first"),
        ({"size": 96}, r"size=96"),
        ({"stage": "joint", "plain_step": True}, r"^model\.plain_step=true is for the stage autoencoder"),
    ],
)
def test_what_can_not_be_is_refused(changes: dict[str, Any], message: str, make_sketch_to_image: Callable) -> None:
    with pytest.raises(UserError, match=message):
        make_sketch_to_image(**changes)
