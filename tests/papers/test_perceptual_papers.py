"""DA-GAN and CSI, which see pictures through a frozen VGG: held to plainly written steps, their checkpoints, what they
predict."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import suite
from suite.data.batch import Batch
from suite.errors import UserError
from suite.networks import weights
from suite.papers.perceptual import PerceptualPaper
from suite.papers.reference import ReferenceCSI, ReferenceDAGAN

PAPERS = ("dagan", "csi")


@pytest.fixture(params=PAPERS)
def make(request: pytest.FixtureRequest) -> Callable[..., PerceptualPaper]:
    """Builds equal models of either paper."""
    return request.getfixturevalue(f"make_{request.param}")


# Held to a reference --------------------------------------------------------------------------------------------------


def networks_of(model: PerceptualPaper) -> dict[str, nn.Module]:
    return {name: network for name, network in model.networks().items() if name != "encoder"}  # which is Inv's


def reported(model: PerceptualPaper, batches: list[Batch]) -> list[dict[str, Tensor]]:
    """The losses of each step, its noise drawn from the step's number."""
    seen: list[dict[str, Tensor]] = []
    model.report = seen.append  # type: ignore[method-assign]
    for number, batch in enumerate(batches):
        torch.manual_seed(number)
        model.training_step(batch, number)
    return [{name: value for name, value in of.items() if "/" not in name} for of in seen]


def assert_losses(ours: list[dict[str, Tensor]], step: Callable[[Batch], Any], batches: list[Batch]) -> None:
    for number, batch in enumerate(batches):
        torch.manual_seed(number)
        theirs = step(batch)
        assert ours[number].keys() == theirs.keys()
        for name, value in ours[number].items():
            # In fp64, sums of thousands of numbers in another order.
            assert value.item() == pytest.approx(theirs[name].item(), rel=1e-9), name


@pytest.mark.usefixtures("all_in_fp64")
def test_three_steps_of_dagan_are_the_references(make_dagan: Callable, make_sketch_batches: Callable) -> None:
    # Adversarial rates at which the game shows in the encoder, within three steps.
    changes = {"lr_g": 1e-3, "lr_d": 1e-3, "lambda_vae": 0.5, "lambda_kl": 2.0, "lambda_tv": 0.1}
    model, batches = make_dagan(**changes), make_sketch_batches(3, dtype=torch.float64)
    model.hold_features()
    networks = copy.deepcopy(networks_of(model))
    plain = ReferenceDAGAN(**networks, features=model.held["features"], **changes)
    before = copy.deepcopy(networks_of(model))
    assert_losses(reported(model, batches), lambda batch: plain.step(batch["a"], batch["b"], batch["target"]), batches)
    assert_weights(model, networks, before)


@pytest.mark.usefixtures("all_in_fp64")
def test_three_steps_of_csi_are_the_references(make_csi: Callable, make_sketch_batches: Callable) -> None:
    changes = {"lambda_pixel": 2.0, "lambda_feature": 0.5, "lambda_tv": 0.1}
    model, batches = make_csi(**changes), make_sketch_batches(3, dtype=torch.float64)
    model.hold_features()
    networks = copy.deepcopy(networks_of(model))
    plain = ReferenceCSI(**networks, features=model.held["features"], **changes)
    before = copy.deepcopy(networks_of(model))
    assert_losses(reported(model, batches), lambda batch: plain.step(batch["a"], batch["b"]), batches)
    assert_weights(model, networks, before)


def assert_weights(model: PerceptualPaper, networks: dict[str, nn.Module], before: dict[str, nn.Module]) -> None:
    for name, network in networks_of(model).items():
        old = dict(before[name].named_parameters())
        theirs = dict(networks[name].named_parameters())
        for weight, ours in network.named_parameters():
            # Of three steps of 1e-4 and more. A bias before a normalisation has no gradient but rounding, here of up to
            # 1e-12, which Adam divides by 1e-8.
            assert (ours - theirs[weight]).abs().max() < 1e-7, f"{name}.{weight}"
            assert weight.endswith("bias") or (ours - old[weight]).abs().max() > 5e-5, f"{name}.{weight}"


@pytest.mark.usefixtures("all_in_fp64")
def test_the_published_step_has_the_models_settings_and_leaves_it_alone(
    make: Callable, make_sketch_batches: Callable
) -> None:
    changes = {"lambda_tv": 0.1, "lr": 1e-2, "betas": [0.1, 0.2]}
    model, batches = make(**changes), make_sketch_batches(3, dtype=torch.float64)
    before = copy.deepcopy(model.state_dict())
    step = model.published_step(batches[0])
    ours = reported(make(**changes), batches)
    assert_losses(ours, step, batches)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("paper", "changes"),
    [
        ("csi", {"clip_norm": 1.0}),
        ("csi", {"freeze": ["G.layers.0"]}),
        ("dagan", {"optimizer": "sgd"}),
        ("dagan", {"da_loss": "literal"}),
        ("dagan", {"g_steps": 2}),
        ("dagan", {"g_steps": 0, "d_steps": 0}),
        ("dagan", {"reduction": "mean"}),
    ],
)
def test_a_step_that_the_reference_does_not_know_is_none(
    paper: str, changes: dict, request: pytest.FixtureRequest, make_sketch_batches: Callable
) -> None:
    model = request.getfixturevalue(f"make_{paper}")(**changes)
    assert model.published_step(make_sketch_batches(1)[0]) is None


# Feature weights ------------------------------------------------------------------------------------------------------


def test_a_checkpoint_says_which_features_and_has_none_of_their_weights(
    make: Callable, make_sketch_batches: Callable, fit: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, (batch,) = make(), make_sketch_batches(1)
    names = set(model.state_dict())
    assert model.held == {}  # until something is trained
    fit(model, [batch]).save_checkpoint(tmp_path / "last.ckpt")
    assert set(model.state_dict()) == names
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert set(saved["state_dict"]) == names
    assert not any(name.startswith(("held", "features")) for name in names)
    assert saved["features"] == model.held["features"].identity
    assert saved["features"] == f"random vgg{model.depth} {model.layer}, width 4, seed 0"

    monkeypatch.setattr(weights, "find", lambda *_, **__: pytest.fail("to translate, no features are needed"))
    saved["hyper_parameters"] |= {"features": "vgg", "features_width": 64}
    torch.save(saved, tmp_path / "published.ckpt")
    loaded = suite.load(tmp_path / "published.ckpt")
    assert torch.equal(loaded.translate(batch), model.eval().translate(batch))
    assert loaded.held == {}


def test_a_run_goes_on_with_the_features_that_it_was_trained_with(
    make: Callable, make_sketch_batches: Callable, fit: Callable, tmp_path: Path
) -> None:
    batches = make_sketch_batches(1)
    fit(make(), batches).save_checkpoint(tmp_path / "last.ckpt")
    fit(make(), batches, ckpt_path=tmp_path / "last.ckpt", max_epochs=2)
    with pytest.raises(UserError) as error:
        fit(make(features_width=8), batches, ckpt_path=tmp_path / "last.ckpt", max_epochs=2)
    before, now = (f"random vgg{make().depth} {make().layer}, width {width}, seed 0" for width in (4, 8))
    assert str(error.value) == (
        f"model.features: the checkpoint was trained with {before}, not with {now}; go on with the same ones"
    )


def test_features_are_frozen_in_eval_mode_and_see_float32(make: Callable, make_sketch_batches: Callable) -> None:
    model, (batch,) = make(), make_sketch_batches(1)
    model.training_step(batch, 0)
    model.train()
    network = model.held["features"]
    assert not any(weight.requires_grad for weight in network.parameters())
    assert not any(module.training for module in network.modules())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for pictures in (batch["b"], batch["b"].bfloat16()):
            assert model.features(pictures).dtype == torch.float32
    moved = model.to("meta").held["features"]
    assert next(moved.parameters()).device.type == "meta"


# What they predict ----------------------------------------------------------------------------------------------------


def test_photos_of_both_styles_with_the_truth_where_it_is_known(make: Callable, make_sketch_batches: Callable) -> None:
    model, (batch,) = make().eval(), make_sketch_batches(1)
    of_source, of_target = model.predict(batch)
    assert (of_source.name, of_target.name) == ("a2b", "target")
    assert of_source.truth is batch["b"]
    assert (of_target.truth, of_target.reals, list(of_target.row)) == (None, None, ["input", "output"])
    assert torch.equal(of_source.output, model.translate(batch["a"]))
    assert torch.equal(of_target.output, model.translate(batch["target"]))
    assert not torch.equal(of_source.output, of_target.output)

    truth, fresh = torch.rand(2, 3, 32, 32), torch.tensor([True, False])
    of_source, of_target = model.predict(batch | {"target_truth": truth, "fresh_target": fresh, "fresh_a": ~fresh})
    assert of_target.truth is of_target.row["truth"] is truth
    assert of_target.reals == "target_truth"
    assert of_target.counts is fresh
    assert torch.equal(of_source.counts, ~fresh)
    assert of_source.luma_where_grey
    assert of_target.luma_where_grey

    del batch["target"]
    assert [one.name for one in model.predict(batch)] == ["a2b"]
