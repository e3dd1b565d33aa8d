"""What a run needs of its machine is said before it begins, and what of it the machine lacks."""

from pathlib import Path
from typing import Any

import pytest
import torch

from suite.files import readable_bytes
from suite.papers.base import Paper
from suite.run import needs as module
from suite.run.config import compose, instantiate
from suite.run.machine import free_main_memory, free_memory
from suite.run.needs import needs
from suite.run.summary import summary

MiB = 2**20


def composed(*words: str) -> tuple[Any, Paper]:
    config = compose("train", ["experiment=pix2pix_unet", "scale=smoke", "trainer=cpu", "logger=none", *words])
    return config, instantiate(config)[0]


def saved(model: Paper, path: Path, optimizers: bool) -> int:
    """Bytes of the tensors that a checkpoint holds after a step."""
    content: dict[str, Any] = {"state_dict": model.state_dict()}
    if optimizers:
        for optimizer in model.configure_optimizers():
            for group in optimizer.param_groups:
                for weight in group["params"]:
                    weight.grad = torch.zeros_like(weight)
            optimizer.step()
            content[str(id(optimizer))] = optimizer.state_dict()["state"]
    torch.save(content, path)
    return path.stat().st_size


def test_checkpoints_are_as_large_as_is_said(tmp_path: Path) -> None:
    config, model = composed("model.ema_decay=0.9", "metrics=pixel", "trainer.max_epochs=7", "checkpoint.keep=2")
    config.checkpoint.at_steps = [1, 5, 700]
    whole, bare = (saved(model, tmp_path / str(with_all), with_all) for with_all in (True, False))
    told = needs(config, model, tmp_path, batches=10)["disk"]
    size = 3 * whole + 5 * bare
    assert f" for checkpoints (last, best, {3 + 2} without optimizers, one being written)" in told
    assert float(told.split()[0]) == pytest.approx(size / MiB, rel=0.05)
    without = needs(config, model, tmp_path, holds_out=False, batches=10)["disk"]
    assert "best" not in without
    assert "grids" not in without


@pytest.mark.parametrize(
    ("words", "grids"),
    [
        (["trainer.max_epochs=6", "trainer.check_val_every_n_epoch=2", "images.count=3"], 3 * 3),
        (["trainer.max_epochs=6", "trainer.check_val_every_n_epoch=2", "images.every_n_validations=3"], 4 * 1),
        (["model.steps=60", "model.decay_steps=0", "trainer.max_epochs=-1", "validation.every_n_steps=20"], 4 * 3),
        (["model.steps=60", "model.decay_steps=0", "trainer.max_epochs=-1"], 4 * 1),
        (["trainer.max_epochs=4", "validation.every_n_steps=10", "images.train=2"], (4 + 2) * 4),
    ],
)
def test_grids_are_counted_by_their_validations(words: list[str], grids: int, tmp_path: Path) -> None:
    config, model = composed(*words)
    config.data.size = 512
    told = needs(config, model, tmp_path, batches=10)["disk"]
    assert f", up to {readable_bytes(grids * 3 * 3 * 512**2)} for picture grids" in told


def test_what_lacks_is_a_line_of_the_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, model = composed()
    assert "warning" not in summary(config, model, tmp_path, "", {})
    monkeypatch.setattr(module, "free_memory", lambda device: 0)
    monkeypatch.setattr(module, "free_bytes", lambda folder: 0)
    (line,) = (line for line in summary(config, model, tmp_path, "", {}).splitlines() if "warning" in line)
    assert " of memory for it: lower data.batch_size or set trainer.precision=bf16-mixed; " in line
    assert f"the disk of {tmp_path} has 0 KiB free: " in line
    (tmp_path / "checkpoints").mkdir()
    with (tmp_path / "checkpoints" / "last.ckpt").open("wb") as file:
        file.truncate(2**40)  # a resumed run writes over what is there
    assert "disk of" not in needs(config, model, tmp_path)["warning"]


def files(root: Path, **texts: str) -> Path:
    for place, text in texts.items():
        path = root / place.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


AVAILABLE = {"proc__meminfo": "MemTotal: 9999 kB\nMemAvailable:    4096 kB\n"}


@pytest.mark.parametrize(
    ("there", "free"),
    [
        ({}, 4 * MiB),
        ({"proc__self__cgroup": "0::/job/one\n"}, 4 * MiB),
        (
            {
                "proc__self__cgroup": "0::/job/one\n",
                "sys__fs__cgroup__job__one__memory.max": "max\n",
                "sys__fs__cgroup__job__one__memory.current": "5\n",
                "sys__fs__cgroup__job__memory.max": f"{3 * MiB}\n",  # of the group around it
                "sys__fs__cgroup__job__memory.current": f"{2 * MiB}\n",
                "sys__fs__cgroup__job__memory.stat": f"anon 5\ninactive_file {MiB // 2}\n",
            },
            1.5 * MiB,
        ),
        (
            {
                "proc__self__cgroup": "9:cpu:/x\n4:memory:/docker/1\n0::/\n",
                "sys__fs__cgroup__memory__memory.limit_in_bytes": f"{2 * MiB}",  # mounted at the top
                "sys__fs__cgroup__memory__memory.usage_in_bytes": f"{MiB}",
                "sys__fs__cgroup__memory__memory.stat": f"inactive_file 7\ntotal_inactive_file {MiB // 4}\n",
            },
            1.25 * MiB,
        ),
    ],
    ids=["no container", "no limit", "version 2", "version 1"],
)
def test_main_memory_is_that_of_the_container(there: dict[str, str], free: float, tmp_path: Path) -> None:
    assert free_main_memory(files(tmp_path, **AVAILABLE, **there)) == free


def test_memory_of_this_machine(tmp_path: Path) -> None:
    assert 2**20 < free_memory(torch.device("cpu")) < 2**50
    assert 2**20 < free_main_memory(tmp_path) < 2**50  # without files that say it
