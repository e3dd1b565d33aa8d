"""Flips: a bit that turned, or an end that is gone, in a file of a run, of its data, or of the cache.

Where the file has checksums the command says so in one line, or does what it does with the whole file, byte for byte: a
checkpoint with other weights that loads is a failure. Texts that people may edit, JPEGs and decoded pixels have none:
there a command ends well, whatever it then makes of them.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from ground import CYCLEGAN, Ground
from kills import difference
from trial import Failure, Trial

COUNT = 100

Use = Callable[[Trial], Any]  # a command on the copies in a trial's folder, and what came of it; None: it was refused


class Target(NamedTuple):
    files: str  # below the copies of what is attacked
    uses: Sequence[Use]
    checked: bool = True  # damage is found, or of no consequence
    weight: int = 1


def attack(number: int, random: Random, ground: Ground, trial: Trial) -> None:
    """Raises Failure."""
    there = [one for one in TARGETS if any(ground.folder.glob(one.files))]
    target = random.choices(there, [one.weight for one in there])[0]
    use = random.choice(target.uses)
    whole = undamaged(use, ground)
    copies(ground, trial.folder)
    path = random.choice(sorted(trial.folder.glob(target.files)))
    what = damage(path, random)
    trial.ran.append(f"# {path.relative_to(trial.folder)}: {what}")
    found = use(trial)
    if found is not None and target.checked and (different := difference(found, whole, use.__name__)):
        raise Failure("wrong", f"{what} of {path.relative_to(trial.folder)} is not said, and changes {different}")


def damage(path: Path, random: Random) -> str:
    """Turn one bit of a file, or cut it short, and say which."""
    content = bytearray(path.read_bytes())
    place = random.randrange(len(content))
    if random.random() < 0.7:
        bit = random.randrange(8)
        content[place] ^= 1 << bit
        what = f"bit {bit} of byte {place}"
    else:
        del content[place:]
        what = f"all from byte {place}"
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a failing disk leaves them
    return what


def copies(ground: Ground, folder: Path) -> None:
    for place in (ground.run, ground.staged, ground.pictures, ground.packed, ground.cache):
        if place.exists():
            shutil.copytree(place, folder / place.name)


def undamaged(use: Use, ground: Ground) -> Any:
    """What comes of it with whole files."""
    name = use.__name__
    if (ground.folder, name) not in _undamaged:
        folder = ground.folder / f"whole-{name}-{os.getpid()}"
        folder.mkdir()
        copies(ground, folder)
        _undamaged[ground.folder, name] = use(Trial(folder))
    return _undamaged[ground.folder, name]


_undamaged: dict[tuple[Path, str], Any] = {}


# What is done with them -----------------------------------------------------------------------------------------------


def translate(trial: Trial, *words: str) -> Any:
    ended = trial.run("translate", "run=run", "input=pictures/photos", "output=out", "device=cpu", *words).check(0, 2)
    return {path.name: path.read_bytes() for path in sorted(trial.folder.glob("out/*"))} if ended.code == 0 else None


def translate_with_best(trial: Trial) -> Any:
    return translate(trial, "checkpoint=best")


def evaluate(trial: Trial, run: str = "run") -> Any:
    ended = trial.run("evaluate", f"run={run}", "accelerator=cpu", "cache_dir=cache").check(0, 2)
    files = sorted(trial.folder.glob(f"{run}/**/metrics.json"))
    return [json.loads(file.read_text()) for file in files] if ended.code == 0 else None


def evaluate_stages(trial: Trial) -> Any:
    return evaluate(trial, "staged")


def resume(trial: Trial) -> Any:
    ended = trial.run("train", "resume=run", "trainer.max_epochs=3", "cache_dir=cache").check(0, 2)
    return weights(trial.folder / "run") if ended.code == 0 else None


def resume_stages(trial: Trial) -> Any:
    ended = trial.run("train", "resume=staged", "cache_dir=cache").check(0, 2)
    return weights(trial.folder / "staged" / "3_refine") if ended.code == 0 else None


def train(trial: Trial, *words: str) -> Any:
    data = ("data=paired_folders", "data.root=pictures", "data.a=photos", "data.b=drawings")
    ended = trial.run("train", *CYCLEGAN, *data, *words, "metrics=none", "images.count=0", "hydra.run.dir=new").check(
        0, 2
    )
    return weights(trial.folder / "new") if ended.code == 0 else None


def train_on_packed(trial: Trial) -> Any:
    return train(trial, "data.streaming=packed")


def check_data(trial: Trial, *words: str) -> Any:
    data = ("data=paired_folders", "data.root=pictures", "data.a=photos", "data.b=drawings")
    ended = trial.run("check_data", *data, *words, "verify=true").check(0, 2)
    return json.loads(ended.out.splitlines()[-1]) if ended.code == 0 else None


def check_packed(trial: Trial) -> Any:
    return check_data(trial, "data.streaming=packed")


def weights(run: Path) -> Any:
    import torch

    content = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    return {part: content[part] for part in ("done", "state_dict", "optimizer_states")}


TARGETS = [
    Target("run/checkpoints/last.ckpt", (translate, evaluate, resume), weight=4),
    Target("run/checkpoints/best.ckpt", (translate_with_best,), weight=2),
    Target("run/config.yaml", (evaluate, resume), checked=False, weight=2),
    Target("run/splits.json", (evaluate, resume), checked=False, weight=2),
    Target("run/metrics.csv", (resume,)),
    Target("staged/stages.yaml", (evaluate_stages, resume_stages), checked=False, weight=2),
    Target("cache/pictures/*/about.json", (evaluate, resume), checked=False),
    Target("cache/pictures/*/*.npy", (evaluate, resume), checked=False),
    Target("cache/pictures/*/pixels.bin", (evaluate, resume), checked=False),
    Target("cache/features/*", (evaluate,)),
    Target("pictures/photos/*.png", (translate, check_data, train), weight=2),
    Target("pictures/drawings/*.jpg", (check_data, train), checked=False, weight=2),
    Target("packed/*", (check_packed, train_on_packed), weight=2),
]
