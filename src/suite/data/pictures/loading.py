"""Samplers and the loader: which samples, in which order, on which rank, in which epoch.

A sampler yields (epoch, index) pairs. So the workers, which hold a copy of the dataset for the whole run, need not be
told the epoch, and a sample depends on (seed, epoch, index) and on nothing that happened before.
"""

import errno
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.queues import Queue
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from suite.data.batch import Batch
from suite.data.pictures.decode import workers_for
from suite.data.pictures.packed import Packed, collate_to_send
from suite.data.pictures.processes import context_for, end_with_parent
from suite.errors import UserError

if TYPE_CHECKING:
    from pytorch_lightning import Trainer

# Where there is no room for the locks between processes its iterator is never finished, and would say, at its end, that
# it lacks this.
_MultiProcessingDataLoaderIter._shutdown = True

Place = tuple[int, int]  # epoch, index
PlaceInTurn = tuple[int, int, int]  # epoch, index, turn
_THREADS = 16  # samples of a batch that one worker fetches at once, at most
# Items that each process makes ahead of who writes them down, in order: with torch's two it waits where one item takes
# long, or the writer is not given a core at once.
_AHEAD = 8
_ORDER = 3  # keeps this use of the seed apart from the others, see splits.py and tasks.py


class TrainSampler(Sampler[Place | PlaceInTurn]):
    """A new order in each epoch, from (seed, epoch) alone; each rank gets its own part of it, in whole batches.

    `length` samples an epoch, out of `population` >= `length` indices: over the epochs all of them come. `done` says
    how many samples of the epoch this rank has already had, when its first batch is asked for: a run that is resumed
    within an epoch goes on there.

    Each `group` consecutive indices (0 up to `group`, and so on) stay together: whole groups are put in order and given
    to the ranks. `batch_size` is a multiple of it; `length` and `population` are rounded down to whole groups.

    With `rounds` an epoch is as many of these one after the other, no batch in two of them: epoch e has the orders, and
    the places, that without rounds epochs e * rounds, e * rounds + 1, ... would have.

    With `batches_per_turn` it yields (epoch, index, turn): turns are counted from 0 over the epochs, and each is so
    many batches of every rank. Raises UserError where an epoch has no batch.
    """

    def __init__(
        self,
        length: int,
        population: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        done: Callable[[], int] = lambda: 0,
        rounds: int = 1,
        batch_size: int = 1,
        group: int = 1,
        batches_per_turn: int | None = None,
    ) -> None:
        self.batch_size, self.batches_per_turn = batch_size, batches_per_turn
        self.length, self.population, self.seed, self.group = length, population, seed, group
        self.rank, self.world, self.done, self.rounds = rank, world, done, rounds
        if length // world < batch_size:
            raise UserError(
                f"data.batch_size={batch_size}: an epoch has only {length // world} samples on each device; lower it, "
                "or raise data.epoch_length"
            )
        self.of_round = length // group // world * group // batch_size * batch_size  # samples of this rank
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.rounds * self.of_round

    def __iter__(self) -> Iterator[Place | PlaceInTurn]:
        done = self.done()
        behind = self.epoch * len(self) + done  # samples of this rank, in whole batches
        for epoch in range(self.epoch * self.rounds, (self.epoch + 1) * self.rounds):
            groups = np.random.default_rng((self.seed, _ORDER, epoch)).permutation(self.population // self.group)
            of_rank = groups[: self.length // self.group][self.rank :: self.world]
            order = (of_rank[:, None] * self.group + np.arange(self.group)).ravel()
            for index in order[: self.of_round][done:].tolist():
                if self.batches_per_turn is None:
                    yield epoch, index
                else:
                    yield epoch, index, behind // self.batch_size // self.batches_per_turn
                behind += 1
            done = max(0, done - self.of_round)


def batches_done(trainer: "Trainer") -> int:
    """Of the training epoch that is going on, on this rank: not 0 where a run is resumed within it."""
    if not trainer.training:
        return 0
    # Counted by what was trained on: the loader and its workers are ahead of it.
    return int(trainer.fit_loop.epoch_loop.batch_progress.current.ready)


class EvalSampler(Sampler[Place]):
    """All samples in order, the same in each epoch. The ranks get equally many; the first samples fill up the rest."""

    def __init__(self, length: int, rank: int = 0, world: int = 1) -> None:
        self.length, self.rank, self.world = length, rank, world

    def __len__(self) -> int:
        return -(-self.length // self.world)

    def __iter__(self) -> Iterator[Place]:
        for number in range(len(self)):
            yield 0, (self.rank + number * self.world) % self.length


class AtOnce(Dataset[Any]):
    """The same samples, those of a batch made side by side: what is fetched from afar is waited for together."""

    def __init__(self, samples: Dataset[Any]) -> None:
        self.samples = samples

    def __getitem__(self, place: Place) -> Any:
        return self.samples[place]

    def __getitems__(self, places: list[Place]) -> list[Any]:
        with ThreadPoolExecutor(min(len(places), _THREADS)) as threads:
            return list(threads.map(self.samples.__getitem__, places))


class WithoutPictures(Dataset[dict[str, Any]]):
    """The places of the same samples alone, for a paper that trains on no pictures: none is read."""

    def __init__(self, samples: Any) -> None:
        self.length, self.population = len(samples), samples.population

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: Place | int) -> dict[str, Any]:
        return {"index": place[1] if isinstance(place, tuple) else place, "paired": False}


class Loader(DataLoader[Any]):
    """A DataLoader that asks its sampler when the first batch is wanted, not when the iterator is made.

    Lightning makes the iterator of a run's first epoch before it has told the sampler the epoch; the workers would
    fetch epoch 0's samples for a run that is resumed in epoch 7.
    """

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        try:
            for batch in super().__iter__():
                yield batch.unpacked() if isinstance(batch, Packed) else batch
            return
        except UserError as error:
            told = str(error)
            # Nothing holds the workers any more and they end; held by a traceback, they would be waited for at exit.
            self._iterator = error.__traceback__ = None
        # Torch has put the worker's traceback before the message.
        raise UserError(told.strip().rpartition(f"{UserError.__name__}: ")[2])


def make_loader(
    dataset: Dataset[Any],
    sampler: Sampler[Any],
    batch_size: int,
    workers: int,
    drop_last: bool,
    pin_memory: bool,
    distant: bool = False,
) -> Loader:
    """`distant`: the samples are read out of a distant store."""
    return Loader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        drop_last=drop_last,
        num_workers=workers,
        multiprocessing_context=context_for(distant) if workers else None,
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
        collate_fn=collate_to_send,
        worker_init_fn=partial(_begin, distant),
        # Its own: making an iterator draws a number, which would shift the global generator's stream.
        generator=torch.Generator(),
    )


def _begin(distant: bool, worker: int) -> None:
    """Out of reach of signals to the run's process group: the run ends its workers itself, after its own work."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    # What a full /dev/shm does to a worker is said by the run, in one line: not by the worker, too, nor by its queue,
    # which would go on without that batch and have the run wait for it.
    if hasattr(signal, "SIGBUS"):
        signal.signal(signal.SIGBUS, signal.SIG_DFL)
    Queue._on_queue_feeder_error = staticmethod(_end_where_no_room)  # type: ignore[attr-defined]
    if distant:
        end_with_parent()


_say_error = Queue._on_queue_feeder_error  # type: ignore[attr-defined]


def _end_where_no_room(error: Exception, batch: object) -> None:
    """Called where a queue can't send a batch: end the worker, with a number that says why."""
    if os.strerror(errno.ENOSPC) in str(error):
        os._exit(errno.ENOSPC)
    _say_error(error, batch)


def by_all_cores(items: Dataset[Any], distant: bool = False) -> Iterator[Any]:
    """Every item of a dataset that has a length, in order, each made once: for what is done ahead of training.

    `distant`: they are read out of a distant store.
    """
    workers = workers_for(len(items))  # type: ignore[arg-type]
    loader = DataLoader(
        items,
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=workers,
        prefetch_factor=_AHEAD if workers else None,
        multiprocessing_context=context_for(distant) if workers else None,
        worker_init_fn=partial(_begin, distant),
        # Its own: a run that builds the cache draws the same random numbers afterwards as one that finds it.
        generator=torch.Generator(),
    )
    return iter(loader)


def _as_it_is(item: Any) -> Any:
    return item
