"""The C library's allocator on Linux: memory that tensors free on the CPU stays with the process, in huge pages.

glibc maps large blocks one by one and unmaps them when they are freed. In a training step that is each activation,
whose pages the system then zeroes and maps anew, step after step.
"""

import ctypes
import os
import sys
from pathlib import Path

# Arguments of mallopt(3), from malloc.h; the values that glibc comes to by itself with blocks of such sizes.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_AS_IT_COMES = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}
_KEEPING = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1}
_PR_SET_THP_DISABLE = 41  # of prctl(2)

# Whoever sets one of these has chosen.
_CHOSEN = ("GLIBC_TUNABLES", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def keep_freed_memory() -> None:
    """Keep freed memory, in huge pages where there are any; to be called before torch allocates any."""
    if _set(_KEEPING):
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch reads it when it first allocates
        _allow_huge_pages(True)


def hand_freed_memory_back() -> None:
    """As the C library does by itself: what other code's speed is measured under."""
    if _set(_AS_IT_COMES):
        _allow_huge_pages(False)


def _set(options: dict[int, int]) -> bool:
    """Whether there was something to set, and nobody had chosen."""
    if sys.platform != "linux" or any(name in os.environ for name in _CHOSEN):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt") or not hasattr(library, "malloc_trim"):  # musl has none
        return False
    for option, value in options.items():
        library.mallopt(option, value)
    library.malloc_trim(0)
    return True


def _allow_huge_pages(allow: bool) -> None:
    """Where the system gives huge pages to those who ask, as torch does; where to all, all keep them."""
    chosen = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if chosen.is_file() and "[madvise]" in chosen.read_text(encoding="ascii"):
        ctypes.CDLL(None).prctl(_PR_SET_THP_DISABLE, int(not allow), 0, 0, 0)
