"""Which process of a run this one is, as Slurm, torchrun or a person started it; and the job of docs/clusters.md."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities import rank_zero_only

from suite.errors import UserError
from suite.run import cluster
from suite.run.trainer import make_trainer

JOB = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "cyclegan", "SLURM_NTASKS": "4", "SLURM_NNODES": "2"}
STEP = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NUM_NODES": "2", "SLURM_STEP_NODELIST": "gpu[07-08]"}
TASK = {"SLURM_PROCID": "2", "SLURM_LOCALID": "0", "SLURM_NODEID": "1"}
TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "RANK": "2", "LOCAL_RANK": "0"}
BY_HAND = {"NODE_RANK": "1", "MASTER_ADDR": "gpu07", "MASTER_PORT": "29500"}
SHELL = {**JOB, **STEP, **TASK, "SLURM_JOB_NAME": "bash"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Without what the tests' own cluster says, nor what one of them leaves behind."""
    kept = {name: text for name, text in os.environ.items() if not re.match("SLURM|MASTER|TORCHELASTIC|NODE_", name)}
    monkeypatch.setattr(os, "environ", kept)
    monkeypatch.setattr(rank_zero_only, "rank", 0, raising=False)  # a Trainer sets it for good
    return monkeypatch


@pytest.mark.parametrize(
    ("variables", "starter", "first"),
    [
        ({}, None, True),
        ({"LOCAL_RANK": "1"}, None, False),
        (BY_HAND, None, False),
        (JOB, None, True),
        ({**JOB, **STEP, **TASK}, "srun", False),
        ({**JOB, **STEP, "SLURM_PROCID": "0"}, "srun", True),
        (SHELL, None, True),
        ({**JOB, **STEP, "SLURM_STEP_NUM_TASKS": "1"}, None, True),
        (TORCHRUN, "torchrun", False),
        ({**JOB, **STEP, **TASK, **TORCHRUN, "RANK": "0"}, "torchrun", True),
    ],
)
def test_who_has_started_a_process_and_whether_it_speaks(variables, starter, first, environment) -> None:
    os.environ.update(variables)
    assert (cluster.started_by(), cluster.on_rank_zero()) == (starter, first)


@pytest.mark.parametrize("variables", [JOB, SHELL], ids=["the script of a job", "a shell of a job"])
def test_one_process_in_a_job_of_several_tasks_is_one_process(variables, environment, tmp_path) -> None:
    """For which Lightning alone would wait, or end with an error of its own."""
    os.environ.update(variables)
    cluster.check_processes(nodes=1, devices=1)
    trainer = make_trainer(accelerator="cpu", devices=1, logger=False, default_root_dir=tmp_path)
    assert isinstance(trainer._accelerator_connector.cluster_environment, LightningEnvironment)
    assert trainer.world_size == 1


def test_tasks_of_srun_are_the_ranks(environment, tmp_path) -> None:
    os.environ.update({**JOB, **STEP, **TASK, "SLURM_NTASKS_PER_NODE": "8"})  # the job's, not the step's
    cluster.check_processes(nodes=2, devices=2)
    trainer = make_trainer(
        accelerator="cpu", devices=2, num_nodes=2, strategy="ddp", logger=False, default_root_dir=tmp_path
    )
    assert (trainer.world_size, trainer.global_rank, trainer.local_rank, trainer.node_rank) == (4, 2, 0, 1)
    assert trainer.strategy.cluster_environment.main_address == "gpu07"
    assert not trainer._accelerator_connector.cluster_environment.auto_requeue


@pytest.mark.parametrize(
    ("variables", "takes", "told"),
    [
        ({**JOB, **STEP}, (1, 4), "srun has started 4 tasks on 2 nodes, .*: say trainer.num_nodes=2 trainer.devices=2"),
        (TORCHRUN, (1, 1), "torchrun has started 4 .*: say trainer.num_nodes=2 trainer.devices=2"),
        (BY_HAND, (1, 1), "NODE_RANK=1 .* with trainer.num_nodes=1 it is 0"),
        ({}, (2, 1), "NODE_RANK is not in the environment"),
        ({"NODE_RANK": "1", "MASTER_PORT": "29500"}, (2, 1), "MASTER_ADDR is not in the environment"),
        ({"NODE_RANK": "first"}, (2, 1), "NODE_RANK=first .* is no number"),
    ],
)
def test_processes_that_would_wait_for_each_other_are_refused(variables, takes, told, environment) -> None:
    os.environ.update(variables)
    with pytest.raises(UserError, match=told):
        cluster.check_processes(*takes, trains=True)


# The job ----------------------------------------------------------------------------------------------------------

SRUN = """#!/usr/bin/env bash
echo $$ > pid
trap 'kill -TERM $!' TERM
[ "${1:0:2}" = -- ] && shift
"$@" & wait $! || wait $!
"""
SCONTROL = """#!/usr/bin/env bash
echo "$@" > requeued; kill -TERM "$(cat pid)"
"""
PYTHON = f"""#!{sys.executable}
import os, sys, time
open("arguments", "w").write(" ".join(sys.argv[1:]))
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Slurm is of Linux")
def test_the_script_requeues_its_job_before_the_time_is_over(tmp_path: Path) -> None:
    document = (Path(__file__).parents[2] / "docs" / "clusters.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```bash\n(.*?)^```$", document, flags=re.MULTILINE | re.DOTALL)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").touch()
    (tmp_path / "job.sh").write_text(script, encoding="utf-8")
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL), ("python", PYTHON)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    variables = os.environ | JOB | {"SLURM_CPUS_PER_TASK": "8", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    job = subprocess.Popen(["bash", "job.sh"], cwd=tmp_path, env=variables)
    deadline = time.monotonic() + 60
    while not (arguments := tmp_path / "arguments").is_file() or not arguments.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    job.send_signal(signal.SIGUSR1)
    assert job.wait(timeout=60) == 128 + signal.SIGTERM
    assert (tmp_path / "requeued").read_text().split() == ["requeue", "4711"]
    assert arguments.read_text().split()[-1] == "hydra.run.dir=runs/4711"
