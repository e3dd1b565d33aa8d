"""The runs that are compared: which there are, what differs in their settings, and which differ in the seed alone."""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from suite.arguments import shown
from suite.errors import UserError
from suite.run import folder
from suite.run.config import plain

Settings = Mapping[str, str]  # by key, as they would be typed

# Keys that say where and how long something is computed, what is kept and who is told: they change no picture.
_ELSEWHERE = (
    "seed", "name", "resume", "start_from", "cache_dir", "threads", "timeout", "stages", "logger", "images",
    "checkpoint", "data.cache", "data.cache_dir", "data.workers", "data.eval_batch_size", "metrics", "model.recorded",
    "model.compile", "trainer.accelerator", "trainer.log_every_n_steps", "trainer.check_val_every_n_epoch",
    "trainer.limit_val_batches", "trainer.limit_test_batches", "trainer.benchmark", "trainer.deterministic",
    "validation",
)  # fmt: skip
_SEEDS = ("data.seed", "data.target.seed")  # noise where they are the run's own, of every run
_TITLE = 3  # keys in the title of an arm, at most


@dataclass(frozen=True)
class Run:
    """A run to compare. `last`: its last finished stage, where checkpoint and metrics are; else the run itself."""

    folder: Path
    name: str
    last: Path
    config: DictConfig  # of `last`
    seed: str
    settings: Settings
    problem: str = ""  # why it has no stage to show yet


@dataclass(frozen=True)
class Arm:
    """Runs that differ in the seed alone."""

    letter: str
    title: str
    runs: Sequence[Run]
    settings: Settings = field(default_factory=dict)


def find_runs(places: Iterable[Path]) -> list[Path]:
    """The run folders that are given, and those within a folder of runs, as a multirun's, in natural order; each once.

    Raises UserError where one is neither, or none is given.
    """
    found: dict[Path, Path] = {}  # by where it is: the same folder has many spellings
    for place in places:
        if not place.is_dir():
            raise UserError(f"{place}: there is no such folder; give run folders, or that of a multirun")
        inside = [] if _is_run(place) else sorted(filter(_is_run, place.iterdir()), key=_natural)
        if not inside and not _is_run(place):
            raise UserError(
                f"{place} is not a run folder, and there is none in it: a run has a config.yaml once it has begun"
            )
        for run in inside or [place]:
            found.setdefault(run.resolve(), run)
    if not found:
        raise UserError("which runs? Give their folders, or that of a multirun: python -m suite.compare runs/…")
    return list(found.values())


def _is_run(place: Path) -> bool:
    return (place / "config.yaml").is_file() or folder.has_stages(place)


def _natural(path: Path) -> list[Any]:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", path.name) if part]


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Raises UserError where a configuration is damaged."""
    runs = [_read(run, name) for run, name in zip(folders, _names(folders), strict=True)]
    keys = {key for run in runs for key in run.settings if key.rpartition(" ")[2] in _SEEDS}
    follow = {key for key in keys if all(run.settings.get(key, run.seed) == run.seed for run in runs)}
    return [replace(run, settings=_without(run.settings, follow)) for run in runs]


def _names(folders: Sequence[Path]) -> list[str]:
    """Each by its path below the folder that all are in; by the whole path where they are on several drives."""
    places = [run.resolve() for run in folders]
    try:
        above = os.path.commonpath([place.parent for place in places])
    except ValueError:
        return list(map(str, places))
    return [os.path.relpath(place, above) for place in places]


def _without(settings: Settings, keys: Collection[str]) -> Settings:
    return {key: value for key, value in settings.items() if key not in keys}


def _read(run: Path, name: str) -> Run:
    if not folder.has_stages(run):
        config = folder.read_config(run)
        return Run(run, name, run, config, shown(config.get("seed")), _flat_of_run(config, run))
    configs = folder.read_stages(run)
    last, problem = run, ""
    try:
        last = folder.of_stage(run)
        stage = last.name.partition("_")[2]
        configs[stage] = folder.read_config(last)  # it may have been resumed alone, with changes
    except UserError as error:
        stage, problem = list(configs)[-1], str(error)
    settings = _merged({stage: _flat_of_run(of_stage, run) for stage, of_stage in configs.items()})
    return Run(run, name, last, configs[stage], shown(configs[stage].get("seed")), settings, problem)


def _merged(stages: Mapping[str, Settings]) -> Settings:
    """One line a key: of a run in stages `<stage>: <key>` where stages have different values."""
    found: dict[str, str] = {}
    for key in dict.fromkeys(key for settings in stages.values() for key in settings):
        values = {stage: settings[key] for stage, settings in stages.items() if key in settings}
        if len(set(values.values())) == 1:
            found[key] = next(iter(values.values()))
        else:
            found |= {f"{stage}: {key}": value for stage, value in values.items()}
    return found


def _flat_of_run(config: DictConfig, run: Path) -> Settings:
    """What decides on the pictures of a run: without its seed, and with what lies in its own folder said so."""
    values = dict(_flat(plain(config)))
    own = [place for place in (values.get("start_from"), str(run)) if isinstance(place, str) and place]

    def said(value: Any) -> str:
        inside = [place for place in own if isinstance(value, str) and value.startswith(f"{place}/")]
        return f"<the run>{value[len(inside[0]) :]}" if inside else shown(value)

    return {
        key: said(value)
        for key, value in values.items()
        if not any(key == noise or key.startswith(f"{noise}.") for noise in _ELSEWHERE)
    }


def _flat(values: Mapping[str, Any], where: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{where}{key}.")
        else:
            yield f"{where}{key}", value


# What differs ---------------------------------------------------------------------------------------------------------


def in_arms(runs: Sequence[Run]) -> list[Arm]:
    """The runs by their settings, in the order of each first one, with a title for each that no other has."""
    groups: dict[tuple[tuple[str, str], ...], list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(sorted(run.settings.items())), []).append(run)
    arms = list(groups.values())
    titles = _titles(arms)
    return [
        Arm(_letter(number), title, of_arm, of_arm[0].settings)
        for number, (title, of_arm) in enumerate(zip(titles, arms, strict=True))
    ]


def differing(arms: Sequence[Arm]) -> dict[str, list[str | None]]:
    """By key what each arm has, None where it has no such key; keys that are the same in all are left out."""
    keys = dict.fromkeys(key for arm in arms for key in arm.settings)
    rows = {key: [arm.settings.get(key) for arm in arms] for key in keys}
    return {key: values for key, values in rows.items() if len(set(values)) > 1}


def _titles(arms: Sequence[Sequence[Run]]) -> list[str]:
    """By the folders' names, <arm>-<seed>; the experiment; the settings that differ; or the first run's name."""
    folders = [{_stem(run) for run in of_arm} for of_arm in arms]
    complete = all(len(names) == 1 and None not in names for names in folders)
    experiments = [shown(of_arm[0].config.get("name")) for of_arm in arms]
    keys = differing([Arm("", "", of_arm, of_arm[0].settings) for of_arm in arms])
    by_key = [
        ", ".join(f"{key.rpartition('.')[2]}={values[number]}" for key, values in keys.items() if values[number])
        for number in range(len(arms))
    ]
    candidates = [
        [str(*names) for names in folders] if complete else [],
        experiments,
        by_key if len(keys) <= _TITLE and all(by_key) else [],
    ]
    unlike = [titles for titles in candidates if titles and len(set(titles)) == len(arms)]
    return (
        unlike[0] if unlike else [f"{name}, {of_arm[0].name}" for name, of_arm in zip(experiments, arms, strict=True)]
    )


def _stem(run: Run) -> str | None:
    """<arm> of a folder <arm>-<seed>; None of another."""
    ending = f"-{run.seed}"
    return run.name.removesuffix(ending) if run.name.endswith(ending) else None


def _letter(number: int) -> str:
    """A, B … Z, AA, AB …"""
    rest, last = divmod(number, 26)
    return (_letter(rest - 1) if rest else "") + chr(ord("A") + last)
