"""What DA-GAN's losses do over some hundred steps, on squares whose outlines are drawn by two pencils."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from suite.data.batch import Batch
from suite.losses import domain
from suite.papers.dagan import DAGAN
from suite.sketching.styles import sobel

PALE = 0.8  # brightness of the paper of the second pencil


def photos(count: int, random: torch.Generator) -> Tensor:
    """Up to four dark squares on a light ground, moved by up to three pixels: (count, 3, 32, 32) in [0, 1]."""
    there = torch.randint(2, (count, 1, 2, 2), generator=random).float()
    square = F.pad(torch.ones(1, 1, 8, 8), (4,) * 4)
    squares = F.interpolate(there, size=(32, 32)) * square.repeat(1, 1, 2, 2)
    moves = torch.randint(-3, 4, (count, 2), generator=random).tolist()
    moved = [one.roll(move, (1, 2)) for one, move in zip(squares, moves, strict=True)]
    return 0.9 - 0.8 * torch.stack(moved).expand(-1, 3, -1, -1)


def pictures(count: int, seed: int) -> Batch:
    """Sketches with their photos, and sketches of others, on darker paper."""
    random = torch.Generator().manual_seed(seed)
    y, others = photos(count, random), photos(count, random)
    a, target = sobel(y), PALE * sobel(others)
    return {"a": 2 * a - 1, "b": 2 * y - 1, "target": 2 * target - 1, "paired": True}


def train(model: DAGAN, data: Batch, steps: int, batch_size: int) -> None:
    torch.manual_seed(0)
    model.report = lambda seen: None  # type: ignore[method-assign]
    for step in range(steps):
        some = torch.arange(step * batch_size, (step + 1) * batch_size) % len(data["a"])
        model.training_step({name: data[name][some] for name in ("a", "b", "target")} | {"paired": True}, step)


# Adaptation -----------------------------------------------------------------------------------------------------------


class LinearInversion(nn.Module):
    """An encoder and a decoder of patches, which learn in 300 steps what those of the paper take hours for."""

    divisor = 16

    def __init__(self) -> None:
        super().__init__()
        self.encoder = LinearEncoder()
        self.decoder = nn.Sequential(nn.ConvTranspose2d(8, 3, 16, 16), nn.Tanh())


class LinearEncoder(nn.Conv2d):
    latent_channels = 8

    def __init__(self) -> None:
        super().__init__(1, 16, 16, 16)
        nn.init.normal_(self.weight, std=1 / 16)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = super().forward(x).chunk(2, dim=1)
        return mean, log_variance


def fresh_probe(model: DAGAN, held_out: Batch) -> float:
    """Accuracy of a logistic regression on the means of pictures never trained on; its own halves are apart, too."""
    with torch.no_grad():
        codes = torch.cat([model.Inv.encoder(held_out[side])[0].flatten(1) for side in ("a", "target")])
    codes = (codes - codes.mean(0)) / codes.std(0)
    is_target = torch.arange(len(codes)) >= len(codes) // 2
    weight, bias = torch.zeros(codes.shape[1], requires_grad=True), torch.zeros((), requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100)

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = codes[::2] @ weight + bias
        value = F.binary_cross_entropy_with_logits(logits, is_target[::2].float()) + 0.01 * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)  # type: ignore[arg-type]
    return ((codes[1::2] @ weight + bias > 0) == is_target[1::2]).float().mean().item()


def test_a_fresh_probe_no_longer_tells_the_styles_apart_where_the_encoder_adapts(make_dagan: Callable) -> None:
    """The game of the three updates, on a linear toy; `experiments/dagan` measures it on the networks of Table 1."""
    data, held_out = pictures(256, seed=0), pictures(256, seed=1)

    def accuracy(**changes: int) -> float:
        # D sees means, as the probe does. Of samples, it can't see what is smaller than their noise.
        model = make_dagan(lr=1e-3, lr_g=2e-3, lr_d=2e-3, da_sees="mean", **changes)
        model.Inv = LinearInversion()
        if model.D is not None:
            model.D = nn.Sequential(nn.Flatten(), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
        train(model, data, steps=200, batch_size=16)
        return fresh_probe(model, held_out)

    assert accuracy(g_steps=0, d_steps=0) > 0.9
    assert accuracy() < 0.8


# The posterior --------------------------------------------------------------------------------------------------------


def inverted(model: DAGAN, data: Batch) -> tuple[float, float, float]:
    """KL in nats a dimension; L_p with the mean of each sketch's own code, and with that of another."""
    with torch.no_grad():
        mean, log_variance = model.Inv.encoder(data["a"])
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)
        real = model.features(data["b"])
        own, others = (
            (model.features(model.Inv.decoder(code)) - real).square().sum(dim=(1, 2, 3)).mean().item()
            for code in (mean, mean.roll(1, 0))
        )
    return kl.mean().item(), own, others


def test_a_code_says_something_where_both_losses_are_sums_and_nothing_where_only_one_is(make_dagan: Callable) -> None:
    data, held_out = pictures(256, seed=0), pictures(64, seed=1)
    features = 16 * 8 * 8  # what L_p is divided by where it is a mean and KL is not
    found = []
    # At the defaults the adversary moves the encoder, too.
    for lambda_kl, steps, changes in ((1.0, 250, {}), (float(features), 60, {"g_steps": 0, "d_steps": 0})):
        model = make_dagan(lr=4e-3, lambda_kl=lambda_kl, **changes)
        train(model, data, steps=steps, batch_size=8)
        assert model.features(data["b"][:1]).numel() == features
        found.append(inverted(model, held_out))
    (kl, own, others), (collapsed_kl, collapsed_own, collapsed_others) = found
    assert kl > 0.005
    assert others > 1.03 * own
    assert collapsed_kl < 0.001
    assert collapsed_others == pytest.approx(collapsed_own, rel=1e-3)


# Eq. 8 as printed -----------------------------------------------------------------------------------------------------


def played_alone(model: DAGAN, source: Tensor, target: Tensor, steps: int) -> tuple[float, list[float]]:
    """D's loss and its accuracies of both domains, after some updates on codes that stay what they are."""
    assert model.D is not None
    model.hold_features()
    for _ in range(steps):
        with model.learning("D"):
            model.update("D", {"D": domain.discriminator(model.da_loss, *model.judge(source, target))})
    with torch.no_grad():
        logits = model.judge(source, target)
        right = [share.item() for share in domain.scores(*logits).values()]
        return domain.discriminator(model.da_loss, *logits).item(), right


def test_of_the_literal_loss_d_learns_to_call_everything_the_same(make_dagan: Callable) -> None:
    source, target = torch.randn(2, 32, 64, 2, 2, generator=torch.Generator().manual_seed(0))

    def play(loss: str, apart: float) -> tuple[float, list[float]]:
        model = make_dagan(width=4, da_loss=loss, lr_d=1e-2, g_steps=0)
        return played_alone(model, source, target + apart, 100)

    lowest, right = play("literal", apart=0.0)
    assert lowest == pytest.approx(domain.LEAST_LOG, abs=1e-3)  # of one logarithm, where it ends but for that bound
    assert sorted(right) == [0, 1]
    # Codes that are far apart hide the fault: both logarithms fall.
    lowest, right = play("literal", apart=3.0)
    assert lowest < 1.5 * domain.LEAST_LOG
    assert min(right) > 0.9
    assert min(play("bce", apart=3.0)[1]) > 0.9
