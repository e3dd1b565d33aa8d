"""`suite.import_weights` from a file with published names to pictures; what is recognised: networks/test_published."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
import numpy as np
import pytest
import torch
from PIL import Image

import suite
import suite.import_weights
import suite.translate
from suite.errors import UserError
from suite.import_weights import import_weights
from suite.networks.build import build_discriminator
from suite.papers.base import Paper
from suite.papers.cyclegan import CycleGAN
from suite.papers.pix2pix import Pix2Pix
from suite.run import config
from suite.run.config import CONF
from suite.run.folder import start_weights
from suite.run.words import literal


def published_resnet(path: Path, a: int = 3, b: int = 3, norm: str = "instance", seed: int = 0, width: int = 4) -> Path:
    """A ResNet of one block under its published names, with weights large enough to make pictures of contrast."""
    layers = {1: (width, a, 7), 4: (2 * width, width, 3), 7: (4 * width, 2 * width, 3)}
    layers |= {11: (4 * width, 2 * width, 3), 14: (2 * width, width, 3), 18: (b, width, 7)}  # 11, 14: transposed
    outputs = {1: width, 4: 2 * width, 7: 4 * width, 11: 2 * width, 14: width, 18: b}
    shapes = {f"model.{n}": (outputs[n], (one, other, side, side)) for n, (one, other, side) in layers.items()}
    shapes |= {f"model.10.conv_block.{n}": (4 * width, (4 * width, 4 * width, 3, 3)) for n in (1, 5)}
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, (channels, shape) in shapes.items():
        state[f"{name}.weight"] = torch.randn(shape, generator=generator) * 0.2
        if norm == "instance" or name == "model.18":
            state[f"{name}.bias"] = torch.randn(channels, generator=generator) * 0.2
        if norm == "batch" and name != "model.18":
            place, _, number = name.rpartition(".")
            normed = f"{place}.{int(number) + 1}"
            state |= {f"{normed}.weight": torch.ones(channels), f"{normed}.bias": torch.zeros(channels)}
            state |= {f"{normed}.running_mean": torch.zeros(channels), f"{normed}.running_var": torch.ones(channels)}
    torch.save(state, path)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return published_resnet(tmp_path / "latest_net_G.pth")


def command(file: Path, output: Path, *overrides: str) -> None:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        import_weights(hydra.compose("import_weights", [f"file={file}", f"output={output}", *overrides]))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def run(monkeypatch: pytest.MonkeyPatch, main: Callable[[], None], *words: str) -> int:
    """The command with these words; its exit code."""
    monkeypatch.setattr(sys, "argv", ["suite", *words])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    config._defaults.cache_clear()  # as in a process of its own, which composes within the command
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_whole_way_from_a_file_to_a_picture(file: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, suite.import_weights.main, f"file={file}", "output=model.ckpt") == 0
    recognised, advice, _ = capsys.readouterr().out.splitlines()
    assert recognised == f"{file}: ResNet, 1 blocks, width 4, instance norm, 3 to 3 channels: 8,739 weights"
    assert names(tmp_path) == ["latest_net_G.pth", "model.ckpt"]

    pixels = np.random.default_rng(0).integers(0, 256, (32, 40, 3)).astype(np.uint8)
    Image.fromarray(pixels).save("photo.png")
    advice = advice.replace("FILE_OR_FOLDER", "photo.png").replace("output=FOLDER", "output=y.png")
    python, m, module, *words = advice.split()
    assert (python, m, module) == ("python", "-m", "suite.translate")
    assert run(monkeypatch, suite.translate.main, *words, "device=cpu") == 0
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1
    y = suite.load("model.ckpt").translate(x)[0].permute(1, 2, 0)
    assert y.std() > 0.1
    np.testing.assert_allclose(np.asarray(Image.open("y.png"), float), (y * 127.5 + 127.5).numpy(), atol=0.51)


def test_a_damaged_file_is_one_line_and_exit_code_2(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("latest_net_G.pth").write_text("<html>not found</html>")
    assert run(monkeypatch, suite.import_weights.main, "file=latest_net_G.pth", "output=model.ckpt") == 2
    said = capsys.readouterr()
    assert said.err == "error: latest_net_G.pth is damaged or not a file of torch.save: fetch it again\n"
    assert said.out == ""
    assert names(tmp_path) == ["latest_net_G.pth"]


def test_one_file_makes_a_pix2pix_that_has_its_weights(file: Path, tmp_path: Path, capsys) -> None:
    command(file, tmp_path / "model.ckpt")
    model = suite.load(tmp_path / "model.ckpt")
    assert isinstance(model, Pix2Pix)
    assert list(model.directions) == ["a2b"]
    state = torch.load(file)
    assert torch.equal(model.G.layers[10].residual[5].bias, state["model.10.conv_block.5.bias"])
    assert sum(weight.numel() for weight in model.G.parameters()) == sum(weight.numel() for weight in state.values())
    assert capsys.readouterr().out.splitlines()[1].endswith(" input=FILE_OR_FOLDER output=FOLDER")  # no mode


def test_two_files_make_a_cyclegan_of_both_directions(tmp_path: Path, capsys) -> None:
    there = published_resnet(tmp_path / "latest_net_G_A.pth", a=1, b=3)
    back = published_resnet(tmp_path / "latest_net_G_B.pth", a=3, b=1, seed=1)
    command(there, tmp_path / "new" / "both.ckpt", f"second={back}")
    model = suite.load(tmp_path / "new" / "both.ckpt")
    assert isinstance(model, CycleGAN)
    assert model.translate(torch.zeros(1, 1, 16, 16)).shape == (1, 3, 16, 16)
    assert model.translate(torch.zeros(1, 3, 16, 16), "b2a").shape == (1, 1, 16, 16)
    assert torch.equal(model.G.layers[1].weight, torch.load(there)["model.1.weight"])
    assert torch.equal(model.F.layers[1].weight, torch.load(back)["model.1.weight"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(" ")[2] for line in lines[2:4]] == ["direction=a2b", "direction=b2a"]


def test_the_same_files_make_the_same_checkpoint(file: Path, tmp_path: Path) -> None:
    command(file, tmp_path / "once.ckpt")
    torch.rand(3)
    command(file, tmp_path / "again.ckpt")
    once, again = (suite.load(tmp_path / f"{name}.ckpt").state_dict() for name in ("once", "again"))
    assert all(torch.equal(once[name], again[name]) for name in once)


def test_batch_norm_is_advised_to_be_used_as_it_was_published(tmp_path: Path, capsys) -> None:
    file = published_resnet(tmp_path / "G.pth", norm="batch")
    command(file, tmp_path / "model.ckpt")
    assert capsys.readouterr().out.splitlines()[1].endswith("mode=train batch_size=1")
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    by_running, by_batch = (suite.load(tmp_path / "model.ckpt", mode=mode).translate(x) for mode in ("eval", "train"))
    assert not torch.allclose(by_running, by_batch, atol=0.05)


def test_an_output_that_is_there_is_replaced_only_on_request(file: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.ckpt"
    output.write_text("precious")
    with pytest.raises(UserError, match=f"^output={output} is already there: .*overwrite=true$"):
        command(file, output)
    assert output.read_text() == "precious"
    command(file, output, "overwrite=true")
    assert suite.load(output).divisor == 4
    with pytest.raises(UserError, match=f"^output={file} would replace file={file}: name another file$"):
        command(file, file, "overwrite=true")
    assert "model.1.weight" in torch.load(file)


def test_a_write_that_fails_leaves_what_was_there(file: Path, tmp_path: Path, monkeypatch) -> None:
    def full_disk(content, stream) -> None:
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    output = tmp_path / "model.ckpt"
    output.write_text("precious")
    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(UserError, match=f"^can't save {output}: No space left on device"):
        command(file, output, "overwrite=true")
    assert output.read_text() == "precious"
    assert names(tmp_path) == ["latest_net_G.pth", "model.ckpt"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["file=null"], "file=null: give a path"),
        (["output=null"], "output=null: give a path"),
        (["file=nowhere.pth"], "file=nowhere.pth: there is no such file"),
        (["second=nowhere.pth"], "second=nowhere.pth: there is no such file"),
        (["file_d=nowhere.pth"], "file_d=nowhere.pth: there is no such file"),
        (["second_d={file}"], "second_d=.*: it judges what second makes, so give second, too"),
        (["file_d={file}"], ".* is a generator: give the discriminator"),
        (["output=/"], "output=/ is a folder: give the name of a file"),
        (["overwrite=1"], "overwrite=1: give true or false"),
        (["dropout=0.5"], "dropout=0.5: give true or false"),
        (["dropout=true"], ".* shows by itself that its ResNet has no dropout: leave dropout=true out"),
    ],
)
def test_what_can_not_work_is_refused(file: Path, tmp_path: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        command(file, tmp_path / "model.ckpt", *(word.format(file=file) for word in overrides))
    assert names(tmp_path) == ["latest_net_G.pth"]


@pytest.mark.parametrize("other", [{"a": 1}, {"b": 1}, {"norm": "batch"}, {"width": 8}])
def test_a_second_that_is_not_the_way_back(file: Path, tmp_path: Path, other: dict) -> None:
    second = published_resnet(tmp_path / "second.pth", **other)
    with pytest.raises(UserError, match=r"^second is not the way back of file: it is ResNet, .*; file is ResNet, "):
        command(file, tmp_path / "model.ckpt", f"second={second}")
    assert not (tmp_path / "model.ckpt").exists()


def published_patch(path: Path, channels: int, norm: str = "instance", seed: int = 0) -> Path:
    """A PatchGAN of 34 pixels and width 4 under its published names."""
    torch.manual_seed(seed)
    ours = build_discriminator({"name": "patch", "downs": 2, "width": 4, "norm": norm}, channels)
    torch.save({name.replace("layers.", "model."): value for name, value in ours.state_dict().items()}, path)
    return path


def trained_on(said: str) -> tuple[Paper, dict[str, str]]:
    """The model that the printed command of suite.train begins with, and what it says of its start."""
    python, _, module, *words = shlex.split(said)
    assert (python, module) == ("python", "suite.train")
    config.register_resolvers()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        settings = hydra.compose("train", [literal(word) for word in words])
    model, _ = config.instantiate(settings)
    return model, start_weights(model, Path(settings.start_from), settings.start)


def equal(network: torch.nn.Module, file: Path) -> bool:
    ours, theirs = network.state_dict(), torch.load(file)
    return all(torch.equal(ours[name.replace("model.", "layers.", 1)], value) for name, value in theirs.items())


def test_a_cyclegan_is_trained_on_with_its_discriminators_on_our_sides(tmp_path: Path, capsys) -> None:
    there = published_resnet(tmp_path / "latest_net_G_A.pth", a=1, b=3)
    back = published_resnet(tmp_path / "latest_net_G_B.pth", a=3, b=1, seed=1)
    judges_b = published_patch(tmp_path / "latest_net_D_A.pth", 3)
    judges_a = published_patch(tmp_path / "latest_net_D_B.pth", 1)
    command(there, tmp_path / "m.ckpt", f"second={back}", f"file_d={judges_b}", f"second_d={judges_a}")
    model, said = trained_on(capsys.readouterr().out.splitlines()[-1])
    assert equal(model.D_B, judges_b)
    assert equal(model.D_A, judges_a)
    assert said == {"starts from": f"G, F, D_A, D_B of {tmp_path / 'm.ckpt'}"}
    assert model.hparams["lambda_identity"] == 0


def test_a_pix2pix_is_trained_on_with_its_discriminator_of_pairs(tmp_path: Path, capsys) -> None:
    file, critic = published_resnet(tmp_path / "G.pth", b=1, norm="batch"), published_patch(tmp_path / "D", 4, "batch")
    command(file, tmp_path / "m.ckpt", f"file_d={critic}")
    model, said = trained_on(capsys.readouterr().out.splitlines()[-1])
    assert isinstance(model, Pix2Pix)
    assert equal(model.D, critic)
    assert said == {"starts from": f"G, D of {tmp_path / 'm.ckpt'}"}


def test_what_no_file_was_given_of_begins_anew(file: Path, tmp_path: Path, capsys) -> None:
    command(file, tmp_path / "m.ckpt")
    model, said = trained_on(capsys.readouterr().out.splitlines()[-1])
    assert said == {"starts from": f"G of {tmp_path / 'm.ckpt'}; new: D"}
    assert model.hparams["discriminator"]["width"] == 64, "the experiment's own"


def test_discriminators_that_belong_to_other_pictures(file: Path, tmp_path: Path) -> None:
    of_picture, of_grey = published_patch(tmp_path / "D_A", 3), published_patch(tmp_path / "D_B", 1)
    output = tmp_path / "m.ckpt"
    with pytest.raises(
        UserError, match=r"^file_d reads 3 channels, not 6, input and output of file; of a CycleGAN give"
    ):
        command(file, output, f"file_d={of_picture}")
    with pytest.raises(UserError, match=r"^second_d reads 1 channels, not 3, those of what second makes$"):
        command(file, output, f"second={file}", f"second_d={of_grey}")
    other = published_patch(tmp_path / "D_C", 3, "batch")
    with pytest.raises(
        UserError, match=r"^file_d and second_d are not alike: PatchGAN of 34 .* instance .*; and .* batch"
    ):
        command(file, output, f"second={file}", f"file_d={of_picture}", f"second_d={other}")
    assert not output.exists()
