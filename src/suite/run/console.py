"""What a run says: on the terminal at once, and in its log.txt as soon as it has a folder."""

import logging
import sys
from logging.handlers import MemoryHandler
from pathlib import Path

_WHOLE_RUN = logging.CRITICAL + 1


class _LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: on a full disk a run ends where it must save, with one line."""


def start(speaks: bool = True) -> MemoryHandler:
    """Show what the suite logs, and remember it, and what Lightning logs, for `keep`.

    Errors are only remembered: `suite.run.cli` shows them. With `speaks` false, nothing is shown: another process does.
    """
    terminal = logging.StreamHandler(sys.stdout)
    terminal.setFormatter(logging.Formatter("%(message)s"))
    terminal.addFilter(lambda record: record.levelno < logging.ERROR)
    memory = MemoryHandler(capacity=10_000, flushLevel=_WHOLE_RUN)
    for name in ("suite", "pytorch_lightning"):
        logger = logging.getLogger(name)
        for old in [h for h in logger.handlers if name == "suite" or isinstance(h, MemoryHandler)]:
            logger.removeHandler(old)  # of an earlier job of this process
            old.close()
        logger.setLevel(logging.INFO)
        logger.addHandler(memory)
    if speaks:
        logging.getLogger("suite").addHandler(terminal)
    return memory


def keep(memory: MemoryHandler, path: Path) -> None:
    """Write what was remembered to a file, and from now on everything at once."""
    file = _LogFile(path, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    memory.setTarget(file)
    memory.flush()
    memory.flushLevel = logging.NOTSET


def counted(count: int, what: str) -> str:
    """As `1 picture` or `2 pictures`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def capital(text: str) -> str:
    """With a capital in front, the rest as it is."""
    return text[:1].upper() + text[1:]
