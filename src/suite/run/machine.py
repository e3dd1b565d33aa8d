"""What a machine has: memory that is left, of a GPU and within a container's limit; a processor that knows bfloat16."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def has_bf16() -> bool:
    """Whether this processor multiplies in bfloat16, by AVX-512 or AMX."""
    import torch

    known: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # public in newer torch alone
    return any(known.get(name) for name in ("avx512_bf16", "amx_bf16"))


def free_memory(device: "torch.device") -> int:
    """Bytes that this device can still give: of a GPU its own, else the main memory."""
    if device.type == "cuda":
        import torch

        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by torch, for what comes
        return torch.cuda.mem_get_info(device)[0] + kept
    return free_main_memory()


def free_main_memory(root: Path = Path("/")) -> int:
    """Bytes that programs can still take: of the machine, and of a container, where that has fewer.

    root: where `proc` and `sys` are.
    """
    return min([_of_machine(root), *_of_containers(root)])


def _of_machine(root: Path) -> int:
    if found := re.search(r"^MemAvailable:\s*(\d+) kB", _text(root / "proc" / "meminfo"), re.MULTILINE):
        return int(found[1]) * 1024
    for name in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES"):  # macOS has the second alone: all there is
        if name in getattr(os, "sysconf_names", ()):  # Windows has none
            return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")
    return 2**63


def _of_containers(root: Path) -> Iterator[int]:
    """What each limit around this process leaves, of control groups of both versions."""
    for line in _text(root / "proc" / "self" / "cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            top, most, used, cached = "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            top, most, used = "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            cached = "total_inactive_file"
        else:
            continue
        # In a container the path may be the host's, and its limit at the top.
        own = Path(path.lstrip("/"))
        for group in (root / top / place for place in (own, *own.parents)):
            limit, usage = _text(group / most).strip(), _text(group / used).strip()
            if limit.isdecimal() and usage.isdecimal():
                files = re.search(rf"^{cached} (\d+)", _text(group / "memory.stat"), re.MULTILINE)
                yield int(limit) - int(usage) + (int(files[1]) if files else 0)  # which the system drops for programs


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
