"""Two processes on the CPU train one model, on different pictures with different noise, and measure it as one would."""

import csv
import json
import os
import socket
import subprocess
import sys

import pytest
import pytorch_lightning as pl
import torch

import suite
from suite.metrics.callback import MetricsCallback

# Eight pictures a side: two batches of two for each of two ranks, none seen twice; and five in validation, so that
# one rank has more of them than the other.
DATA = ["scale=smoke", "data.epoch_length=max"]
UNPAIRED, PAIRED = "data.count={train: 16, val: 5, test: 4}", "data.count={train: 8, val: 5, test: 4}"
# Without a stage before it, and so with the data's own drawings.
DRAWN = [*DATA, PAIRED, "data.sketch_sets=null"]

EXPERIMENTS = [
    ("cyclegan_lsgan", [*DATA, UNPAIRED]),
    ("dagan_celeba_cufsf", [*DATA, PAIRED]),
    ("two_step_faces", [*DATA, PAIRED, "stage=generator"]),
    # With each step another subset of pictures, and so another head.
    ("sketch_to_image_faces", [*DRAWN, "stage=autoencoder", "data.subset=2", "data.subset_views=1"]),
    ("sketch_to_image_wikiart_256", [*DRAWN, "stage=refine"]),
]

# All of them one after the other: the start of two processes takes longer than any.
SCRIPT = """
import json
import sys
from pathlib import Path

import pytorch_lightning as pl
import torch

import suite
from suite.run.callbacks import StepSeeds
from suite.metrics.callback import MetricsCallback


class Recorder(pl.Callback):
    def __init__(self):
        self.keys, self.draws = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.keys += batch["key"]
        with torch.random.fork_rng():
            self.draws.append(torch.rand(1).item())


folder, experiments = sys.argv[1:]
for experiment, words in json.loads(experiments):
    torch.manual_seed(0)
    model, data = suite.build(experiment, words)
    metrics = MetricsCallback(["fid", "kid", "psnr", "ssim", "l1"], folder, features="random_vgg")
    recorder = Recorder()
    trainer = pl.Trainer(
        accelerator="cpu", devices=2, strategy="ddp_find_unused_parameters_true", use_distributed_sampler=False,
        max_epochs=1, num_sanity_val_steps=0, callbacks=[StepSeeds(0), recorder, metrics], logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
    )  # fmt: skip
    trainer.fit(model, datamodule=data)
    trainer.validate(model, datamodule=data, verbose=False)
    seen = {
        "keys": recorder.keys, "draws": recorder.draws,
        "weights": model.state_dict(), "metrics": dict(trainer.callback_metrics),
    }  # fmt: skip
    torch.save(seen, Path(folder) / f"{experiment}{trainer.global_rank}.pt")
"""


@pytest.fixture
def python(cache):
    """Run Python with some arguments in a process of its own, and return what it printed."""

    def run(*words: str) -> str:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "SUITE_CACHE": str(cache)}
        done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_two_nodes_make_one_run(cache, tmp_path):
    """Each with a command and a cache of its own; that one process starts the other is of `test_ddp_ends.py`."""
    run = tmp_path / "runs" / "run"
    words = ["experiment=cyclegan_wgan_gp", "scale=smoke", "trainer.num_nodes=2", "trainer.accelerator=cpu"]
    # Forty samples: ten steps of each rank, two of the generators.
    words += ["data.epoch_length=40", "threads=1"]
    words += ["images.train=2", f"hydra.run.dir={run}"]  # the first rank alone makes grids of training pictures
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        first = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "OMP_NUM_THREADS": "1"}
    nodes = [
        subprocess.Popen(
            [sys.executable, "-m", "suite.train", *words],
            env=os.environ | first | {"NODE_RANK": str(node), "SUITE_CACHE": str(cache / f"node{node}")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for node in (0, 1)
    ]
    (said, told), (second_said, second_told) = [node.communicate(timeout=240) for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], told + second_told
    assert (second_said, "Traceback" in told + second_told) == ("", False)
    assert "on each of 2 nodes x 1 device" in said
    assert (cache / "node1").is_dir()
    assert [path.name for path in run.parent.iterdir()] == ["run"]
    for name in (
        "config.yaml",
        "metrics.csv",
        "log.txt",
        "splits.json",
        "checkpoints/last.ckpt",
        "images/train_a2b_epoch0001.png",
    ):
        assert (run / name).is_file(), name
    with (run / "metrics.csv").open(newline="") as file:
        steps = [int(row["batch"]) for row in csv.DictReader(file) if row["train/lr"]]
    assert steps == list(range(1, 11))
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["done"] == {
        "epochs": 1,
        "steps": 2,
        "batches": 10,
    }


def test_ranks_share_weights_and_metrics_but_no_pictures_and_no_noise(python, tmp_path):
    script = tmp_path / "two_ranks.py"
    script.write_text(SCRIPT)
    python(str(script), str(tmp_path), json.dumps(EXPERIMENTS))
    for experiment, words in EXPERIMENTS:
        ranks = [torch.load(tmp_path / f"{experiment}{rank}.pt", weights_only=True) for rank in (0, 1)]
        assert_one_model(experiment, words, *ranks, tmp_path / experiment)


def assert_one_model(experiment, words, first, second, folder):
    model, data = suite.build(experiment, words)
    for name, _ in model.named_parameters():
        assert torch.equal(first["weights"][name], second["weights"][name]), (experiment, name)
    assert len(first["keys"]) == len(second["keys"]) == 4
    assert len({*first["keys"], *second["keys"]}) == 8
    assert len({*first["draws"], *second["draws"]}) == 4

    model.load_state_dict(first["weights"])
    metrics = MetricsCallback(["fid", "kid", "psnr", "ssim", "l1"], str(folder), features="random_vgg")
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, callbacks=[metrics], enable_progress_bar=False, default_root_dir=folder
    )
    trainer.validate(model, datamodule=data, verbose=False)
    alone = {name: value.item() for name, value in trainer.callback_metrics.items()}
    assert "val/fd_random_vgg" in alone
    for shared in (first["metrics"], second["metrics"]):
        # The training losses are each rank's own.
        figures = {name: value.item() for name, value in shared.items() if name.startswith("val")}
        # Batches of other sizes, whose convolutions may be rounded otherwise, then to uint8: one pixel in 15,000 may be
        # another level. A repeat that counted, or a rank that did not, would change the second digit.
        assert figures == pytest.approx(alone, rel=1e-3, abs=1e-5), experiment


def test_a_multirun_on_two_devices_is_refused(command, tmp_path, capsys):
    words = ["experiment=cyclegan_lsgan", "scale=smoke", "trainer=ddp", "trainer.accelerator=cpu", "seed=0,1"]
    assert command("train", "-m", *words, f"hydra.sweep.dir={tmp_path / 'sweep'}") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("multirun" in line and "trainer.devices=1" in line for line in lines)
    assert not list(tmp_path.rglob("metrics.csv"))
