"""What pictures hold, by decoding some or all of them: broken ones, ranges of values, pages, transparency.

pictures ─► [spread] ─► look_at ─► Seen, one each ─► remarks
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from suite.data.catalog import Kind, Picture, Record, flatten, is_transparent
from suite.data.depth import Depth, range_shown
from suite.data.pictures.decode import check_covers, digest_of, workers_for
from suite.data.pictures.headers import pages_of
from suite.data.pictures.processes import any_distant, context_for, end_with_parent

SAMPLE = 32  # pictures of a kind that are looked at where not all are
_AT_ONCE = 16  # pictures that a process decodes before it answers
_NEARLY = 0.995  # share of all values that lies at one end of the range
_BLACK, _WHITE = 40, 215  # of 255, where that end begins


class Seen(NamedTuple):
    """A picture that was decoded."""

    name: str
    reason: str = ""  # why it can't be; empty: it can
    values: tuple[int, ...] = ()  # of 256 values of 8 bits, how often each is there, over all colours
    range: tuple[float, float] | None = None  # which values of a file with more than 8 bits are black and white
    pages: int = 1
    transparent: bool = False  # in places
    digest: bytes = b""  # of its pixels, see `decode.digest_of`


class Looked(NamedTuple):
    """The pictures of one kind that were looked at, out of `total`."""

    kind: str
    total: int
    seen: list[Seen]  # without their values
    counts: NDArray[np.int64]  # of all of them, how often each of 256 values is there
    digests: dict[Picture, bytes]  # of those that can be decoded

    @classmethod
    def of(cls, kind: str, total: int, pictures: Iterable[Picture], seen: Iterable[Seen]) -> Self:
        """What each says by itself, and the sum of their values: those of every picture would fill the memory."""
        kept, counts, digests = [], np.zeros(256, np.int64), {}
        for picture, one in zip(pictures, seen, strict=True):
            if not one.reason:
                counts += one.values
                digests[picture] = one.digest
            kept.append(one._replace(values=(), digest=b""))
        return cls(kind, total, kept, counts, digests)

    @property
    def broken(self) -> list[Seen]:
        return [one for one in self.seen if one.reason]

    def figures(self) -> dict[str, float]:
        """The least, the largest and the mean value as networks see them, -1 to 1; empty where none could be read."""
        counts = self.counts
        there = np.flatnonzero(counts)
        if not len(there):
            return {}
        mean = float((counts * np.arange(256)).sum() / counts.sum())
        ends = {"least": float(there[0]), "largest": float(there[-1]), "mean": mean}
        return {name: round(value / 127.5 - 1, 3) for name, value in ends.items()}

    def summary(self) -> str:
        """One line on the values."""
        figures = self.figures()
        if not figures:
            return f"{self.kind}: none of {len(self.seen)} looked at can be decoded"
        least, largest, mean = figures.values()
        counted = f"all {self.total}" if len(self.seen) == self.total else f"{len(self.seen)} of {self.total}"
        return f"{self.kind}: {least:.2f} to {largest:.2f} in the network, mean {mean:.2f}; {counted} looked at"

    def warnings(self, depth: Depth) -> list[str]:
        """What people should know of these pictures, a line each."""
        readable = [one for one in self.seen if not one.reason]
        looked = f"of {len(readable)} {self.kind} looked at"
        found = []
        if several := [one for one in readable if one.pages > 1]:
            found.append(
                f"{len(several)} {looked} hold several pages or frames, of which the first alone is read, such as "
                f"{several[0].name} ({several[0].pages}); save the others as files of their own"
            )
        if through := [one.name for one in readable if one.transparent]:
            found.append(f"{len(through)} {looked} are transparent in places and lie on white, such as {through[0]}")
        # Floats from 0 to 1 and counts can't be read alike.
        ranges = Counter(one.range for one in readable if one.range is not None and one.range != (0, 1))
        if len(ranges) > 1 and depth != "file":
            each = ", ".join(f"{count} from {low:g} to {high:g}" for (low, high), count in ranges.most_common(4))
            widest = f"{min(low for low, _ in ranges):g},{max(high for _, high in ranges):g}"
            found.append(
                f"data.depth={depth} reads {self.kind} of more than 8 bits in {len(ranges)} ranges, black to white: "
                f"{each}; data.depth=[{widest}] reads all alike"
            )
        counts = self.counts
        if (total := counts.sum()) > 0:
            if counts[:_BLACK].sum() > _NEARLY * total:
                found.append(f"the {self.kind} are nearly black; look at them, and at data.depth={_typed(depth)}")
            if counts[_WHITE:].sum() > _NEARLY * total:
                found.append(f"the {self.kind} are nearly white; look at them, and at data.depth={_typed(depth)}")
        return found

    def depths(self) -> str:
        """One line on pictures of more than 8 bits; empty where there are none."""
        deep = Counter(one.range for one in self.seen if one.range is not None)
        each = ", ".join(f"{low:g} to {high:g} in {count}" for (low, high), count in deep.most_common(4))
        return f"{self.kind} of more than 8 bits, black to white: {each}" if deep else ""


def _typed(depth: Depth) -> str:
    return depth if isinstance(depth, str) else f"[{depth[0]:g},{depth[1]:g}]"


def by_kind(records: Sequence[Record]) -> dict[Kind, list[Picture]]:
    """Every picture of the records once; a photo that stands for its own drawing is a photo."""
    photos = list(dict.fromkeys(record.photo for record in records if record.photo is not None))
    drawings = dict.fromkeys(drawing for record in records for drawing in record.drawings)
    known = set(photos)
    return {"photo": photos, "drawing": [one for one in drawings if one not in known]}


def spread(pictures: Sequence[Picture], most: int = SAMPLE) -> list[Picture]:
    """Up to so many of them, from the first to the last at equal distances."""
    if len(pictures) <= most:
        return list(pictures)
    return [pictures[round(place * (len(pictures) - 1) / (most - 1))] for place in range(most)]


def look_at(
    pictures: Sequence[Picture],
    depth: Depth,
    on_done: Callable[[int], None] = lambda more: None,
    covers: bool = False,
) -> Iterator[Seen]:
    """Decode pictures in full, on all cores; keeps none. `on_done` is told how many more are done.

    `covers`: each is to cover a square as a whole, for which some are too long.
    """
    workers = workers_for(len(pictures))
    distant = any_distant(pictures)
    first = end_with_parent if distant else None
    look = partial(_look, depth=depth, covers=covers)
    with ProcessPoolExecutor(workers, context_for(distant), first) if workers else nullcontext() as pool:
        found: Iterable[Seen] = map(look, pictures) if pool is None else pool.map(look, pictures, chunksize=_AT_ONCE)
        for one in found:
            yield one
            on_done(1)


def _look(picture: Picture, depth: Depth, covers: bool) -> Seen:
    try:
        loaded = picture.load()
        if covers:
            check_covers(loaded)
        flat = flatten(loaded, "RGB", depth)
        shown = range_shown(loaded, depth)
    except (OSError, ValueError) as error:
        return Seen(picture.name, " ".join(str(error).split()) or type(error).__name__)
    values = tuple(np.reshape(flat.histogram(), (3, 256)).sum(axis=0).tolist())
    return Seen(picture.name, "", values, shown, pages_of(picture), is_transparent(loaded), digest_of(flat))
