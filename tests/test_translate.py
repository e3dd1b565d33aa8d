import errno
import os
import subprocess
import sys

import hydra
import numpy as np
import pytest
import torch
from PIL import Image
from saved import noise, save_run

from suite.errors import UserError
from suite.papers.cyclegan import CycleGAN
from suite.run.config import CONF, defaults_of
from suite.translate import translate
from suite.translating import batches as translation
from suite.translating.batches import pick_device, translate_files
from suite.translating.outputs import match_outputs


def tiny(backbone=None, **changes):
    """A CycleGAN of a few weights, drawn so large that its pictures have contrast."""
    backbone = backbone or {"name": "resnet", "blocks": 1, "width": 4}
    torch.manual_seed(0)
    networks = {"backbone": backbone, "discriminator": {"name": "patch", "downs": 1, "width": 4}}
    model = CycleGAN(**defaults_of("cyclegan") | networks | changes)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, 0, 0.2)
    return model.eval()


@pytest.fixture(scope="module")
def model():
    return tiny()


@pytest.fixture(scope="module")
def run(tmp_path_factory, model):
    return save_run(tmp_path_factory.mktemp("runs") / "run", model)


@pytest.fixture
def photos(tmp_path):
    return tmp_path / "photos"


def command(run, source, target, *overrides):
    """On the CPU unless told otherwise: a GPU's pictures are rounded in TF32."""
    overrides = ["device=cpu", *overrides]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("translate", [f"run={run}", f"input={source}", f"output={target}", *overrides])
    translate(config)


def applied(model, picture, direction="a2b", pad=(0, 0)):
    """The model on a picture (H, W, C) or (H, W), reflected by `pad` pixels below and to the right: (H, W, C) uint8."""
    height, width = np.asarray(picture).shape[:2]
    x = torch.from_numpy(np.array(picture, np.float32).reshape(height, width, -1)).permute(2, 0, 1)[None] / 127.5 - 1
    x = torch.nn.functional.pad(x, (0, pad[1], 0, pad[0]), mode="reflect") if any(pad) else x
    y = model.translate(x, direction)[0, :, :height, :width].permute(1, 2, 0)
    assert y.std() > 0.1, "too flat to tell a right picture from a wrong one"
    return (y * 127.5 + 127.5).round().byte().numpy()


def read(path):
    picture = np.asarray(Image.open(path))
    return picture.reshape(*picture.shape[:2], -1).astype(int)


def assert_same(path, expected):
    np.testing.assert_allclose(read(path), expected.astype(int), atol=1)


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# Sizes, modes, channels ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height", "pad"),
    [(37, 53, (3, 3)), (5, 5, (3, 3)), (100, 255, (1, 0)), (256, 100, (0, 0)), (8, 8, (0, 0)), (12, 7, (1, 0))],
)
def test_any_size_is_padded_and_cropped_back(model, run, photos, tmp_path, width, height, pad):
    path = noise(photos / "x.png", width, height)
    command(run, path, tmp_path / "y.png")
    assert_same(tmp_path / "y.png", applied(model, Image.open(path), pad=pad))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 40), (4, 4)])
@pytest.mark.parametrize("backbone", ["resnet", "unet"])
def test_pictures_smaller_than_their_padding(photos, tmp_path, size, backbone):
    unet = {"name": "unet", "downs": 5, "width": 4, "norm": "instance"}
    net = tiny(unet if backbone == "unet" else None)
    path = noise(photos / "x.png", *size)
    assert translate_files(net, [(path, tmp_path / "y.png")]) == {}
    assert Image.open(tmp_path / "y.png").size == size


@pytest.mark.parametrize(("height", "width"), [(33, 47), (5, 3), (1, 40), (64, 64)])
@pytest.mark.parametrize("backbone", ["resnet", "unet", "unet_noskip"])
def test_the_method_gives_the_size_that_came_in_as_the_command_does(photos, tmp_path, backbone, height, width):
    unet = {"name": "unet", "downs": 5, "width": 4, "norm": "instance", "skip": backbone == "unet"}
    net = tiny(None if backbone == "resnet" else unet)
    path = noise(photos / "x.png", width, height)
    translate_files(net, [(path, tmp_path / "y.png")])
    x = torch.from_numpy(np.array(Image.open(path), np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
    for direction in net.directions:
        assert net.translate(x, direction).shape == (1, 3, height, width)
    made = net.translate(x)[0].permute(1, 2, 0)
    assert_same(tmp_path / "y.png", (made * 127.5 + 127.5).round().byte().numpy())


def test_the_divisor_is_the_models(photos, tmp_path):
    unet = tiny({"name": "unet", "downs": 5, "width": 4, "norm": "instance"})
    path = noise(photos / "x.png", 70, 64)
    translate_files(unet, [(path, tmp_path / "y.png")])
    assert_same(tmp_path / "y.png", applied(unet, Image.open(path), pad=(0, 26)))


def test_size_brings_the_shorter_side_there(model, run, photos, tmp_path):
    path = noise(photos / "x.png", 60, 40)
    command(run, photos, tmp_path / "out", "size=20")
    smaller = Image.open(path).resize((30, 20), Image.Resampling.BICUBIC)
    assert_same(tmp_path / "out" / "x.png", applied(model, smaller, pad=(0, 2)))


def test_channels_follow_the_direction(photos, tmp_path):
    net = tiny(channels_a=3, channels_b=1, lambda_identity=0)
    path = noise(photos / "x.png", 24, 16)
    picture = Image.open(path)
    translate_files(net, [(path, tmp_path / "grey.png")], "a2b")
    translate_files(net, [(path, tmp_path / "colour.png")], "b2a")
    assert [Image.open(tmp_path / f"{name}.png").mode for name in ("grey", "colour")] == ["L", "RGB"]
    assert_same(tmp_path / "grey.png", applied(net, picture, "a2b"))
    assert_same(tmp_path / "colour.png", applied(net, picture.convert("L"), "b2a"))


def test_direction(model, run, photos, tmp_path):
    path = noise(photos / "x.png", 16, 16)
    command(run, path, tmp_path / "b.png")
    command(run, path, tmp_path / "a.png", "direction=b2a")
    assert_same(tmp_path / "b.png", applied(model, Image.open(path), "a2b"))
    assert_same(tmp_path / "a.png", applied(model, Image.open(path), "b2a"))


class ToLabels(CycleGAN):
    """Gives its directions names of its own, as a paper with classes does: of `a` all."""

    directions = {"to_calm": "G", "to_merry": "F"}  # noqa: RUF012

    def __init__(self, **settings):
        super().__init__(**settings)
        self.stage = "faces"


def test_a_paper_names_its_directions(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "CycleGAN", ToLabels)
    net = tiny()
    path = noise(photos / "x.png", 16, 16)
    for name in ("to_calm", "to_merry"):
        translate_files(net, [(path, tmp_path / f"{name}.png")], name)
        assert_same(tmp_path / f"{name}.png", applied(net, Image.open(path), name))
    monkeypatch.setattr(ToLabels, "directions", {})
    with pytest.raises(UserError, match="stage faces of ToLabels translates no pictures"):
        translate_files(net, [(path, tmp_path / "y.png")])


def test_turned_by_exif(model, photos, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: to be shown a quarter clockwise
    path = noise(photos / "x.png", 24, 16, exif=exif)
    translate_files(model, [(path, tmp_path / "y.png")])
    assert_same(tmp_path / "y.png", applied(model, np.rot90(np.asarray(Image.open(path)), k=-1).copy()))


@pytest.mark.parametrize(("mode", "suffix"), [("CMYK", "tif"), ("L", "png"), ("RGB", "bmp"), ("RGB", "PNG")])
def test_modes_and_suffixes(model, photos, tmp_path, mode, suffix):
    path = noise(photos / f"x.{suffix}", 24, 16, mode)
    translate_files(model, match_outputs(photos, tmp_path / "out"))
    assert_same(tmp_path / "out" / "x.png", applied(model, Image.open(path).convert("RGB")))


def test_uses_the_average_where_there_is_one(photos, tmp_path):
    net = tiny(ema_decay=0.9)
    averaged = tiny(ema_decay=0.9)
    for weight in net.G.parameters():
        torch.nn.init.zeros_(weight)
    path = noise(photos / "x.png", 16, 16)
    command(save_run(tmp_path / "run", net), path, tmp_path / "y.png")
    assert_same(tmp_path / "y.png", applied(averaged, Image.open(path)))


def test_bf16_is_close_and_not_the_same(model, run, photos, tmp_path):
    noise(photos / "x.png", 64, 64)
    command(run, photos, tmp_path / "exact")
    command(run, photos, tmp_path / "fast", "bf16=true")
    difference = np.abs(read(tmp_path / "exact" / "x.png") - read(tmp_path / "fast" / "x.png"))
    assert 0 < difference.mean() < 3


# Which file goes where -----------------------------------------------------------------------------------------------


def test_a_folder_with_what_is_below_it(model, run, photos, tmp_path, capsys):
    paths = [noise(photos / name, 16, 16) for name in ("a.png", "b.c.bmp", "deep/er/a.tif", "deep/a.jpg")]
    (photos / "notes.txt").write_text("no picture")
    command(run, photos, tmp_path / "out")
    assert files(tmp_path / "out") == ["a.png", "b.c.png", "deep/a.png", "deep/er/a.png"]
    for path in paths:
        result = (tmp_path / "out" / path.relative_to(photos)).with_suffix(".png")
        assert_same(result, applied(model, Image.open(path)))
    assert capsys.readouterr().out.startswith(f"4 pictures translated (a2b) into {tmp_path / 'out'}: ")


def test_equal_stems_keep_their_suffix(model, photos, tmp_path):
    names = ["x.bmp", "x.png", "x.bmp.tif", "y.bmp", "sub/x.png"]
    paths = {name: noise(photos / name, 16, 16) for name in names}
    translate_files(model, match_outputs(photos, tmp_path / "out"))
    expected = ["x.bmp.png", "x.png.png", "x.bmp.tif.png", "y.png", "sub/x.png"]
    assert files(tmp_path / "out") == sorted(expected)
    for name, result in zip(names, expected, strict=True):
        assert_same(tmp_path / "out" / result, applied(model, Image.open(paths[name])))


def test_a_single_picture_goes_to_a_file_or_into_a_folder(photos, tmp_path):
    path = noise(photos / "x.jpg", 8, 8)
    (tmp_path / "folder.png").mkdir()
    for target, expected in [
        ("y.png", "y.png"),
        ("y.JPG", "y.JPG"),
        ("new", "new/x.png"),
        ("new.v2", "new.v2/x.png"),
        ("folder.png", "folder.png/x.png"),
        ("photos", "photos/x.png"),
    ]:
        assert match_outputs(path, tmp_path / target) == [(path, tmp_path / expected)]


def test_the_suffix_of_a_single_output_is_its_format(model, photos, tmp_path):
    path = noise(photos / "x.png", 16, 16)
    for suffix, name in {"jpg": "JPEG", "tiff": "TIFF", "webp": "WEBP", "ppm": "PPM"}.items():
        translate_files(model, [(path, tmp_path / f"y.{suffix}")])
        assert Image.open(tmp_path / f"y.{suffix}").format == name


def test_translations_below_the_input_are_not_translated_again(photos):
    path = noise(photos / "x.png", 8, 8)
    noise(photos / "out" / "x.png", 8, 8)
    assert match_outputs(photos, photos / "out") == [(path, photos / "out" / "x.png")]


@pytest.mark.parametrize(
    ("source", "target", "complaint"),
    [
        ("photos/x.png", "photos/x.png", "is the input"),
        ("photos/x.png", "photos", "is the input"),
        ("photos", "photos", "is the input folder"),
        ("photos", "deep/../photos", "is the input folder"),
        ("photos", "y.png", "name a folder"),
        ("photos", "y.mp4", "is the name of a video, but .* name a folder"),
        ("photos/x.png", "y.mp4", "is the name of a video, but .* name a picture"),
        ("photos/x.png", "y.gif", "can't be written"),
        ("photos/z.png", "out", "no such file or folder"),
        ("empty", "out", "no picture"),
        ("deep", "deep/photos", "no picture but those of"),
        ("twice/twice", "twice", "would replace the input picture"),
    ],
)
def test_refused_places(tmp_path, source, target, complaint):
    for name in ("photos/x.png", "deep/photos/x.png", "twice/twice/twice/x.png", "twice/twice/x.png"):
        noise(tmp_path / name, 8, 8)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=complaint):
        match_outputs(tmp_path / source, tmp_path / target)


# What is there already, what is broken -------------------------------------------------------------------------------


def test_what_is_there_is_left_alone_unless_told(run, photos, tmp_path, capsys):
    for name in ("a.png", "b.png"):
        noise(photos / name, 8, 8)
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")

    command(run, photos, out)
    assert (out / "a.png").read_bytes() == b"mine"
    assert files(out) == ["a.png", "b.png"]
    told = capsys.readouterr().out
    assert told.startswith("1 picture translated")
    assert "1 already there" in told

    command(run, photos, out)
    assert capsys.readouterr().out.startswith(f"nothing to do in {out}: 2 already there")

    command(run, photos, out, "overwrite=true")
    assert Image.open(out / "a.png").size == (8, 8)
    told = capsys.readouterr().out
    assert told.startswith("2 pictures translated")
    assert "already there" not in told


def test_broken_pictures_are_named_and_the_others_done(run, photos, tmp_path, capsys):
    for name in ("a.png", "c.png", "e.png"):
        noise(photos / name, 8, 8)
    whole = noise(photos / "b.jpg", 64, 64).read_bytes()
    (photos / "b.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "d.jpg").write_text("no picture")
    with pytest.raises(UserError) as caught:
        command(run, photos, tmp_path / "out", "batch_size=2")
    assert files(tmp_path / "out") == ["a.png", "c.png", "e.png"]
    assert capsys.readouterr().out.startswith("3 pictures translated")
    message = str(caught.value)
    assert message.startswith("2 pictures not translated: ")
    assert str(photos / "b.jpg") in message
    assert str(photos / "d.jpg") in message
    assert "truncated" in message
    assert "\n" not in message


def test_many_broken_pictures_are_counted_and_the_first_named(run, photos, tmp_path):
    photos.mkdir()
    for number in range(5):
        (photos / f"{number}.png").write_text("no picture")
    with pytest.raises(UserError, match=r"5 pictures not translated: .*0\.png .*1\.png .*2\.png .*, …$") as caught:
        command(run, photos, tmp_path / "out")
    assert "3.png" not in str(caught.value)


def test_a_write_that_fails_leaves_nothing_half(model, photos, tmp_path, monkeypatch):
    path = noise(photos / "x.png", 8, 8)
    out = tmp_path / "out"

    def full(*_):
        assert len(os.listdir(out)) == 1, "written beside its place first"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match=r"can't write .*out/x.png: No space left"):
        translate_files(model, [(path, out / "x.png")])
    assert files(out) == []


def test_no_folder_can_be_made_there(run, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(translation, "through", None)  # found before anything is translated
    noise(photos / "x.png", 8, 8)
    (tmp_path / "file").write_text("")
    for target in ("file", "file/below"):
        with pytest.raises(UserError, match=r"can't write to .*file"):
            command(run, photos, tmp_path / target)


# Batches and memory --------------------------------------------------------------------------------------------------


class Spy:
    """Stands before a model and notes the shapes that go through; `refuse` says which do not fit the memory."""

    def __init__(self, model, refuse=lambda shape: False, error=None):
        self.model, self.refuse, self.shapes = model, refuse, []
        self.error = error or torch.OutOfMemoryError("no")

    def __getattr__(self, name):
        return getattr(self.model, name)

    def translate(self, x, direction):
        if self.refuse(x.shape):
            raise self.error
        self.shapes.append(tuple(x.shape))
        return self.model.translate(x, direction)


def test_equal_shapes_go_together_whatever_their_order(model, photos, tmp_path):
    for number in range(10):
        noise(photos / f"{number}.png", *[(16, 16), (24, 16), (15, 13)][number % 3])  # the third is padded to 16x16
    spy = Spy(model)
    done = []
    assert (
        translate_files(spy, match_outputs(photos, tmp_path / "out"), batch_size=4, on_done=lambda: done.append(1))
        == {}
    )
    assert sorted(spy.shapes) == [(3, 3, 16, 16), (3, 3, 16, 24), (4, 3, 16, 16)]
    assert len(done) == 10
    for path in photos.iterdir():
        pad = (-Image.open(path).height % 4, -Image.open(path).width % 4)
        assert_same(tmp_path / "out" / path.name, applied(model, Image.open(path), pad=pad))


def test_few_pictures_are_held_at_a_time(model, photos, tmp_path, monkeypatch):
    """No more wait for others of their shape than _WAITING, and the folder is read as it is worked on."""
    monkeypatch.setattr(translation, "_WAITING", 4 * 16 * 16 * 3)
    monkeypatch.setattr(translation, "_THREADS", 1)
    asked, first = [], []

    def pairs():
        for number in range(40):
            asked.append(number)
            yield noise(photos / f"{number}.png", 16, 16), tmp_path / "out" / f"{number}.png"

    spy = Spy(model, refuse=lambda shape: first.append(len(asked)))
    translate_files(spy, pairs(), batch_size=100)
    assert [shape[0] for shape in spy.shapes] == [5] * 8
    assert first[0] <= 5 + 3


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("no"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
        MemoryError(),
    ],
    ids=["of a GPU", "of a CPU", "Python's"],
)
def test_too_large_for_the_memory(error, model, photos, tmp_path):
    """A batch that does not fit is halved; a picture that does not fit alone is named, the others are done."""
    for number in range(5):
        noise(photos / f"{number}.png", 16, 16)
    noise(photos / "huge.png", 64, 16)
    spy = Spy(model, refuse=lambda shape: shape[0] > 2 or shape[-1] > 16, error=error)
    done = []
    failed = translate_files(spy, match_outputs(photos, tmp_path / "out"), on_done=lambda: done.append(1))
    assert list(failed) == [photos / "huge.png"]
    assert failed[photos / "huge.png"].startswith("64x16 is too large")
    assert len(done) == 6
    for number in range(5):
        assert_same(tmp_path / "out" / f"{number}.png", applied(model, Image.open(photos / f"{number}.png")))


@pytest.mark.parametrize("step", ["_read", "_write"])
def test_a_picture_that_is_too_large_to_be_read_or_written(step, model, photos, tmp_path, monkeypatch):
    inside = {"_read": "_fitted", "_write": "write_picture"}[step]
    whole = getattr(translation, inside)

    def too_large(picture, *arguments):
        if picture.width == 64:
            raise MemoryError
        return whole(picture, *arguments)

    noise(photos / "a.png", 64, 16)
    noise(photos / "b.png", 16, 16)
    monkeypatch.setattr(translation, inside, too_large)
    done = []
    failed = translate_files(model, match_outputs(photos, tmp_path / "out"), on_done=lambda: done.append(1))
    assert list(failed) == [photos / "a.png"]
    assert "too large for the memory" in failed[photos / "a.png"]
    assert len(done) == 2
    assert (tmp_path / "out" / "b.png").is_file()


def test_other_errors_of_a_model_are_not_taken_for_it(model, photos, tmp_path):
    noise(photos / "x.png", 16, 16)
    spy = Spy(model, refuse=lambda shape: True, error=RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        translate_files(spy, match_outputs(photos, tmp_path / "out"))


# The command ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ("direction=a2c", "direction=a2c: this CycleGAN can only do a2b, b2a"),
        ("checkpoint=best", "use checkpoint=last"),
        ("device=cuda:99", "device=cuda:99 is not on this machine"),
        ("device=gpu", "device=gpu is not on this machine"),
        ("batch_size=0", "batch_size=0: give a whole number"),
        ("batch_size=many", "batch_size=many: give a whole number"),
        ("size=-3", "size=-3: give a whole number"),
        ("overwrite=perhaps", "overwrite=perhaps: give true or false"),
        ("input=", "input=: give a path"),
        ("output=null", "output=null: give a path"),
    ],
)
def test_refused_values(run, photos, tmp_path, overrides, complaint):
    noise(photos / "x.png", 8, 8)
    with pytest.raises(UserError, match=complaint):
        command(run, photos, tmp_path / "out", overrides)
    assert not (tmp_path / "out").exists()


def test_refused_runs(run, photos, tmp_path):
    noise(photos / "x.png", 8, 8)
    good = run / "checkpoints" / "last.ckpt"
    (tmp_path / "young").mkdir()
    (tmp_path / "truncated.ckpt").write_bytes(good.read_bytes()[:-2000])
    torch.save({"state_dict": {}}, tmp_path / "foreign.ckpt")
    for place, complaint in {
        "absent": "does not exist",
        "young": "has no checkpoint",
        "truncated.ckpt": "is damaged",
        "foreign.ckpt": "is not a checkpoint of this suite",
    }.items():
        with pytest.raises(UserError, match=f"{place} .*{complaint}|{place}.* {complaint}"):
            command(tmp_path / place, photos, tmp_path / "out")
    with pytest.raises(UserError, match="leave checkpoint=best out"):
        command(good, photos, tmp_path / "out", "checkpoint=best")


def test_a_checkpoint_file_serves_as_well(model, run, photos, tmp_path):
    path = noise(photos / "x.png", 8, 8)
    command(run / "checkpoints" / "last.ckpt", path, tmp_path / "out")
    assert_same(tmp_path / "out" / "x.png", applied(model, Image.open(path)))


def test_auto_is_the_accelerator_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: None)
    assert pick_device("auto") == torch.device("cpu")
    with pytest.raises(UserError, match=r"device=cuda is not on this machine: use auto, cpu$"):
        pick_device("cuda")
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    assert pick_device("auto") == pick_device("cuda") == torch.device("cuda")
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UserError, match=r"use auto, cpu, cuda, cuda:0, cuda:1$"):
        pick_device("cuda:2")


def shell(folder, *words):
    line = [sys.executable, "-m", "suite.translate", *words]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_from_the_shell(run, photos, tmp_path):
    noise(photos / "x.png", 9, 7)
    before = files(tmp_path)
    ended = shell(tmp_path, f"run={run}", "input=photos", "output=out")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("1 picture translated (a2b) into out: ")
    assert ended.stdout.count("\n") == 1
    assert files(tmp_path) == sorted([*before, "out/x.png"]), "nothing else is left behind"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [(["input=x", "output=y"], "run is not set"), (["run=r", "input=x", "output=y", "sise=3"], "sise")],
)
def test_one_line_and_exit_code_2(tmp_path, words, complaint):
    ended = shell(tmp_path, *words)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: ")
    assert complaint in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_an_empty_working_directory_outlives_bad_input(tmp_path):
    assert shell(tmp_path, "input=x", "output=y").returncode == 2
    assert tmp_path.is_dir()


# Depth, pages, transparency, and what is left out ------------------------------------------------------------------


def deep(path, top):
    """A grey ramp of 16 bits, black to `top`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, 1, 20 * 24).reshape(20, 24)
    Image.fromarray((ramp * top).astype(np.uint16)).save(path)
    return np.dstack([np.floor(np.floor(ramp * top) * 255 / 4095 + 0.5).astype(np.uint8)] * 3)


@pytest.mark.parametrize(
    ("saved", "words", "top"),
    [
        (None, [], 4095),  # 12 bits hold it
        ("[0, 4095]", [], 1000),  # as the run was trained
        ("[0, 4095]", ["depth=auto"], 4095),
        (None, ["depth=[0,4095]"], 1000),
    ],
)
def test_deep_pictures_are_read_as_in_training(model, photos, tmp_path, saved, words, top):
    run = save_run(tmp_path / "run", model)
    if saved is not None:
        (run / "config.yaml").write_text(f"data: {{depth: {saved}}}\n")
    grey = deep(photos / "x.png", top)
    for number, of in enumerate((run, run / "checkpoints" / "last.ckpt")):
        command(of, photos / "x.png", tmp_path / f"{number}.png", *words)
        assert_same(tmp_path / f"{number}.png", applied(model, grey))


def test_a_depth_that_is_none(run, photos, tmp_path):
    deep(photos / "x.png", 9)
    with pytest.raises(UserError, match=r"^depth=\[9,1\]: give the values of black and white, the lesser first"):
        command(run, photos / "x.png", tmp_path / "y.png", "depth=[9,1]")
    Image.fromarray(np.full((20, 24), np.nan, np.float32)).save(photos / "x.tif")
    with pytest.raises(UserError, match=r"pixels that are no numbers"):
        command(run, photos / "x.tif", tmp_path / "y.png")


def test_pages_transparency_and_files_left_out_are_said_once(run, photos, tmp_path, capsys):
    noise(photos / "clear.png", 20, 24, "RGBA")
    noise(photos / "other.png", 20, 24, "RGBA")
    pages = [Image.new("RGB", (20, 24), colour) for colour in ("red", "blue")]
    pages[0].save(photos / "two.tif", save_all=True, append_images=pages[1:])
    for name in ("a.psd", "b.psd", "talk.mp4", "notes.txt"):
        (photos / name).write_bytes(b"")
    command(run, photos, tmp_path / "out")
    said = capsys.readouterr().out.splitlines()
    assert f"2 files below {photos} are not read: 2 psd" in said
    assert f"of 1 file with several pages or frames the first was translated, such as {photos / 'two.tif'} (2)" in said
    assert f"2 pictures transparent in places translated on white, such as {photos / 'clear.png'}" in said
    assert len(said) == 5
