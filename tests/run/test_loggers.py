"""metrics.csv as a run writes it, and goes on with after it was stopped anywhere."""

import csv
from pathlib import Path

import pytest

from suite.errors import UserError
from suite.run.loggers import MetricsCSV


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_columns_come_as_metrics_do(tmp_path: Path) -> None:
    log = MetricsCSV(tmp_path)
    log.log_metrics({"G": 1.5}, step=1)
    log.log_metrics({"G": 2.5, "D": 0.5}, step=2)
    log.log_metrics({"val/psnr": 20.0}, step=2)
    assert rows(tmp_path) == [
        {"batch": "1", "G": "1.5", "D": "", "val/psnr": ""},
        {"batch": "2", "G": "2.5", "D": "0.5", "val/psnr": ""},
        {"batch": "2", "G": "", "D": "", "val/psnr": "20.0"},
    ]


@pytest.mark.parametrize(("resumed", "kept"), [(0, []), (2, ["1", "2"]), (9, ["1", "2", "3"])])
def test_rows_that_are_trained_again_are_dropped(resumed: int, kept: list[str], tmp_path: Path) -> None:
    log = MetricsCSV(tmp_path)
    for step in (1, 2, 3):
        log.log_metrics({"G": float(step)}, step=step)
    resumed_log = MetricsCSV(tmp_path, resumed_batch=resumed)
    assert [row["batch"] for row in rows(tmp_path)] == ["1", "2", "3"]  # a run that is then refused leaves them
    resumed_log.log_metrics({"G": 7.0}, step=4)
    assert [row["G"] for row in rows(tmp_path)] == [f"{float(step)}" for step in kept] + ["7.0"]


@pytest.mark.parametrize("torn", ["3", "3,", ",,", "\0\0\0"])
def test_a_line_that_a_kill_cut_short_harms_nothing(torn: str, tmp_path: Path) -> None:
    log = MetricsCSV(tmp_path)
    log.log_metrics({"G": 1.0, "D": 1.0}, step=1)
    with (tmp_path / "metrics.csv").open("a", encoding="utf-8") as file:
        file.write(torn)
    resumed = MetricsCSV(tmp_path, resumed_batch=2)
    resumed.log_metrics({"G": 3.0, "D": 3.0}, step=3)
    assert [(row["batch"], row["G"]) for row in rows(tmp_path)] == [("1", "1.0"), ("3", "3.0")]


def test_a_spreadsheet_may_have_saved_it(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_bytes(b"\xef\xbb\xbfbatch,G\r\n1,1.0\r\n2,2.0\r\n")
    MetricsCSV(tmp_path, resumed_batch=1).log_metrics({"G": 3.0}, step=2)
    assert (tmp_path / "metrics.csv").read_bytes() == b"batch,G\n1,1.0\n2,3.0\n"


@pytest.mark.parametrize("content", [b"batch;G\n1;1,0\n", "batch,G\n".encode("utf-16"), b"\n", b"a,b\n1,2\n"])
def test_what_is_no_longer_the_runs_is_left_alone(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"metrics\.csv (is damaged|was saved by another program).*put back"):
        MetricsCSV(tmp_path, resumed_batch=1)
    assert (tmp_path / "metrics.csv").read_bytes() == content


def test_a_resumed_run_without_a_file_begins_one(tmp_path: Path) -> None:
    MetricsCSV(tmp_path, resumed_batch=5).log_metrics({"G": 1.0}, step=6)
    assert [row["batch"] for row in rows(tmp_path)] == ["6"]


def test_a_row_of_no_number_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("batch\n²\n", encoding="utf-8")
    MetricsCSV(tmp_path, resumed_batch=5).log_metrics({"G": 1.0}, step=6)
    assert [row["batch"] for row in rows(tmp_path)] == ["6"]


@pytest.mark.parametrize("full", [True, False], ids=["on a full disk", "where it may not be written"])
def test_a_file_that_takes_no_row_is_named(full: bool, tmp_path: Path) -> None:
    logger = MetricsCSV(tmp_path)
    logger.log_metrics({"epoch": 0}, step=1)
    (tmp_path / "metrics.csv").unlink()
    if full:
        (tmp_path / "metrics.csv").symlink_to("/dev/full")
    else:
        (tmp_path / "metrics.csv").mkdir()
    with pytest.raises(UserError, match=rf"^can't write {tmp_path}/metrics\.csv: (No space left|Is a directory)"):
        logger.log_metrics({"epoch": 0}, step=2)
