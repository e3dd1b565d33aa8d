"""What README.md and docs/architecture.md say is so: their commands, choices, keys, links and paths."""

import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from suite.errors import UserError
from suite.run.config import CONF, compose, instantiate, register_resolvers
from suite.run.words import bare

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "experiments").rglob("*.md"))]


@pytest.fixture(autouse=True)
def _without_power_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of spectral norms: seconds a network on the meta device, for numbers that aren't there."""
    monkeypatch.setattr("torch.nn.utils.parametrizations._SpectralNorm._power_method", lambda *_: None)


def fenced(language: str) -> list[str]:
    """The code blocks of a language in the README."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Every shell command of the README, comments and line breaks taken out."""
    lines = "".join(fenced("sh")).replace("\\\n", " ").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def words(command: str) -> list[str]:
    """As a shell would split it, with something in place of <what the reader fills in>."""
    return shlex.split(re.sub(r"<[^<>]+>", "filled-in", command), comments=True)


def commands_of_experiments() -> list[str]:
    """What the papers' folders say can be run: blocks by four spaces, and the table of Gao's arms."""
    found = []
    for document in sorted((ROOT / "experiments").rglob("*.md")):
        text = document.read_text(encoding="utf-8")
        found += re.findall(r"^ {4}(python -m .*)$", text.replace("\\\n", " "), flags=re.MULTILINE)
        arms = re.findall(r"`(experiment=[^`]+)` \|$", text, flags=re.MULTILINE)
        found += [f"python -m suite.train {arm} data.root=<folder>" for arm in arms]
    return found


def inline_code(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


# Commands -------------------------------------------------------------------------------------------------------------


def compose_command(name: str, overrides: list[str]) -> DictConfig:
    """The configuration of `python -m suite.<name>`; of one that trains, with the suite's own checks."""
    if name == "train":
        return compose(name, overrides)
    register_resolvers()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(name, overrides)


def check_suite_command(command: str) -> None:
    """Raises what the command would, up to the point where it needs files."""
    _, _, module, *arguments = words(command)
    name = module.removeprefix("suite.")
    assert any((ROOT / "src" / "suite" / f"{file}.py").is_file() for file in (name, f"{name}/__main__")), command
    flags, overrides = [a for a in arguments if a.startswith("-")], [a for a in arguments if not a.startswith("-")]
    if flags == ["--schema"]:
        assert name == "train"
        assert overrides[:1] in ([], [">"]), command  # nothing beside it: tests/run/test_schema.py
        return
    if "--cfg" in flags:
        overrides.remove("job")
    assert set(flags) <= {"-m", "--cfg", "--help"}, command
    if name == "compare":
        overrides = bare(overrides)[1]
    jobs = jobs_of_multirun(overrides) if "-m" in flags else [overrides]
    for job in of_each_stage(jobs) if name in ("train", "bench") else jobs:
        config = compose_command(name, job)
        if "labels" in (config.get("model") or ()):
            config.model.labels = ["one", "another"]  # which the data would have to be there for
        if name in ("train", "bench") and OmegaConf.select(config, "resume") is None and "--help" not in flags:
            with torch.device("meta"):  # networks without memory
                if not OmegaConf.is_missing(config.data, "root"):
                    instantiate(config)


def of_each_stage(jobs: list[list[str]]) -> list[list[str]]:
    """A job of an experiment in stages is one for each of them."""
    found = []
    for job in jobs:
        stages = compose_command("train", [word for word in job if not word.startswith("bench.")]).get("stages")
        whole = stages is None or any(word.startswith(("stage=", "resume=")) for word in job)
        found += [job] if whole else [[*job, f"stage={stage}"] for stage in stages]
    return found


def jobs_of_multirun(overrides: list[str]) -> list[list[str]]:
    """`a=1,2 b=3` is two jobs."""
    keys, values = zip(*(override.split("=", 1) for override in overrides), strict=True)
    jobs = itertools.product(*(value.split(",") for value in values))
    return [[f"{key}={value}" for key, value in zip(keys, job, strict=True)] for job in jobs]


def check_make(command: str) -> None:
    """Make finds its way there; nothing is run."""
    done = subprocess.run([*words(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def check_installed(command: str) -> None:
    assert (Path(sys.executable).parent / words(command)[0]).is_file(), command


def check_activate(command: str) -> None:
    assert command == ". .venv/bin/activate"


def check_uv(command: str) -> None:
    """What it installs is in no test; .github/workflows/ci.yaml runs the same."""
    trains = command.partition("uv run --no-sync ")[2]
    if trains.startswith("python -m suite."):
        check_suite_command(trains)
    else:
        assert f"- run: {command}\n" in (ROOT / ".github" / "workflows" / "ci.yaml").read_text(encoding="utf-8")


CHECKS: dict[str, Callable[[str], None]] = {
    "python -m suite.": check_suite_command,
    "make ": check_make,
    "wandb ": check_installed,
    ". ": check_activate,
    "uv ": check_uv,
}


@pytest.mark.parametrize("command", commands())
def test_command_works_as_written(command: str) -> None:
    (check,) = (check for start, check in CHECKS.items() if command.startswith(start))
    check(command)


@pytest.mark.parametrize("command", commands_of_experiments())
def test_command_of_an_experiment_works_as_written(command: str) -> None:
    _, _, module, *arguments = words(command)
    if module.startswith("experiments."):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file()
    elif arguments[0].startswith("sweep="):
        compose_command("train", arguments)  # its jobs: tests/commands/test_sweeps.py
    else:
        check_suite_command(command)


def test_every_experiment_of_gao_is_an_arm_of_its_table() -> None:
    told = {word for command in commands_of_experiments() for word in words(command) if word.startswith("experiment=")}
    told = {word.removeprefix("experiment=") for word in told}
    assert {row.split("`")[1] for row in experiment_rows() if "Gao 2020" in row} <= told


def test_first_screen_has_the_commands_for_a_newcomer() -> None:
    first = "\n".join(README.splitlines()[:40])
    for command in ("make demo", "make test", "python -m suite.train"):
        assert command in first
    assert len(commands()) > 15


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("python -m suite.train experiment=cyclegan_lsgan data.sise=64", "data.sise"),
        ("python -m suite.train experiment=cyclegan_lsgan scale=demo data.size=62", "not a multiple"),
        ("python -m suite.train experiment=cyclegan", "cyclegan"),
        ("python -m suite.train -m experiment=cyclegan_lsgan adversarial=lsgan,lsgn", "lsgn"),
        ("python -m suite.translate run=<run> inptu=<folder>", "inptu"),
    ],
)
def test_a_wrong_command_would_be_found(command: str, complaint: str) -> None:
    with pytest.raises((UserError, HydraException), match=complaint):
        check_suite_command(command)


@pytest.mark.filterwarnings("ignore:.*no `val_dataloader`.*", "ignore:.*treespec, LeafSpec.*")
def test_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_cyclegan: Callable, make_batches: Callable, fit: Callable
) -> None:
    (block,) = fenced("python")
    checkpoint = tmp_path / "last.ckpt"
    fit(make_cyclegan(), make_batches(1)).save_checkpoint(checkpoint)
    monkeypatch.setenv("SUITE_CACHE", str(tmp_path))
    scope: dict[str, Any] = {}
    exec(re.sub(r"<[^<>]+>", str(checkpoint), block), scope)
    assert scope["cartoons"].shape == scope["batch"]["a"].shape
    assert not scope["model"].training


# Choices and keys -----------------------------------------------------------------------------------------------------


def groups_of_table() -> dict[str, set[str]]:
    table = README.partition("| group | choices |")[2].partition("\n\n")[0]
    rows = [line.split(" | ") for line in table.splitlines()[2:]]
    return {row[0].strip("|` "): set(re.findall(r"`([^`]+)`", row[1])) for row in rows}


def test_groups_and_choices_are_those_of_conf() -> None:
    not_chosen = ("local", "scale_for", "stage_of", "preset_of")  # found by themselves
    groups = (folder for folder in CONF.iterdir() if folder.is_dir() and folder.name not in not_chosen)
    there = {
        group.name: {file.stem for file in group.glob("*.yaml") if not file.stem.startswith("_")} for group in groups
    }
    told = groups_of_table() | {"experiment": {row.split("`")[1] for row in experiment_rows()}}
    assert set(told) == set(there)
    for group, choices in there.items():
        assert told[group] == choices, f"README.md, the table of what can be swapped: {group}"


def experiment_rows() -> list[str]:
    """The rows of the README's table of experiments, made of the files: the line behind each one's command."""
    rows = []
    for file in (CONF / "experiment").glob("*.yaml"):
        line = file.read_text(encoding="utf-8").splitlines()[2]
        told = re.fullmatch(r"# ([^:]+): (.+)\.", line)
        assert told, f"{file.name}, line 3: say '# <paper>: <what it is>.'"
        rows.append((told[1], file.stem, told[2]))
    return [f"| `{name}` | {paper} | {what} |" for paper, name, what in sorted(rows)]


def test_table_of_experiments_is_made_of_their_files() -> None:
    table = README.partition("| experiment | paper | what it is |\n|---|---|---|\n")[2].partition("\n\n")[0]
    expected = "\n".join(experiment_rows())
    assert table == expected, f"README.md, the table of experiments should be\n{expected}"


def overrides_in_prose() -> Iterator[str]:
    for code in inline_code(README) + inline_code(ARCHITECTURE):
        if all(re.fullmatch(r"[a-z_]+(\.[a-z_]+)*=[^\s<>…]+", word) for word in code.split()):
            yield code


@pytest.mark.parametrize("code", sorted(set(overrides_in_prose())))
def test_keys_in_prose_exist(code: str) -> None:
    if code == "weights_only=True":  # torch.load's
        return
    refused: list[UserError] = []
    experiment = "two_step_faces" if code.startswith("stage=") else "cyclegan_lsgan"
    for data in ([], ["data=faces"], ["data=paired_folders"]):  # some are options of one data set
        try:
            compose("train", [f"experiment={experiment}", *data, *code.split()])
            return
        except UserError as error:
            refused.append(error)
    raise refused[0]


# Links and paths ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_pictures_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    local = [target.partition("#")[0] for target in targets if "://" not in target and not target.startswith("#")]
    missing = [target for target in local if not (document.parent / target).exists()]
    assert not missing, f"{document.name} links to {missing}"


def paths_in(text: str) -> set[str]:
    folders = "|".join(("conf", "docs", "experiments", "notebooks", "src", "tests"))
    return {code for code in inline_code(text) if re.fullmatch(rf"({folders})/[\w./-]*", code)}


@pytest.mark.parametrize(("name", "text"), [("README", README), ("architecture", ARCHITECTURE)])
def test_paths_exist(name: str, text: str) -> None:
    paths = paths_in(text)
    assert len(paths) >= {"README": 8, "architecture": 40}[name]
    assert not [path for path in sorted(paths) if not (ROOT / path).exists()]


def test_architecture_names_every_folder() -> None:
    files = [*(ROOT / "src" / "suite").rglob("*.py"), *CONF.rglob("*.yaml")]
    folders = {f"{file.parent.relative_to(ROOT).as_posix()}/" for file in files} - {"conf/local/"}
    assert folders <= paths_in(ARCHITECTURE)
