"""The commands from the outside: quick help, exit codes, one line for what the user can mend."""

import errno
import os
import resource
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from suite import train
from suite.errors import UserError
from suite.run import cli
from suite.run.messages import user_message
from suite.run.words import output_folder

HEAVY = ("torch", "torchvision", "pytorch_lightning", "kornia", "torchmetrics", "wandb", "numpy", "cv2")


@pytest.mark.parametrize(
    "command",
    [
        "train", "evaluate", "translate", "check_data", "extract_faces", "pack", "import_weights", "make_sketches",
        "style_grid", "compare", "demo", "bench", "export",
    ],
)  # fmt: skip
def test_help_is_quick_and_imports_nothing_heavy(command: str) -> None:
    code = f"""
import sys
from suite import {command}
sys.argv = ["suite.{command}", "--help"]
try:
    {command}.main()
finally:
    print([name for name in {HEAVY} if name in sys.modules])
"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert f"python -m suite.{command}" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2  # seconds at work


def test_every_command_is_a_console_script() -> None:
    scripts = {
        script.name: script for script in entry_points(group="console_scripts") if script.name.startswith("suite-")
    }
    assert {
        "suite-train",
        "suite-evaluate",
        "suite-translate",
        "suite-check-data",
        "suite-extract-faces",
        "suite-pack",
        "suite-import-weights",
        "suite-make-sketches",
        "suite-style-grid",
        "suite-compare",
        "suite-demo",
        "suite-bench",
        "suite-export",
    } <= set(scripts)
    for script in scripts.values():
        assert callable(script.load())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["suite.train", "experiment=nope"],
            "error: experiment=nope: there is none of that name; choose from ",
        ),
        (["suite.train", "resume=/nowhere"], "error: resume=/nowhere is not a run folder: it has no config.yaml"),
        (["suite.evaluate", "run=/nowhere"], "error: /nowhere is not a run folder: it has no config.yaml"),
        (["suite.evaluate"], "error: run is not set: say run="),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], line: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(line)
    assert list(tmp_path.iterdir()) == []


def run(monkeypatch: pytest.MonkeyPatch, job, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["suite.train", *words])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    with pytest.raises(SystemExit) as stop:
        cli.run("train", job)
    return int(stop.value.code or 0)


@pytest.mark.parametrize("words", [["-m", "seed=0,1"], ["seed=0,1", "--multirun"]])
def test_jobs_go_on_after_one_that_fails(words: list[str], tmp_path: Path, monkeypatch, capsys) -> None:
    seen: list[int] = []

    def job(config) -> None:
        seen.append(config.seed)
        if config.seed == 0:
            raise UserError("no such thing")

    assert run(monkeypatch, job, *words, f"hydra.sweep.dir={tmp_path}") == 2
    assert seen == [0, 1]
    assert capsys.readouterr().err == "error in job 0: no such thing\n"


def test_a_multirun_ends_with_how_its_runs_are_compared(tmp_path: Path, monkeypatch, capsys) -> None:
    def job(config) -> None:
        run = output_folder()
        if config.seed < 2:  # the last never begins
            (run / "config.yaml").touch()

    monkeypatch.setattr(train, "train", job)
    monkeypatch.setattr(sys, "argv", ["suite.train", "-m", "seed=0,1,2", f"hydra.sweep.dir={tmp_path / 'a sweep'}"])
    train.main()
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"2 runs  compare     python -m suite.compare '{tmp_path / 'a sweep'}'"
    )


def test_a_name_with_line_ends_and_commands_to_the_terminal_is_one_line(tmp_path: Path, monkeypatch, capsys) -> None:
    def job(config) -> None:
        raise UserError("a\nb\x1b[2J.png: no readable picture")

    assert run(monkeypatch, job, f"hydra.run.dir={tmp_path / 'run'}") == 2
    assert capsys.readouterr().err == "error: a\\nb\\x1b[2J.png: no readable picture\n"


def test_a_fault_of_ours_keeps_its_traceback(tmp_path: Path, monkeypatch) -> None:
    def job(config) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sys, "argv", ["suite.train", f"hydra.run.dir={tmp_path / 'run'}"])
    with pytest.raises(ZeroDivisionError):
        cli.run("train", job)


def test_a_stop_ends_a_multirun(tmp_path: Path, monkeypatch, capsys) -> None:
    def job(config) -> None:
        seen.append(config.seed)
        raise cli.Stopped(15, "stopped")

    seen: list[int] = []
    assert run(monkeypatch, job, "-m", "seed=0,1", f"hydra.sweep.dir={tmp_path}") == 143
    assert seen == [0]
    assert capsys.readouterr().err == "stopped\n"


def test_a_folder_made_for_nothing_is_removed_and_one_with_something_is_not(tmp_path: Path, monkeypatch) -> None:
    def job(config) -> None:
        raise UserError("no")

    folder = tmp_path / "run"
    assert run(monkeypatch, job, f"hydra.run.dir={folder}") == 2
    assert not folder.exists()
    folder.mkdir()
    (folder / "file").touch()
    assert run(monkeypatch, job, f"hydra.run.dir={folder}") == 2
    assert folder.exists()


def test_another_rank_waits_for_the_first_to_speak(monkeypatch, capsys, tmp_path: Path) -> None:
    def job(config) -> None:
        raise UserError("no")

    waits: list[float] = []
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(cli.time, "sleep", waits.append)
    assert run(monkeypatch, job, f"hydra.run.dir={tmp_path / 'run'}") == 2
    assert waits == [cli.FIRST_RANK_ENDS]
    assert capsys.readouterr().err == "error: no\n"  # said by this rank, as it is still there


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.EACCES, os.strerror(errno.EACCES), "x/y"), "x/y: Permission denied"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "a file could not be written: No space left on device"),
        (OSError(errno.EPIPE, os.strerror(errno.EPIPE)), None),
        (ValueError("a fault of ours"), None),
        (KeyError("x"), None),
    ],
)
def test_what_the_user_can_mend(error: Exception, message: str | None) -> None:
    assert user_message(error) == message
