"""One process trains in a run's folder at a time, and one that was killed keeps nobody out."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.errors import UserError
from suite.run.hold import LOCK, hold, let_go

# Has a child, as a run its loader's processes, which would keep what it inherits.
HOLDER = """
import os, sys, time
from pathlib import Path
from suite.run.hold import hold
hold(Path(sys.argv[1]))
child = os.fork()
if child == 0:
    time.sleep(60)
print(child, flush=True)
time.sleep(60)
"""


def test_another_process_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        child = int(first.stdout.readline())
        try:
            with pytest.raises(UserError, match=rf"is being trained by process {first.pid} on .*: wait until it ends"):
                hold(tmp_path)
            first.kill()
            first.wait()
            hold(tmp_path)
            assert f"process {os.getpid()} " in (tmp_path / LOCK).read_text()
            let_go(tmp_path)
            assert list(tmp_path.iterdir()) == []
        finally:
            first.kill()
            os.kill(child, 9)


def test_nobody_is_kept_out_by_a_file_that_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = fcntl.lockf

    def lockf(file, how):
        monkeypatch.undo()
        (tmp_path / LOCK).unlink()  # by who held it, between the opening and the lock
        lock(file, how)

    monkeypatch.setattr(fcntl, "lockf", lockf)
    hold(tmp_path)
    assert (tmp_path / LOCK).is_file()
    let_go(tmp_path)


def test_a_folder_that_can_no_longer_be_written_is_let_go_of_all_the_same(tmp_path: Path) -> None:
    hold(tmp_path)
    (tmp_path / LOCK).unlink()
    (tmp_path / LOCK).mkdir()  # which can't be removed as a file
    let_go(tmp_path)
    (tmp_path / LOCK).rmdir()
    hold(tmp_path)
    assert (tmp_path / LOCK).is_file()
    let_go(tmp_path)
