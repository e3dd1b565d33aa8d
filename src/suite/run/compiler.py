"""Whether `torch.compile` can work on this machine: without a compiler it fails late, or waits without end.

And where it keeps what it makes, so that the next run need not wait for it again.
"""

import os
import shutil
import sysconfig
from pathlib import Path

from suite.errors import UserError


def check_compiler(accelerator: str) -> None:
    """Look for what inductor, torch.compile's backend, calls: a C++ compiler; on a GPU Triton and a C one.

    Both compile against Python's headers. accelerator: as `trainer.accelerator`. Raises UserError that says what lacks.
    """
    import torch

    if accelerator in ("mps", "tpu"):
        return  # these bring compilers of their own
    on_gpu = accelerator != "cpu" and torch.cuda.is_available()
    lacking = _lacking_on_gpu() if on_gpu else _lacking_on_cpu()
    if lacking is None and not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        lacking = "Python's headers, Python.h (on Debian the package python3-dev)"
    if lacking is not None:
        raise UserError(f"model.compile=true needs {lacking}, which is not here; set model.compile=false")


def keep_compiled(cache_dir: str) -> None:
    """Have inductor keep its code in `<cache_dir>/compiled`, and Triton within; not where the user names a folder.

    It is run as it is found there, so that the folder must be this user's own; elsewhere torch has one in /tmp.
    """
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    # Whatever imports inductor, as Lightning does, has it name torch's own folder in the environment.
    if os.environ.get("TORCHINDUCTOR_CACHE_DIR", default_cache_dir()) != default_cache_dir():
        return
    folder = Path(cache_dir).expanduser().absolute() / "compiled"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        own = not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
    except OSError:
        return
    if own and os.access(folder, os.W_OK):
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)


def _lacking_on_cpu() -> str | None:
    from torch._inductor import config
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        named = [name for name in config.cpp.cxx if name] if isinstance(config.cpp.cxx, tuple) else [config.cpp.cxx]
        return f"a C++ compiler ({' or '.join(named)}, or what the variable CXX names)"
    return None


def _lacking_on_gpu() -> str | None:
    from torch.utils._triton import has_triton_package

    if not has_triton_package():
        return "Triton (pip install triton)"
    if not any(shutil.which(name) for name in filter(None, (os.environ.get("CC"), "gcc", "clang"))):
        return "a C compiler (gcc or clang, or what the variable CC names)"
    return None
