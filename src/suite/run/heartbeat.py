"""How far each process of a run has come, and which of them hangs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Standing:
    """Of one rank.

    at: stage, batch of the stage, mark within the batch: the same sequence in every rank, so that they can be compared.
    beats: signs of life of the training loop in between. pulse: of the process, by a thread. resting: in what may take
    any time.
    """

    rank: int
    pid: int
    host: str
    at: tuple[int, int, int] = (0, 0, 0)
    beats: int = 0
    resting: bool = True
    where: str = "in its preparation"
    pulse: int = 0


def written(standings: Sequence[Standing], token: str) -> bytes:
    return json.dumps([token, [asdict(one) for one in standings]]).encode()


def read(told: bytes, token: str) -> list[Standing]:
    """Those of a message; none where it is not of this run."""
    try:
        said, standings = json.loads(told)
        return [Standing(**one | {"at": tuple(one["at"])}) for one in standings] if said == token else []
    except (ValueError, TypeError, KeyError):
        return []


class Judge:
    """Says who hangs: not who waits in a step for the one that does.

    timeout: seconds without progress.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.since: dict[tuple[str, int], tuple[object, float]] = {}  # what was last seen, and since when
        self.looked: float | None = None
        self.silent: set[int] = set()  # ranks whose process did not answer, when `hanging` was last asked

    def hanging(self, standings: Sequence[Standing], now: float) -> list[Standing]:
        """Those whose process does not answer; else those that are behind the others, and go on no more.

        now: seconds of a monotonic clock.
        """
        if self.looked is not None and now - self.looked > self.timeout / 2:
            self.since.clear()  # it was this process that was stopped, as by Ctrl-Z
        self.looked = now
        silent = [one for one in standings if self._unchanged("pulse", one.rank, one.pulse, now)]
        stuck = [one for one in standings if self._unchanged("loop", one.rank, (one.at, one.beats), now)]
        self.silent = {one.rank for one in silent}
        if silent:
            return silent
        # Only when all stand still: who was waited for may be seen to go on before those that waited.
        behind = [one for one in standings if one.at == min(other.at for other in standings)]
        return behind if len(stuck) == len(standings) and not any(one.resting for one in behind) else []

    def _unchanged(self, what: str, rank: int, value: object, now: float) -> bool:
        """Whether it has been the same for as long as the timeout."""
        seen, since = self.since.get((what, rank), (None, now))
        if seen != value:
            since = now
        self.since[what, rank] = value, since
        return now - since >= self.timeout
