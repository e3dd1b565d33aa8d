"""Runs of two small papers, and a video."""

from pathlib import Path

import pytest
import torch
from saved import save_run
from to_labels import to_labels
from videos import face_frames, write

from suite.papers.cyclegan import CycleGAN
from suite.run.config import defaults_of


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_run(tmp_path_factory.mktemp("runs") / "labels", to_labels())


@pytest.fixture(scope="session")
def cyclegan_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    networks = {
        "backbone": {"name": "resnet", "blocks": 1, "width": 4},
        "discriminator": {"name": "patch", "downs": 1, "width": 4},
    }
    torch.manual_seed(0)
    model = CycleGAN(**defaults_of("cyclegan") | networks)
    return save_run(tmp_path_factory.mktemp("runs") / "cyclegan", model)


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("videos") / "talk.mp4", face_frames())
