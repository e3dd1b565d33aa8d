from collections.abc import Callable

import pytest
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn

from suite.updates.ema import EMA
from suite.updates.halting import Halt


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))


def test_average_is_the_formula() -> None:
    net = network(0)
    ema = EMA({"G": net}, decay=0.9)
    expected = [weight.detach().clone() for weight in net.parameters()]
    for step in range(3):
        with torch.no_grad():
            for weight in net.parameters():
                weight.add_(torch.randn_like(weight))
        ema.average({"G": net}, Halt())
        expected = [0.9 * old + 0.1 * new.detach() for old, new in zip(expected, net.parameters(), strict=True)]
        for average, value in zip(ema["G"].parameters(), expected, strict=True):
            torch.testing.assert_close(average, value, msg=f"step {step}")


def test_buffers_are_copied() -> None:
    net = network(0)
    ema = EMA({"G": net}, decay=0.9)
    net(torch.rand(2, 3, 8, 8))
    ema.average({"G": net}, Halt())
    assert net[1].num_batches_tracked == 1
    for average, value in zip(ema["G"].buffers(), net.buffers(), strict=True):
        assert torch.equal(average, value)
        assert average is not value


def test_each_network_has_its_own_average() -> None:
    nets = {"G": network(0), "F": network(1)}
    ema = EMA(nets, decay=0.0)
    nets["G"][0].weight.data.fill_(1)
    ema.average(nets, Halt())
    torch.testing.assert_close(ema["G"][0].weight, torch.ones_like(ema["G"][0].weight))
    torch.testing.assert_close(ema["F"][0].weight, nets["F"][0].weight)


def test_averages_stay_in_eval_mode_and_take_no_gradient() -> None:
    parent = nn.Module()
    parent.ema = EMA({"G": network(0)}, decay=0.9)
    parent.train()
    assert not any(module.training for module in parent.ema.modules())
    assert not any(weight.requires_grad for weight in parent.parameters())


class Watch(Callback):
    """Keeps a weight of G and its average, before the first step and after each."""

    def __init__(self) -> None:
        self.weights: list[tuple[Tensor, Tensor]] = []

    def on_train_start(self, trainer, pl_module) -> None:
        self.weights.append(tuple(net.layers[1].weight.detach().clone() for net in (pl_module.G, pl_module.ema["G"])))

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        self.on_train_start(trainer, pl_module)


def test_averages_move_on_the_generators_steps_only(make_cyclegan: Callable, make_batches: Callable, fit: Callable):
    watch = Watch()
    fit(make_cyclegan(ema_decay=0.5, adversarial={"loss": "wgan", "critic_steps": 3}), make_batches(6), callbacks=watch)
    (first, _), *_ = watch.weights
    averages = [average for _, average in watch.weights]
    assert all(torch.equal(average, first) for average in averages[:3])
    third, sixth = watch.weights[3][0], watch.weights[6][0]
    assert not torch.equal(third, first)
    for average in averages[3:6]:
        torch.testing.assert_close(average, (first + third) / 2)
    torch.testing.assert_close(averages[6], first / 4 + third / 4 + sixth / 2)


@pytest.mark.parametrize(("direction", "name"), [("a2b", "G"), ("b2a", "F")])
def test_translate_looks_through_the_average(make_cyclegan: Callable, direction: str, name: str) -> None:
    model = make_cyclegan(ema_decay=0.9)
    pictures = torch.rand(2, 3, 16, 16)
    nn.init.zeros_(model.generators()[name].layers[1].weight)
    expected = model.ema[name](pictures)
    assert torch.equal(model.translate(pictures, direction), expected)
    assert not torch.equal(model.generators()[name](pictures), expected)


def test_an_average_travels_in_a_checkpoint(make_cyclegan: Callable, make_batches: Callable, fit: Callable, tmp_path):
    model = make_cyclegan(ema_decay=0.9)
    fit(model, make_batches(2)).save_checkpoint(tmp_path / "last.ckpt")
    again = type(model).load_from_checkpoint(tmp_path / "last.ckpt", weights_only=True)
    for average, value in zip(again.ema.parameters(), model.ema.parameters(), strict=True):
        assert torch.equal(average, value)
    assert not torch.equal(again.ema["G"].layers[1].weight, again.G.layers[1].weight)
