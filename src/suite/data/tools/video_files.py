"""Which files are videos, by their names. Imports nothing heavy: a wrong path is refused at once."""

SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm",
     ".wmv"}
)  # fmt: skip
