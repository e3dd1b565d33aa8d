"""The one kind of error a user can mend: shown as a single line, exit code 2, no traceback."""


class UserError(Exception):
    """Bad input. The message is one line that names the file, key or flag and says what to do."""
