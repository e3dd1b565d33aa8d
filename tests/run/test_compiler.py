"""What torch.compile makes is kept between runs, in a folder of one's own; and what it takes is said."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from torch._inductor.runtime.cache_dir_utils import default_cache_dir

from suite.run.callbacks import CompileTime
from suite.run.compiler import keep_compiled

NAME = "TORCHINDUCTOR_CACHE_DIR"


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "")  # so that it is put back
    monkeypatch.delenv(NAME)


def test_it_is_kept_where_nobody_else_writes(tmp_path: Path) -> None:
    keep_compiled(str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "compiled"
    assert os.environ[NAME] == str(folder)
    assert folder.stat().st_mode & 0o077 == 0


def test_torchs_own_folder_which_an_import_names_is_not_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, default_cache_dir())  # as importing Lightning does
    keep_compiled(str(tmp_path))
    assert os.environ[NAME] == str(tmp_path / "compiled")


def test_a_folder_that_the_user_names_goes_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "mine")
    keep_compiled(str(tmp_path))
    assert os.environ[NAME] == "mine"


def test_of_somebody_elses_folder_no_code_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.getuid()
    monkeypatch.setattr("os.getuid", lambda: own + 1)
    keep_compiled(str(tmp_path))
    assert NAME not in os.environ


def test_where_nothing_can_be_kept_torch_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "compiled").write_text("a file")
    keep_compiled(str(tmp_path))
    assert NAME not in os.environ


def test_the_first_step_is_said_once(
    make_cyclegan: Callable, make_batches: Callable, fit: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    model = make_cyclegan(adversarial={"loss": "wgan", "penalty": "squared", "critic_steps": 2})
    fit(model, make_batches(6), callbacks=CompileTime())
    (line,) = (record.getMessage() for record in caplog.records if "compiled" in record.getMessage())
    assert line.startswith("compiled: the first step took ")
