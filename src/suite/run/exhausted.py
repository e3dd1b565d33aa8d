"""What a machine has run out of, as one line that says what to set: memory, shared memory, a working compiler."""

import errno
import re
import shutil
import traceback
from collections.abc import Iterator
from pathlib import Path

from suite.errors import is_out_of_memory

SHARED_MEMORY = Path("/dev/shm")  # where loader workers hand their batches over

# By command, what takes less memory. Every key is one that the command has.
_TRAINING = (
    "lower data.batch_size, in validation data.eval_batch_size, or data.size, or set trainer.precision=bf16-mixed"
)
_LESS_MEMORY = {
    "train": _TRAINING,
    "bench": _TRAINING,
    "evaluate": "lower batch_size",
    "translate": "lower batch_size or size, or set bf16=true",
    "make_sketches": "lower batch_size",
    "style_grid": "lower rows and columns",
    "compare": "lower n or size",
    "check_data": "set verify=false, or lower samples",
}
_WITH_LOADERS = ("train", "bench", "make_sketches")  # which have data.workers to set

# Of workers, as the main process tells it: what torch says of a full /dev/shm, and of one that writes beyond it.
_NO_SHARED_MEMORY = re.compile(
    r"(unable to (write to|allocate|resize) .*</?torch_|shared memory.*)No space left on device"
    r"|unable to write to file </torch_|exited unexpectedly with exit code 28\b"
)
_KILLED = re.compile(r"DataLoader worker .*(killed by signal: Killed|exited unexpectedly(?! with exit code))")
_CRASHED = re.compile(r"DataLoader worker .*killed by signal: (?!Killed)")  # a fault of its own
_OF_COMPILER = ("torch._inductor", "torch._dynamo", "torch._functorch", "triton")


def exhausted(error: BaseException, command: str) -> str | None:
    """What ran out, and what to set for it in that command; None where the error, and what led to it, is of another
    kind.
    """
    chain = list(_chain(error))
    if any(map(_no_shared_memory, chain)):
        return f"{SHARED_MEMORY}, in which loader workers hand over what they read, is full{_size()}: {_room(command)}"
    if any("killed by signal: Bus error" in str(one) for one in chain):
        bus_error = f"a loader worker met a bus error, as it does when {SHARED_MEMORY}{_size()} is full"
        return f"{bus_error}: {_room(command)}"
    for one in filter(is_out_of_memory, chain):
        where = "the GPU is out of memory" if _of_gpu(one) else "out of memory"
        of_steps = ", or model.recorded=false, which leaves a step's memory to others" if command == "train" else ""
        return f"{where}{_wanted(one)}: {_less(command)}{of_steps if _of_gpu(one) else ''}"
    crashed = any(_CRASHED.search(str(one)) for one in chain)
    if not crashed and any(isinstance(one, RuntimeError) and _KILLED.search(str(one)) for one in chain):
        fewer = "set data.workers=0, or " if command in _WITH_LOADERS else ""
        return f"the system ended a loader worker, as it does when memory runs out: {fewer}{_less(command)}"
    for one in reversed(chain):  # the first cause says most
        if type(one).__module__.startswith(_OF_COMPILER):
            return f"torch.compile failed ({_last_line(one)}): set model.compile=false"
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and, one by one, what led to it."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _no_shared_memory(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and not error.filename:
        # Queues between processes have locks there, which know no file name.
        return any(frame.filename.endswith("synchronize.py") for frame in traceback.extract_tb(error.__traceback__))
    return isinstance(error, (RuntimeError, OSError)) and bool(_NO_SHARED_MEMORY.search(str(error)))


def _size() -> str:
    if not SHARED_MEMORY.is_dir():
        return ""
    return f" ({shutil.disk_usage(SHARED_MEMORY).total / 2**20:.1f} MiB in all)"


def _room(command: str) -> str:
    without = "set data.workers=0, or " if command in _WITH_LOADERS else ""
    return f"{without}give it more (of a container with --shm-size=2g)"


def _less(command: str) -> str:
    return _LESS_MEMORY.get(command, "end what else runs here, or take a machine with more")


def _of_gpu(error: BaseException) -> bool:
    return bool(re.search(r"CUDA|CUDNN|CUBLAS|HIP|MPS|\bGPU\b", str(error)))


def _wanted(error: BaseException) -> str:
    """How much was asked for, where the error says it."""
    told = str(error)
    if found := re.search(r"[Tt]ried to allocate (\d+) bytes", told):
        return f" (it asked for {int(found[1]) / 2**30:.1f} GiB more)"
    found = re.search(r"(?:[Tt]ried|[Uu]nable) to allocate ([\d.]+ [KMGTP]iB)", told)
    return f" (it asked for {found[1]} more)" if found else ""


def _last_line(error: BaseException) -> str:
    """The last line that says what went wrong; below it stand torch's hints on its own logs."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and "TORCH" not in line]
    wrong = [line for line in lines if re.search(r"\b(error|failed|cannot|not found)\b", line, re.IGNORECASE)]
    return (wrong or lines or [type(error).__name__])[-1]
