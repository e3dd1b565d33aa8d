"""Training steps as CUDA graphs: recorded once, then replayed by one call in place of the thousands that a step takes.

A replay reads and writes the memory that the recording did, and runs no Python: what is new about a step comes in by
its place (`Places`), and what is counted is counted by who replays.
"""

import logging
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from suite.errors import UserError
from suite.updates.reporting import Report

_log = logging.getLogger(__name__)

Recorded = bool | Literal["auto"]
Values = Mapping[str, Any]
Step = Callable[[Any, Any], tuple[Report, int]]  # what it reports, how many updates it makes
T = TypeVar("T")

EAGER = 3  # steps of a kind before it is recorded: optimizers make their state in them, cuDNN chooses its kernels
AT_MOST = 6  # kinds of steps: a recording keeps the memory that its step takes
_READ = ("paired", "drawing_side", "classes")


def of_step(batch: Values) -> dict[str, Any]:
    """What a step may read of a batch: tensors, and what is alike in all batches of a kind."""
    return {key: value for key, value in batch.items() if isinstance(value, Tensor) or key in _READ}


class Graph(Protocol):
    """What a step is recorded in."""

    def record(self, step: Callable[[], T]) -> T:
        """Note what the step does to which memory, and do nothing. Each replay fills the tensors that it returns."""

    def replay(self) -> None:
        """Do what was noted."""


class CUDAGraph:
    """`Graph` of a GPU, on a stream of its own, as the eager steps before it."""

    def __init__(self, stream: torch.cuda.Stream, pool: Any) -> None:
        self.graph, self.stream, self.pool = torch.cuda.CUDAGraph(), stream, pool

    def record(self, step: Callable[[], T]) -> T:
        # Other threads may go on meanwhile: one pins the memory of the coming batches.
        with torch.cuda.graph(self.graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"):
            return step()

    def replay(self) -> None:
        self.graph.replay()


class Places:
    """Memory that the values of steps come into: tensors of the same names, shapes and types."""

    def __init__(self, like: Values) -> None:
        self.values: dict[str, Any] = {
            name: value.clone() if isinstance(value, Tensor) else value for name, value in like.items()
        }

    def fill(self, values: Values) -> None:
        for name, place in self.values.items():
            if isinstance(place, Tensor):
                place.copy_(values[name], non_blocking=True)


class _Recording:
    """One kind of step, in its graph."""

    def __init__(self, graph: Graph, step: Step, batch: Values, drawn: Values) -> None:
        self.graph, self.batch, self.drawn = graph, Places(batch), Places(drawn)
        self.reported, self.updates = graph.record(lambda: step(self.batch.values, self.drawn.values))

    def replay(self, batch: Values, drawn: Values) -> Report:
        self.batch.fill(batch)
        self.drawn.fill(drawn)
        self.graph.replay()
        return self.reported


class Recorder:
    """Makes the steps of a model: of each kind the first few as they are written, the others from a recording.

    A kind of step is the method that makes it, with the shapes of what it reads; those of too many kinds are made as
    they are written, as are all where one can't be recorded. new_graph: makes what one is recorded in. stream: where
    the steps are made that are not replayed. must: raise UserError where one can't be recorded, rather than say so.
    """

    def __init__(
        self, new_graph: Callable[[], Graph], stream: torch.cuda.Stream | None = None, must: bool = False
    ) -> None:
        self.new_graph, self.stream, self.must, self.failed = new_graph, stream, must, False
        self._made: Counter[Any] = Counter()
        self._recordings: dict[Any, _Recording] = {}

    def make(self, name: Hashable, step: Step, batch: Values, drawn: Values) -> tuple[Report, int]:
        """One step of that name: what it reports, and how many updates it made.

        The tensors are overwritten by the next step of the same kind.
        """
        kind = (name, _form(batch), _form(drawn))
        self._made[kind] += 1
        due = self._made[kind] > EAGER and len(self._recordings) < AT_MOST and not self.failed
        if recording := self._recordings.get(kind) or (self._record(kind, step, batch, drawn) if due else None):
            return recording.replay(batch, drawn), recording.updates
        return self._aside(lambda: step(batch, drawn))

    @property
    def records(self) -> bool:
        """Whether steps have been recorded."""
        return bool(self._recordings)

    def _record(self, kind: Hashable, step: Step, batch: Values, drawn: Values) -> _Recording | None:
        try:
            self._recordings[kind] = _Recording(self.new_graph(), step, batch, drawn)
        except RuntimeError as error:
            why = str(error).partition("\n")[0]
            if self.must:
                raise UserError(f"model.recorded=true: a step can't be recorded ({why}); set it to auto") from error
            self.failed = True
            _log.warning("steps are not recorded, but made one operation at a time: %s", why)
        return self._recordings.get(kind)

    def _aside(self, step: Callable[[], T]) -> T:
        """On the stream of the recordings: what autograd remembers of streams is then the same in both."""
        if self.stream is None:
            return step()
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            made = step()
        torch.cuda.current_stream().wait_stream(self.stream)
        return made


def recorder_on_gpu(must: bool) -> Recorder:
    """Of the current GPU; its recordings share their memory, as one is replayed at a time."""
    stream = torch.cuda.Stream()
    pool = torch.cuda.graph_pool_handle()
    return Recorder(lambda: CUDAGraph(stream, pool), stream, must)


def name_of(step: Callable[..., Any]) -> Hashable:
    """What tells the steps of a model apart: the method, and what it is told beforehand."""
    return (name_of(step.func), *step.args) if isinstance(step, partial) else step.__name__


def _form(values: Values) -> tuple[Any, ...]:
    """What must be the same for values to come into one place."""
    return tuple(
        (name, tuple(value.shape), value.dtype) if isinstance(value, Tensor) else (name, value)
        for name, value in sorted(values.items())
    )
