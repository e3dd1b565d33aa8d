"""Pictures that are large for the memory: said and refused beforehand, or taken in tiles."""

from collections.abc import Callable
from pathlib import Path

import hydra
import numpy as np
import pytest
import torch
from PIL import Image
from saved import noise, save_run

from suite.errors import UserError
from suite.papers.cyclegan import CycleGAN
from suite.run import room
from suite.run.config import CONF, defaults_of
from suite.translate import translate
from suite.translating import batches
from suite.translating.tiles import in_tiles


def make_model(norm: str = "instance") -> CycleGAN:
    torch.manual_seed(0)
    backbone = {"name": "resnet", "blocks": 1, "width": 4, "norm": norm}
    networks = {"backbone": backbone, "discriminator": {"name": "patch", "downs": 1, "width": 4}}
    model = CycleGAN(**defaults_of("cyclegan") | networks)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, 0, 0.2)
    return model.eval()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_run(tmp_path_factory.mktemp("runs") / "run", make_model())


def command(run: Path, source: Path, target: Path, *words: str) -> None:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("translate", [f"run={run}", f"input={source}", f"output={target}", "device=cpu", *words])
    translate(config)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A machine of so many bytes, on which every pass is calculated."""

    def has(free: int) -> None:
        monkeypatch.setattr(room, "_CALCULATED_FROM", 0)
        monkeypatch.setattr(room, "free_memory", lambda device: free)
        monkeypatch.setattr(room, "free_main_memory", lambda: free)

    return has


# Beforehand ----------------------------------------------------------------------------------------------------------


def test_what_is_calculated_grows_with_the_network() -> None:
    found = [
        room.room_for(make_model(), "a2b", {Path("x"): side}, size=None, tile=None, batch_size=1, bf16=False)
        for side in ((2000, 1000), (100, 100))
    ]
    assert found[1] is None, "too small to matter"
    assert found[0] is not None
    # Of the last convolution, at full size: what it reads and its padded copy, four channels each; the picture; twice.
    assert 2 * 4 * (4 + 4 + 3) <= found[0].of_pixel < 2 * 4 * 30


def test_a_picture_that_does_not_fit_is_refused_with_the_size_that_does(
    run: Path, tmp_path: Path, memory: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = noise(tmp_path / "x.png", 600, 400)
    memory(4 * 2**20)
    passes = []
    through = batches.through
    monkeypatch.setattr(batches, "through", lambda model, x, *more: passes.append(x.shape) or through(model, x, *more))
    with pytest.raises(
        UserError, match=r"x\.png: 600x400 takes .* by calculation, and there is 4.0 MiB: the l"
    ) as said:
        command(run, source, tmp_path / "out")
    assert not passes
    assert not (tmp_path / "out").exists()
    size = int(str(said.value).partition("size=")[2].partition(";")[0])
    command(run, source, tmp_path / "y.png", f"size={size}")
    with pytest.raises(UserError, match=f"the largest that fits is size={size};"):
        command(run, source, tmp_path / "z.png", f"size={2 * size}")
    assert Image.open(tmp_path / "y.png").size[1] == size


def test_the_others_of_a_folder_are_translated_and_passes_are_as_large_as_fit(
    run: Path, tmp_path: Path, memory: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(5):
        noise(folder / f"{number}.png", 64, 64)
    noise(folder / "big.png", 600, 400)
    memory(2 * 2**20)
    passes: list[int] = []
    through = batches.through
    monkeypatch.setattr(
        batches, "through", lambda model, x, *more: passes.append(x[:, 0].numel()) or through(model, x, *more)
    )
    with pytest.raises(UserError, match=r"^1 picture not translated: .*big\.png \(600x400 takes .*size="):
        command(run, folder, tmp_path / "out")
    there = room.room_for(make_model(), "a2b", {Path("x"): (64, 64)}, size=None, tile=None, batch_size=8, bf16=False)
    assert there is not None
    assert len(list((tmp_path / "out").glob("*.png"))) == 5
    assert 64 * 64 < max(passes) <= there.pixels < 5 * 64 * 64


def test_what_takes_much_is_said(
    run: Path, tmp_path: Path, memory: Callable, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = noise(tmp_path / "x.png", 64, 64)
    memory(2**30)
    monkeypatch.setattr(room, "_SAID_FROM", 1000)
    command(run, source, tmp_path / "y.png")
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("memory: up to ")
    assert first.endswith(f" by calculation, for {source}; there is 1.0 GiB")
    assert second.startswith("1 picture translated")


# Tiles ---------------------------------------------------------------------------------------------------------------


def test_tiles_of_what_sees_no_tiles_are_the_picture() -> None:
    picture = torch.randint(0, 256, (3, 100, 37), dtype=torch.uint8)
    seen = []

    def inverted(tiles: torch.Tensor) -> torch.Tensor:
        seen.append(tiles.shape)
        return 255 - tiles[:, :1]

    assert torch.equal(in_tiles(picture, 40, 2, inverted), 255 - picture[:1])
    assert seen == [(2, 3, 40, 37), (1, 3, 40, 37)]


def test_tiles_that_differ_are_blended_without_a_step() -> None:
    levels = iter((0, 250))
    made = in_tiles(torch.zeros(1, 8, 112, dtype=torch.uint8), 64, 1, lambda x: torch.full_like(x, next(levels)))
    line = made[0, 0].int()
    assert (line[0], line[-1]) == (0, 250)
    assert 0 < line.diff().max() <= 250 / 16 + 1


def test_a_network_without_statistics_makes_nearly_the_same_in_tiles(tmp_path: Path) -> None:
    model = make_model("batch")
    source = noise(tmp_path / "x.png", 200, 120)
    made = []
    for tile in (None, 96):
        batches.translate_files(model, [(source, tmp_path / f"{tile}.png")], tile=tile)
        made.append(np.asarray(Image.open(tmp_path / f"{tile}.png")).astype(int))
    apart = np.abs(made[0] - made[1])
    assert np.median(apart) == 0, "but where a tile's edge is reflected"
    assert made[0].std() > 20


def test_tiles_take_what_does_not_fit_and_warn_of_the_norm(
    run: Path, tmp_path: Path, memory: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    source = noise(tmp_path / "x.png", 300, 200)
    memory(2 * 2**20)
    with pytest.raises(UserError, match=r"tile=<pixels> keeps its size"):
        command(run, source, tmp_path / "y.png")
    command(run, source, tmp_path / "y.png", "tile=64")
    assert Image.open(tmp_path / "y.png").size == (300, 200)
    assert "tile=64: these networks normalise each tile by itself" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"^tile=280 takes .* and there is 2\.0 MiB: use tile="):
        command(run, source, tmp_path / "z.png", "tile=280")
    with pytest.raises(UserError, match=r"^tile=62 is not a multiple of 4, which the networks need: use tile=64$"):
        command(run, source, tmp_path / "z.png", "tile=62")
    memory(2**20)
    with pytest.raises(UserError, match=r"300x200 takes, in tiles, too, .* the largest that fits is size="):
        command(run, source, tmp_path / "z.png", "tile=32")


def test_tiles_are_for_pictures(run: Path, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"")
    with pytest.raises(UserError, match=r"^tile=64 is for pictures, and input=.* is a video: leave it out$"):
        command(run, tmp_path / "x.mp4", tmp_path / "y.mp4", "tile=64")
