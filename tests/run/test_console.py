"""What is said before a run has a folder is in its log.txt all the same."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from suite.run import console


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("suite", "pytorch_lightning")]
    before = [(logger, logger.handlers[:], logger.level) for logger in loggers]
    yield
    for logger, handlers, level in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)


def test_the_file_has_all_from_the_start_and_everything_at_once(tmp_path: Path, capsys) -> None:
    memory = console.start()
    logging.getLogger("suite.data").info("before")
    logging.getLogger("pytorch_lightning.x").warning("of Lightning")
    console.keep(memory, tmp_path / "log.txt")
    logging.getLogger("suite.papers.base").info("after")
    logging.getLogger("suite").error("error: shown by the command")
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [line.split(": ", 1)[1] for line in lines] == [
        "before", "of Lightning", "after", "error: shown by the command",
    ]  # fmt: skip
    assert [line for line in capsys.readouterr().out.splitlines() if "Lightning" not in line] == ["before", "after"]


def test_a_second_job_writes_into_its_own_file(tmp_path: Path, capsys) -> None:
    for job in ("0", "1"):
        memory = console.start()
        logging.getLogger("suite").info("job %s", job)
        console.keep(memory, tmp_path / job)
    assert (tmp_path / "0").read_text().count("job") == 1
    assert (tmp_path / "1").read_text().strip().endswith("job 1")
    assert capsys.readouterr().out.splitlines() == ["job 0", "job 1"]


def test_a_process_that_does_not_speak(capsys) -> None:
    console.start(speaks=False)
    logging.getLogger("suite").warning("said by the first process")
    captured = capsys.readouterr()
    assert "said" not in captured.out + captured.err
