"""Folders: runs that somebody sends to do harm. One line, or what an honest one gives; nothing of it is called.

Each lays the folder of a finished run, with one thing changed, before a command that reads it. No marker is made by
what it names, no secret of the environment gets into what is printed or written, and nothing is written beside it.
"""

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from shutil import copytree
from typing import Any, NamedTuple

from ground import SECRET, Ground
from trial import Failure, Trial
from values import keys_of_run

COMMANDS: dict[str, tuple[str, ...]] = {
    "train": ("resume=sent/run", "trainer.max_epochs=3"),
    "evaluate": ("run=sent/run", "accelerator=cpu"),
    "translate": ("run=sent/run", "input=pictures", "output=sent/out", "device=cpu"),
}
COUNT = 720  # every case
REFUSED, TAKEN = (2,), (0, 2)
ODD: list[Any] = [None, True, -1, 10**30, float("nan"), "", "a\nb", "${oc.env:SECRET}", [], [[1]], {}, {"a": 1}]


class Case(NamedTuple):
    what: str
    command: str
    lay: Callable[[Path, Path], None]  # of the run, and of a marker that nobody may make
    codes: tuple[int, ...] = TAKEN


def attack(number: int, random: Random, ground: Ground, trial: Trial) -> None:
    """Raises Failure."""
    every = cases(ground)
    case = every[number % len(every)]
    run, marker = trial.folder / "sent" / "run", trial.folder / "marker"
    copytree(ground.run, run)
    copytree(ground.pictures / "photos", trial.folder / "pictures")
    (trial.folder / "elsewhere").mkdir()
    case.lay(run, marker)
    trial.ran.append(f"# {case.what}")
    before = outside(trial.folder)
    ended = trial.run(case.command, *COMMANDS[case.command]).check(*case.codes)
    if marker.exists():
        raise Failure("wrong", f"{case.what}: it was called")
    if outside(trial.folder) != before:
        raise Failure("wrong", f"{case.what}: {outside(trial.folder) ^ before} is changed outside of the run's folder")
    written = b"".join(path.read_bytes() for path in run.rglob("*") if path.is_file() and not path.is_symlink())
    if SECRET in ended.out + ended.err or SECRET.encode() in written:
        raise Failure("wrong", f"{case.what}: the secret is told")


def outside(folder: Path) -> set[tuple[str, int]]:
    """What lies in a trial's folder beside the run that was sent, and its times of change."""
    own = ("stdout", "stderr", "sent")
    paths = [path for path in folder.rglob("*") if path.relative_to(folder).parts[0] not in own]
    return {(str(path.relative_to(folder)), path.lstat().st_mtime_ns) for path in paths}


# What is changed in it ------------------------------------------------------------------------------------------------


def setting(key: str, value: Any) -> Callable[[Path, Path], None]:
    """One key of its config.yaml; a callable is given the marker."""

    def lay(run: Path, marker: Path) -> None:
        import yaml

        config = yaml.safe_load((run / "config.yaml").read_text())
        node, names = config, key.split(".")
        for name in names[:-1]:
            if not isinstance(node.get(name), dict):
                node[name] = {}
            node = node[name]
        node[names[-1]] = value(marker) if callable(value) else value
        (run / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    return lay


def calls(marker: Path) -> dict[str, str]:
    return {"_target_": "os.mkdir", "path": str(marker)}


def content(change: Callable[[dict[str, Any], Path], Any]) -> Callable[[Path, Path], None]:
    """Of its last.ckpt, which is a dict, or what `change` returns."""

    def lay(run: Path, marker: Path) -> None:
        import torch

        path = run / "checkpoints" / "last.ckpt"
        held = torch.load(path, weights_only=True)
        changed = change(held, marker)
        torch.save(held if changed is None else changed, path)

    return lay


def held(*at: Any, value: Any) -> Callable[[Path, Path], None]:
    """One value within its last.ckpt."""

    def change(whole: dict[str, Any], _marker: Path) -> None:
        *before, last = at
        functools.reduce(lambda node, name: node[name], before, whole)[last] = value

    return content(change)


class Calls:
    """Pickled, it is a call."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def text(file: str, written: str) -> Callable[[Path, Path], None]:
    def lay(run: Path, marker: Path) -> None:
        (run / file).parent.mkdir(exist_ok=True)
        (run / file).write_text(written.replace("MARKER", str(marker)))

    return lay


def pipe(file: str) -> Callable[[Path, Path], None]:
    def lay(run: Path, _marker: Path) -> None:
        (run / file).unlink(missing_ok=True)
        os.mkfifo(run / file)

    return lay


def link(file: str, to: str) -> Callable[[Path, Path], None]:
    def lay(run: Path, _marker: Path) -> None:
        path = run / file
        if path.is_dir():
            path.rename(run.parent / "moved")
        path.unlink(missing_ok=True)
        path.symlink_to(to)

    return lay


# All of them ----------------------------------------------------------------------------------------------------------

SECTIONS = [
    "logger",
    "data",
    "model",
    "model.backbone",
    "model.discriminator",
    "metrics",
    "trainer",
    "images",
    "callbacks",
]
LIES = ["checkpoints/last.ckpt", "config.yaml", "splits.json", "metrics.csv", "log.txt", "metrics.json", "images/x.png"]
WANDB = {
    "_target_": "suite.run.loggers.CurvesWandbLogger", "project": "suite", "name": "x", "id": None, "mode": "offline",
    "entity": None, "group": None, "tags": [], "notes": None,
}  # fmt: skip
OF_TRAINING = [
    "optimizer_states",
    "loops",
    "callbacks",
    "lr_schedulers",
    "epoch",
    "global_step",
    "losses",
    "state_dict",
]
OF_TRAINING += ["MixedPrecision", "pytorch-lightning_version", "datamodule_hyper_parameters", "ema", "draws", "done"]
HUGE = [
    ("backbone", {"name": "resnet", "blocks": 2**30, "width": 2**20}),
    ("discriminator", {"name": "patch", "width": 2**30}),
]
HUGE += [("channels_a", 2**30), ("pool_size", 2**31 - 1), ("epochs", 2**31 - 1), ("ema_decay", 0.5)]


def cases(ground: Ground) -> list[Case]:
    """In an order that is always the same, and has of all early on."""
    found = [Case("an honest run", command, lambda run, marker: None, (0,)) for command in COMMANDS]
    for command in COMMANDS:
        found += [Case(f"{name} is a call", command, setting(name, calls)) for name in SECTIONS]
        found += [Case(f"{name} is a pipe", command, pipe(name)) for name in LIES[:4]]
        found += [Case(f"{key}={value}", command, held("hyper_parameters", key, value=value)) for key, value in HUGE]
        found += [
            Case("the checkpoint calls", command, content(lambda held, marker: {**held, "x": Calls(marker)}), REFUSED),
            Case("a weight of terabytes", command, content(_spread), REFUSED),
            Case("a weight is not finite", command, content(_infinite)),
            Case("a YAML call", command, text("config.yaml", "a: !!python/object/apply:os.mkdir [MARKER]\n")),
            Case("aliases of aliases", command, text("config.yaml", "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n")),
            Case("deep brackets", command, text("config.yaml", "a: " + "[" * 3000)),
            Case("a reference", command, setting("name", "${oc.env:SECRET}"), (0,)),
            Case("a reference in a path", command, setting("data.a", "${oc.env:SECRET}")),
        ]
    for command in ("train", "evaluate"):
        for key, value in (("base_url", "http://localhost:9"), ("mode", "online"), ("entity", "them"), ("host", "x")):
            found.append(Case(f"logger.{key}={value}", command, setting("logger", WANDB | {key: value})))
        found += [Case(f"{name} leads out", command, link(name, "../../elsewhere/x"), REFUSED) for name in LIES[4:]]
        found += [Case("images leads out", command, link("images", "../../elsewhere"), REFUSED)]
        found += [
            Case("settings of W&B", command, text("wandb/settings", "[default]\nbase_url = http://localhost:9\n"))
        ]
    for name in OF_TRAINING:
        found += [Case(f"{name} of the checkpoint is {odd!r}", "train", held(name, value=odd)) for odd in ODD[1:]]
    random = Random(0)
    for at in _places(ground.run / "checkpoints" / "last.ckpt"):
        odd = random.choice(ODD)
        found.append(Case(f"{'.'.join(map(str, at))} is {odd!r}", "train", held(*at, value=odd)))
    for key in keys_of_run(ground.run):
        for command in ("train", "evaluate"):
            odd = random.choice(ODD)
            found.append(Case(f"{key} of config.yaml is {odd!r}", command, setting(key, odd)))
    random.shuffle(found)
    return found


def _places(path: Path) -> Iterator[tuple[Any, ...]]:
    """Of every value of what a training goes on with; of optimizers, the first and what it remembers of one weight."""
    import torch

    def walk(node: Any, *at: Any) -> Iterator[tuple[Any, ...]]:
        yield at
        if isinstance(node, dict | list):
            items = node.items() if isinstance(node, dict) else enumerate(node)
            for name, inner in list(items)[: 1 if at[-1] in ("state", "params", "optimizer_states") else None]:
                yield from walk(inner, *at, name)

    content = torch.load(path, weights_only=True)
    for part in ("loops", "callbacks", "optimizer_states", "losses"):
        for name, inner in content[part].items() if isinstance(content[part], dict) else enumerate(content[part]):
            yield from walk(inner, part, name)


def _spread(held: dict[str, Any], _marker: Path) -> None:
    """A tensor of one number that claims the shape of 10^12."""
    import torch

    name = next(iter(held["state_dict"]))
    held["state_dict"][name] = torch.zeros(1).expand(10**6, 10**6)


def _infinite(held: dict[str, Any], _marker: Path) -> None:
    import torch

    for weight in held["state_dict"].values():
        if isinstance(weight, torch.Tensor) and weight.is_floating_point():
            weight.fill_(float("nan"))
