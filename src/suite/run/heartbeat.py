"""How far each process of a run has come, and which of them hangs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

if TYPE_CHECKING:
    from suite.run.ranks import Watch


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


class Heartbeat(Callback):
    """Notes how far the training loop has come.

    Preparation, figures of metrics and picture grids may take any time: a rank rests there.
    """

    def __init__(self, watch: "Watch") -> None:
        self.watch = watch

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self.watch.connect(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.watch.own.at[1] > 0:  # else its workers start
            self.note(f"before the first batch of epoch {trainer.current_epoch + 1}")

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        stage = self.watch.own.at[0]
        at = (stage, trainer.fit_loop.total_batch_idx + 1, 0)
        self.watch.own = replace(self.watch.own, at=at, resting=False, where=f"in {self._batch(trainer)}")

    def on_before_backward(self, *_: Any) -> None:
        self.note()

    def on_after_backward(self, *_: Any) -> None:
        self.note()

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self.note(f"behind {self._batch(trainer)}")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.note(f"in the validation of epoch {trainer.current_epoch + 1}")

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        self.watch.own = replace(self.watch.own, beats=self.watch.own.beats + 1)  # one may have more of them

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.note(f"in the metrics of epoch {trainer.current_epoch + 1}", resting=True)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.note("behind its training", resting=True)
        self.watch.trained = True

    def note(self, where: str = "", resting: bool = False) -> None:
        own = self.watch.own
        stage, batch, mark = own.at
        self.watch.own = replace(own, at=(stage, batch, mark + 1), where=where or own.where, resting=resting)

    def _batch(self, trainer: pl.Trainer) -> str:
        return f"batch {trainer.fit_loop.epoch_loop.batch_idx + 1} of epoch {trainer.current_epoch + 1}"


class HeartbeatBehind(Callback):
    """Behind all other callbacks: the training loop goes on."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        self.heartbeat = heartbeat

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.heartbeat.note(f"behind the validation of epoch {trainer.current_epoch + 1}")
