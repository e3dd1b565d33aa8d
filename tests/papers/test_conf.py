"""conf/model and the papers' constructors say the same: which keys there are, what they may be, what they mean."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from suite.arguments import check_value
from suite.papers import arguments_of, find_paper
from suite.run.config import CONF, compose, defaults_of

PAPERS = sorted(path.stem for path in (CONF / "model").glob("[!_]*.yaml"))
LINE = re.compile(r"^ +(?:- /)?(\w+): [^#]*?(?: # *(?P<comment>.*))?$")  # of a key, or of a group that is mounted there


def files_of(name: str) -> list[Path]:
    """A file of conf/model, and those that it inherits."""
    path = CONF / "model" / f"{name}.yaml"
    defaults = [one for one in OmegaConf.load(path).get("defaults", []) if isinstance(one, str) and one != "_self_"]
    return [path, *(file for one in defaults for file in files_of(one))]


def comments_of(path: Path) -> dict[str, str]:
    """The keys of a file with what is said of each; "" for nothing."""
    lines = (LINE.match(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {line[1]: line["comment"] or "" for line in lines if line and line[1] != "paper"}


def test_a_line_is_read_as_it_is_meant(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("# of all\nmodel:\n  paper: x\n  a: ${b:c} # one\n  d: [1]\n  - /e: _${f} # two\n")
    assert comments_of(tmp_path / "x.yaml") == {"a": "one", "d": "", "e": "two"}


def test_the_papers_of_the_suite_are_those_of_its_configuration() -> None:
    import suite.papers

    assert sorted(suite.papers._OURS) == PAPERS
    assert [find_paper(name).name for name in PAPERS] == PAPERS


@pytest.mark.parametrize("paper", PAPERS)
def test_every_argument_is_a_key_and_every_key_an_argument(paper: str) -> None:
    assert OmegaConf.load(CONF / "model" / f"{paper}.yaml").model.paper == paper
    assert defaults_of(paper).keys() - {"stage"} == arguments_of(find_paper(paper)).keys() - {"stage"}


@pytest.mark.parametrize("paper", PAPERS)
def test_every_default_fits_its_annotation(paper: str) -> None:
    annotations = arguments_of(find_paper(paper))
    assert Any not in annotations.values()
    for key, value in defaults_of(paper).items():
        check_value(f"model.{key}", value, annotations[key])


@pytest.mark.parametrize("paper", PAPERS)
def test_defaults_stand_in_the_configuration_alone(paper: str) -> None:
    for level in find_paper(paper).__mro__:
        if not level.__module__.startswith("suite.papers.") or "__init__" not in vars(level):
            continue
        for one in list(inspect.signature(level.__init__).parameters.values())[1:]:
            assert one.kind in (one.KEYWORD_ONLY, one.VAR_KEYWORD), (level, one)
            assert one.default is one.empty or one.name == "stage", (level, one)


@pytest.mark.parametrize("paper", PAPERS)
def test_every_key_says_what_it_means(paper: str) -> None:
    said: dict[str, str] = {}
    for file in reversed(files_of(paper)):
        said |= comments_of(file)
    assert [key for key, comment in said.items() if not comment] == []
    assert said.keys() >= defaults_of(paper).keys()


@pytest.mark.parametrize("paper", PAPERS)
def test_what_is_the_papers_own_has_its_source(paper: str) -> None:
    own = comments_of(CONF / "model" / f"{paper}.yaml")
    published = {"lr", "betas", "epochs", "decay_epochs"} | {key for key in own if key.startswith("lambda")}
    assert own.keys() >= published
    assert [key for key in published if not re.search(r"\(.+\)", own[key])] == []


def test_the_default_preset_of_liu_changes_nothing() -> None:
    said = OmegaConf.load(CONF / "preset" / "sketch_to_image_default.yaml").model
    defaults = defaults_of("sketch_to_image")
    assert said == {key: defaults[key] for key in said}
    for stage in ("tom", "autoencoder", "refine", "joint"):
        words = ["experiment=sketch_to_image_faces", f"stage={stage}", "start_from=x"]
        assert compose("train", [*words, "preset=sketch_to_image_default"]).model == compose("train", words).model
