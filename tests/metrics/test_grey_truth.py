"""Truths that are grey photos: what a paper asks for is compared by luma there, and only there."""

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from suite.images import is_grey, signed_to_uint8, uint8_to_unit, unit_to_signed
from suite.metrics import pairwise
from suite.metrics.distances import frechet_distance

GREY = torch.tensor([1, 4, 5, 8])  # of ten


@pytest.fixture
def mixed(toys):
    """Ten pairs of which some targets are grey, and only they are."""
    a, b = toys.make_pictures(10, seed=0), toys.make_pictures(10, seed=1)
    b[GREY] = b[GREY, :1]
    assert is_grey(b).nonzero().flatten().tolist() == GREY.tolist()
    return toys.Data(a, b)


@pytest.fixture
def by_luma(toys) -> Callable[..., Any]:
    """A model whose outputs are those of the toys', with something added to each."""

    def build(added: Tensor | float = 0.0, luma_where_grey: bool = True) -> Any:
        class ByLuma(toys.Translator):
            def predict(self, batch: dict[str, Any]) -> list:
                (first, _) = super().predict(batch)
                return [dataclasses.replace(first, output=first.output + added, luma_where_grey=luma_where_grey)]

        return ByLuma()

    return build


def sides(data: Any) -> tuple[Tensor, Tensor]:
    """The outputs and truths of these data."""
    fake, truth = (unit_to_signed(uint8_to_unit(data.sides[side])) for side in "ab")
    return fake * 0.5, truth


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    suites = [record for record in caplog.records if record.name.startswith("suite")]
    return [record.message for record in suites if record.levelno >= logging.WARNING]


def test_colour_truths_are_compared_as_they_are(evaluated, metrics, by_luma, data, caplog):
    names = ["psnr", "ssim", "l1"]
    asked = evaluated(metrics(names=names), by_luma(), data)
    assert set(asked) == {f"val/{name}" for name in names}
    assert asked == evaluated(metrics(names=names), by_luma(luma_where_grey=False), data)
    assert warned(caplog) == []


def test_a_mixed_set_is_compared_by_luma_where_its_truth_is_grey(evaluated, metrics, by_luma, mixed):
    fake, truth = sides(mixed)
    red, green, blue = fake[GREY].unbind(1)
    compared = fake.clone()
    compared[GREY] = (0.299 * red + 0.587 * green + 0.114 * blue)[:, None].expand(-1, 3, -1, -1)
    measures = {"psnr": pairwise.psnr, "ssim": pairwise.ssim, "l1": pairwise.l1}
    expected = {f"val/{name}": measure(compared, truth).mean().item() for name, measure in measures.items()}
    figures = evaluated(metrics(names=list(measures)), by_luma(), mixed)
    assert figures == pytest.approx(expected | {"val/grey_truth": 0.4}, rel=1e-5)
    assert abs(figures["val/l1"] - pairwise.l1(fake, truth).mean().item()) > 1e-3


def test_chroma_does_not_count_where_every_truth_is_grey(evaluated, metrics, by_luma, toys):
    data = toys.Data(toys.make_pictures(6, seed=0), toys.make_pictures(6, seed=1, channels=1).repeat(1, 3, 1, 1))
    chroma = torch.tensor([0.2, -0.12, 0.0])
    chroma[2] = -(0.299 * chroma[0] + 0.587 * chroma[1]) / 0.114  # of no luma
    added_colours = (0.0, chroma.view(3, 1, 1))
    fake, _ = sides(data)
    assert (fake + added_colours[1]).abs().max() < 1  # nothing is clamped
    names = ["psnr", "ssim", "l1", "lp"]
    plain, coloured = (evaluated(metrics(names=names), by_luma(added), data) for added in added_colours)
    assert plain == pytest.approx(coloured, rel=1e-4)
    assert plain["val/grey_truth"] == 1
    assert plain["val/lp_sum_random_vgg19"] > 0
    by_colour = [
        evaluated(metrics(names=names), by_luma(added, luma_where_grey=False), data)["val/psnr"]
        for added in added_colours
    ]
    assert abs(by_colour[0] - by_colour[1]) > 0.1


def test_set_metrics_see_the_pictures_themselves(evaluated, metrics, by_luma, mixed):
    callback = metrics(names=["fid", "l1"])
    figures = evaluated(callback, by_luma(), mixed)
    fake, _ = sides(mixed)
    expected = frechet_distance(callback.extractor(mixed.sides["b"]), callback.extractor(signed_to_uint8(fake)))
    assert figures["val/fd_random_vgg"] == pytest.approx(expected, rel=1e-4)


def test_how_many_are_grey_is_said_once_by_the_names_of_what_is_measured(evaluated, metrics, by_luma, mixed, caplog):
    callback, model = metrics(names=["fid", "ssim", "psnr", "l1_closest"]), by_luma()
    for _ in range(2):
        evaluated(callback, model, mixed)
    said = "psnr, ssim compare luma there, fid the colours as they are"
    assert warned(caplog) == [f"val: 4 of 10 true pictures are grey: {said}"]


def test_where_nothing_is_compared_with_the_truth_nothing_is_said_of_it(evaluated, metrics, by_luma, mixed, caplog):
    assert set(evaluated(metrics(names=["fid"]), by_luma(), mixed)) == {"val/fd_random_vgg"}
    assert warned(caplog) == []


def test_pictures_of_one_channel_are_grey_without_a_word(evaluated, metrics, by_luma, toys):
    data = toys.Data(*(toys.make_pictures(6, seed=seed, channels=1) for seed in (0, 1)))
    assert set(evaluated(metrics(names=["l1"]), by_luma(), data)) == {"val/l1"}
