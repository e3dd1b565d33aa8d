"""The three stages of Liu 2021 by one command, and the commands around a run of them."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import suite
from suite.data.sketch_sets import followed, read_manifest
from suite.images import signed_to_uint8
from suite.papers import drawing
from suite.papers.styled import StyledPaper
from suite.run.config import compose, instantiate
from suite.run.folder import read_config

SMOKE = ["experiment=sketch_to_image_faces", "scale=smoke"]
PEOPLE = [f"{who}/{number}" for who in ("ann", "bob") for number in range(6)]
SIZE = 64


def picture(path: Path, random: np.random.Generator, size: tuple[int, int] = (70, 90)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(random.integers(0, 255, (6, 6, 3), dtype=np.uint8)).resize(size).save(path)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of two people, sketches, and styles of nothing that anybody knows, all of them noise."""
    root, random = tmp_path_factory.mktemp("folders"), np.random.default_rng(0)
    for name in [*(f"people/{key}" for key in PEOPLE), "sketches/one", "sketches/two", "styles/a", "styles/b"]:
        picture(root / f"{name}.png", random)
    return root


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, module_command: Callable) -> Path:
    """A run of all stages; in its test six sketches have the styles of others, where there are four pairs."""
    run = tmp_path_factory.mktemp("runs") / "run"
    assert module_command("train", *SMOKE, "data.mismatched=6", f"hydra.run.dir={run}") == 0
    return run


def people(folders: Path) -> list[str]:
    return ["data=identity_folders", f"data.root={folders / 'people'}"]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def networks(run: Path, *names: str) -> dict[str, Any]:
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return {key: value for key, value in state.items() if key.startswith(tuple(f"{name}." for name in names))}


def refused(command: Callable, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a command ends with."""
    capsys.readouterr()
    assert command(*words) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


# The run --------------------------------------------------------------------------------------------------------------


def test_one_command_trains_three_stages(run: Path) -> None:
    model = suite.load(run)
    assert (model.stage, list(model.directions), model.needs_style) == ("refine", ["a2b", "b2b"], True)
    sets = read_manifest(run / "1_tom" / "sketches")
    assert (sets.sets, sets.size, sets.pictures) == (("step1", "step2"), SIZE, 16)
    for stage in ("2_autoencoder", "3_refine"):  # both read those of the first
        assert followed(run / stage / "sketches") == run / "1_tom" / "sketches"
    before, after = (networks(run / stage, "S", "C", "G1") for stage in ("2_autoencoder", "3_refine"))
    assert before.keys() == after.keys()  # and they rest in the last
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_a_run_ends_with_sketches_by_styles(run: Path) -> None:
    """Of four validation pictures all, in both; the styles begin behind the sixth, which is here the third."""
    assert not list(run.glob("1_tom/images/styles_*"))
    for stage in ("2_autoencoder", "3_refine"):
        (grid,) = (run / stage / "images").glob("styles_*.png")
        said = (run / stage / "conclusion.txt").read_text()
        assert f"pictures    {grid}\n" in said
        assert f"style grid  python -m suite.style_grid run={run / stage} input=SKETCHES styles=PICTURES" in said
        found = pixels(grid)
        assert found.shape == (5 * SIZE, 5 * SIZE, 3)
        model, batch = suite.load(run / stage), validation(run / stage)
        f_style = tuple(f.expand(4, -1) for f in model.encode_style(batch["b"][:1]))
        made = list(model.colour(batch["a"], f_style, [0] * 4).values())[-1]
        column = found[:, 3 * SIZE : 4 * SIZE]
        expected = signed_to_uint8(torch.cat([*batch["b"][:1], *made], dim=1)).permute(1, 2, 0).numpy().astype(int)
        assert np.abs(column - expected).max() <= 1
        sketches = signed_to_uint8(torch.cat([*batch["a"]], dim=1)).permute(1, 2, 0).numpy()
        assert (found[SIZE:, :SIZE] == sketches).all()
        assert (found[:SIZE, :SIZE] == 255).all()


def validation(run: Path) -> dict[str, Any]:
    """The first batch."""
    _, data = instantiate(read_config(run))
    data.setup()
    return data.finish(next(iter(data.eval_dataloader("val"))))


def test_sketches_and_styles_of_others_are_measured_apart(
    run: Path, tmp_path: Path, command: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    config = copy / "3_refine" / "config.yaml"
    found: list[dict[str, float]] = []
    for said in ("mismatched: 6", "mismatched: null"):
        config.write_text(config.read_text().replace("mismatched: 6", said))
        assert command("evaluate", f"run={copy}") == 0
        found.append(json.loads((copy / "3_refine" / "metrics.json").read_text())["test/last"])
    assert "test_mismatched/skt_rec" in capsys.readouterr().out
    six, four = found
    assert {name.partition("/")[0] for name in six} == {"steps", "note", "test", "test_mismatched"}
    assert six["test/psnr"] == four["test/psnr"]  # of four pairs, with six of others beside them
    assert six["test_mismatched/sty_rec"] != four["test_mismatched/sty_rec"]


def test_more_pictures_than_there_are_to_classify_are_all(
    run: Path, tmp_path: Path, command: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stage=autoencoder", f"start_from={run / '1_tom'}", "data.subset=99", "metrics=none"]
    assert command("train", *SMOKE, *words, f"hydra.run.dir={tmp_path / 'run'}") == 0
    assert "data.subset=99: there are 8 training photos, all of which are a subset" in capsys.readouterr().out


def test_a_run_that_keeps_no_steps_draws_as_it_ended(run: Path, tmp_path: Path, command: Callable) -> None:
    words = ["stage=tom", "checkpoint.at_steps=[]", "metrics=none", f"hydra.run.dir={tmp_path / 'run'}"]
    assert command("train", *SMOKE, *words) == 0
    assert read_manifest(tmp_path / "run" / "sketches").sets == ("last",)


# make_sketches --------------------------------------------------------------------------------------------------------


def test_another_data_set_is_drawn_and_trained_on_as_the_command_ends(
    run: Path, folders: Path, tmp_path: Path, command: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "the sketches"
    assert command("make_sketches", f"run={run}", *people(folders), f"output={output}", "data.resize=cover") == 0
    assert files(output) == sorted(
        ["manifest.json", *(f"{step}/{key}.png" for step in ("step1", "step2") for key in PEOPLE)]
    )
    assert read_manifest(output).pictures == 12
    assert set(np.unique(np.asarray(Image.open(output / "step1" / "ann" / "0.png").convert("L")))) <= {0, 255}
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("train with them: python -m suite.train experiment=sketch_to_image_faces stage=autoencoder ")
    words = shlex.split(last.partition("suite.train ")[2])
    # Whole networks, which this test has no time for, are the experiment's; T's own sizes are in the words.
    words += ["scale=smoke", "metrics=none", f"hydra.run.dir={tmp_path / 'run'}"]
    assert command("train", *words) == 0
    assert "starts from T of " in (said := capsys.readouterr().out)
    assert "12 photos, 24 drawings" in said


def test_what_was_stopped_goes_on(
    run: Path,
    folders: Path,
    tmp_path: Path,
    command: Callable,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["make_sketches", f"run={run / '1_tom'}", *people(folders), "batch_size=4"]
    assert command(*words, f"output={tmp_path / 'whole'}") == 0
    out, written = tmp_path / "out", 0
    with monkeypatch.context() as patch:

        def write(image: Image.Image, path: Path) -> None:
            nonlocal written
            if (written := written + 1) > 9:
                raise KeyboardInterrupt
            image.save(path)

        patch.setattr(drawing, "write_picture", write)
        assert command(*words, f"output={out}") == 130
    assert len(files(out)) == 10  # and what they are made by
    assert not (out / "manifest.json").exists()
    line = refused(command, capsys, *words, "checkpoints=[last]", f"output={out}")
    assert f"{out} holds other sketches (SketchToImage, step1 " in line
    capsys.readouterr()
    for checkpoints, start in (("null", None), ("[last]", "start=last")):
        assert command(*words, f"checkpoints={checkpoints}", f"output={tmp_path / checkpoints.strip('[]')}") == 0
        said = [word for word in capsys.readouterr().out.splitlines()[-1].split() if word.startswith("start=")]
        assert said == [start] * bool(start)  # of all, the stage that follows has start=first
    (first,) = sorted((out / "step1").rglob("0.png"))[:1]
    first.write_bytes(b"as it was left")
    assert command(*words, f"output={out}") == 0
    assert first.read_bytes() == b"as it was left"
    assert files(out) == files(tmp_path / "whole")
    for name in files(out):
        if out / name != first:
            assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()

    shutil.copytree(folders / "people", tmp_path / "fewer")
    (tmp_path / "fewer" / "ann" / "3.png").unlink()
    line = refused(command, capsys, *words, f"data.root={tmp_path / 'fewer'}", f"output={out}")
    assert "12 photos of identity_folders" in line
    assert "11 photos of identity_folders" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["checkpoints=[step9,last]"], r"checkpoints=\[step9,last\]: .*1_tom has no step9, but last, step1, step2"),
        (["checkpoints=[]"], r"checkpoints=\[\]: give names"),
        (["run={run}/2_autoencoder"], r"is of sketch_to_image, stage autoencoder: sketches are drawn by .*stage tom"),
        (["run={folders}/later"], r"later has no stage tom, but autoencoder, refine: give a run that has it"),
        (["run={folders}/unbegun"], r"unbegun: its stage tom has not begun; go on with python -m suite.train resume="),
        (["output={folders}/styles"], r"styles is not empty, and holds no sketch sets: choose another folder"),
        (["data=celeba"], r"there is no such folder|expected CelebA"),
    ],
)
def test_sketches_that_can_not_be_made_are_refused(
    words: list[str],
    message: str,
    run: Path,
    folders: Path,
    tmp_path: Path,
    command: Callable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, stages in (("later", "autoencoder: {}\nrefine: {}\n"), ("unbegun", "tom: {}\n")):
        (folders / name).mkdir(exist_ok=True)
        (folders / name / "stages.yaml").write_text(stages)
    typed = dict(word.split("=", 1) for word in ["run={run}", *people(folders), f"output={tmp_path / 'out'}", *words])
    said = [f"{key}={value}".format(run=run, folders=folders) for key, value in typed.items()]
    assert re.search(message, refused(command, capsys, "make_sketches", *said))
    assert not (tmp_path / "out").exists()


# Styles ---------------------------------------------------------------------------------------------------------------


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


@pytest.mark.parametrize("mix", [1, 2, 4])
def test_every_sketch_in_every_style_is_one_picture(
    mix: int, run: Path, folders: Path, tmp_path: Path, command: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    styles, grid = Path(shutil.copytree(folders / "styles", tmp_path / "styles")), tmp_path / "styles" / "grid.png"
    for number in range(2):
        picture(styles / f"c{number}.png", np.random.default_rng(number))
    words = [f"run={run}", f"input={folders / 'sketches'}", f"styles={styles}", f"output={grid}", f"mix={mix}"]
    assert command("style_grid", *words, "columns=3") == 0
    assert capsys.readouterr().out == f"2 sketches by 3 styles: {grid}\n"
    found = pixels(grid)
    assert found.shape == (3 * SIZE, 4 * SIZE, 3)
    assert (found[:SIZE, :SIZE] == 255).all()
    assert (found[SIZE:, :SIZE] == found[SIZE:, :SIZE, :1]).all()  # grey sketches
    top = [np.asarray(Image.open(styles / f"{name}.png").resize((SIZE, SIZE))).astype(int) for name in "ab"]
    if mix == 1:
        assert np.abs(found[:SIZE, SIZE : 2 * SIZE] - top[0]).mean() < 8
    else:  # beside the first, halved, the second; which the next column begins with
        half = SIZE // 2 if mix == 4 else SIZE
        shrunk = np.asarray(Image.open(styles / "b.png").resize((SIZE // 2, half))).astype(int)
        assert np.abs(found[:half, SIZE + SIZE // 2 : 2 * SIZE] - shrunk).mean() < 12
        assert np.abs(found[:half, 2 * SIZE : 2 * SIZE + SIZE // 2] - shrunk).mean() < 12
    assert "already there" in refused(command, capsys, "style_grid", *words)
    assert command("style_grid", *words, "columns=3", "overwrite=true") == 0  # not a style of its own
    assert (pixels(grid) == found).all()


def test_a_picture_of_a_grid_is_what_translate_makes(
    run: Path, folders: Path, tmp_path: Path, command: Callable
) -> None:
    for name in ("sketches/one", "sketches/two", "styles/a", "styles/b"):  # brought to the networks' size alike
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.open(folders / f"{name}.png").resize((SIZE, SIZE)).save(tmp_path / f"{name}.png")
    own, grid, out = run / "2_autoencoder", tmp_path / "grid.png", tmp_path / "out"
    words = [f"run={own}", f"input={tmp_path / 'sketches'}"]
    assert command("style_grid", *words, f"styles={tmp_path / 'styles'}", f"output={grid}") == 0
    assert command("translate", *words, f"style={tmp_path / 'styles'}", f"output={out}") == 0
    assert files(out) == ["a/one.png", "a/two.png", "b/one.png", "b/two.png"]
    found = pixels(grid)
    for column, style in enumerate("ab", start=1):
        for row, name in enumerate(("one", "two"), start=1):
            cell = found[row * SIZE : (row + 1) * SIZE, column * SIZE : (column + 1) * SIZE]
            assert np.abs(cell - pixels(out / style / f"{name}.png")).max() <= 1
    assert command("translate", *words, f"style={tmp_path / 'styles' / 'b.png'}", f"output={tmp_path / 'one'}") == 0
    assert (pixels(tmp_path / "one" / "two.png") == pixels(out / "b" / "two.png")).all()


def test_photos_are_transferred_to_a_style(
    run: Path,
    folders: Path,
    tmp_path: Path,
    command: Callable,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photos = folders / "people" / "ann"
    words = [f"run={run}", f"input={photos}", "direction=b2b"]
    assert command("translate", *words, f"style={folders / 'styles' / 'a.png'}", f"output={tmp_path / 'out'}") == 0
    assert files(tmp_path / "out") == [f"{number}.png" for number in range(6)]
    assert Image.open(tmp_path / "out" / "0.png").size == (70, 90)
    capsys.readouterr()
    grid, drawn, draw_lines = tmp_path / "grid.png", [], StyledPaper.draw_lines
    monkeypatch.setattr(StyledPaper, "draw_lines", lambda model, x: drawn.append(len(x)) or draw_lines(model, x))
    assert command("style_grid", *words, f"styles={folders / 'styles'}", f"output={grid}", "rows=1") == 0
    assert drawn == [1]  # once for both styles
    assert capsys.readouterr().out == f"1 photo by 2 styles: {grid}\n"
    photo = np.asarray(Image.open(photos / "0.png").resize((SIZE, SIZE))).astype(int)
    assert np.abs(pixels(grid)[SIZE:, :SIZE] - photo).mean() < 8
    assert (pixels(grid)[SIZE:, SIZE : 2 * SIZE] != pixels(grid)[SIZE:, 2 * SIZE :]).any()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["translate"], "in which style? Say style=<picture>"),
        (["translate", "style={folders}/none"], "style={folders}/none: there is no such file or folder"),
        (["translate", "style={folders}/empty"], "style={folders}/empty: there is no picture in this folder"),
        (["translate", "run={run}/1_tom", "style={folders}/styles"], "SketchToImage takes no style; leave it out"),
        (["style_grid"], "styles is not set: say styles=…"),
        (["style_grid", "styles={folders}/empty"], "styles={folders}/empty: there is no picture in this folder"),
        (["style_grid", "styles={folders}/styles", "mix=4"], "mix=4: styles={folders}/styles has only 2"),
        (["style_grid", "styles={folders}/styles", "mix=3"], "mix=3: choose from 1, 2, 4"),
        (["style_grid", "styles={folders}/styles", "run={run}/1_tom"], "takes no style; suite.translate translates"),
        (["style_grid", "styles={folders}/styles", "output={folders}/styles"], "is no picture file"),
        (
            ["style_grid", "styles={folders}/styles/a.png", "output={folders}/styles/a.png", "overwrite=true"],
            "output={folders}/styles/a.png is the styles: name another file",
        ),
    ],
)
def test_styles_that_are_not_there_are_refused(
    words: list[str],
    message: str,
    run: Path,
    folders: Path,
    tmp_path: Path,
    command: Callable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folders / "empty").mkdir(exist_ok=True)
    name, *more = words
    both = ["run={run}", "input={folders}/sketches", f"output={tmp_path / 'out.png'}"]
    typed = dict(word.split("=", 1) for word in [*both, *more])
    if name == "translate":
        typed["output"] = str(tmp_path / "out")
    said = [f"{key}={value}".format(run=run, folders=folders) for key, value in typed.items()]
    line = refused(command, capsys, name, *said)
    assert message.format(run=run, folders=folders) in line


# Data and settings that can't work ------------------------------------------------------------------------------------


def test_sketch_sets_can_be_looked_at(
    run: Path, folders: Path, tmp_path: Path, command: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = run / "1_tom" / "sketches"
    words = ["check_data", "data=faces_smoke", "data.task=self_supervised", "data.direction=b2a", "data.channels_a=1"]
    assert command(*words, f"data.sketch_sets={sets}", f"sheet={tmp_path / 'sheet.png'}") == 0
    said = capsys.readouterr().out
    assert json.loads(said.splitlines()[-1])["sketches"] == 32
    assert "(step1, step2), made by" in " ".join(said.split())
    assert Image.open(tmp_path / "sheet.png").width > SIZE

    line = refused(command, capsys, *words, *people(folders), f"data.sketch_sets={sets}")
    assert "no sketch of these photos; the photo ann/0 has no" in line
    line = refused(command, capsys, *words, "data.resize=cover", f"data.sketch_sets={sets}")
    assert "sketches are of the squashed photo; set data.resize=squash" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stage=autoencoder"], "start_from is not set: model.stage=autoencoder builds on T"),
        (["stage=refine", "start_from={run}/1_tom"], "lacks S, C, G1, which model.stage=refine builds on"),
        (
            [
                "stage=refine",
                "start_from={run}/2_autoencoder",
                "data.size=128",
                "data.load_size=128",
                "model.tom_size=64",
            ],
            "start_from={run}/2_autoencoder: it was trained with model.size=64, not 128; say the same",
        ),
        (["stage=refine", "start_from={run}/2_autoencoder", "model.width=8"], "trained with model.width=4, not 8"),
        (
            ["stage=autoencoder", "start_from={run}/1_tom", "start=step999"],
            "step999.ckpt does not exist: use start=last or step1 or step2",
        ),
        (["start=step999"], "start=step999: stage tom keeps last, step1, step2; choose from these, or add"),
        (["model.steps=4", "checkpoint.at_steps=[2,9]"], "checkpoint.at_steps=9: the training ends after 4 steps"),
        (["checkpoint.at_steps=[]"], "start=first: stage tom keeps last; choose from these, or add to checkpoint"),
        (
            ["stages=[tom,joint,refine]"],
            "stages=[tom,joint,refine]: joint is in place of autoencoder, refine; leave out joint, or refine",
        ),
        (["data.batch_size=1"], "data.batch_size=1: a triplet needs another picture of the batch; use 2 at least"),
        (["model.lambda_cls_s=0"], "model.lambda_cls_c=1.0 with model.lambda_cls_s=0: the classifier"),
        (["model.output_size=128"], "model.output_size=128: it follows data.size, set that"),
        (["data.subset=null"], "data.subset=null with model.classes=null"),
        (["data.size=96", "data.load_size=96"], "data.size=96: these networks read 64, 128, 256, 512 pixels"),
        (["data.size=1024", "data.load_size=1024"], "data.size=1024: T learns and draws at model.tom_size=256 pixels"),
        (
            ["stage=autoencoder", "start_from={run}/1_tom", "model.features_width=8"],
            "start_from={run}/1_tom: it was trained with model.features_width=4, not 8; say the same",
        ),
        (
            ["stage=autoencoder", "start_from={run}/1_tom", "model.features=vgg", "model.features_width=64"],
            "it was trained with model.features=random_vgg, not vgg; say the same",
        ),
        (["model.lambda_lpips=1"], "model.features=random_vgg: LPIPS is of VGG's published weights"),
        (
            ["stage=joint", "start_from={run}/1_tom", "data.subset=4", "model.lambda_lpips=1"],
            "LPIPS is of VGG's published",
        ),
        (
            ["stage=joint", "start_from={run}/1_tom", "data.subset=4", "model.lambda_refine=0"],
            "model.lambda_refine=0: in",
        ),
        (
            ["stage=autoencoder", "start_from={run}/1_tom", "data.sketch_sets={folders}"],
            "data.sketch_sets={folders}: no manifest.json in it, so no sketch sets, or unfinished ones",
        ),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_run(
    words: list[str],
    message: str,
    run: Path,
    folders: Path,
    tmp_path: Path,
    command: Callable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = [word.format(run=run, folders=folders) for word in words]
    line = refused(command, capsys, "train", *SMOKE, *said, f"hydra.run.dir={tmp_path / 'run'}")
    assert message.format(run=run, folders=folders) in line
    assert not (tmp_path / "run").exists()


def test_a_stage_on_other_features_than_the_one_before_saw_is_refused(
    run: Path, tmp_path: Path, command: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Path(shutil.copytree(run / "1_tom", tmp_path / "tom"))
    path = first / "checkpoints" / "step1.ckpt"
    content = torch.load(path, weights_only=True)
    ours, content["features"] = content["features"], "another VGG"
    torch.save(content, path)
    words = [*SMOKE, "metrics=none", "images.count=0", f"start_from={first}"]
    line = refused(command, capsys, "train", *words, "stage=autoencoder", f"hydra.run.dir={tmp_path / 'second'}")
    assert f"model.features: the checkpoint was trained with another VGG, not with {ours}" in line
    assert not (tmp_path / "second").exists()
    # TOM's networks all learn on: they may have others.
    assert command("train", *words, "stage=tom", "start=first", f"hydra.run.dir={tmp_path / 'third'}") == 0


def test_photos_without_line_drawings_are_refused_by_the_key_that_names_them(
    folders: Path, tmp_path: Path, command: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        picture(tmp_path / "hq" / "CelebA-HQ-img" / f"{number}.jpg", np.random.default_rng(number))
    words = [
        "experiment=sketch_to_image_celeba_hq_256",
        f"data.root={tmp_path / 'hq'}",
        "data.split={train: 2, test: 2}",
    ]
    line = refused(command, capsys, "train", *words, "metrics=none", f"hydra.run.dir={tmp_path / 'run'}")
    assert "no drawings at all" in line
    assert "data.line_drawings=<folder>" in line


@pytest.mark.parametrize("pixels", [256, 512, 1024])
@pytest.mark.parametrize("photos", ["celeba_hq", "wikiart"])
def test_stages_of_the_experiments_can_follow_each_other(photos: str, pixels: int) -> None:
    for stage, start in (("tom", "null"), ("autoencoder", "x/1_tom"), ("refine", "x/2_autoencoder")):
        words = [f"experiment=sketch_to_image_{photos}_{pixels}", f"stage={stage}", f"start_from={start}"]
        small = ["model.width=2", "model.tom_width=2", "model.tom_width_d=4", "trainer=cpu"]
        config = compose("train", [*words, *small, "data.root=x", "data.line_drawings=y"])
        instantiate(config)
        assert config.model.output_size == pixels or stage != "refine"
        assert (config.data.sketch_sets is None) == (stage == "tom")
