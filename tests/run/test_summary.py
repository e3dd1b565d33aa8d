"""What a run says of itself before it begins and at its end."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from omegaconf import DictConfig

from suite.papers.base import Paper
from suite.run.config import compose, instantiate
from suite.run.summary import conclude, summary


def composed(*words: str) -> tuple[DictConfig, Paper]:
    config = compose("train", ["experiment=cyclegan_lsgan", "scale=smoke", "trainer=cpu", "logger=none", *words])
    return config, instantiate(config)[0]


def line(text: str, title: str) -> str:
    (found,) = (line for line in text.splitlines() if line.strip().startswith(title))
    return found.partition(title)[2].strip()


@pytest.mark.parametrize(
    ("words", "holds_out", "expected"),
    [
        (["metrics=pixel"], True, "psnr, ssim, l1, best by val/l1"),  # no network is behind these
        (["metrics=offline"], True, "fid, kid, psnr, ssim, l1 (random_vgg), best by val/fd_random_vgg"),
        (["metrics=full"], True, "fid, kid, lpips, psnr, ssim, l1 (inception), best by val/fid"),
        (["metrics=none"], True, "none"),
        (["metrics=full"], False, "none: no pictures are held out"),
    ],
)
def test_the_network_behind_the_metrics_is_named_where_there_is_one(
    words: list[str], holds_out: bool, expected: str
) -> None:
    config, model = composed(*words)
    assert line(summary(config, model, Path("run"), "", {}, holds_out), "metrics") == expected


def test_figures_say_of_how_many_pictures_they_are(tmp_path: Path) -> None:
    _, model = composed()
    logged = {"val/fid": 6071.0, "val/n": 2.0, "val/n_real": 3.0, "val/psnr": 20.0, "epoch/G": 1.0}
    trainer: Any = SimpleNamespace(
        current_epoch=1, callback_metrics={name: torch.tensor(value) for name, value in logged.items()}
    )
    said = conclude(trainer, model, tmp_path, 5.0)
    assert line(said, "val/fid").split() == ["6071.0000", "n", "2,", "3", "real"]
    assert line(said, "val/psnr").split() == ["20.0000", "n", "2"]
    assert "val/n" not in said
    assert line(said, "evaluate").endswith(f"run={tmp_path}")


def test_without_pictures_held_out_those_of_training_are_what_can_be_measured(tmp_path: Path) -> None:
    _, model = composed()
    trainer: Any = SimpleNamespace(current_epoch=1, callback_metrics={})
    assert line(conclude(trainer, model, tmp_path, 5.0, holds_out=False), "evaluate").endswith(" split=train")


def test_a_processor_that_has_bfloat16_is_told_of_it_where_it_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    config, model = composed()
    avx512, amx, neither = {"avx512_bf16": True}, {"amx_bf16": True}, {"avx512_f": True, "amx_bf16": False}
    for processor, precision, told in (
        (avx512, "auto", True),
        (amx, "32-true", True),
        (neither, "auto", False),
        ({"architecture": "aarch64", "bf16": True}, "auto", False),  # where nothing was measured
        (avx512, "bf16-mixed", False),
    ):
        monkeypatch.setattr("torch.cpu.get_capabilities", lambda of=processor: of, raising=False)
        config.trainer.precision = precision
        said = summary(config, model, Path("run"), "", {})
        assert ("\n  faster " in said) == told, (processor, precision)
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: avx512, raising=False)
    config.trainer.precision = "32-true"
    assert "trainer.precision=bf16-mixed" in line(summary(config, model, Path("run"), "", {}), "faster")
    monkeypatch.setattr(Paper, "device", torch.device("meta"))  # as on a GPU
    assert "\n  faster " not in summary(config, model, Path("run"), "", {})
