"""The processes of a run on several devices or machines: who has started them, and which of them this one is.

One process starts the others of its machine itself, as Lightning has it, unless `srun` of Slurm or `torchrun` has
started all of them. Imports nothing heavy.
"""

import os
import re
from typing import TYPE_CHECKING, Any, Literal

from omegaconf import DictConfig, OmegaConf

from suite.errors import UserError

if TYPE_CHECKING:
    from lightning_fabric.plugins.environments import ClusterEnvironment

_SHELLS = ("bash", "interactive")  # what Slurm calls a job that is a shell


def started_by() -> Literal["srun", "torchrun"] | None:
    """Who has started all processes of this run; None where the first of a machine starts the others."""
    if "TORCHELASTIC_RUN_ID" in os.environ:  # in a job of Slurm, too
        return "torchrun"
    # By the step that srun makes: the script of a job, and a shell in one, know the number of the job's tasks as well,
    # and by it Lightning takes a single process there for one of so many.
    several = _number("SLURM_STEP_NUM_TASKS", 1) > 1
    return "srun" if several and os.environ.get("SLURM_JOB_NAME") not in _SHELLS else None


def on_rank_zero() -> bool:
    """Whether this process speaks and writes: every other one runs the same command."""
    match started_by():
        case "srun":
            return _number("SLURM_PROCID", 0) == 0
        case "torchrun":
            return _number("RANK", 0) == 0
    return _number("LOCAL_RANK", 0) == 0 and _number("NODE_RANK", 0) == 0


def restarted() -> bool:
    """Whether Slurm or torchrun has started the same command before: after a time limit, or a machine that died."""
    return _number("SLURM_RESTART_COUNT", 0) > 0 or _number("TORCHELASTIC_RESTART_COUNT", 0) > 0


def nodes_of(config: DictConfig) -> int:
    """Of how many machines a run takes `trainer.devices` each; configurations of before say nothing of it."""
    return int(config.trainer.get("num_nodes", 1))


def devices_of(config: DictConfig) -> int:
    """How many devices of one machine a run takes, a process each; `devices: [1]` is one, the second."""
    devices = config.trainer.devices
    if devices == "auto":
        import torch

        on_gpu = config.trainer.accelerator in ("auto", "gpu", "cuda")
        return max(1, torch.cuda.device_count()) if on_gpu else 1
    return len(devices) if OmegaConf.is_list(devices) else int(devices)


def several_processes(config: DictConfig) -> bool:
    """Whether a run takes more than one."""
    return nodes_of(config) * devices_of(config) > 1


def check_processes(nodes: int, devices: int, trains: bool = False) -> None:
    """Match the processes that there are with those that a command takes: else they would wait for each other.

    trains: whether the command has the keys `trainer.num_nodes` and `trainer.devices`. Raises UserError.
    """
    starter, takes = started_by(), nodes * devices
    if starter == "srun":
        there, on = _number("SLURM_STEP_NUM_TASKS", 1), _number("SLURM_STEP_NUM_NODES", 1)
        if (takes, nodes) != (there, on):
            raise UserError(
                f"srun has started {there} tasks on {_nodes(on)}, the command takes {takes} on {_nodes(nodes)}: "
                f"say {_alike(trains, on, there // on)}srun --nodes={nodes} --ntasks-per-node={devices}"
            )
    elif starter == "torchrun":
        there, local = _number("WORLD_SIZE", 1), _number("LOCAL_WORLD_SIZE", 1)
        if (takes, devices) != (there, local):
            raise UserError(
                f"torchrun has started {there} processes, {local} on each node, and the command takes {takes}: say "
                f"{_alike(trains, there // local, local)}torchrun --nnodes={nodes} --nproc-per-node={devices}"
            )
    elif (node := _number("NODE_RANK", 0)) >= nodes or node < 0:
        raise UserError(f"NODE_RANK={node} of the environment: with trainer.num_nodes={nodes} it is 0 to {nodes - 1}")
    elif nodes > 1 and (unset := [name for name in ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT") if _unset(name)]):
        raise UserError(
            f"trainer.num_nodes={nodes}: {unset[0]} is not in the environment; start the command by srun or torchrun, "
            "or on each node with NODE_RANK (0 is the first), MASTER_ADDR and MASTER_PORT (of the first)"
        )


def environment() -> "ClusterEnvironment | None":
    """What Lightning is told of who has started the processes; None where it finds out by itself."""
    if started_by() == "srun":
        return _tasks_of_srun()
    if "SLURM_NTASKS" in os.environ and started_by() is None:
        from lightning_fabric.plugins.environments import LightningEnvironment

        return LightningEnvironment()
    return None


def _tasks_of_srun() -> "ClusterEnvironment":
    from lightning_fabric.plugins.environments import SLURMEnvironment

    class TasksOfSrun(SLURMEnvironment):
        """Those of one step; Lightning's counts those of the job, and wants to be told them in one way of several."""

        def __init__(self) -> None:
            os.environ.setdefault("MASTER_ADDR", self.resolve_root_node_address(_nodes_of_step()))
            super().__init__(auto_requeue=False)  # a run that begins again goes on by itself, see `request`

        @staticmethod
        def _validate_srun_variables() -> None:
            pass

        def validate_settings(self, num_devices: int, num_nodes: int) -> None:
            """Nothing: `check_processes` has, before the trainer was made."""

        def world_size(self) -> int:
            return _number("SLURM_STEP_NUM_TASKS", 1)

    return TasksOfSrun()


def _nodes_of_step() -> str:
    return os.environ.get("SLURM_STEP_NODELIST") or os.environ.get("SLURM_NODELIST") or "127.0.0.1"


def _alike(trains: bool, nodes: int, devices: int) -> str:
    """What a training may say instead."""
    return f"trainer.num_nodes={nodes} trainer.devices={devices}, or " if trains else ""


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _unset(name: str) -> bool:
    return not os.environ.get(name)


def _number(name: str, otherwise: int) -> int:
    """What the environment says. Raises UserError for what is no number."""
    text: Any = os.environ.get(name) or str(otherwise)
    if not re.fullmatch(r"-?\d+", text):
        raise UserError(f"{name}={text} of the environment is no number: unset it, or say the right one")
    return int(text)
