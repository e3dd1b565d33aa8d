"""A signal waits for a checkpoint to be written, and is never lost; it does not reach the loader's processes."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest
from torch.utils.data import Dataset

from suite.data.pictures.loading import EvalSampler, make_loader
from suite.run.signals import signals_wait


@pytest.fixture(autouse=True)
def handlers() -> Iterator[list[int]]:
    """SIGINT and SIGTERM are noted down instead of ending the tests."""
    seen: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, _: seen.append(number)) for number in numbers]
    yield seen
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_answered_after_the_block(number: int, handlers: list[int]) -> None:
    with signals_wait():
        os.kill(os.getpid(), number)
        assert handlers == []
    assert handlers == [number]
    os.kill(os.getpid(), number)
    assert handlers == [number, number]


def test_also_when_the_block_fails(handlers: list[int]) -> None:
    def full_disk() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        raise OSError("full")

    with pytest.raises(OSError, match="full"), signals_wait():
        full_disk()
    assert handlers == [signal.SIGINT]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with signals_wait():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_another_thread_may_save_too() -> None:
    failures: list[BaseException] = []

    def save() -> None:
        try:
            with signals_wait():
                pass
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=save)
    thread.start()
    thread.join()
    assert not failures


class ProcessGroups(Dataset):
    def __getitem__(self, place: object) -> dict[str, int]:
        return {"group": os.getpgrp()}


@pytest.mark.skipif(not hasattr(os, "setpgrp"), reason="no process groups here")
def test_workers_are_out_of_reach_of_a_signal_to_the_group() -> None:
    # One that SIGTERM ended would raise in the run from wherever it is, as in the middle of saving.
    loader = make_loader(ProcessGroups(), EvalSampler(1), 1, workers=1, drop_last=False, pin_memory=False)
    (batch,) = loader
    assert batch["group"].item() != os.getpgrp()
