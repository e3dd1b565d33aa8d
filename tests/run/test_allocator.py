import os
import platform
import subprocess
import sys

import pytest

from suite.run.allocator import _CHOSEN

ROUND = """
import resource
import numpy as np
from pathlib import Path
from suite.run.allocator import hand_freed_memory_back, keep_freed_memory

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

def left_by_a_block():
    before = held()
    block = np.ones(100 << 20, np.uint8)
    during = held()
    del block
    return round((held() - before) / (during - before))

keep_freed_memory()
kept = left_by_a_block()
hand_freed_memory_back()
print(kept, left_by_a_block())
"""


def left(**environ: str) -> str:
    """What of a block stays with the process once it is freed, 1 or 0: of one that keeps, then hands it back."""
    plain = {name: value for name, value in os.environ.items() if name not in _CHOSEN and name != "LD_PRELOAD"}
    found = subprocess.run(
        [sys.executable, "-c", ROUND], capture_output=True, text=True, check=True, env=plain | environ
    )
    return found.stdout.strip()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_freed_memory_is_kept_and_can_be_handed_back() -> None:
    assert left() == "1 0"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_whoever_has_chosen_keeps_the_choice() -> None:
    assert left(MALLOC_MMAP_THRESHOLD_="1000000") == "0 0"
