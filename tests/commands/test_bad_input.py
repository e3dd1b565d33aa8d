"""Bad input: one line that names what is wrong and says what to do, exit code 2, nothing lost."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from suite.run.checkpoints import AtomicCheckpointIO

SMOKE = ["experiment=cyclegan_lsgan", "scale=smoke"]
FOLDERS = [*SMOKE, "data=unpaired_folders"]


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A finished run, to be copied or only read."""
    return tmp_path_factory.mktemp("finished") / "run"


@pytest.fixture
def run(finished, command) -> Path:
    if not finished.exists():
        assert command("train", *SMOKE, f"hydra.run.dir={finished}") == 0
    return finished


def pictures(root: Path) -> Path:
    """photos/ and paintings/ with four small pictures each."""
    for side, colour in (("photos", "navy"), ("paintings", "gold")):
        (root / side).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (40 + number, 40), colour).save(root / side / f"{number}.jpg")
    return root


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([], ["which experiment?", "cyclegan_lsgan"]),
        (["experiment=cyclegan_lsgn"], ["experiment=cyclegan_lsgn", "cyclegan_lsgan"]),
        ([*SMOKE, "data.batchsize=4"], ["data.batchsize", "data.batch_size"]),
        ([*SMOKE, "+model.lambda_identiti=1"], ["model.lambda_identiti", "model.lambda_identity"]),
        ([*SMOKE, "data.batch_size=-1"], ["data.batch_size=-1"]),
        ([*SMOKE, "data.size=34", "data.load_size=34"], ["data.size=34", "multiple of"]),
        ([*SMOKE, "data.size=16", "data.load_size=16"], ["data.size=16", "discriminator"]),
        ([*SMOKE, "adversarial=wgan_gp", "model.discriminator.norm=batch"], ["BatchNorm", "model.discriminator.norm"]),
        ([*SMOKE, "data.channels_b=1"], ["identity", "model.lambda_identity=0"]),
        ([*SMOKE, "data=unpaired_folders", "data.root=/nowhere"], ["/nowhere"]),
        ([*SMOKE, "data=unpaired_folders"], ["data.root", "is missing"]),
        ([*SMOKE, "trainer=gpu"], ["gpu", "trainer.accelerator=cpu"]),
        ([*SMOKE, "hydra.run.dir=/proc/nowhere"], ["/proc/nowhere"]),
        ([*SMOKE, "seed=5000000000"], ["seed=5000000000"]),
        ([*SMOKE, "images.train=-1"], ["images.train=-1"]),
        ([*SMOKE, "trainer.accelerator=abacus"], ["abacus"]),
        (["resume=/nowhere"], ["resume=/nowhere", "config.yaml"]),
        (["-m", *SMOKE, "trainer.devices=2", "seed=0,1"], ["trainer.devices=2", "multirun"]),
    ],
)
def test_one_line(words, parts, command, tmp_path, capsys, monkeypatch):
    if torch.cuda.is_available() and "trainer=gpu" in words:
        pytest.skip("this machine has a GPU")
    monkeypatch.chdir(tmp_path)
    assert command("train", *words) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert told, "no error line"
    for part in parts:
        assert part in told[0]
    assert not list(tmp_path.rglob("config.yaml"))


@pytest.mark.parametrize(
    ("name", "content"), [("text.jpg", b"no picture"), ("empty.png", b""), ("cut.jpg", None)], ids=str
)
def test_a_broken_picture_is_named(name, content, command, tmp_path, capsys):
    root = pictures(tmp_path)
    whole = (root / "photos" / "0.jpg").read_bytes()
    (root / "photos" / name).write_bytes(whole[: len(whole) // 2] if content is None else content)
    words = [*FOLDERS, f"data.root={root}", "data.a=photos", "data.b=paintings"]
    assert command("train", *words, f"hydra.run.dir={tmp_path / 'run'}") == 2
    assert name in capsys.readouterr().err


def test_an_empty_folder_is_named(command, tmp_path, capsys):
    (pictures(tmp_path) / "nothing").mkdir()
    words = [*FOLDERS, f"data.root={tmp_path}", "data.a=photos", "data.b=nothing"]
    assert command("train", *words, f"hydra.run.dir={tmp_path / 'run'}") == 2
    assert "nothing" in capsys.readouterr().err


def test_damaged_and_foreign_checkpoints(run, command, tmp_path, capsys):
    copy = tmp_path / "run"
    (copy / "checkpoints").mkdir(parents=True)
    (copy / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    last, whole = copy / "checkpoints" / "last.ckpt", (run / "checkpoints" / "last.ckpt").read_bytes()

    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    torch.save(content | {"paper": "suite.papers.other.Other"}, last)
    foreign = last.read_bytes()
    for damage, part in ((whole[: len(whole) // 2], "damaged"), (b"text", "damaged"), (foreign, "suite.papers")):
        last.write_bytes(damage)
        for name, word in (("train", f"resume={copy}"), ("evaluate", f"run={copy}")):
            assert command(name, word) == 2, (name, part)
            assert part in capsys.readouterr().err, name
    torch.save({key: value for key, value in content.items() if key != "optimizer_states"}, last)
    assert command("train", f"resume={copy}") == 2
    assert "last.ckpt has no optimizers" in capsys.readouterr().err
    (copy / "config.yaml").write_text("data: [", encoding="utf-8")
    assert command("evaluate", f"run={copy}") == 2
    assert "config.yaml is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("metrics.names=5", "metrics.names=5: give "),
        ("metrics.weights=abc", "metrics.weights=abc: give "),
        ("+metrics.nmes=[kid]", "unknown key metrics.nmes: did you mean metrics.names?"),
    ],
)
def test_odd_metrics_of_an_evaluation_are_named(word, told, run, command, capsys):
    assert command("evaluate", f"run={run}", "metrics=offline", word) == 2
    assert f"error: {told}" in capsys.readouterr().err


def test_missing_weights_stop_before_a_run_is_made(command, tmp_path, capsys, monkeypatch):
    def unreachable(*_args, **_more):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    assert command("train", *SMOKE, "metrics=full", f"hydra.run.dir={tmp_path / 'run'}") == 2
    error = capsys.readouterr().err
    assert "6726825d" in error
    assert "metrics.features=random_vgg" in error
    assert not (tmp_path / "run").exists()


FULL_DISK = """
import resource, signal, sys
import torch
from suite.run.checkpoints import AtomicCheckpointIO
from suite.errors import UserError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))  # as a disk with so much room
try:
    AtomicCheckpointIO().save_checkpoint({"epoch": 2, "weights": torch.zeros(100_000)}, sys.argv[1])
except UserError as error:
    sys.exit(str(error))
"""


def test_a_full_disk_leaves_the_earlier_checkpoint(tmp_path):
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1, "weights": torch.zeros(10)}, path)
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"can't save {path}")
    assert "the previous checkpoint is untouched" in done.stderr
    assert torch.load(path, weights_only=True)["epoch"] == 1
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("rate", ["1e30", ".nan"])
def test_a_loss_that_is_not_finite_is_named(rate, command, tmp_path, capsys):
    words = [*SMOKE, f"model.lr={rate}", "trainer.limit_train_batches=4", f"hydra.run.dir={tmp_path / 'run'}"]
    assert command("train", *words) == 2
    error = capsys.readouterr().err
    assert "was not finite in batch" in error or "model.lr" in error
    assert not (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()
