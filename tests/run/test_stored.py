"""A run folder that someone else sent: nothing it names is called, no text is looked up, no link is written through.

What would be called makes a folder, the marker, and no test may find it.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

import suite
from suite.errors import UserError
from suite.evaluate import keep, of_run
from suite.papers import find_paper
from suite.run import folder, stored
from suite.run.checks import check_config, check_keys
from suite.run.config import compose, resolved
from suite.run.loggers import configured_logger
from suite.run.request import with_own
from suite.run.words import escaped, unescaped

SMOKE = ["experiment=cyclegan_lsgan", "scale=smoke", "trainer=cpu", "logger=wandb", "name=x", "logger.tags=[]"]
SECTIONS = ["logger", "data", "model", "model.backbone", "metrics", "trainer", "images", "callbacks"]
COMMAND: dict[str, Any] = dict.fromkeys(
    ("references", "data_root", "data_streaming", "data_target_root", "batch_size", "metrics")
)


@pytest.fixture(scope="module")
def own() -> DictConfig:
    """What a command of this person composes."""
    return compose("train", [*SMOKE, "cache_dir=/mine", "metrics.weights.alexnet=/mine/alexnet.pth"])


@pytest.fixture(scope="module")
def sent() -> dict[str, Any]:
    """A configuration as a run folder has it."""
    config: Any = OmegaConf.to_container(resolved(compose("train", [*SMOKE, "cache_dir=/theirs"])))
    return config


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


def change(sent: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """A copy with one key changed, or added."""
    config = OmegaConf.create(sent)
    OmegaConf.update(config, key, value, force_add=True)
    changed: Any = OmegaConf.to_container(config)
    return changed


def write(run: Path, config: dict[str, Any]) -> Path:
    run.mkdir(exist_ok=True)
    (run / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(config)))
    return run


def evaluated(run: Path) -> DictConfig:
    return of_run(OmegaConf.create(COMMAND | {"cache_dir": "/mine", "split": "test"}), run)


# What it names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["logger", "data", "model", "model.backbone", "metrics", "trainer", "images", "callbacks"]
)
def test_no_class_that_it_names_is_called(
    key: str, sent: dict[str, Any], own: DictConfig, marker: Path, tmp_path: Path
) -> None:
    calls = {"_target_": "os.mkdir", "path": str(marker)}
    run = write(tmp_path / "run", change(sent, key, calls))
    with pytest.raises(UserError, match=f"{key}"):
        check_config(with_own(folder.read_config(run), own))
    if key not in ("trainer", "images", "callbacks"):  # of which measuring reads nothing
        with pytest.raises(UserError, match=f"{key}"):
            evaluated(run)
    assert not marker.exists()


@pytest.mark.parametrize("target", ["os.mkdir", "suite.run.loggers.CurvesWandbLogger ", "evil.Logger", None, 5])
def test_a_logger_is_one_of_two(target: Any, marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil.py").write_text(f"import os\nos.mkdir({str(marker)!r})\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"^logger._target_="):
        configured_logger(OmegaConf.create({"logger": {"_target_": target, "path": str(marker)}}), tmp_path)
    assert not marker.exists()


def install(place: Path, marker: Path) -> None:
    """A package with an entry point, whose module makes the marker."""
    (place / "sent_paper-1.dist-info").mkdir(parents=True)
    (place / "sent_paper-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: sent_paper\nVersion: 1\n")
    (place / "sent_paper-1.dist-info" / "entry_points.txt").write_text("[suite.papers]\nsent = sent_paper:Paper\n")
    (place / "sent_paper.py").write_text(f"import os\nos.mkdir({str(marker)!r})\nPaper = {place.name!r}\n")


def test_a_paper_is_not_found_in_the_working_folder(
    marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    install(run, marker)
    monkeypatch.chdir(run)
    monkeypatch.syspath_prepend(run)  # as `python -m` does
    with pytest.raises(UserError, match=r"^model.paper=sent: there is no such paper"):
        find_paper("sent")
    assert not marker.exists()
    install(tmp_path / "site", tmp_path / "installed")
    monkeypatch.setattr("sys.path", [str(run), str(tmp_path / "site")])
    assert find_paper("sent") == "site"
    assert not marker.exists()


# What it says ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["${oc.env:SECRET}", "a ${seed}", "\\\\${seed}", "${HOME}", "no reference", "\\"])
def test_a_text_stays_a_text(text: str, sent: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "key")
    assert unescaped(escaped(text)) == text
    run = write(tmp_path / "run", sent | {"name": text})
    config = folder.read_config(run)
    for _ in range(2):  # as it came, and as it is written back
        assert config.name == text
        folder.write_config(config, run)
        assert "key\n" not in (run / "config.yaml").read_text()
        config = folder.read_config(run)


@pytest.mark.parametrize(
    "content",
    [
        "a: ${", "a: !!python/object/apply:os.mkdir [MARKER]", "- a", "a: [", "a: ]", "a: &a [*a]",
        "a: &b [1]\nc: *b", "{}: 1", "[" * 1000,
    ],
    ids=lambda content: content[:12],
)  # fmt: skip
def test_what_is_no_configuration_is_one_line(content: str, marker: Path, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(content.replace("MARKER", str(marker)))
    with pytest.raises(UserError, match=r"config.yaml is damaged"):
        folder.read_config(tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["x/../../../elsewhere", "..", ""])
def test_the_name_of_a_stage_leads_nowhere_else(name: str, tmp_path: Path) -> None:
    (tmp_path / folder.STAGES).write_text(OmegaConf.to_yaml({name: {"seed": 1}}))
    with pytest.raises(UserError, match="is no stage"):
        folder.read_stages(tmp_path)


def test_what_is_the_persons_own_is_never_read_from_it(
    sent: dict[str, Any], own: DictConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    for key, value in (
        ("logger.mode", "online"),
        ("logger.entity", "them"),
        ("metrics.weights.inception", "/theirs/inception.pth"),
        ("metrics.weights.alexnet", "/theirs/alexnet.pth"),
    ):
        sent = change(sent, key, value)
    run = write(tmp_path / "run", sent)
    measured, resumed = evaluated(run), with_own(folder.read_config(run), own)
    for config, alexnet in ((measured, None), (resumed, "/mine/alexnet.pth")):
        assert (config.logger.mode, config.logger.entity, config.logger.project) == ("offline", None, "suite")
        assert config.cache_dir == config.data.cache_dir == config.metrics.cache_dir == "/mine"
        assert config.metrics.weights.get("inception") is None
        assert config.metrics.weights.get("alexnet") == alexnet
    caplog.clear()  # a command that ran before has the suite say it at once
    with caplog.at_level(logging.INFO, "suite"):
        evaluated(run)
        assert "metrics.weights.inception=/theirs/inception.pth is of the run and not read" in caplog.text
        assert "logger" not in caplog.text
        with_own(folder.read_config(run), own)
        assert "logger.mode=online is of the run and not taken" in caplog.text
        assert "logger.entity=them is of the run and not taken" in caplog.text


@pytest.mark.parametrize("depth", [{"a": 1}, "deep", [1], ["a", "b"], 5, None, [2, 1]])
def test_an_odd_depth_is_one_line(depth: Any, tmp_path: Path) -> None:
    run = write(tmp_path / "run", {"data": {"depth": depth}})
    with pytest.raises(UserError, match=r"config.yaml: data.depth="):
        folder.depth_of(run)


@pytest.mark.parametrize(
    ("data", "depth"), [({"depth": [0, 4095]}, [0, 4095]), ({}, "auto"), ("x", "auto"), ([], "auto")]
)
def test_the_depth_of_a_run(data: Any, depth: Any, tmp_path: Path) -> None:
    assert folder.depth_of(write(tmp_path / "run", {"data": data})) == depth


@pytest.mark.parametrize("key", ["base_url", "settings", "host", "api_key", "dir", "save_dir"])
def test_wandb_is_told_nothing_else(key: str, sent: dict[str, Any], own: DictConfig, tmp_path: Path) -> None:
    run = write(tmp_path / "run", change(sent, f"logger.{key}", "http://localhost:9"))
    with pytest.raises(UserError, match=f"unknown key logger.{key}"):
        evaluated(run)
    with pytest.raises(UserError, match=f"unknown key logger.{key}"):
        check_keys(with_own(folder.read_config(run), own))


def test_settings_of_wandb_in_a_run_are_refused(sent: dict[str, Any], tmp_path: Path) -> None:
    config = OmegaConf.create(change(sent, "logger.mode", "offline"))
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "settings").write_text("[default]\nbase_url = http://localhost:9\n")
    with pytest.raises(UserError, match="wandb/settings would be settings of W&B"):
        configured_logger(config, tmp_path)


@pytest.mark.parametrize(("name", "version"), [("../elsewhere", ""), ("tensorboard", "../../elsewhere")])
def test_tensorboard_writes_into_the_run(name: str, version: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    logger = {"_target_": stored.TENSORBOARD, "name": name, "version": version, "default_hp_metric": False}
    run = tmp_path / "run"
    with pytest.raises(UserError, match="is not in the run's folder"):
        configured_logger(OmegaConf.create({"logger": logger}), run)
    assert not any(tmp_path.iterdir())


def test_the_places_of_its_pictures_are_named() -> None:
    data = {"root": "/a b", "size": 3, "a": "/photos", "b": "inside", "cache_dir": "/c", "streaming": "s3://x"}
    config = OmegaConf.create({**data, "target": {"root": "rel", "split": None}, "line_drawings": None})
    said = "data.root=/a b  data.a=/photos  data.streaming=s3://x  data.target.root=rel"
    assert stored.said_places(config) == said
    assert stored.said_places(OmegaConf.create({"root": None})) == ""


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff"])
def test_figures_that_are_none_are_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_bytes(content)
    with pytest.raises(UserError, match=r"metrics.json is damaged"):
        keep(tmp_path, "test/last", {"test/l1": 0.5})
    assert (tmp_path / "metrics.json").read_bytes() == content


# What is written ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["metrics.json", "metrics.json.partial", "log.txt", "images", "wandb", "checkpoints/last.ckpt", "1_tom"]
)
@pytest.mark.parametrize("there", [True, False])
def test_no_link_is_written_through(name: str, there: bool, tmp_path: Path) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    (run / "checkpoints").mkdir(parents=True)
    if there:
        elsewhere.mkdir()
    (run / name).symlink_to(elsewhere)
    with pytest.raises(UserError, match=f"{name} is a link that leads out of the run's folder"):
        folder.claim(run, resumed=True)


def test_links_within_a_run_and_those_of_wandb_are_no_harm(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "wandb").mkdir(parents=True)
    (run / "wandb" / "debug.log").symlink_to(tmp_path / "where the run was" / "debug.log")
    (run / "newest.ckpt").symlink_to("last.ckpt")
    (run / "circle").symlink_to("circle")
    (tmp_path / "link").symlink_to(run)
    folder.claim(tmp_path / "link", resumed=True)


# What its checkpoints hold --------------------------------------------------------------------------------------------


@pytest.fixture
def content(make_cyclegan: Callable) -> dict[str, Any]:
    model = make_cyclegan()
    found: dict[str, Any] = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    model.on_save_checkpoint(found)
    return found


def test_a_checkpoint_is_loaded(content: dict[str, Any], tmp_path: Path) -> None:
    torch.save(content, tmp_path / "last.ckpt")
    assert suite.load(tmp_path / "last.ckpt").name == "cyclegan"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hyper_parameters": 5}, "is not a checkpoint of this suite"),
        ({"state_dict": None}, "is not a checkpoint of this suite"),
        ({"done": {"epochs": -1, "steps": 0, "batches": 0}}, "is not a checkpoint of this suite"),
        ({"done": {"epochs": 1}}, "is not a checkpoint of this suite"),
        ({"state_dict": {"G.layers.1.weight": torch.zeros(10**6)}}, "does not fit the model's settings"),
        ({"state_dict": {5: torch.zeros(10**6)}}, "is not a checkpoint of this suite"),
        ({"losses": [1]}, "can't be used"),
    ],
)
def test_odd_contents_are_one_line(
    changes: dict[str, Any], message: str, content: dict[str, Any], tmp_path: Path
) -> None:
    torch.save(content | changes, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=message) as error:
        suite.load(tmp_path / "last.ckpt")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("mkdir", "x", "TypeError"),
        ("lr", {"a": [1]}, "model.lr"),
        ("backbone", 5, "model.backbone"),
        ("backbone", {"name": "resnet", "blocks": 10**12}, "model.backbone.blocks"),
        ("backbone", {"name": "resnet", "blocks": 100, "width": 1024}, "settings are of larger networks than it holds"),
        ("discriminator", {"name": ["patch"]}, "can't be used"),
        ("freeze", None, "model.freeze"),
    ],
)
def test_odd_settings_are_one_line(key: str, value: Any, message: str, content: dict[str, Any], tmp_path: Path) -> None:
    content["hyper_parameters"][key] = value
    torch.save(content, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=message) as error:
        suite.load(tmp_path / "last.ckpt")
    assert str(error.value).startswith(f"{tmp_path / 'last.ckpt'} can't be used: ")
    assert "\n" not in str(error.value)


class Calls:
    """Pickled, it is a call."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def test_no_code_of_a_checkpoint_runs(content: dict[str, Any], marker: Path, tmp_path: Path) -> None:
    torch.save(content | {"hyper_parameters": {"a": Calls(marker)}}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="damaged or not a checkpoint"):
        suite.load(tmp_path / "last.ckpt")
    assert not marker.exists()
