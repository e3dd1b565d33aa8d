import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from suite.losses.domain import LEAST_LOG, discriminator, encoder, scores


def logits() -> tuple[Tensor, Tensor]:
    source, target = torch.randn(2, 4, 1, 3, 3, generator=torch.Generator().manual_seed(0)) * 3
    return source, target


def bce(x: Tensor, label: float) -> float:
    return binary_cross_entropy_with_logits(x, torch.full_like(x, label)).item()


def descend(loss, D: nn.Module, source: Tensor, target: Tensor, steps: int, lr: float) -> float:
    """The last loss of D under gradient descent."""
    sgd = torch.optim.SGD(D.parameters(), lr=lr)
    for _ in range(steps):
        sgd.zero_grad()
        value = discriminator(loss, D(source), D(target))
        value.backward()
        sgd.step()
    return value.item()


def test_bce_is_torchs_with_the_target_as_one() -> None:
    source, target = logits()
    expected = bce(source, 0) + bce(target, 1)
    assert discriminator("bce", source, target).item() == pytest.approx(expected, rel=1e-5)
    opposite = bce(source, 1) + bce(target, 0)
    assert encoder("bce", source, target).item() == pytest.approx(opposite, rel=1e-5)


def test_literal_is_equation_8_and_the_encoders_is_its_opposite() -> None:
    source, target = logits()
    expected = (1 - target.double().sigmoid()).log().mean() + source.double().sigmoid().log().mean()
    assert discriminator("literal", source, target).item() == pytest.approx(expected.item(), rel=1e-5)
    assert encoder("literal", source, target).item() == pytest.approx(-expected.item(), rel=1e-5)


def test_a_trained_discriminator_says_target_of_target_codes() -> None:
    random = torch.Generator().manual_seed(1)
    source = torch.randn(64, 2, generator=random) - torch.tensor([3.0, 0.0])
    target = torch.randn(64, 2, generator=random) + torch.tensor([3.0, 0.0])
    D = nn.Linear(2, 1)
    nn.init.zeros_(D.weight)
    nn.init.zeros_(D.bias)
    assert scores(D(source), D(target))["scores/target_right"] == 0  # 0 is a guess
    descend("bce", D, source, target, steps=50, lr=0.5)
    said = scores(D(source), D(target))
    assert min(said.values()) > 0.95
    assert D(target).mean() > 1
    assert D(source).mean() < -1


@pytest.mark.parametrize("loss", ["bce", "literal"])
def test_the_encoder_moves_every_logit_against_the_discriminator(loss) -> None:
    gradients = []
    for player in (discriminator, encoder):
        source, target = (x.requires_grad_() for x in logits())
        player(loss, source, target).backward()
        gradients.append(torch.cat([source.grad, target.grad]))
    of_discriminator, of_encoder = gradients
    assert (of_discriminator * of_encoder < 0).all()
    # What D makes smaller of the source's, and greater of the target's.
    assert (of_discriminator[:4] > 0).all()
    assert (of_discriminator[4:] < 0).all()


class OneThing(nn.Module):
    """Says the same of every code: the best that can be said where an encoder has made the domains alike."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(logit))

    def forward(self, codes: Tensor) -> Tensor:
        return self.logit.expand(len(codes))


@pytest.mark.parametrize("start", [0.1, -0.1])
def test_literal_falls_to_its_floor_where_d_says_one_thing_of_everything_and_bce_guesses(start: float) -> None:
    codes = torch.zeros(4, 2)
    D = OneThing(start)
    assert descend("literal", D, codes, codes, steps=150, lr=1.0) == pytest.approx(LEAST_LOG)
    assert torch.sign(D.logit).item() == (1 if start > 0 else -1)

    D = OneThing(start)
    assert descend("bce", D, codes, codes, steps=150, lr=1.0) == pytest.approx(2 * torch.tensor(2.0).log().item())
    assert D.logit.item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("loss", ["bce", "literal"])
@pytest.mark.parametrize("player", [discriminator, encoder])
def test_it_is_computed_in_fp32_and_finite_for_extreme_halves(loss, player) -> None:
    source, target = (x.bfloat16() for x in logits())
    value = player(loss, source, target)
    assert value.dtype == torch.float32
    assert torch.equal(value, player(loss, source.float(), target.float()))
    huge = torch.full((4,), 3e4, dtype=torch.float16)
    assert torch.isfinite(player(loss, huge, -huge))
    assert torch.isfinite(player(loss, -huge, huge))


def test_scores_are_the_shares_that_d_recognises() -> None:
    said = scores(source=torch.tensor([-1.0, -2.0, 3.0, -0.1]), target=torch.tensor([1.0, -1.0, -2.0, -0.5]))
    assert said == {"scores/source_right": 0.75, "scores/target_right": 0.25}
