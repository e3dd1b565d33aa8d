"""The C library's allocator on Linux: memory that tensors free on the CPU stays with the process, in huge pages.

glibc maps large blocks one by one and unmaps them when they are freed. In a training step that is each activation,
whose pages the system then zeroes and maps anew, step after step.
"""

import ctypes
import os
import sys

# Arguments of mallopt(3), from malloc.h; the values that glibc comes to by itself with blocks of such sizes.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_AS_IT_COMES = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}
_KEEPING = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1}
_PR_SET_THP_DISABLE = 41  # of prctl(2)

# Whoever sets one of these has chosen.
_CHOSEN = ("GLIBC_TUNABLES", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def keep_freed_memory() -> None:
    """Keep freed memory, in huge pages where there are any; to be called before torch allocates any."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch reads it when it first allocates
    _set(_KEEPING, huge_pages=True)


def hand_freed_memory_back() -> None:
    """As the C library does by itself: what other code's speed is measured under."""
    _set(_AS_IT_COMES, huge_pages=False)


def _set(options: dict[int, int], huge_pages: bool) -> None:
    if sys.platform != "linux" or any(name in os.environ for name in _CHOSEN):
        return
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt") or not hasattr(library, "malloc_trim"):  # musl has none
        return
    for option, value in options.items():
        library.mallopt(option, value)
    library.malloc_trim(0)
    library.prctl(_PR_SET_THP_DISABLE, int(not huge_pages), 0, 0, 0)
