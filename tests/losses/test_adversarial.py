import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.functional import jacobian
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from suite.errors import UserError
from suite.losses.adversarial import LOSSES, AdversarialLoss
from suite.networks.build import build_discriminator

SHAPE = (2, 1, 5, 7)


def logits(seed: int) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed)) * 3


def bce(x: Tensor, label: float) -> float:
    return binary_cross_entropy_with_logits(x, torch.full_like(x, label)).item()


def mse(x: Tensor, label: float) -> float:
    return mse_loss(x, torch.full_like(x, label)).item()


def mean_hinge(x: Tensor) -> float:
    return float(np.maximum(0, 1 + x.numpy()).mean())


@pytest.mark.parametrize(
    ("loss", "discriminator", "generator"),
    [
        ("vanilla", lambda real, fake: (bce(real, 1) + bce(fake, 0)) / 2, lambda fake: bce(fake, 1)),
        ("lsgan", lambda real, fake: (mse(real, 1) + mse(fake, 0)) / 2, lambda fake: mse(fake, 1)),
        ("hinge", lambda real, fake: mean_hinge(-real) + mean_hinge(fake), lambda fake: -fake.numpy().mean()),
        ("wgan", lambda real, fake: fake.numpy().mean() - real.numpy().mean(), lambda fake: -fake.numpy().mean()),
    ],
)
def test_loss_is_the_formula(loss: str, discriminator, generator) -> None:
    real, fake = logits(0), logits(1)
    # 70 logits of 2.4 on average: at most 70 roundings of 6e-8 of their mean, on either side.
    bounds = {"rel": 2e-5, "abs": 2e-5}
    assert AdversarialLoss(loss).discriminator(real, fake).item() == pytest.approx(discriminator(real, fake), **bounds)
    assert AdversarialLoss(loss).generator(fake).item() == pytest.approx(generator(fake), **bounds)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_players_want_opposite_things(loss: str) -> None:
    game = AdversarialLoss(loss)
    thinks_real, thinks_fake = torch.full(SHAPE, 0.8), torch.full(SHAPE, -0.8)
    right = game.discriminator(real=thinks_real, fake=thinks_fake)
    wrong = game.discriminator(real=thinks_fake, fake=thinks_real)
    assert right < wrong
    assert game.generator(thinks_real) < game.generator(thinks_fake)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_fp32_and_finite_for_extreme_halves(loss: str) -> None:
    game = AdversarialLoss(loss)
    huge = torch.full((2, 1, 64, 64), 3e4, dtype=torch.float16)  # their sum and their square are no halves
    for value in (game.discriminator(huge, -huge), game.discriminator(-huge, huge), game.generator(-huge)):
        assert value.dtype == torch.float32
        assert torch.isfinite(value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"loss": "lsgna"}, "model.adversarial.loss=lsgna: choose from vanilla, lsgan"),
        ({"loss": "wgan", "penalty": "double"}, "model.adversarial.penalty=double: choose from none"),
        ({"loss": "wgan", "critic_steps": 0}, "model.adversarial.critic_steps=0: give a whole number of at least 1"),
    ],
)
def test_a_wrong_setting_is_named(wrong: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        AdversarialLoss(**wrong)


# The gradient penalty -------------------------------------------------------------------------------------------------


class Linear(nn.Module):
    """D(x) = <w, x>: its gradient is w, whatever the picture."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.weight).sum((1, 2, 3), keepdim=True)


class Bowl(nn.Module):
    """A logit for each pixel, |x|^2 / 2 there: the gradient of their mean is the picture over the number of pixels.

    Keeps what it was asked.
    """

    def forward(self, x: Tensor) -> Tensor:
        self.asked = x
        return (x.square() / 2).sum(1, keepdim=True)


def conv_critic() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3))


def penalty_of(game: AdversarialLoss, critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """The gradient penalty at places that are drawn anew."""
    return game.gradient_penalty(critic, real, fake, game.draw_epsilon(real))


def squared(weight: float = 10.0) -> AdversarialLoss:
    return AdversarialLoss("wgan", penalty="squared", penalty_weight=weight)


def pictures(count: int = 4, size: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.rand(2, count, 3, size, size, generator=generator)
    return real, fake


def test_norm_is_over_the_whole_picture_and_one_picture_alone() -> None:
    # |w| is 1 over the picture, 1 / 6 at a pixel over the channels, 2 over the batch of 4.
    real, fake = pictures()
    weight = torch.full((3, 6, 6), 1 / np.sqrt(3 * 6 * 6))
    assert penalty_of(squared(), Linear(weight), real, fake).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("norm", "by_square", "by_distance"), [(3.0, 4.0, 2.0), (0.5, 0.25, 0.5), (0.0, 1.0, 1.0)])
def test_penalty_of_a_linear_critic(norm: float, by_square: float, by_distance: float) -> None:
    real, fake = pictures()
    critic = Linear(torch.full((3, 6, 6), norm / np.sqrt(3 * 6 * 6)))
    absolute = AdversarialLoss("wgan", penalty="absolute", penalty_weight=7.0)
    assert penalty_of(squared(7.0), critic, real, fake).item() == pytest.approx(7 * by_square, rel=1e-4)
    assert penalty_of(absolute, critic, real, fake).item() == pytest.approx(7 * by_distance, rel=1e-4)


def test_penalty_teaches_the_critic() -> None:
    # d/dw of 10 (|w| - 1)^2 is 20 (|w| - 1) w / |w|
    real, fake = pictures()
    critic = Linear(torch.full((3, 6, 6), 2 / np.sqrt(3 * 6 * 6)))
    penalty_of(squared(), critic, real, fake).backward()
    expected = 20 * (2 - 1) * critic.weight.detach() / 2
    torch.testing.assert_close(critic.weight.grad, expected, rtol=1e-4, atol=0)


def test_penalty_of_a_flat_critic_has_a_finite_gradient() -> None:
    critic = Linear(torch.zeros(3, 6, 6))
    penalty_of(squared(), critic, *pictures()).backward()
    assert torch.isfinite(critic.weight.grad).all()


@pytest.mark.parametrize("count", [1, 2, 4])
def test_pictures_are_penalised_one_by_one(count: int) -> None:
    real = 50 * pictures(count)[0]
    expected = 10 * np.mean([(np.linalg.norm(picture.numpy()) / 36 - 1) ** 2 for picture in real])
    assert penalty_of(squared(), Bowl(), real, real).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("count", [1, 2])
def test_a_patch_critic_is_held_by_the_mean_of_its_logits(count: int) -> None:
    # 9 logits, each of 2 x 2 pixels of its own, with weights w: the gradient of their mean is w / 9, nine times over,
    # and its norm |w| / 3, which is 1. That of their sum would be 9, and the penalty 640.
    critic = nn.Conv2d(3, 1, 2, stride=2)
    nn.init.constant_(critic.weight, 3 / np.sqrt(3 * 2 * 2))
    assert critic(pictures(count)[0]).shape == (count, 1, 3, 3)
    assert penalty_of(squared(), critic, *pictures(count)).item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "critic",
    [{"name": "patch", "downs": 2}, {"name": "pixel"}, {"name": "global", "size": 32}],
    ids=lambda d: d["name"],
)
@pytest.mark.parametrize("penalty", ["squared", "absolute"])
def test_penalty_of_every_critic_is_that_of_its_jacobian(critic: dict, penalty: str) -> None:
    torch.manual_seed(0)
    D = build_discriminator(critic | {"width": 4, "norm": "instance"}, 3)
    nn.init.normal_(list(D.parameters())[-2], std=3)  # as drawn, its gradient is next to nothing
    real, _ = pictures(2, size=32)
    norms = []
    for picture in real:
        logits_by_pixels = jacobian(lambda x: D(x[None]).flatten(), picture).numpy()
        norms.append(np.sqrt(np.square(logits_by_pixels.mean(0)).sum()))
    distance = np.abs(np.array(norms) - 1)
    expected = 7 * np.mean(distance**2 if penalty == "squared" else distance)
    game = AdversarialLoss("wgan", penalty=penalty, penalty_weight=7.0)
    # Gradients of each logit, or of their mean, in fp32, through InstanceNorm and three convolutions.
    assert penalty_of(game, D, real, real).item() == pytest.approx(expected, rel=1e-3)


def test_penalty_is_taken_between_real_and_fake_at_a_place_drawn_for_each_picture() -> None:
    torch.manual_seed(0)
    real, fake = pictures(64)
    critic = Bowl()
    penalty_of(squared(), critic, real, fake)
    shares = ((critic.asked - fake) / (real - fake)).flatten(1).median(1).values
    expected = fake + shares.reshape(-1, 1, 1, 1) * (real - fake)
    torch.testing.assert_close(critic.asked, expected, atol=1e-4, rtol=0)  # a share is a quotient of small numbers
    assert 0 <= shares.min() < 0.1
    assert 0.9 < shares.max() <= 1
    assert shares.mean().item() == pytest.approx(0.5, abs=0.15)


def test_the_place_between_can_come_from_a_generator_of_its_own() -> None:
    real, fake = pictures()
    critic, asked = Bowl(), []
    before = torch.get_rng_state()
    for seed in (1, 1, 2):
        epsilon = squared().draw_epsilon(real, torch.Generator().manual_seed(seed))
        squared().gradient_penalty(critic, real, fake, epsilon)
        asked.append(critic.asked)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(asked[0], asked[1])
    assert not torch.equal(asked[0], asked[2])
    torch.manual_seed(1)
    penalty_of(squared(), critic, real, fake)
    assert torch.equal(critic.asked, asked[0])


def test_penalty_gives_the_pictures_no_gradient() -> None:
    real, fake = (x.requires_grad_() for x in pictures())
    penalty_of(squared(), conv_critic(), real, fake).backward()
    assert real.grad is None
    assert fake.grad is None


def test_penalty_is_fp32_under_autocast() -> None:
    critic, (real, fake) = conv_critic(), pictures()
    torch.manual_seed(1)
    expected = penalty_of(squared(), critic, real, fake)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        assert critic(real).dtype == torch.bfloat16
        penalty = penalty_of(squared(), critic, real, fake)
    assert penalty.dtype == torch.float32
    assert penalty.item() == expected.item()


class Wrapped(nn.Module):
    """A module with a forward of its own: `.compile()` of a bare Sequential compiles nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = conv_critic()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def test_penalty_of_a_compiled_critic() -> None:
    critic, (real, fake) = Wrapped(), pictures()
    torch.manual_seed(1)
    expected = penalty_of(squared(), critic, real, fake)
    expected.backward()
    gradient = critic.layers[0].weight.grad.clone()
    critic.zero_grad()

    critic.compile(backend="aot_eager")  # as the default backend, but for the C++ or Triton code at its end
    critic(real)
    torch.manual_seed(1)
    penalty = penalty_of(squared(), critic, real, fake)
    penalty.backward()
    # The graph of the compiled one may add in another order.
    torch.testing.assert_close(penalty, expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(critic.layers[0].weight.grad, gradient, rtol=1e-3, atol=1e-4)


def test_clipped_weights_stay_within_the_limit() -> None:
    critic = conv_critic()
    before = [weight.detach().clone() for weight in critic.parameters()]
    AdversarialLoss("wgan", weight_clip=0.1).clip_weights(critic)
    for weight, old in zip(critic.parameters(), before, strict=True):
        torch.testing.assert_close(weight.detach(), old.clamp(-0.1, 0.1))
    assert any((old.abs() > 0.1).any() for old in before)
