"""A run of an earlier release goes on with this one.

old_run/ was made by commit 93fcd9a:

    python -m suite.train experiment=cyclegan_lsgan scale=smoke trainer=cpu discriminator=patch16 \
        model.backbone.width=2 model.backbone.blocks=1 model.discriminator.width=2 model.pool_size=2 \
        model.ema_decay=0.9 model.epochs=1 model.decay_epochs=1 metrics=none images.count=0 cache_dir=cache
"""

import csv
import shutil
from pathlib import Path

import pytest
import torch

# Of its second epoch, as that commit went on with it.
EXPECTED = {"3": (3.29150, 0.569736), "4": (3.31388, 0.570140)}  # by batch: cycle_a, D_b


def logged(run):
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_of_an_earlier_release_is_resumed(command, cache, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(Path(__file__).parent / "old_run", run)
    before = logged(run)
    assert command("train", f"resume={run}", "trainer.max_epochs=2", f"cache_dir={cache}") == 0
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["done"]["epochs"] == 2
    after = logged(run)
    assert all(old.items() <= row.items() for old, row in zip(before, after, strict=False))  # columns may be new
    rows = {row["batch"]: row for row in after}
    assert rows.keys() == {"1", "2", "3", "4"}
    for batch, losses in EXPECTED.items():
        found = [float(rows[batch][f"train/{name}"]) for name in ("cycle_a", "D_b")]
        assert found == pytest.approx(losses, rel=1e-3)
