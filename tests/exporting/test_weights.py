"""format=safetensors and hub: what a folder holds, and that the model comes back out of it."""

import json
import os
from pathlib import Path

import pytest
import torch
import yaml
from exports import by_suite, command, save_run, small
from PIL import Image
from saved import noise

import suite
from suite.data.sources import SOURCES
from suite.errors import UserError
from suite.exporting.training import command_of, data_set
from suite.run.config import compose
from suite.run.folder import read_config

load_file = pytest.importorskip("safetensors.torch").load_file
FACES = "experiment=sketch_to_image_faces"
MODELS = {
    "dagan": (["experiment=dagan_celeba_cufsf"], {"Inv"}),
    "two_step": (["experiment=two_step_faces", "stage=encoder"], {"G", "E"}),
    "two_step told labels": (["experiment=two_step_faces", "stage=joint", "model.encoder_class=true"], {"G", "E", "D"}),
    "refine": ([FACES, "stage=refine"], {"T", "S", "C", "G1", "G2"}),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_paper_translates_alike_from_its_folder(name: str, tmp_path: Path) -> None:
    words, networks = MODELS[name]
    model = small(*words)
    run = save_run(tmp_path / "run", model, *words)
    command(run, tmp_path / "out", "format=safetensors")
    assert {key.partition(".")[0] for key in load_file(tmp_path / "out" / "model.safetensors")} == networks
    again = suite.load(tmp_path / "out")
    side = model.fixed_size or 64
    x = torch.rand(2, model.hparams["channels_a"], side, side) * 2 - 1
    for one in (model, again):
        if model.needs_style:
            one.take_style(torch.full((1, 3, side, side), 0.3))
    direction = next(iter(model.directions))
    assert again.translate(x, direction).equal(model.translate(x, direction))


def test_the_average_is_what_leaves(run: Path, tmp_path: Path) -> None:
    command(run, tmp_path / "out", "format=safetensors")
    model, again = suite.load(run), suite.load(tmp_path / "out")
    assert model.ema is not None
    assert again.ema is None
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    for direction in ("a2b", "b2a"):
        assert again.translate(x, direction).equal(model.translate(x, direction))
    assert not again.G(x).equal(model.G(x))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["config.json", "model.safetensors"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_folder_that_has_no_name_may_be_meant(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    killed = tmp_path / ".export.unfinished-1-00"
    killed.mkdir()
    os.utime(killed, (0, 0))
    command(run, Path("."), "format=safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


def test_a_folder_of_it_is_translated_with_and_exported_again(run: Path, tmp_path: Path) -> None:
    picture = noise(tmp_path / "x.png", 20, 24)
    command(run, tmp_path / "one", "format=hub")
    command(tmp_path / "one", tmp_path / "two", "format=safetensors")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    pictures = [by_suite(of, picture, tmp_path / f"{n}.png") for n, of in enumerate((run, tmp_path / "two"))]
    assert (pictures[0] == pictures[1]).all()


def test_deep_pictures_are_read_as_the_run_read_them(run: Path, tmp_path: Path) -> None:
    from suite.run.folder import depth_of

    words = ["experiment=cyclegan_lsgan", "data.depth=[0,4095]"]
    deep = save_run(tmp_path / "run", suite.load(run), *words)
    command(deep, tmp_path / "out", "format=safetensors")
    assert depth_of(tmp_path / "out") == depth_of(deep) == [0, 4095]


# The card -------------------------------------------------------------------------------------------------------------


def card(folder: Path) -> tuple[dict, str]:
    _, front, text = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(front), text


def test_the_card_says_what_is_known(run: Path, tmp_path: Path) -> None:
    command(run, tmp_path / "faces", "format=hub")
    front, text = card(tmp_path / "faces")
    assert front["license"] == "mit"
    assert (front["pipeline_tag"], front["library_name"]) == ("image-to-image", "pytorch")
    assert "cyclegan" in front["tags"]
    for said in (
        "# faces",
        "*Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks*",
        "Licence: MIT",
        "| test/psnr | 12.3456 | 4 |",
        "![What it makes](grid.png)",
        "python -m suite.train experiment=cyclegan_lsgan scale=smoke",
        "model.ema_decay=0.9",
        "as pictures of them",
    ):
        assert said in text, said
    for hidden in ("<b>", "nan", "x|y", "steps |"):
        assert hidden not in text
    assert Image.open(tmp_path / "faces" / "grid.png").size == (8, 8)
    everything = b"".join(path.read_bytes() for path in (tmp_path / "faces").iterdir())
    assert str(run.parent).encode() not in everything
    assert b"cache_dir" not in everything


def test_pictures_of_others_are_not_passed_on_unasked(run: Path, tmp_path: Path, capsys) -> None:
    words = ["experiment=cyclegan_lsgan", "data=celeba", "data.sketch=xdog", f"data.root={tmp_path}/of_anna"]
    other = save_run(tmp_path / "run", suite.load(run), *words)
    command(other, tmp_path / "out", "format=hub", "licence=cc-by-nc-4.0")
    assert "no picture in the card, as it would show those of the data: pictures=true" in capsys.readouterr().out
    front, text = card(tmp_path / "out")
    assert front["license"] == "cc-by-nc-4.0"
    assert "CelebA, aligned and cropped" in text
    assert "Licence: non-commercial research only; pass no picture on." in text
    assert not (tmp_path / "out" / "grid.png").exists()
    assert "of_anna" not in "".join((tmp_path / "out" / name).read_text() for name in ("README.md", "training.yaml"))


def test_weights_that_others_trained_are_told_of(run: Path, tmp_path: Path) -> None:
    words = ["experiment=cyclegan_lsgan", f"start_from={tmp_path}/of_anna/others"]
    other = save_run(tmp_path / "run", suite.load(run), *words)
    command(other, tmp_path / "out", "format=hub")
    front, text = card(tmp_path / "out")
    assert (front["license"], (tmp_path / "out" / "grid.png").exists()) == ("other", False)
    assert "- What `others` had learnt from" in text
    assert "start_from=RUN" in text
    assert "drawn faces alone" not in text
    settings = (tmp_path / "out" / "training.yaml").read_text()
    assert "start_from: others\n" in settings
    assert "of_anna" not in text + settings


def test_a_checkpoint_by_itself_has_a_card_that_says_so(run: Path, tmp_path: Path) -> None:
    alone = tmp_path / "model.ckpt"
    alone.write_bytes((run / "checkpoints" / "last.ckpt").read_bytes())
    command(alone, tmp_path / "out", "format=hub")
    front, text = card(tmp_path / "out")
    assert (front["license"], front["license_name"]) == ("other", "see-the-data")
    assert text.count("Not known: the model was exported without its run.") == 2
    assert "Not measured." in text


def test_a_command_that_says_all_makes_the_same_settings(run: Path) -> None:
    config = read_config(run)
    line, whole = command_of(config)  # type: ignore[misc]
    assert whole
    assert line.endswith("scale=smoke model.ema_decay=0.9 model.backbone.blocks=1")
    config = compose(
        "train", ["experiment=pix2pix_unet", "data.root=/private", "model.lr=0.5", "model.betas=[0.1,0.2]"]
    )
    config.name = "pix2pix_unet"
    line, whole = command_of(config)  # type: ignore[misc]
    assert whole
    assert line == (
        "python -m suite.train experiment=pix2pix_unet data.root=FOLDER model.lr=0.5 'model.betas=[0.1,0.2]'"
    )


@pytest.mark.parametrize("source", SOURCES)
def test_every_data_set_has_a_title_and_a_licence_to_be_told(source: str) -> None:
    told = data_set(source)
    assert told is not None
    assert told.title
    assert (told.licence is None) == source.endswith("_folders")
    assert told.built_in == (source == "faces")
    if told.licence and not told.built_in:
        assert told.where
        assert "data=" not in told.licence


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["format=onx"], "format=onx: choose from onnx, safetensors, hub"),
        (["format=safetensors", "direction=a2b"], "direction= is for format=onnx, not for format=safetensors"),
        (["format=onnx", "push=me/x"], "push= is for format=hub"),
        (["format=onnx", "direction=a2b", "target=x"], "target=x and direction=a2b: say one of them"),
        (["format=onnx", "direction=a2c"], "direction=a2c: this CycleGAN can only do a2b, b2a"),
        (["format=hub", "checkpoint=best"], "use checkpoint=last"),
        (["format=hub", "push=me"], "push=me|say hf://owner/name"),
    ],
)
def test_words_that_cannot_be(run: Path, tmp_path: Path, words: list[str], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        command(run, tmp_path / "out", *words)
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten_unasked(run: Path, tmp_path: Path) -> None:
    command(run, tmp_path / "out", "format=safetensors")
    before = (tmp_path / "out" / "config.json").stat().st_mtime_ns
    with pytest.raises(UserError, match=r"model\.safetensors is already there: name another folder, or set overwrite"):
        command(run, tmp_path / "out", "format=hub")
    assert (tmp_path / "out" / "config.json").stat().st_mtime_ns == before
    with pytest.raises(UserError, match="is a run folder: give another one"):
        command(run, run, "format=hub", "overwrite=true")
    with pytest.raises(UserError, match="is a file: give a folder"):
        command(run, tmp_path / "out" / "config.json", "format=hub", "overwrite=true")
    command(run, tmp_path / "out", "format=safetensors", "overwrite=true")
    assert (tmp_path / "out" / "config.json").stat().st_mtime_ns > before


def test_a_stage_that_translates_nothing(tmp_path: Path) -> None:
    words = ["experiment=two_step_faces", "stage=generator"]
    run = save_run(tmp_path / "run", small(*words), *words)
    with pytest.raises(UserError, match="stage generator of TwoStep translates no pictures"):
        command(run, tmp_path / "out", "format=safetensors")


def test_a_link_of_a_run_publishes_nothing(run: Path, tmp_path: Path) -> None:
    theirs = save_run(tmp_path / "run", suite.load(run), "experiment=cyclegan_lsgan")
    mine = noise(tmp_path / "mine.png", 8, 8)
    (theirs / "images" / "a2b_epoch0002.png").symlink_to(mine)
    with pytest.raises(UserError, match="leads out of the run's folder"):
        command(theirs, tmp_path / "out", "format=hub")
    assert not (tmp_path / "out").exists()


def test_without_the_extra_one_line_says_what_to_install(run: Path, tmp_path: Path, monkeypatch) -> None:
    import importlib.util

    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else there(name))
    with pytest.raises(UserError, match=r"needs onnxscript, which is not installed: pip install 'suite\[export\]'$"):
        command(run, tmp_path / "out", "format=onnx")


def test_settings_are_plain_json(run: Path, tmp_path: Path) -> None:
    command(run, tmp_path / "out", "format=safetensors")
    settings = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (settings["paper"], settings["depth"]) == ("cyclegan", "auto")
    assert settings["hyper_parameters"]["ema_decay"] == 0
