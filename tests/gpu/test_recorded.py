"""On a GPU: recorded steps against those made one operation at a time, over the real data layer, for every paper."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from suite.train import main
from suite.updates import alternating
from suite.updates.recording import Recorder

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

EXPERIMENTS = (
    "cyclegan_lsgan",
    "cyclegan_wgan_gp",
    "pix2pix_final",
    "pix2pix_unetpp",
    "dagan_celeba_cufs",
    "csi_celeba",
    "two_step_faces",
    "sketch_to_image_faces",
)
STEPS = 50


@pytest.fixture
def recorders(monkeypatch: pytest.MonkeyPatch) -> list[Recorder]:
    """Those that the runs of a test make."""
    made: list[Recorder] = []
    make = alternating.recorder_on_gpu
    monkeypatch.setattr(alternating, "recorder_on_gpu", lambda must: made.append(make(must)) or made[-1])
    return made


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Trains as typed; a command that fails ends the test."""

    def run(*words: str) -> None:
        monkeypatch.setenv("SUITE_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(sys, "argv", ["suite.train", *words])
        main()

    return run


@pytest.fixture
def train(command: Callable[..., None], tmp_path: Path) -> Callable[..., Path]:
    """A run of so many batches, an epoch."""

    def run(name: str, experiment: str, *words: str, precision: str = "32-true") -> Path:
        folder = tmp_path / name
        own = [f"experiment={experiment}", "scale=smoke", "trainer=gpu", f"trainer.precision={precision}"]
        long = ["data.batch_size=2", f"data.epoch_length={2 * STEPS}", f"trainer.limit_train_batches={STEPS}"]
        command(*own, *long, "metrics=none", "images.count=0", f"hydra.run.dir={folder}", *words)
        return folder

    return run


def weights(run: Path) -> dict[str, Tensor]:
    """Of its last stage."""
    (*_, last) = sorted(run.glob("**/checkpoints/last.ckpt"))
    state = torch.load(last, weights_only=True, map_location="cpu")["state_dict"]
    return {name: value for name, value in state.items() if isinstance(value, Tensor) and value.is_floating_point()}


def apart(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((value - other[name]).abs().max()) for name, value in one.items())


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_recorded_steps_are_no_further_apart_than_others(
    experiment: str, precision: str, train: Callable[..., Path], recorders: list[Recorder]
) -> None:
    """Two runs of the same steps differ, too: ReflectionPad2d's way back adds in no fixed order."""
    eager = [
        weights(train(name, experiment, "model.recorded=false", precision=precision)) for name in ("once", "again")
    ]
    assert not recorders
    recorded = weights(train("recorded", experiment, "model.recorded=true", precision=precision))
    assert recorders
    assert all(recorder.records for recorder in recorders)
    assert apart(recorded, eager[0]) <= max(2 * apart(*eager), 1e-6)


def test_compiled_networks_are_recorded(train: Callable[..., Path], recorders: list[Recorder]) -> None:
    train("compiled", "pix2pix_final", "model.recorded=true", "model.compile=true")
    assert all(recorder.records for recorder in recorders)


def test_a_resumed_run_records_anew(train: Callable[..., Path], command: Callable[..., None]) -> None:
    """pix2pix has dropout, which draws within its steps, and no padding whose way back has no fixed order."""
    words = ["backbone=unet", "trainer.deterministic=true", "model.recorded=true"]
    whole = weights(train("whole", "pix2pix_final", "trainer.max_epochs=2", *words))
    stopped = train("stopped", "pix2pix_final", "trainer.max_epochs=1", *words)
    command(f"resume={stopped}", "trainer.max_epochs=2")
    assert apart(weights(stopped), whole) <= 1e-6


def test_a_recording_takes_little_more_memory(train: Callable[..., Path], recorders: list[Recorder]) -> None:
    """Also with a validation, which can't use the memory of a recording."""
    peaks = []
    for recorded in ("false", "true"):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        train(recorded, "cyclegan_lsgan", f"model.recorded={recorded}", "metrics=offline", "images.count=4")
        peaks.append(torch.cuda.max_memory_reserved())
    assert recorders[0].records
    assert peaks[1] < 2 * peaks[0]
