"""Values: any key of any command with a value that nobody meant. It does what it says, or refuses in one line, at once.

A value may be right, as a million epochs: then the command is at work, and must end at a SIGTERM in one line.
"""

import glob
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from ground import CYCLEGAN, SMALL, Ground
from trial import Ended, Trial

COUNT = 300
_REAL = 25  # every so many is a process of its own
_WORKS_FOR = 2.0  # seconds that one at work is left alone

VALUES: dict[str, tuple[str, ...]] = {
    "zero": ("0", "0.0"),
    "minus one": ("-1", "-0.5"),
    "1e308": ("1e308", "-1e308"),
    "10^12": ("1000000000000", "1e12"),
    "10^18": ("1000000000000000000", "1" + "0" * 30),
    "not a number": ("nan", ".nan"),
    "infinity": ("inf", "-inf"),
    "null": ("null",),
    "true": ("true", "false"),
    "nothing": ("", "''", "' '"),
    "odd characters": (
        "$(touch x)", "${x}", "${oc.env:SECRET}", "'", '"', '"\'"', "a\nb", "a\rerror: b", "\x1b[2J", "\x01", "\\0",
        "\\", "😀", "\udcff", "é" * 3000, "a,b", "a=b", "!!x", "*", "&a", "%s{}", "../../x", "-x", "@x", "#", "??? ",
    ),
    "a number for a name": ("5", "2024_01_15", "1.5"),
    "a name for a number": ("abc", "1e-4x", "0x10"),
    "a list": ("[]", "[1,2,3]", "[a]", "[[1]]", "[null]"),
    "nothing in braces": ("{}",),
    "a mapping": ("{a: 1}", "{a: {b: 1}}", "{_target_: os.mkdir}"),
    "terabytes": ("1099511627776", "2147483647", "16384", "8192", "1048576"),
}  # fmt: skip


RESUMED = ("resume=copy", "trainer.max_epochs=3")


class Victim(NamedTuple):
    """A command that works as it stands. `only`: the beginnings of the keys that are attacked."""

    command: str
    words: tuple[str, ...]
    only: tuple[str, ...] = ()
    weight: int = 1


def victims(ground: Ground) -> list[Victim]:
    train = ["pix2pix_unet", "dagan_celeba_cufsf", "csi_celeba", "two_step_faces", "sketch_to_image_faces"]
    run, staged, none = f"run={ground.run}", f"run={ground.staged}", "logger=none"
    small = (*SMALL, "hydra.run.dir=new")
    return [
        Victim("train", (*CYCLEGAN, none, "hydra.run.dir=new"), weight=4),
        *(Victim("train", (f"experiment={name}", *small, none), ("model.", "data.")) for name in train),
        Victim("train", (*CYCLEGAN, *ground.of_pictures, "hydra.run.dir=new"), ("data.",), weight=2),
        Victim(
            "train",
            (*CYCLEGAN, f"data.streaming={ground.packed}", *ground.of_pictures, "hydra.run.dir=new"),
            ("data.",),
        ),
        Victim("train", (*CYCLEGAN, "logger=wandb", "hydra.run.dir=new"), ("logger.",)),
        Victim("train", (*CYCLEGAN, "logger=tensorboard", "hydra.run.dir=new"), ("logger.",)),
        Victim("train", RESUMED, weight=3),
        Victim("evaluate", (run, "accelerator=cpu"), weight=2),
        Victim("evaluate", (run, "accelerator=cpu", "metrics=offline")),
        Victim("translate", (run, f"input={ground.pictures}/photos", "output=out", "device=cpu"), weight=2),
        Victim("translate", (run, f"input={ground.video}", "output=out.mp4", "device=cpu")),
        Victim("check_data", (*ground.of_pictures, "verify=true"), weight=2),
        Victim("check_data", ("data=faces_smoke",)),
        Victim("pack", (*ground.of_pictures, "output=out")),
        Victim("extract_faces", (f"video={ground.video}", "output=out")),
        Victim("make_sketches", (staged, "data=faces_smoke", "data.size=64", "output=out", "device=cpu")),
        Victim(
            "style_grid",
            (
                staged,
                f"input={ground.pictures}/drawings",
                f"styles={ground.pictures}/photos",
                "output=out.png",
                "device=cpu",
            ),
        ),
        Victim("export", (run, "output=out", "format=hub")),
        Victim("compare", (f"runs=[{ground.run}]", "output=out.html", "device=cpu")),
        Victim("import_weights", (f"file={ground.generator}", "output=out.ckpt")),
        Victim("bench", (*CYCLEGAN, "data=faces_smoke", "bench.steps=1", "bench.warmup=1", "bench.repeats=1")),
    ]


def attack(number: int, random: Random, ground: Ground, trial: Trial) -> None:
    """Raises Failure."""
    there = [one for one in victims(ground) if ground.has(one.words)]
    victim = random.choices(there, [one.weight for one in there])[0]
    keys = keys_of_run(ground.run) if victim.words == RESUMED else keys_of(victim.command, victim.words)
    key = random.choice([key for key in keys if not victim.only or key.startswith(victim.only)])
    value = random.choice(VALUES[random.choice(list(VALUES))])
    # A run of several processes starts the program anew that it is.
    real = number % _REAL == _REAL - 1 or key == "trainer.devices"
    try_value(victim, key, value, ground, trial, real)


def try_value(victim: Victim, key: str, value: str, ground: Ground, trial: Trial, real: bool = False) -> Ended:
    """Raises Failure."""
    if victim.words == RESUMED:
        shutil.copytree(ground.run, trial.folder / "copy")
    words = [word for word in victim.words if not word.startswith(f"{key}=")]
    works = at_work(victim, trial.folder)
    return trial.run(victim.command, *words, f"{key}={value}", real=real, works=works).check(0, 2, 128 + 15)


def at_work(victim: Victim, folder: Path) -> Callable[[float], bool]:
    """When a command is known to be at the work that it was asked for."""
    began: list[float] = []

    def works(seconds: float) -> bool:
        if victim.command == "bench":
            return seconds > 7
        if victim.command != "train":
            return False
        resumed = victim.words == RESUMED and not (folder / "copy" / "conclusion.txt").exists()
        if not began and (resumed or glob.glob(f"{folder}/new/**/config.yaml", recursive=True)):
            began.append(seconds)
        ends = (folder / "new" / "conclusion.txt").exists()  # and Python, which takes its handlers away before it does
        return bool(began) and seconds > began[0] + _WORKS_FOR and not ends

    return works


@cache
def keys_of(command: str, words: tuple[str, ...]) -> list[str]:
    """Every key that a command composes from its words, by its whole name."""
    import hydra
    from omegaconf import OmegaConf

    from suite.run.config import CONF, register_resolvers
    from suite.run.words import literal_all

    register_resolvers()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose(command, literal_all([word for word in words if not word.startswith("hydra.")]))
    return list(_names(OmegaConf.to_container(config, resolve=False)))


@cache
def keys_of_run(run: Path) -> list[str]:
    from omegaconf import OmegaConf

    return list(_names(OmegaConf.to_container(OmegaConf.load(run / "config.yaml"), resolve=False)))


def _names(node: object, where: str = "") -> list[str]:
    if not isinstance(node, dict):
        return []
    return [found for name, inner in node.items() for found in (f"{where}{name}", *_names(inner, f"{where}{name}."))]
