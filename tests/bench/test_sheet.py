"""The tables of docs/speed.md: a variant that is measured, that fails, takes too long, or that no time is left for."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from suite.bench import sheet
from suite.bench.sheet import Plan, Variant
from suite.errors import UserError

SMALL = ("data.size=32", "data.load_size=36", "data.workers=0", "model.backbone.width=4", "model.discriminator.width=4")
QUICK = ("trainer=cpu", "bench.steps=1", "bench.warmup=1", "bench.repeats=1", "bench.profile=true")


def test_a_variant_is_a_row_and_one_that_fails_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUITE_CACHE", str(tmp_path))
    one = Variant(("experiment=cyclegan_lsgan", "data.batch_size=1", *SMALL), 120)
    wrong = Variant(("experiment=no_such_paper",), 120)
    assert sheet.measure_all(Plan((one, wrong), 240), QUICK) == 1
    head, _, first, second, _, profile = capsys.readouterr().out.splitlines()
    assert first.startswith("| `cyclegan_lsgan` | 32² | 1 | 32-true | plain | ")
    assert first.count("|") == second.count("|") == head.count("|")
    assert second.startswith("| not measured (exit code 2): `experiment=no_such_paper trainer=cpu")
    assert profile.startswith("- `cyclegan_lsgan` 32², batch 1, 32-true, plain, ")
    assert "convolutions" in profile
    assert "gradient norm" in profile


def test_what_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(command: list[str], timeout: float, **_: Any) -> Any:
        assert command[:3] == [sys.executable, "-m", "suite.bench"]
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    assert sheet.measure_all(Plan((Variant(("experiment=a",), 20), Variant(("experiment=b",), 90)), 60), []) == 2
    *_, first, second = capsys.readouterr().out.splitlines()
    assert "not measured (more than 20 s): `experiment=a`" in first
    assert "not measured (more than 60 s): `experiment=b`" in second
    assert sheet.measure_all(Plan((Variant(("experiment=a",), 20),), 5), []) == 1
    assert "not measured (no time): `experiment=a`" in capsys.readouterr().out


def test_plans_have_their_time_and_their_names() -> None:
    plan = sheet.PLANS["gpu"]()
    assert plan.limit <= 9 * 60
    assert len(set(plan.variants)) == len(plan.variants)
    with pytest.raises(UserError, match=r"plan 'tpu': say python -m suite.bench.sheet gpu\|cpu"):
        sheet.main(["tpu"])
