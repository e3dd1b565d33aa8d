"""The one kind of error a user can mend: shown as a single line, exit code 2, no traceback."""


class UserError(Exception):
    """Bad input. The message is one line that names the file, key or flag and says what to do."""


def printable(text: str) -> str:
    """The text with an escape for each character that no terminal shows: bytes that are no UTF-8, line ends."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
