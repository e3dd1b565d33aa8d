"""The attack itself: it finds what it is to find, and a small sample of it finds nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import flips
import folders
import kills
import pytest
import values
from ground import Ground, import_suite, make, settle
from trial import HANGS, SLOW, Ended, Failure, Trial


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("ground")
        settle(folder, patch.setenv)
        import_suite()
        yield make(folder, whole=False)


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("kind", [values, flips, folders], ids=lambda kind: kind.__name__)
def test_a_sample(kind, number: int, ground: Ground, tmp_path: Path) -> None:
    kind.attack(number, Random(number), ground, Trial(tmp_path))


def test_a_kill(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = ("trainer.max_epochs=1", "checkpoint.every_n_steps=1", "metrics=none", "images.count=0")
    monkeypatch.setattr(kills, "WORDS", (*kills.WORDS, *short))
    kills.attack(0, Random(0), ground, Trial(tmp_path))


def test_a_run_of_it_has_every_folder(ground: Ground) -> None:
    assert 600 < len(folders.cases(ground)) <= folders.COUNT


# What it finds --------------------------------------------------------------------------------------------------------

TRACE = "Traceback (most recent call last):\n  File …\nKeyError: 'x'\n"


@pytest.mark.parametrize(
    ("code", "err", "seconds", "hung", "outcome"),
    [
        (0, "", 1, False, None),
        (2, "a warning\nerror: data.size=x: give a number\n", 1, False, None),
        (143, "stopped by SIGTERM in epoch 1\n", 1, False, None),
        (1, TRACE, 1, False, "traceback"),
        (2, TRACE + "error: x\n", 1, False, "traceback"),
        (0, "", SLOW + 1, False, "slow"),
        (-9, "", HANGS, True, "hang"),
        (-11, "", 1, False, "wrong"),
        (1, "", 1, False, "wrong"),
        (2, "", 1, False, "wrong"),
        (2, "error: a\nerror: b\n", 1, False, "wrong"),
        (2, "error: a\nb\n", 1, False, "wrong"),
        (0, "error: a\n", 1, False, "wrong"),
        (143, "", 1, False, "wrong"),
    ],
)
def test_how_a_command_may_end(code: int, err: str, seconds: float, hung: bool, outcome: str | None) -> None:
    ended = Ended("", code, "", err, seconds, hung)
    if outcome is None:
        assert ended.check(0, 2, 143) is ended
        return
    with pytest.raises(Failure) as failure:
        ended.check(0, 2, 143)
    assert failure.value.outcome == outcome


def test_other_weights_are_found(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flips, "TARGETS", [flips.Target("run/checkpoints/last.ckpt", (flips.translate,))])
    monkeypatch.setattr(flips, "damage", another_weight)
    with pytest.raises(Failure, match=r"a weight of run/checkpoints/last.ckpt is not said, and changes translate"):
        flips.attack(0, Random(0), ground, Trial(tmp_path))


def another_weight(path: Path, random: Random) -> str:
    """Where no checksum tells."""
    import torch

    content = torch.load(path, weights_only=True)
    next(weight for name, weight in content["state_dict"].items() if name.startswith("G.")).neg_()
    torch.save(content, path)
    return "a weight"


def lay(name: str) -> Callable[[Path, Path], None]:
    def made(run: Path, marker: Path) -> None:
        if name == "marker":
            marker.mkdir()
        (run / "log.txt").write_text(folders.SECRET if name == "secret" else "")

    return made


@pytest.mark.parametrize(("name", "told"), [("marker", "it was called"), ("secret", "the secret is told")])
def test_a_marker_and_a_secret_are_found(
    name: str, told: str, ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "cases", lambda _: [folders.Case(name, "translate", lay(name))])
    with pytest.raises(Failure, match=told):
        folders.attack(0, Random(0), ground, Trial(tmp_path))
