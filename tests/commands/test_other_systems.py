"""What Windows and macOS lack is missed nowhere: every module imports without it, and a run trains and is saved.

What is taken away here is of Linux alone, or of Linux and macOS; worker processes start anew, as they do on both.
"""

import os
import subprocess
import sys

SCRIPT = """
import os
import signal
import sys

del os.setpgrp, signal.SIGBUS  # in the worker, too

if __name__ == "__main__":
    import importlib
    import multiprocessing
    import pkgutil

    # What these look up when they are imported is theirs.
    import gradio
    import hydra
    import pytorch_lightning
    import torchmetrics
    import wandb

    for module in ("fcntl", "resource", "pwd", "grp", "termios"):
        sys.modules[module] = None
    for name in ("fork", "killpg", "getuid", "sched_getaffinity", "sysconf_names"):
        delattr(os, name)
    del signal.SIGHUP, signal.SIGUSR2  # Lightning itself asks for SIGUSR1 and SIGKILL, which Windows lacks as well

    import suite

    for module in pkgutil.walk_packages(suite.__path__, "suite."):
        if not module.name.endswith(("__main__", "preloaded")):  # the last is of a forkserver, which Windows lacks
            importlib.import_module(module.name)
    multiprocessing.set_start_method("spawn")
    from suite import train

    train.main()
"""


def test_a_run_trains_without_what_other_systems_lack(cache, tmp_path):
    script, run = tmp_path / "elsewhere.py", tmp_path / "run"
    script.write_text(SCRIPT, encoding="utf-8")
    words = ["experiment=cyclegan_lsgan", "scale=smoke", "trainer=cpu", "threads=1", "metrics=none", "images.count=0"]
    words += ["model.backbone.width=4", "model.discriminator.width=4", "data.workers=1", "data.count.val=0"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SUITE_CACHE": str(cache)}
    arguments = [sys.executable, str(script), *words, f"hydra.run.dir={run}"]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert (run / "checkpoints" / "last.ckpt").is_file()
    assert not (run / ".lock").exists()
