import os
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = """
import multiprocessing
import os
import signal
import time

from suite.data.pictures.processes import end_with_parent


def work():
    end_with_parent()
    time.sleep(60)


if __name__ == "__main__":
    worker = multiprocessing.get_context("forkserver").Process(target=work)
    worker.start()
    print(worker.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_of_a_killed_process_end(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(SCRIPT)
    with (tmp_path / "stdout").open("w") as out:  # a pipe would be waited for until the worker ends
        subprocess.run([sys.executable, str(script)], stdout=out, check=False, timeout=60)
    worker = int((tmp_path / "stdout").read_text())
    deadline = time.monotonic() + 20
    while running(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
