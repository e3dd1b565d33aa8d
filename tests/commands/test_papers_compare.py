"""The comparison of all papers: what it measures, of what each paper makes of drawings."""

from pathlib import Path
from typing import Any

import pytest
import torch

import suite
from suite.run.config import compose

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def compare() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        from experiments.papers import compare

        yield compare


def untrained(way: Any) -> Any:
    """The model of a way's last stage."""
    stages = compose("train", [f"experiment={way.experiment}", "scale=papers"]).stages
    last = way.stages[-1].partition("_")[2]
    assert bool(stages) == bool(last)
    torch.manual_seed(0)
    return suite.build(way.experiment, ["scale=papers", *([f"stage={last}"] if last else [])])[0].eval()


def test_every_way_makes_photos_of_the_same_drawings(compare: Any) -> None:
    faces = compare.faces_of("test", 64, 3)
    assert faces.drawing.shape == (3, 1, 64, 64)
    for way in compare.WAYS:
        model = untrained(way)
        photos = compare.made(model, faces, way.own_style)
        assert photos.shape == (3, 3, 64, 64), way.title
        assert not torch.equal(photos[0], photos[1]), way.title
        told = compare.made(model, faces._replace(style=faces.photo), own_style=False)
        assert torch.equal(photos, told) == (way.own_style or not model.needs_style), way.title


def test_figures_know_the_truth_from_other_faces(compare: Any) -> None:
    photo = compare.faces_of("test", 64, 8).photo
    same, other = compare.compared(photo, photo), compare.compared(photo.roll(1, 0), photo)
    assert (same["psnr"], same["ssim"], same["shape"]) == pytest.approx((100, 1, 1), abs=1e-4)
    assert (same["fd"], other["fd"]) == pytest.approx((0, 0), abs=1e-3)  # the same set
    assert other["psnr"] < 20
    assert max(other["ssim"], other["shape"]) < 0.6


def test_spread_of_two_seeds_is_half_their_distance_and_of_more_half_an_interval(compare: Any) -> None:
    assert compare.spread([1.0], 1) == "1.0"
    assert compare.spread([1.0, 2.0], 2) == "1.50 ± 0.50"
    assert compare.spread([1.0, 2.0, 3.0], 2) == "2.00 ± 2.48"  # 4.303 of the error of the mean, by a table of t


def test_a_run_is_a_line_and_a_column(compare: Any, command, tmp_path: Path, capsys: Any) -> None:
    words = ["sweep=papers", "experiment=two_step_faces", "hydra.mode=RUN", "seed=0", "model.steps=2"]
    words += ["data.count={train: 8, val: 2, test: 2}", f"hydra.run.dir={tmp_path / 'two_step_faces-0'}"]
    assert command("train", *words) == 0
    capsys.readouterr()
    compare.main(tmp_path, tmp_path / "grid.png", faces=8, shown=2)
    head, _, line, *yardsticks = capsys.readouterr().out.strip().splitlines()
    row = dict(zip(head.strip("| ").split(" | "), line.strip("| ").split(" | "), strict=True))
    assert (row["paper"], row["updates"]) == ("two-step", "2 + 2")
    stages = [suite.load(tmp_path / "two_step_faces-0" / name) for name in ("1_generator", "2_encoder")]
    sizes = {
        name: sum(weight.numel() for weight in network.parameters())
        for stage in stages
        for name, network in stage.networks().items()
    }
    assert sizes.keys() == {"D", "G", "E"}
    assert row["weights"] == f"{(sizes['G'] + sizes['E']) / 1e6:.2f} M"
    assert row["trained"] == f"{sum(sizes.values()) / 1e6:.2f} M"
    assert len(yardsticks) == 3
    assert (tmp_path / "grid.png").is_file()


def test_a_folder_without_runs_is_refused(compare: Any, tmp_path: Path) -> None:
    from suite.errors import UserError

    with pytest.raises(UserError, match="has no finished run of pix2pix_unet, cyclegan_lsgan"):
        compare.arms(tmp_path)
