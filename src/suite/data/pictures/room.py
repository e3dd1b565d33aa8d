"""Room for decoded pictures: what they will take of the disk is said, and looked for, before the first is decoded."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from suite.data.catalog import Picture
from suite.data.pictures.decode import Fit
from suite.data.pictures.store import cache_place
from suite.errors import UserError
from suite.files import free_bytes, readable_bytes

_log = logging.getLogger(__name__)


def check_room(wanted: Iterable[tuple[Sequence[Picture], Fit]], folder: Path, dataset: str) -> None:
    """Say what the caches of these pictures take that are not there yet. Raises UserError where the disk has less."""
    places: set[Path] = set()
    count, size, at_least = 0, 0, ""
    for pictures, fit in wanted:
        place = cache_place(pictures, fit, folder, dataset)
        if place in places or place.is_dir():
            continue
        places.add(place)
        count += len(pictures)
        size += len(pictures) * fit.channels * fit.side**2
        at_least = "at least " if fit.whole else at_least  # how much longer they are than wide is not known yet
    if not count:
        return
    takes = f"{at_least}{readable_bytes(size)}"
    if (free := free_bytes(folder)) < size:
        raise UserError(
            f"data.cache_dir={folder.parent}: {count} decoded pictures take {takes}, and the disk has "
            f"{readable_bytes(free)} free; free space there, name another folder with cache_dir=… or the variable "
            "SUITE_CACHE, or lower data.size"
        )
    _log.info("decoding %d pictures of %s into %s: %s on disk", count, dataset, folder, takes)
