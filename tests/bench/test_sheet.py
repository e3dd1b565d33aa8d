"""The tables of docs/speed.md: a variant that is measured, that fails, takes too long, or that no time is left for."""

import subprocess
import sys
from typing import Any

import pytest

from suite.bench import sheet
from suite.bench.sheet import Plan, Variant
from suite.errors import UserError

# Of a variant that is measured: tests/bench/test_bench.py, beside all else that one command says.


def test_a_variant_that_fails_is_named_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = Variant(("experiment=no_such_paper",), 120)
    assert sheet.measure_all(Plan((wrong, wrong), 240), ["trainer=cpu"]) == 2
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 2
    for row in rows:
        assert row.startswith("| not measured (exit code 2): `experiment=no_such_paper trainer=cpu` |")
        assert row.count("|") == head.count("|")


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
