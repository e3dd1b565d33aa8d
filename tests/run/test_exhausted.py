"""What a machine has run out of is one line with what to set."""

import errno
import gc
import os
import signal
import sys
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch.utils.data import Dataset

from suite.data.pictures.loading import Loader, _end_where_no_room, make_loader
from suite.errors import UserError, is_out_of_memory
from suite.run import exhausted as module
from suite.run.config import CONF
from suite.run.exhausted import exhausted
from suite.run.messages import user_message

ON_GPU = (
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 7.79 GiB of which 1.2 GiB is free.\n"
    "If reserved but unallocated memory is large try setting PYTORCH_ALLOC_CONF"
)
ON_CPU = "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "


def no_array() -> Exception:
    with pytest.raises(MemoryError) as caught:
        np.zeros((10**6, 10**9))
    return caught.value


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (torch.OutOfMemoryError(ON_GPU), "the GPU is out of memory (it asked for 2.50 GiB more): lower "),
        (RuntimeError("CUDA error: out of memory"), "the GPU is out of memory: "),
        (
            RuntimeError(f"{ON_CPU}allocate 8589934592 bytes. Error code 12 (Cannot allocate memory)"),
            "out of memory (it asked for 8.0 GiB more): lower data.batch_size",
        ),
        (MemoryError(), "out of memory: "),
        (no_array(), "out of memory (it asked for 7.11 PiB more): "),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "out of memory: "),
    ],
)
def test_memory(error: Exception, said: str) -> None:
    told = user_message(error, "train")
    assert told is not None
    assert told.startswith(said)
    assert "\n" not in told


def test_a_worker_that_crashes_is_a_fault_of_its_own() -> None:
    """As torch tells it: of the signal in the cause."""
    error = RuntimeError("DataLoader worker (pid(s) 12) exited unexpectedly")
    assert "the system ended a loader worker" in str(exhausted(error, "train"))
    error.__cause__ = RuntimeError("DataLoader worker (pid 12) is killed by signal: Segmentation fault. ")
    assert exhausted(error, "train") is None


def test_what_led_to_an_error_counts() -> None:
    wrapped, besides = ValueError("wrapped"), ValueError("while it was handled")
    wrapped.__cause__ = besides.__context__ = torch.OutOfMemoryError(ON_GPU)
    for error in (wrapped, besides):
        assert str(user_message(error, "train")).startswith("the GPU is out of memory")


def test_other_errors_keep_their_traceback() -> None:
    assert user_message(RuntimeError("shapes differ"), "train") is None
    crash = "DataLoader worker (pid 3) is killed by signal: Segmentation fault."
    assert user_message(RuntimeError(crash), "train") is None
    assert not is_out_of_memory(UserError("a file called out of memory"))


@pytest.mark.parametrize("command", [*module._LESS_MEMORY])
def test_what_to_set_are_keys_of_the_command(command: str) -> None:
    words = [word.partition("=")[0].strip(",") for word in module._LESS_MEMORY[command].split()]
    plain = ("size", "bf16", "rows", "columns", "verify")
    keys = [word for word in words if "_" in word or "." in word or word in plain]
    assert keys
    for key in keys:
        section, _, last = key.rpartition(".")
        files = {"data": "data/_common.yaml", "trainer": "trainer/auto.yaml", "": f"{command}.yaml"}
        assert last in OmegaConf.load(CONF / files[section])


class Ending(Dataset[Any]):
    """Samples that end their worker with a signal."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __getitem__(self, place: int) -> Any:
        os.kill(os.getpid(), self.number)


def loader(samples: Dataset[Any]) -> Loader:
    return make_loader(samples, range(2), 1, workers=1, drop_last=False, pin_memory=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGKILL, "the system ended a loader worker, as it does when memory runs out: set data.workers=0, or "),
        (signal.SIGBUS, "a loader worker met a bus error, as it does when /dev/shm ("),
    ],
)
def test_a_worker_that_the_system_ends(number: int, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError) as caught:
        next(iter(loader(Ending(number))))
    assert str(exhausted(caught.value, "train")).startswith(said)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "told",
    [
        "unable to allocate shared memory(shm) for file </torch_28891_1656439166_0>: No space left on device (28)",
        "unable to write to file </torch_1_2_3>: No space left on device (28)",
        "DataLoader worker (pid 7) exited unexpectedly with exit code 28. Details are lost due to multiprocessing.",
    ],
)
def test_a_small_shared_memory(told: str) -> None:
    error = RuntimeError(f"Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback:\n…: {told}")
    said = str(user_message(error, "train"))
    assert said.startswith("/dev/shm, in which loader workers hand over what they read, is full (")
    assert "set data.workers=0, or give it more (of a container with --shm-size=" in said
    assert "data.workers" not in str(user_message(error, "evaluate"))  # it has no such key


def test_no_room_for_the_locks_between_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    from multiprocessing import synchronize

    beside: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", beside.append)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(synchronize._multiprocessing, "SemLock", full)  # type: ignore[attr-defined]
    with pytest.raises(OSError, match="No space") as caught:
        next(iter(loader(Ending(0))))
    assert str(user_message(caught.value, "train")).startswith("/dev/shm, in which")
    del caught
    gc.collect()
    assert beside == []


def test_a_worker_whose_queue_has_no_room_ends_rather_than_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    _end_where_no_room(RuntimeError("unable to write to file </torch_1>: No space left on device (28)"), None)
    assert ended == [28]


def test_a_compiler_that_fails() -> None:
    from torch._dynamo.exc import BackendCompilerFailed
    from torch._inductor.exc import CppCompileError, InductorError

    output = "x.cpp:3: fatal error: omp.h: No such file or directory\ncompilation terminated."
    inner = CppCompileError(["g++", "x.cpp"], output)
    outer = InductorError(inner, None)
    outer.__cause__ = inner
    for error in (inner, outer, BackendCompilerFailed(lambda: None, inner, None)):
        assert user_message(error, "train") == (
            "torch.compile failed (x.cpp:3: fatal error: omp.h: No such file or directory): set model.compile=false"
        )
