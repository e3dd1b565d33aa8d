"""Runs side by side as one page: what goes through them, what is said of them, and what they can't do to the page."""

import base64
import csv
import io
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from suite import compare
from suite.comparing import figures, pictures, runs
from suite.run import folder
from suite.run.config import compose, instantiate
from suite.run.words import bare

SMALL = ["scale=smoke", "logger=none", "model.backbone.width=4", "model.discriminator.width=4", "trainer=cpu"]
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def made(tmp_path_factory, cache):
    """A multirun: CycleGAN with two losses and two seeds, two of them evaluated; its networks are not trained."""
    place = tmp_path_factory.mktemp("runs") / "sweep"
    for number, (loss, seed) in enumerate([("lsgan", 0), ("lsgan", 1), ("vanilla", 0), ("vanilla", 1)]):
        words = ["experiment=cyclegan_lsgan", f"adversarial={loss}", f"seed={seed}", "name=cyclegan_lsgan"]
        run = saved(place / str(number), cache, *words)
        with (run / "metrics.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["batch", "train/D_a", "val/psnr", "val/n", "epoch", "step"])
            rows.writerows([[1, 0.5, "", "", 0, 1], [2, 0.25 + number, 10.0 + number, 4, 0, 2]])
        if loss == "lsgan":
            entry = {"test/last": {"steps": 2, "test/ssim": 0.25 * (1 + number), "test/n": 4.0}}
            (run / "metrics.json").write_text(json.dumps(entry))
    return place


def saved(run, cache, *words):
    """A run as training leaves it, but for the training."""
    config = compose("train", [*SMALL, *words, f"cache_dir={cache}"])
    torch.manual_seed(config.seed)
    model, data = instantiate(config)
    model.steps = 2
    content = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    model.on_save_checkpoint(content)
    (run / "checkpoints").mkdir(parents=True)
    torch.save(content, run / "checkpoints" / "last.ckpt")
    data.setup()
    data.write_splits(run / "splits.json")
    folder.write_config(config, run)
    return run


def command(monkeypatch, cache, *words):
    monkeypatch.setenv("SUITE_CACHE", str(cache))
    monkeypatch.setattr(sys, "argv", ["suite.compare", *map(str, words), "device=cpu"])
    try:
        compare.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def text_of(page):
    """What is read of a page, without markup; a line a block."""
    body = page.read_text(encoding="utf-8").partition("<body>")[2]
    return re.sub(r"\n+", "\n", re.sub(r"<[^>]+>", "\n", re.sub(r"(?s)<script>.*</script>", "", body)))


def shots(page):
    """The pictures of a page, by what they are called."""
    found = re.findall(r'src="data:image/webp;base64,([^"]+)" alt="([^"]*)"', page.read_text(encoding="utf-8"))
    return {alt: Image.open(io.BytesIO(base64.b64decode(content))) for content, alt in found}


@pytest.fixture(scope="module")
def page(made, cache, tmp_path_factory):
    output = tmp_path_factory.mktemp("page") / "compare.html"
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert command(monkeypatch, cache, made, f"output={output}", "n=2") == 0
    return output


def test_a_multirun_is_arms_of_seeds_with_figures_curves_and_what_differs(page):
    text = text_of(page)
    assert "4 runs, in 2 arms." in text
    assert "loss=lsgan · loss=vanilla" in text
    assert "1 setting that is not the same in all arms\nkey" in text
    assert re.search(r"model.adversarial.loss\nlsgan\nvanilla\n", text)
    assert re.search(r"test/ssim ↑\n0.375 ± 0.18\nn 2, 4 pictures\nnot measured\n", text)  # (0.25, 0.5)
    assert re.search(r"val/psnr ↑\n10.5 ± 0.71\nn 2, 4 pictures\n12.5 ± 0.71\nn 2, 4 pictures\n", text)
    content = page.read_text(encoding="utf-8")
    assert content.count("<polyline") == 4  # D_a of each run
    assert content.count("<circle") == 4  # one validation each
    assert not re.search(r"""(src|href|url\()\s*=?\s*["']?(https?:|//|file:|/)""", content)


def test_the_same_inputs_go_through_every_run(page, made, cache):
    found = shots(page)
    (name,) = {alt.partition(":")[0] for alt in found if alt.endswith("input")} & {"face-800000"}
    assert np.asarray(found[f"{name}: input"]).shape == (32, 32, 3)
    model = folder.load_model(made / "1")
    inputs = pictures.own_inputs(runs.read_runs([made / "1"])[0], 1, str(cache))
    (photo,) = inputs.of(("photo", "drawing"))
    expected = model.translate(photo[None].float() / 127.5 - 1)[0]
    output = np.asarray(found[f"{name}: A loss=lsgan, seed 1"], np.float32)
    # The last to be shown of that name is drawing → photo: both ways are there, and differ.
    assert page.read_text().count("A loss=lsgan, seed 1&quot;") == 0
    assert page.read_text().count(f'alt="{name}: A loss=lsgan, seed 1"') == 2
    (drawing,) = inputs.of(("drawing", "photo"))
    back = model.translate(drawing[None].float() / 127.5 - 1, "b2a")[0]
    wanted = ((back + 1) * 127.5).permute(1, 2, 0).numpy()
    assert np.abs(output - wanted).max() <= 1
    assert np.abs(output - ((expected + 1) * 127.5).permute(1, 2, 0).numpy()).max() > 1


def test_what_is_there_is_not_replaced(made, page, cache, monkeypatch, capsys):
    before = page.read_bytes()
    assert command(monkeypatch, cache, made, f"output={page}") == 2
    assert f"output={page} is already there: name another file, or set overwrite=true" in capsys.readouterr().err
    assert page.read_bytes() == before
    assert command(monkeypatch, cache, f"runs=[{made}/0]", f"output={page}", "overwrite=true", "n=0") == 0
    assert "One run." in text_of(page)
    page.write_bytes(before)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "error: which runs? Give their folders"),
        (["{made}/7"], "error: {made}/7: there is no such folder"),
        (["{made}/0/checkpoints"], "error: {made}/0/checkpoints is not a run folder, and there is none in it"),
        (["{made}", "output=page.pdf"], "error: output=page.pdf is no page: give it a name as compare.html"),
        (["{made}", "input={made}/none"], "error: input={made}/none: there is no such file or folder"),
        (["{made}", "n=-1"], "error: n=-1: give a whole number"),
    ],
)
def test_one_line_for_what_the_user_can_mend(words, line, made, cache, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, cache, *(word.format(made=made) for word in words)) == 2
    said = capsys.readouterr().err
    assert said.startswith(line.format(made=made))
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_a_run_says_becomes_part_of_the_page(made, cache, tmp_path, monkeypatch):
    run = tmp_path / HOSTILE.replace("/", "⁄") / "x-0"
    shutil.copytree(made / "0", run)
    config = (run / "config.yaml").read_text()
    for key, value in (("name", "cyclegan_lsgan"), ("optimizer", "adam")):
        assert f"{key}: {value}" in config
        config = config.replace(f"{key}: {value}", f"{key}: {json.dumps(HOSTILE)}")
    (run / "config.yaml").write_text(config)
    rows = [[HOSTILE, f"val/{HOSTILE}", "batch", "step"], ["1", "2", "1", "1"]]
    with (run / "metrics.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (run / "metrics.json").write_text(json.dumps({HOSTILE: {f"x/{HOSTILE}": 1.0}}))
    output = tmp_path / "page.html"
    assert command(monkeypatch, cache, run, made / "2", f"output={output}", "n=1") == 0
    content = output.read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)" in content
    assert "onerror=alert(2)&gt;" in content
    assert content.count("<script") == 1
    assert not re.search(r"<img (?!src=\"data:|class=|id=)", content)


def test_runs_of_other_tasks_are_shown_where_they_do_the_same_and_named_where_not(
    made, cache, tmp_path, monkeypatch, capsys
):
    words = ["experiment=pix2pix_unet", "name=pix2pix_unet", "seed=0"]
    other = saved(tmp_path / "pix2pix-0", cache, *words)
    young = tmp_path / "young-0"
    shutil.copytree(made / "3", young, ignore=shutil.ignore_patterns("checkpoints"))
    splits = json.loads((made / "3" / "splits.json").read_text())
    (of_val,) = [name for name in splits["val"]["a"] if name.partition(".")[0] == "face-800000"]
    splits["val"]["a"].remove(of_val)  # another split than the first run's
    splits["train"]["a"].append(of_val)
    splits_of_other = json.loads((other / "splits.json").read_text()) | {"dataset": "elsewhere"}
    (other / "splits.json").write_text(json.dumps(splits_of_other))
    copied = tmp_path / "copied-1"
    shutil.copytree(made / "3", copied)
    (copied / "splits.json").write_text(json.dumps(splits))
    output = tmp_path / "page.html"
    assert command(monkeypatch, cache, made / "0", other, young, copied, f"output={output}", "n=1") == 0
    said = capsys.readouterr().out
    assert f"\n{young} has no checkpoint yet" in f"\n{said}"
    assert f"{other}: it was trained on other data, elsewhere: these pictures are of faces" in said
    assert f"{copied}: 1 of the 1 shown were among the pictures it was trained on" in said
    text = text_of(output)
    assert re.search(r"Not\s+B\s+pix2pix_unet[^\n]*: it makes photo → drawing", text)
    assert any(re.match("face-800000: B pix2pix_unet, .*pix2pix-0", alt) for alt in shots(output))


def test_names_are_looked_for_by_kind_and_not_where_both_splits_have_them(made, tmp_path):
    own = {"photo": frozenset({"000", "001"}), "drawing": frozenset({"000"})}
    inputs = pictures.Inputs({}, {}, "", dataset="faces", keys=own)
    data = pictures._keys_of(runs.read_runs([made / "0"])[0].config)
    splits = {"dataset": "faces", "train": {"a": ["000.png", "001.png"], "b": ["001.png"]}, "val": {"a": ["000.png"]}}
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    assert pictures.trained_on(tmp_path, inputs, data).startswith("1 of the 3 shown were among")  # the photo 001


def test_of_the_shorter_side_none_is_shown_twice():
    batch = {"key_b": ["x", "y", "x"], "b": torch.zeros(3, 1, 2, 2), "fresh_b": torch.tensor([True, True, False])}
    assert [name for name, _ in pictures._of_side([batch], "b")] == ["x", "y"]


def test_pictures_that_are_not_on_this_machine_are_not_fetched(made, cache, tmp_path, monkeypatch, capsys):
    shutil.copytree(made / "0", run := tmp_path / "0")
    config = (run / "config.yaml").read_text()
    assert config.count("\n  streaming: null\n") == 1
    (run / "config.yaml").write_text(config.replace("streaming: null", "streaming: s3://bucket/faces", 1))
    assert command(monkeypatch, cache, run, f"output={tmp_path}/page.html") == 2
    assert f"the pictures of {run} are not on this machine but in s3://bucket/faces; or" in capsys.readouterr().err


def test_pictures_of_ones_own(made, cache, tmp_path, monkeypatch):
    folder_of_inputs = tmp_path / "photos"
    folder_of_inputs.mkdir()
    Image.new("RGB", (90, 60), "red").save(folder_of_inputs / "a.png")
    Image.new("L", (21, 33), 99).save(folder_of_inputs / "b.png")
    output = tmp_path / "page.html"
    assert command(monkeypatch, cache, made / "0", f"input={folder_of_inputs}", "size=40", f"output={output}") == 0
    found = shots(output)
    assert {alt: picture.size for alt, picture in found.items()} == {
        **{f"a.png: {what}": (60, 40) for what in ("input", "A cyclegan_lsgan")},
        **{f"b.png: {what}": (21, 33) for what in ("input", "A cyclegan_lsgan")},
    }


def test_a_model_of_styles_takes_each_picture_own():
    taken = []

    class Styled:
        needs_style, fixed_size, divisor, device = True, 8, 1, torch.device("cpu")

        def __init__(self):
            self.hparams = {"channels_a": 1, "channels_b": 3}

        def take_style(self, picture):
            taken.append(picture)

        def translate(self, x, direction):
            return (x + taken[-1].mean()).expand(-1, 3, -1, -1).repeat_interleave(2, -1).repeat_interleave(2, -2)

    given = [torch.full((1, 16, 8), 128, dtype=torch.uint8)] * 2
    styles = [torch.zeros(3, 8, 8, dtype=torch.uint8), torch.full((3, 8, 8), 255, dtype=torch.uint8)]
    black, white = pictures._through(Styled(), "a2b", given, styles)
    assert black.max() == 1  # of 128 - 127.5 - 127.5
    assert white.min() == 255
    assert black.shape == (3, 16, 8)  # squashed to one side, and back


def test_arms_are_runs_that_differ_in_the_seed_alone(made):
    of_runs = runs.read_runs(runs.find_runs([made, made / ".." / made.name / "1"]))  # which is there already
    assert [run.name for run in of_runs] == ["0", "1", "2", "3"]
    arms = runs.in_arms(of_runs)
    assert [(arm.letter, arm.title, [run.seed for run in arm.runs]) for arm in arms] == [
        ("A", "loss=lsgan", ["0", "1"]),
        ("B", "loss=vanilla", ["0", "1"]),
    ]
    assert runs.differing(arms) == {"model.adversarial.loss": ["lsgan", "vanilla"]}


def test_a_figure_of_several_runs():
    assert str(figures.Cell([1.0, 3.0], "4")) == "2 ± 1.4"
    assert str(figures.Cell([1.0], "4")) == "1"
    assert [figures._pictures(counts) for counts in (["12", "4", "8"], ["4", "4"], [""])] == ["4 to 12", "4", ""]
    assert str(figures.Cell([1.0, float("inf")], "4")) == "nan"
    assert [figures.better(name) for name in ("val/psnr", "test/fid_to_train", "val/style")] == ["↑", "↓", ""]


def test_words_without_a_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("lr=1").mkdir()
    words = ["runs/a b", "lr=1", "n=2", "--cfg", "job", "runs=[x]", "-h"]
    assert bare(words) == (["runs/a b", "lr=1"], ["n=2", "--cfg", "job", "runs=[x]", "-h"])


def test_in_a_browser_the_page_asks_for_nothing_and_fits_a_phone(page, chromium):
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 390, "height": 800})
        wrong: list[str] = []
        tab.on("console", lambda message: wrong.append(message.text))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on(
            "request", lambda request: wrong.append(request.url) if request.url[:4] not in ("file", "data") else None
        )
        tab.goto(page.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") == 390
        tab.locator(".shots button").nth(1).click()
        assert tab.locator("#zoom").is_visible()
        first = tab.locator("#caption").inner_text()
        tab.keyboard.press("ArrowRight")
        assert tab.locator("#caption").inner_text() != first
        tab.keyboard.press("Escape")
        assert not tab.locator("#zoom").is_visible()
        # An attribute that would run a script, had one slipped in, does not.
        tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
        tab.wait_for_timeout(100)
        assert tab.evaluate("window.ran") is None
        browser.close()
    assert not [line for line in wrong if "Content Security Policy" not in line and line.rpartition("/")[2] != "x"]
