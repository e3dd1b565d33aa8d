"""pix2pix' step and its losses, held to their formulas and to a plainly written reference."""

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from suite.data.batch import Batch
from suite.errors import UserError
from suite.losses.pixel import closest_l1
from suite.papers.pix2pix import Pix2Pix, pair, real_drawings
from suite.papers.reference import ReferencePix2Pix

WGAN_GP = {"loss": "wgan", "penalty": "squared", "critic_steps": 1}
DEEP = {"name": "unetpp", "depth": 2, "width": 4, "norm": "batch", "deep_supervision": True}
INSTANCE = {"norm": "instance"}


def every_loss(model: Pix2Pix, batch: Batch) -> dict[str, Tensor]:
    y, weights = real_drawings(batch)
    fakes = model.fakes(batch["a"])
    drawn = model.draw(batch)
    of_D, _ = model.discriminator_losses(batch["a"], y, weights, fakes[-1].detach(), batch["b"], drawn)
    return of_D | model.generator_losses(batch["a"], y, fakes)


# Held to a reference --------------------------------------------------------------------------------------------------


def reference_of(model: Pix2Pix) -> ReferencePix2Pix:
    return ReferencePix2Pix(
        **copy.deepcopy(model.networks()),
        loss=model.adversarial.loss,
        lambda_l1=model.lambda_l1,
        real_label=model.adversarial.real_label,
        deep_supervision=model.deep_supervision,
    )


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, ()),
        ({}, (3, 3)),
        ({"adversarial": {"loss": "lsgan"}, "lambda_l1": 10.0}, (2, 2)),
        ({"adversarial": {"real_label": 0.9}}, (3, 3)),
        ({"lambda_l1": 0.0}, (2, 2)),
        ({"discriminator": INSTANCE}, (3, 3)),
        ({"discriminator": INSTANCE, "backbone": INSTANCE}, ()),
        ({"discriminator": {"name": "global", "size": 32, "width": 4, "norm": "batch"}}, (2, 2)),
        ({"backbone": DEEP}, (3, 3)),
    ],
)
@pytest.mark.usefixtures("all_in_fp64")
def test_three_steps_are_the_references(
    changes: dict, counts: tuple, make_pix2pix: Callable, make_pairs: Callable, fit: Callable
) -> None:
    # In fp64: a bias before a normalisation has no gradient but rounding noise, which Adam divides by its own size.
    model = make_pix2pix(**changes).double()
    reference, before = reference_of(model), copy.deepcopy(model.networks())
    batches = make_pairs(3, counts, dtype=torch.float64)
    fit(model, batches)
    for batch in batches:
        reference.step(batch["a"], batch.get("drawings", batch["b"][:, None]))
    for name, network in model.networks().items():
        for (weight_name, ours), theirs, first in zip(
            network.named_parameters(), getattr(reference, name).parameters(), before[name].parameters(), strict=True
        ):
            # Of three steps of 2e-4. Rounding moves a bias without gradient by 1e-10: 1e-17 over Adam's 1e-8, a step.
            assert (ours - theirs).abs().max() < 1e-8, f"{name}.{weight_name}"
            assert weight_name.endswith("bias") or (ours - first).abs().max() > 1e-4, f"{name}.{weight_name}"


def test_the_discriminator_moves_first_and_the_generator_hears_the_moved_one(
    make_pix2pix: Callable, make_pairs: Callable, fit: Callable
) -> None:
    model = make_pix2pix(lr=0.05)  # far enough for the difference to show
    (batch,) = make_pairs(1)
    stale = every_loss(copy.deepcopy(model), batch)
    reported: list[dict[str, Tensor]] = []
    model.report = reported.append
    fit(model, [batch])
    torch.testing.assert_close(reported[0]["D"], stale["D"])
    torch.testing.assert_close(reported[0]["L1"], stale["L1"])
    assert not torch.isclose(reported[0]["G_adv"], stale["G_adv"], rtol=1e-3)


def test_each_loss_moves_its_own_player_alone(make_pix2pix: Callable, make_pairs: Callable, fit: Callable) -> None:
    model = make_pix2pix()
    gradients: Counter[str] = Counter()
    for name, network in model.networks().items():
        last = list(network.parameters())[-1]
        last.register_post_accumulate_grad_hook(lambda _, name=name: gradients.update([name]))
    fit(model, make_pairs(2))
    assert gradients == {"G": 2, "D": 2}


def test_a_step_makes_one_fake(make_pix2pix: Callable, make_pairs: Callable, fit: Callable) -> None:
    model = make_pix2pix()
    passes: Counter[str] = Counter()
    for name, network in model.networks().items():
        network.register_forward_hook(lambda *_, name=name: passes.update([name]))
    fit(model, make_pairs(1, (3, 2)))
    assert passes == {"G": 1, "D": 5}  # three drawings, the fake, and the fake once more for G


# Several drawings -----------------------------------------------------------------------------------------------------


def test_l1_is_to_the_closest_drawing_of_each_picture(make_pairs: Callable) -> None:
    (batch,) = make_pairs(1, (3, 1, 2), size=8)
    fakes = torch.rand(2, 3, 1, 8, 8) * 2 - 1
    expected = []
    for head in fakes:
        for picture, (fake, drawings) in enumerate(zip(head, batch["drawings"], strict=True)):
            its = drawings[: batch["drawing_count"][picture]]
            expected.append(min(l1_loss(fake, drawing).item() for drawing in its))
    y, _ = real_drawings(batch)
    # Means of 64 values: at most 64 roundings of 6e-8.
    assert closest_l1(fakes, y).item() == pytest.approx(sum(expected) / 6, rel=1e-5)


def test_the_closest_is_chosen_by_picture_and_not_by_pixel() -> None:
    left, right = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    left[..., 0], right[..., 1] = 1, 1
    both = torch.ones(1, 1, 1, 2, 2)
    assert closest_l1(both, torch.stack([left, right], dim=1)).item() == 0.5


def test_l1_moves_towards_the_closest_drawing_alone() -> None:
    near, far = torch.full((1, 1, 2, 2), 0.3), torch.full((1, 1, 2, 2), -0.9)
    fake = torch.zeros(1, 1, 1, 2, 2, requires_grad=True)
    closest_l1(fake, torch.stack([far, near], dim=1)).backward()
    assert torch.equal(fake.grad, torch.full_like(fake, -0.25))


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("loss", ["vanilla", "lsgan", "hinge", "wgan"])
def test_the_real_term_is_the_mean_over_the_drawings(
    loss: str, norm: str, make_pix2pix: Callable, make_pairs: Callable
) -> None:
    # In fp64, as passes are joined here and not there; losses are fp32, and wgan's differences of means near 0.
    model = make_pix2pix(adversarial={"loss": loss}, discriminator={"norm": norm}).double()
    (batch,) = make_pairs(1, (3, 3), dtype=torch.float64)
    x, fake = batch["a"], model.G(batch["a"]).detach()
    separate = [
        model.adversarial.discriminator(model.D(pair(x, batch["drawings"][:, k])), model.D(pair(x, fake)))
        for k in range(3)
    ]
    assert every_loss(model, batch)["D"].item() == pytest.approx(sum(separate).item() / 3, rel=1e-5, abs=1e-6)


def test_a_photo_counts_as_much_as_another_however_many_drawings_it_has(
    make_pix2pix: Callable, make_pairs: Callable
) -> None:
    model = make_pix2pix(discriminator=INSTANCE).double()  # as above
    (batch,) = make_pairs(1, (3, 1), dtype=torch.float64)
    x, fake = batch["a"], model.G(batch["a"]).detach()
    game, drawings = model.adversarial, batch["drawings"]
    of_photo = []
    for i, count in enumerate((3, 1)):
        its = [game.discriminator(model.D(pair(x[i : i + 1], drawings[i : i + 1, k])), model.D(pair(x, fake)))
               for k in range(count)]  # fmt: skip
        of_photo.append(sum(its) / count)
    assert every_loss(model, batch)["D"].item() == pytest.approx(sum(of_photo).item() / 2, rel=1e-5)


@pytest.mark.parametrize("changes", [{}, {"discriminator": INSTANCE}, {"backbone": DEEP}])
def test_what_pads_the_drawings_changes_nothing(
    changes: dict, make_pix2pix: Callable, make_pairs: Callable, fit: Callable
) -> None:
    trained: list[dict[str, Tensor]] = []
    for padding in (-1.0, 0.7):
        model, batches = make_pix2pix(**changes), make_pairs(2, (3, 1, 2))
        for batch in batches:
            batch["drawings"][1, 1:] = padding
            batch["drawings"][2, 2:] = padding
        fit(model, batches)
        trained.append(model.state_dict())
    for name, value in trained[0].items():
        assert torch.equal(value, trained[1][name]), name


@pytest.mark.parametrize("norm", ["instance", "none"])
def test_joined_passes_give_the_losses_of_separate_ones(norm: str, make_pix2pix: Callable, make_pairs: Callable):
    # In fp64: a convolution of more pictures at once may be rounded otherwise.
    model = make_pix2pix(discriminator={"norm": norm}).double()
    (batch,) = make_pairs(1, (3, 1, 2), dtype=torch.float64)
    assert model.fused
    joined = every_loss(model, batch)
    model.fused = False
    for name, value in every_loss(model, batch).items():
        torch.testing.assert_close(joined[name], value, atol=1e-6, rtol=1e-5, msg=name)


def test_batchnorm_sees_real_and_fake_apart(make_pix2pix: Callable) -> None:
    assert not make_pix2pix().fused
    assert make_pix2pix(discriminator=INSTANCE).fused


# Deep supervision -----------------------------------------------------------------------------------------------------


def test_every_head_is_held_to_a_drawing_and_the_last_one_is_judged(
    make_pix2pix: Callable, make_pairs: Callable
) -> None:
    model = make_pix2pix(backbone=DEEP, lambda_l1=1.0)
    (batch,) = make_pairs(1, (2, 2))
    y, _ = real_drawings(batch)
    fakes = model.fakes(batch["a"])
    losses = model.generator_losses(batch["a"], y, fakes)
    each = [closest_l1(head[None], y).item() for head in fakes]
    assert len(set(each)) == 2
    assert losses["L1"].item() == pytest.approx(sum(each) / 2, rel=1e-5)  # means of 2048 values in fp32
    by_head = torch.autograd.grad(losses["G_adv"], fakes)[0].abs().sum(dim=(1, 2, 3, 4))
    assert by_head[0] == 0
    assert by_head[1] > 0
    model.eval()
    assert torch.equal(model.translate(batch), model.G(batch["a"]))


def test_d_learns_from_the_last_head(make_pix2pix: Callable, make_pairs: Callable, fit: Callable) -> None:
    model, (batch,) = make_pix2pix(backbone=DEEP), make_pairs(1)
    last = model.fakes(batch["a"])[-1].detach()
    seen: list[Tensor] = []
    model.D.register_forward_pre_hook(lambda _, given: seen.append(given[0][:, 3:].detach().clone()))
    fit(model, [batch])
    assert [torch.equal(y, truth) for y, truth in zip(seen, (batch["b"], last, last), strict=True)] == [True] * 3


def test_all_heads_train(make_pix2pix: Callable, make_pairs: Callable, fit: Callable) -> None:
    model = make_pix2pix(backbone=DEEP)
    before = [head[0].weight.clone() for head in model.G.heads]
    fit(model, make_pairs(1))
    assert all(not torch.equal(head[0].weight, old) for head, old in zip(model.G.heads, before, strict=True))


# The module -----------------------------------------------------------------------------------------------------------


def test_the_module_builds_itself_from_its_checkpoint(
    make_pix2pix: Callable, make_pairs: Callable, fit: Callable, tmp_path: Any
) -> None:
    model = make_pix2pix(lambda_l1=3.0, erasing=0.5, ema_decay=0.5)
    fit(model, make_pairs(2)).save_checkpoint(tmp_path / "last.ckpt")
    again = Pix2Pix.load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True).eval()
    assert again.lambda_l1 == 3.0
    assert (again.steps, again.batches) == (2, 2)
    pictures = torch.rand(1, 3, 16, 16)
    assert torch.equal(again.translate(pictures), model.eval().translate(pictures))


def test_the_average_follows_the_generator(make_pix2pix: Callable, make_pairs: Callable, fit: Callable) -> None:
    model = make_pix2pix(ema_decay=0.5)
    before = [weight.clone() for weight in model.G.parameters()]
    fit(model, make_pairs(1))
    for average, new, old in zip(model.ema["G"].parameters(), model.G.parameters(), before, strict=True):
        torch.testing.assert_close(average, (new + old) / 2)
    pictures = torch.rand(1, 3, 16, 16)
    assert torch.equal(model.eval().translate(pictures), model.ema["G"](pictures))


def test_grey_and_colour_on_either_side(make_pix2pix: Callable) -> None:
    model = make_pix2pix(channels_a=1, channels_b=3).eval()
    assert model.translate({"a": torch.zeros(2, 1, 16, 16)}).shape == (2, 3, 16, 16)
    first = next(layer for layer in model.D.modules() if isinstance(layer, nn.Conv2d))
    assert first.in_channels == 4


def test_a_penalised_critic_may_not_have_batchnorm(make_pix2pix: Callable) -> None:
    with pytest.raises(UserError, match=r"set model.discriminator.norm=instance or none"):
        make_pix2pix(adversarial=WGAN_GP)
