"""A run to export, and a hub on this machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exports import save_run, small
from stub_hub import StubHub, stub_hub


@pytest.fixture(autouse=True)
def _few_scales(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that a card's command is looked for in is composed."""
    monkeypatch.setattr("suite.exporting.training._SCALES", ("smoke", "paper"))


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a CycleGAN whose generators are averaged."""
    words = ["experiment=cyclegan_lsgan", "model.ema_decay=0.9", "model.backbone.blocks=1"]
    model = small(*words)
    return save_run(tmp_path_factory.mktemp("private") / "run", model, *words)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StubHub]:
    """A hub that knows the login of this test."""
    constants: Any = pytest.importorskip("huggingface_hub.constants")
    from suite.run import exported

    with stub_hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setenv("HF_TOKEN", server.token)
        exported._fetched.cache_clear()
        yield server
