"""What every command of the suite shares: Hydra in front, one line and exit code 2 for bad input."""

import functools
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from omegaconf import DictConfig

from suite.errors import UserError, printable
from suite.run import interrupts
from suite.run import words as command_line
from suite.run.cluster import on_rank_zero
from suite.run.config import CONF, register_resolvers
from suite.run.messages import check_words, composition_message, user_message

# As a rule, every process of a DDP run meets the same bad input. The first says so and ends the others in that time; a
# message that is still there then is one that only this process has.
FIRST_RANK_ENDS = 20  # seconds


class Stopped(Exception):  # noqa: N818  # it went well
    """The run was asked to end by a signal, and ended cleanly."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


def run(
    config_name: str, job: Callable[[DictConfig], None], after_sweep: Callable[[Path], None] = lambda folder: None
) -> None:
    """Compose `conf/<config_name>.yaml` with the command line and hand it to the job.

    after_sweep: called with the folder of a multirun when all its jobs have ended, also with those that failed.

    Exit codes: 0 done, 2 bad input, 128 + n stopped by signal n, 1 anything else (with its traceback). A job of a
    multirun that ends with bad input leaves the others to run.
    """
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    failed, this_process = False, os.getpid()
    sweep: Path | None = None

    @functools.wraps(job)  # Hydra names the job after the function's module
    def guarded(config: DictConfig) -> None:
        nonlocal failed, sweep
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            sweep = Path(HydraConfig.get().sweep.dir)
        sys.argv[1:] = arguments  # Lightning starts the other processes of a run with these, who read them as this one
        try:
            job(config)
        except KeyboardInterrupt:
            remove_unbegun()
            raise
        except Stopped as stopped:
            if on_rank_zero():
                _say(str(stopped))
            sys.exit(128 + stopped.number)
        except Exception as error:
            if not (reason := user_message(error, config_name)):
                raise
            command = HydraConfig.get()
            job_number = f" in job {command.job.num}" if command.mode == RunMode.MULTIRUN else ""
            _say(f"error{job_number}: {reason}")
            failed = True
            remove_unbegun()
            if os.getpid() != this_process:  # a job of submitit, which takes its end to the command that waits for it
                raise

    def remove_unbegun() -> None:
        folder = command_line.output_folder()
        with suppress(FileNotFoundError):  # another process of the run has
            if folder != Path.cwd() and not any(folder.iterdir()):  # made by Hydra for a run that never began
                folder.rmdir()

    interrupts.listen()
    register_resolvers()
    # Before torch is imported: its C++ reports broken connections with its own stack, and `suite.run.ranks` in a line.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors of the composition through to here, to become one line
    # argparse wants its own flags before the words of the job: `key=value -m` is as good as `-m key=value`.
    arguments = sorted(command_line.without_dashes(sys.argv[1:]), key=lambda word: word not in ("-m", "--multirun"))
    sys.argv[1:] = command_line.literal_all(arguments)
    words = [word for word in sys.argv[1:] if "=" in word and not word.startswith("-")]
    if any(word.startswith("resume=") for word in words):
        sys.argv[1:] = [_composed_anyway(word) for word in sys.argv[1:]]
    if "--config-dir" in sys.argv[1:-1]:
        there = Path(sys.argv[sys.argv.index("--config-dir") + 1]).resolve()
        words.append(f"hydra.searchpath=[{command_line.quoted(f'file://{there}')}]")
    try:
        check_words(words)
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(guarded)()
        if sweep is not None:
            after_sweep(sweep)
    except KeyboardInterrupt:
        if on_rank_zero():
            _say(f"stopped by {interrupts.stopped_by().name}")
        sys.exit(128 + interrupts.stopped_by())
    except Exception as error:
        multirun = any(word in ("-m", "--multirun") for word in sys.argv)
        if not (reason := composition_message(error, config_name, words, multirun)):
            raise
        if isinstance(error, OSError) and error.filename:  # from Hydra, which makes the run's folder
            reason = f"can't write to {reason}"
        _say(f"error: {reason}")
        failed = True
    if failed:
        sys.exit(2)


def _composed_anyway(word: str) -> str:
    """A change of a resumed run's own configuration, whose keys the one that Hydra composes beside it may lack."""
    return f"++{word}" if re.match(r"(?!hydra\.)\w+\.[\w.]+=", word) else word


def _say(sentence: str) -> None:
    sentence = printable(sentence)  # whatever was typed: a line end in it, or a terminal's command, would be more lines
    with suppress(UserError):  # which process this is, the environment may not say: perhaps that is refused
        if not on_rank_zero():
            time.sleep(FIRST_RANK_ENDS)
    print(sentence, file=sys.stderr)
    if (log := logging.getLogger("suite")).hasHandlers():
        log.error(sentence)


def on_terminal() -> bool:
    """Whether a person watches: a progress bar would fill a log file with its every move."""
    return sys.stdout.isatty()
