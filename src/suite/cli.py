"""What every command of the suite shares: Hydra in front, one line and exit code 2 for bad input."""

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from omegaconf import DictConfig

from suite.config import CONF, configuration_error, register_resolvers
from suite.errors import UserError


class Stopped(Exception):  # noqa: N818  # it went well
    """The run was asked to end by a signal, and ended cleanly."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


def run(config_name: str, job: Callable[[DictConfig], None]) -> None:
    """Compose `conf/<config_name>.yaml` with the command line and hand it to the job.

    Exit codes: 0 done, 2 bad input, 128 + n stopped by signal n, 1 anything else (with its traceback).
    """
    import hydra

    register_resolvers()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors through to here, where they become one line
    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(job)()
    except UserError as error:
        _leave(str(error), 2)
    except Stopped as stopped:
        _leave(str(stopped), 128 + stopped.number)
    except KeyboardInterrupt:
        _leave("interrupted", 128 + signal.SIGINT)
    except Exception as error:
        if reason := configuration_error(error):
            _leave(reason, 2)
        raise


def _leave(message: str, code: int) -> NoReturn:
    print(f"{'error: ' if code == 2 else ''}{message}", file=sys.stderr)
    sys.exit(code)
