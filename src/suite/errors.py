"""The one kind of error a user can mend: shown as a single line, exit code 2, no traceback."""

import re


class UserError(Exception):
    """Bad input. The message is one line that names the file, key or flag and says what to do."""


def printable(text: str) -> str:
    """The text with an escape for each character that no terminal shows: bytes that are no UTF-8, line ends."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


_NO_MEMORY = re.compile(
    r"out of memory|can't allocate memory|not enough memory|Cannot allocate memory|bad alloc|_ArrayMemoryError"
    r"|^MemoryError|STATUS_ALLOC_FAILED",
    re.MULTILINE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, a GPU's or the main one: of the error itself, not of what led to it."""
    if isinstance(error, UserError):
        return False
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported
        return True
    # Torch has no class of its own for the main memory, and of what a loader's worker met it makes a RuntimeError.
    return isinstance(error, (RuntimeError, OSError)) and bool(_NO_MEMORY.search(str(error)))
