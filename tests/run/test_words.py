"""Words of a command line: names as people have them are taken as they stand, and printed to be pasted."""

import copy
import shlex
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace, UnionType
from typing import Any, get_args, get_origin

import hydra
import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from keyed import KEYED
from omegaconf import DictConfig, OmegaConf

import suite
from suite.arguments import File, OneOf, arguments_of
from suite.data.keys import DataKeys
from suite.data.sources import SOURCES, find_source, source_options
from suite.run import folder
from suite.run.checks import RunKeys, WandbKeys
from suite.run.config import CONF, compose, register_resolvers, resolved
from suite.run.request import changed
from suite.run.summary import what_next
from suite.run.words import (
    command,
    escaped,
    is_text,
    literal,
    literal_all,
    say,
    sweeps,
    typed,
    without_dashes,
)

NAMES = [
    "2024_01_15", "2024", "1e3", "Bilder für GAN", "faces (1)", "a,b", "it's", "wow!", "k=v", "R&D", "x;y", "tab\tname",
    "${HOME}", "null", "true", "01", "[a]", "[2024] faces [1]", "{a: b}", "'quoted'", '"', "back\\slash\\", "\\${X}",
    "${", "a${b", "a: b", "glob(*)", "~", "$HOME", "日本", " x ", "line\nbreak", "*", "a#b", "-m", "x.png",
    "${seed}", "x${seed}", "a\\${seed}",
]  # fmt: skip
TYPED_IN_QUOTES = ("null", "[a]", "'quoted'", "${seed}", "x${seed}", "a\\${seed}")
FOLDERS = ["experiment=cyclegan_lsgan", "scale=smoke", "data=unpaired_folders"]


def value(word: str) -> Any:
    """What a configuration has of a word of Hydra's."""
    override = OverridesParser.create().parse_override(word)
    config = OmegaConf.create({"key": None, "seed": 3})
    OmegaConf.update(config, "key", override.value())
    return OmegaConf.to_container(config, resolve=True)["key"]  # type: ignore[index, call-overload]


# What is typed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["data.root", "input", "target", "+data.target.root"])
def test_a_printed_word_means_what_was_meant(key: str, name: str) -> None:
    (*_, word) = shlex.split(command("translate", say(key, name)))
    assert value(literal(word)) == name
    assert typed(literal(word)) == word


@pytest.mark.parametrize("name", [name for name in NAMES if name not in TYPED_IN_QUOTES])
def test_a_name_is_typed_as_it_is(name: str) -> None:
    assert say("data.root", name) == f"data.root={name}"
    assert value(literal(f"data.root=./{name}")) == f"./{name}"


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("data.root=null", None),
        ("data.root=./null", "./null"),
        ("data.root='null'", "null"),
        ("data.root=", ""),
        ('data.root="a b"', "a b"),
        ("data.drop=error,pose", "error,pose"),
        ("data.categories=[a (1), 'c, d',2024]", ["a (1)", "c, d", "2024"]),
        ("input=[]", []),
        ("input=[a.png,${HOME}/b (1).png]", ["a.png", "${HOME}/b (1).png"]),
        ("model.labels=[01,f]", ["01", "f"]),
        ("start_from=two_step-${seed}/1_generator", "two_step-3/1_generator"),
        ("start_from='two_step-${seed}'", "two_step-${seed}"),
        ("start_from=a\\${seed}", "a\\3"),
        ("data.target={source: cufs, root: é(1)}", {"source": "cufs", "root": "é(1)"}),
        (
            "data.target={root: a, b (1), split: {train: 3, test: 0.1}, source: 01, strips: true, drop: [a b,'c, d']}",
            {
                "root": "a, b (1)",
                "split": {"train": 3, "test": 0.1},
                "source": "01",
                "strips": True,
                "drop": ["a b", "c, d"],
            },
        ),
        ("data.target={root: 'x, a: ${seed}', a: null}", {"root": "x, a: ${seed}", "a": None}),
        ("metrics.weights={vgg19: it's (1).pt}", {"vgg19": "it's (1).pt"}),
        ("hydra.run.dir=it's (${seed})", "it's (3)"),
        ("data.size=64", 64),
        ("model.betas=[0.5,0.9]", [0.5, 0.9]),
        ("data.split={train: 0.9, test: 0.1}", {"train": 0.9, "test": 0.1}),
    ],
)
def test_what_a_word_means(word: str, meant: Any) -> None:
    assert value(literal(word)) == meant


def test_a_reference_is_printed_as_it_was_typed() -> None:
    for word in ("start_from=two_step-${seed}/1", "start_from=a\\${seed}", "start_from='${seed}'"):
        assert typed(literal(word)) == word


def test_commas_separate_runs_only_where_there_are_several() -> None:
    words = ["experiment=pix2pix_unet", "data.root=2024,faces (1),'a,b',null", "data.categories=[a,b]"]
    assert not sweeps(words)
    _, once, _ = literal_all(words)
    assert value(once) == "2024,faces (1),'a,b',null"
    for several in ("-m", "--multirun", "sweep=papers"):
        parsed = OverridesParser.create().parse_overrides(literal_all([*words, several])[1:3])
        (jobs,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
        assert [[value(word) for word in job] for job in jobs] == [
            [one, ["a", "b"]] for one in ("2024", "faces (1)", "a,b", None)
        ]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("data.categories=[duck,cat],[cat]", [["duck", "cat"], ["cat"]]),
        ("data.drop=null,[a (1)] , [],'[b]',[c", [None, ["a (1)"], [], "[b]", "[c"]),
        ("data.target={source: a, root: é},{source: b, root: c (1)}",
         [{"source": "a", "root": "é"}, {"source": "b", "root": "c (1)"}]),
    ],
)  # fmt: skip
def test_lists_and_braces_are_values_of_several_runs(word: str, meant: list[Any]) -> None:
    (parsed,) = OverridesParser.create().parse_overrides(literal_all([word, "-m"])[:1])
    (jobs,) = BasicSweeper.split_arguments([parsed], max_batch_size=None)
    assert [value(one) for (one,) in jobs] == meant


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        (["--experiment=x", "--data.root=--y", "--model.lr=0.1"], ["experiment=x", "data.root=--y", "model.lr=0.1"]),
        (["--run=runs/x", "-seed=1"], ["run=runs/x", "seed=1"]),
        (["--cfg", "job", "-m", "--multirun", "--help"], ["--cfg", "job", "-m", "--multirun", "--help"]),
        (["--cfg=job", "--config-dir=x"], ["--cfg=job", "--config-dir=x"]),
        (["--config-dir", "--k=v", "--seed=1"], ["--config-dir", "--k=v", "seed=1"]),
    ],
)
def test_dashes_of_keys_are_left_out(arguments: list[str], read: list[str]) -> None:
    assert without_dashes(arguments) == read


def text_keys(keys: Any, where: str = "") -> Iterator[str]:
    """Those annotated as a path, or as text of no fixed choice."""
    return (f"{where}{key}" for key, kind in arguments_of(keys).items() if free_text(kind))


def free_text(kind: Any) -> bool:
    inside = get_args(kind)
    if get_origin(kind) in (typing.Union, UnionType, list, Sequence):
        return any(map(free_text, inside))
    if kind == File:
        return True
    if get_origin(kind) is typing.Annotated:
        return free_text(inside[0]) and not any(isinstance(limit, OneOf) for limit in inside[1:])
    return kind is str


def test_no_key_of_a_path_or_name_is_forgotten() -> None:
    found = {key for keys in KEYED.values() for key in text_keys(keys)}
    found |= {*text_keys(RunKeys), *text_keys(DataKeys, "data."), *text_keys(WandbKeys, "logger.")}
    for source in SOURCES:
        options = source_options(source)
        found |= {key for key in text_keys(find_source(source), "data.") if key.removeprefix("data.") in options}
    assert {"input", "run", "data.root", "data.a", "data.attribute", "resume", "logger.notes"} <= found
    assert {key for key in found if not is_text(key)} == {"stages"}  # names of the paper's own


def test_the_commands_at_the_end_of_a_run_mean_the_run(tmp_path: Path) -> None:
    for name in NAMES:
        run, label = tmp_path / name, name
        model: Any = SimpleNamespace(directions=("a2b",), labels=("f", label), needs_style=True)
        commands = [shlex.split(line) for line in what_next(run, model)]
        found = {" ".join(words[: words.index("python")]): words[words.index("python") + 3 :] for words in commands}
        assert list(found) == ["translate", "style grid", "evaluate"]
        for of_command in found.values():
            assert value(literal(of_command[0])) == str(run)
        assert found["translate"][1:3] == ["input=FILE_OR_FOLDER", "output=FOLDER"]
        assert value(literal(found["translate"][3])) == label
        assert found["evaluate"] == [say("run", run)]


# What becomes of it ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def composed() -> DictConfig:
    return compose("train", [*FOLDERS, "name=x", "data.root=x"])


@pytest.mark.parametrize("name", NAMES)
def test_a_run_remembers_the_folder_of_its_data(name: str, composed: DictConfig, tmp_path: Path) -> None:
    root = f"/data/{name}"
    words = [say("data.root", root), say("cache_dir", root), say("data.a", name)]
    config = changed(copy.deepcopy(composed), list(map(literal, words)))
    for _ in range(2):  # as it is, and resumed
        folder.write_config(config, tmp_path)
        config = folder.read_config(tmp_path)
        assert (config.data.root, config.data.a) == (root, name)
        assert config.cache_dir == config.data.cache_dir == config.metrics.cache_dir == root
        assert resolved(config) == config


def test_the_same_from_python() -> None:
    _, data = suite.build("cyclegan_lsgan", [*FOLDERS[1:], "data.root=/a, ${HOME} (1)/2024_01_15", "data.a=2024"])
    assert (data.root, data.options["a"]) == ("/a, ${HOME} (1)/2024_01_15", "2024")


@pytest.mark.parametrize("run", ["2024/a (1)", "${HOME}/it's"])
def test_a_run_is_resumed_in_a_folder_of_any_name(run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / run).mkdir(parents=True)
    (tmp_path / run / "config.yaml").touch()
    register_resolvers()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", [literal(f"resume={tmp_path / run}")], return_hydra_config=True)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", config)
    assert config.hydra.run.dir == str(tmp_path / run)


def test_escaped_text_is_read_as_it_was() -> None:
    plain = {"a": ["${HOME}", {"b": "\\${x} ${y"}], "c": 1}
    assert OmegaConf.to_container(OmegaConf.create(escaped(plain)), resolve=True) == plain
