"""Every key of every command with every kind of wrong value: accepted where it fits, else one line that names the key.

What is walked over is the composed configuration, with the checks that the commands make of it; the last tests show
for some words that a command ends there. What passes is built, as far as that needs no files of the user's.
"""

import math
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
from keyed import KEYED
from omegaconf import DictConfig, OmegaConf

from suite import check_data, evaluate, pack
from suite.arguments import check_types
from suite.bench import bench, measure
from suite.data.keys import DataKeys
from suite.data.sources import SOURCES
from suite.errors import UserError
from suite.run import cli, compiler
from suite.run.checks import RunKeys, check_config, checked
from suite.run.config import CONF, instantiate, plain, register_resolvers
from suite.run.messages import composition_message
from suite.run.trainer import build_trainer
from suite.train import train

WRONG: list[Any] = [
    "abc", "", -1, 0, 1.5, 1e12, math.nan, math.inf, True, None, [], [1, 2], ["a"], {}, {"a": 1}, 10**30,
]  # fmt: skip

SMALL = ["scale=smoke", "trainer=cpu", "model.backbone.width=4", "model.discriminator.width=4", "threads=1"]
NAMED = ["logger=wandb", "name=test", "logger.tags=[a]"]  # without a command, Hydra knows of no choices
# What other values of a run follow from.
FOLLOWED = [
    "seed", "cache_dir", "data.size", "data.channels_a", "data.drawings", "model.epochs",
    "model.adversarial.critic_steps",
]  # fmt: skip
# One file of each source, and those that have a second one as target.
DATA = [*SOURCES, "celeba_dagan", "celeba_dagan_cufs", "faces_adapt"]

Check = Callable[[DictConfig], object]


def compose(command: str, *words: str) -> DictConfig:
    register_resolvers()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose(command, list(words))
    OmegaConf.set_struct(config, False)
    return config


def every_key(node: DictConfig, where: str = "") -> Iterator[str]:
    for name in map(str, node):
        yield f"{where}{name}"
        if isinstance(inner := node._get_node(name), DictConfig) and not inner._is_none():
            yield from every_key(inner, f"{where}{name}.")


def refused(check: Check, config: DictConfig) -> str | None:
    """What is said against it, on one line; None where it passes. Any other error than the user's is a fault."""
    try:
        check(config)
    except UserError as error:
        told = str(error)
    else:
        return None
    assert "\n" not in told
    return told


def walk(config: DictConfig, check: Check, keys: list[str] | None = None) -> list[tuple[str, Any]]:
    """What `check` lets pass of all wrong values of the keys; the rest must be refused by name."""
    assert refused(check, config) is None
    passed = []
    for key in keys or list(every_key(config)):
        where, _, name = key.rpartition(".")
        node = OmegaConf.select(config, where) if where else config
        right = OmegaConf.to_container(node)[name]
        for value in WRONG:
            node[name] = value
            message = refused(check, config)
            assert message is None or key in message, (key, value, message)
            if message is None:
                passed.append((key, value))
        node[name] = right
    assert refused(check, config) is None
    return passed


@pytest.mark.parametrize("experiment", ["cyclegan_lsgan", "pix2pix_final"])
def test_train(experiment: str, tmp_path: Path) -> None:
    config = compose("train", f"experiment={experiment}", *SMALL, *NAMED, f"cache_dir={tmp_path}", "data.size=64")
    config.data.load_size = 64
    assert refused(check_config, config) is None
    if experiment == "cyclegan_lsgan":
        walk(config, check_config, FOLLOWED)
    OmegaConf.resolve(config)
    keys = list(every_key(config))
    if experiment == "pix2pix_final":  # what it has of its own
        keys = [key for key in keys if key.startswith(("model", "early_stopping", "data.count"))]
    passed = walk(config, check_config, keys)
    assert len(passed) < 150

    config.logger = {}  # its names and notes go to W&B as they are
    check_built(config, passed, tmp_path)


@pytest.mark.parametrize(
    "experiment",
    [
        "dagan_celeba_cufsf",
        "csi_celeba",
        "two_step_faces stage=encoder",
    ],
)
def test_train_of_papers_with_networks_of_their_own(experiment: str, tmp_path: Path) -> None:
    words = [*f"experiment={experiment}".split(), "scale=smoke", "trainer=cpu", *NAMED]
    config = compose("train", *words, f"cache_dir={tmp_path}")
    config.logger = {}
    OmegaConf.resolve(config)
    keys = [key for key in every_key(config) if key.startswith("model.") and key != "model.stage"]  # a word of its own
    passed = walk(config, check_config, keys)
    check_built(config, passed, tmp_path)


# Words in the keys that one stage alone reads; the auto-encoder's are all others of the paper's own.
OF_STAGE = {"tom": r"tom|gram|content|white", "refine": r"refine|output_size|checkpointing", "autoencoder": ""}


@pytest.mark.parametrize("stage", OF_STAGE)
def test_train_of_stages_with_keys_of_their_own(stage: str, tmp_path: Path) -> None:
    words = ["experiment=sketch_to_image_faces", f"stage={stage}", "start_from=x", "scale=smoke", "trainer=cpu"]
    config = compose("train", *words, *NAMED, f"cache_dir={tmp_path}")
    config.logger = {}
    OmegaConf.resolve(config)
    own = OmegaConf.load(CONF / "model" / "sketch_to_image.yaml").model.keys() - {"paper", "stage"}
    of = {key: next((name for name, told in OF_STAGE.items() if re.search(told, key)), "") for key in sorted(own)}
    passed = walk(config, check_config, [f"model.{key}" for key, name in of.items() if name == stage])
    check_built(config, passed, tmp_path)


def check_built(config: DictConfig, passed: list[tuple[str, Any]], folder: Path) -> None:
    """What passed the checks is built, or refused by name."""

    def build(changed: DictConfig) -> None:
        model, _ = instantiate(changed)
        build_trainer(changed, folder, model, lambda: None)

    for key, value in passed:
        # A list of processors is a matter of the machine; a model's networks are compiled when they are first used.
        if key.split(".")[0] not in ("logger", "seed", "name", "resume") and key not in ("trainer.devices",):
            changed = config.copy()
            OmegaConf.update(changed, key, value, merge=False)
            message = refused(build, changed)
            assert message is None or key in message, (key, value, message)


@pytest.mark.parametrize("name", DATA)
def test_data(name: str, tmp_path: Path) -> None:
    root = [] if name.startswith("faces") else ["data.root=/nowhere"]
    target = ["data.target.root=/nowhere"] if name.startswith("celeba_dagan") else []
    config = compose("check_data", f"data={name}", *root, *target, f"cache_dir={tmp_path}", "seed=0")
    OmegaConf.resolve(config)
    if name == "photo_sketch":
        config.data.sketch, config.data.sketch_options = "xdog", {"sigma": 1.0, "tone": 0}

    def check(changed: DictConfig) -> None:
        DataKeys(**plain(changed.data))

    keys = [key for key in every_key(config) if key.startswith("data.")]
    for key, value in walk(config, check, keys):
        if isinstance(value, dict) or key in ("data.count.train", "data.target"):
            continue  # no pictures, or another data set
        changed = config.copy()
        OmegaConf.update(changed, key, value, merge=False)
        if name.startswith("faces") and name != "faces_adapt":
            changed.data.count = {"train": 2}
            assert (message := refused(lambda c: listed(c), changed)) is None or "data." in message, (key, value)


def listed(config: DictConfig) -> None:
    DataKeys(**{key: value for key, value in plain(config.data).items() if key != "_target_"}).list_pictures()


WORDS = {  # that a command needs
    "evaluate": ["run=x"],
    "translate": ["run=x", "input=x", "output=x"],
    "check_data": ["data=faces"],
    "pack": ["data=faces", "output=x"],
    "extract_faces": ["video=x", "output=x"],
    "import_weights": ["file=x", "output=x"],
    "make_sketches": ["run=x", "data=faces", "output=x"],
    "demo": ["run=x"],
    "style_grid": ["run=x", "input=x", "styles=x", "output=x"],
    "export": ["run=x", "output=x", "format=onnx"],
    "compare": [],
}


@pytest.mark.parametrize("command", KEYED)
def test_commands_without_sections(command: str) -> None:
    keys, config = KEYED[command], compose(command, *WORDS[command])
    assert set(config) | {"metrics"} == set(keys.__annotations__) | {"metrics"}  # null, as a rule
    passed = walk(config, lambda changed: checked(changed, keys), [key for key in map(str, config) if key != "data"])
    # A name or path of any kind, a number in its range, null where something is left out; nothing else.
    texts = {key for key, value in passed if value == "abc"}
    assert all(key in texts for key, value in passed if value == "")  # and nothing is ""
    assert not [key for key, value in passed if value in (-1, 1e12, 10**30, math.inf) or value != value]
    switches = {"overwrite", "log", "bf16", "verify", "dropout", "largest_only", "crops", "private", "pictures"}
    assert {key for key, value in passed if value is True} <= switches
    assert {key for key, value in passed if value == 1.5} <= {"margin", "shard_size"}
    lists = {"checkpoints", "depth", "runs", "run" if command == "demo" else ""} & set(config)
    assert {key for key, value in passed if value == [1, 2] or value == ["a"]} == lists


def test_bench(tmp_path: Path) -> None:
    config = compose("bench", "experiment=cyclegan_lsgan")
    passed = walk(config.bench, lambda changed: check_types("", measure, plain(changed)))
    assert passed == [("reference", True), ("loader", True), ("profile", True)]


def test_the_top_of_a_run_has_the_keys_of_its_file() -> None:
    top: Any = OmegaConf.load(CONF / "train.yaml")
    sections = {"images", "validation", "early_stopping", "checkpoint"}
    assert set(top) - {"defaults", "hydra", *sections} == set(RunKeys.__annotations__)


# Through the commands -------------------------------------------------------------------------------------------------


def run(command: str, job: Any, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", [f"suite.{command}", *words])
    with pytest.raises(SystemExit) as stop:
        cli.run(command, job)
    return int(stop.value.code or 0)


RUN = ["experiment=cyclegan_lsgan", "scale=smoke", "trainer=cpu"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("model=1", "model=1: choose from csi, cyclegan, dagan, pix2pix, sketch_to_image, two_step"),
        ("data=null", "data=null: choose from anime_faces, "),
        ("data={a: 1}", "unknown key data.a: "),
        ("early_stopping=1", "early_stopping=1: it has keys of its own, as in early_stopping.loss=…"),
        ("model.backbone=1", "model.backbone=1: it has keys of its own, as in model.backbone.name=…"),
        ("~images.count", "images.count is not set: say images.count=…"),
        ("model.epochs=abc", "model.epochs=abc: give a whole number"),
        ("data.size=abc", "data.size=abc: give a whole number from 1 to 8192"),
        ("cache_dir=", "cache_dir=: give a path"),
        ("metrics.monitor=5", "metrics.monitor=5: give a name or null, a number in quotes: \"metrics.monitor='5'\""),
        # What a shell makes of data.split={train:0.9,test:0.1}: two words, of which the last one counts.
        ("data.split=test:0.1", "data.split=test:0.1: give a mapping in quotes, as in 'data.split={train: 0.9, test: "),
        ("data.split={train:0.9,test:0.2}", "data.split={train: 0.9, test: 0.2}: the fractions sum to 1.1"),
        ("model.backbone.blocks=1000000000000", "model.backbone.blocks=1000000000000: give a whole number from 1 "),
        ("trainer.deterministic=abc", "trainer.deterministic=abc: give true or false"),
        ("metrics.names=a\rerror: b", r"can't read 'metrics.names=a\rerror: b'"),
        ("metrics.names=[\x1b[2J", r"can't read 'metrics.names=[\x1b[2J'"),
        ("metrics.monitor=[1,2]", "metrics.monitor=[1,2]: give a name or null"),
        ("+trainer.max_steps=3", "trainer.max_steps: Lightning can't where updates alternate; use model.steps"),
        ("model.paper=os.system", "model.paper=os.system: there is no such paper"),
        ("data.attribute=Male", "unknown key data.attribute: only other choices of data= have it"),
        ("data.hand=3", "unknown key data.hand: did you mean data.hands?"),
    ],
)  # fmt: skip
def test_train_ends_with_one_line(
    word: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("train", train, monkeypatch, *RUN, word, f"hydra.run.dir={tmp_path / 'run'}") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {message}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("command", "job", "words", "message"),
    [
        ("evaluate", evaluate.evaluate, ["run=5"], "5 is not a run folder: it has no config.yaml"),
        ("evaluate", evaluate.evaluate, ["run=x", "data=faces"], "unknown key data: "),
        ("evaluate", evaluate.evaluate, ["run=x", "+splits=test"], "unknown key splits: did you mean split?"),
        ("check_data", check_data.check_data, ["data=faces", "data.count=5"], "data.count=5: give a mapping in"),
        ("pack", pack.pack, ["data=celeba", "output=x", "data.images=[2]"], "data.images=[2]: give a name"),
        ("bench", bench, ["experiment=cyclegan_lsgan", "bench.steps=abc"], "bench.steps=abc: give a whole number"),
        ("bench", bench, ["experiment=cyclegan_lsgan", "trainer.benchmark=abc"], "trainer.benchmark=abc: give true or"),
    ],
)  # fmt: skip
def test_other_commands_end_with_one_line(
    command: str, job: Any, words: list[str], message: str, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(command, job, monkeypatch, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {message}"), line
    assert list(tmp_path.iterdir()) == []


def test_a_logger_is_one_of_the_two(tmp_path: Path) -> None:
    config = compose("train", "experiment=cyclegan_lsgan", *SMALL, *NAMED, f"cache_dir={tmp_path}")
    config.logger._target_ = "os.system"
    assert refused(check_config, config) == (
        "logger._target_=os.system: choose from suite.run.loggers.CurvesWandbLogger, "
        "pytorch_lightning.loggers.TensorBoardLogger"
    )


def test_an_error_without_a_wrong_word_is_told_as_it_is() -> None:
    from hydra.errors import ConfigCompositionException

    error = ConfigCompositionException("something\n  else")
    assert composition_message(error, "train", ["seed=1"], multirun=False) == "something else"
    assert composition_message(ZeroDivisionError(), "train", [], multirun=False) is None


# A compiler -----------------------------------------------------------------------------------------------------------


def test_compiling_without_a_compiler_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._inductor import config as inductor
    from torch._inductor.cpp_builder import cpp_compiler_search

    config = compose(
        "train", "experiment=cyclegan_lsgan", *SMALL, *NAMED, "model.compile=true", f"cache_dir={tmp_path}"
    )
    monkeypatch.setattr(inductor.cpp, "cxx", (None, "no-such-compiler"))
    cpp_compiler_search.cache_clear()
    start = time.monotonic()
    message = refused(check_config, config)
    assert time.monotonic() - start < 5
    assert message is not None
    assert message.startswith("model.compile=true needs a C++ compiler (no-such-compiler, ")
    assert message.endswith("; set model.compile=false")
    cpp_compiler_search.cache_clear()


def test_compiling_on_a_gpu_needs_a_c_compiler_and_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    import torch.utils._triton

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.utils._triton, "has_triton_package", lambda: False)
    with pytest.raises(UserError, match="needs Triton"):
        compiler.check_compiler("auto")
    monkeypatch.setattr(torch.utils._triton, "has_triton_package", lambda: True)
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="needs a C compiler"):
        compiler.check_compiler("gpu")
    monkeypatch.setattr(compiler.shutil, "which", lambda name: name)
    monkeypatch.setattr(compiler.sysconfig, "get_path", lambda name: "/nowhere")
    with pytest.raises(UserError, match=r"needs Python's headers"):
        compiler.check_compiler("gpu")
