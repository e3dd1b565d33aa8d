"""The figures of sketch_to_image: of runs in stages, and of the sweeps' runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from suite.errors import UserError

ROOT = Path(__file__).parents[2]
EDGE, TITLES = 96, 14


@pytest.fixture(scope="module")
def figures() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        from experiments.sketch_to_image import figures

        yield figures


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, module_command: Callable) -> Path:
    """TOM, and the auto-encoder with D in place of the other two stages."""
    run = tmp_path_factory.mktemp("runs") / "run"
    words = ["experiment=sketch_to_image_faces", "scale=smoke", "stages=[tom,joint]", "data.count.test=4"]
    assert module_command("train", *words, f"hydra.run.dir={run}") == 0
    return run


def logged(folder: Path, columns: str, *rows: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.csv").write_text("\n".join([f"step,{columns}", *rows, ""]))
    return folder


def test_figures_of_a_run_in_two_stages(
    figures: Any, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More pictures than a batch of evaluation has."""
    monkeypatch.setattr(figures, "AT_ONCE", 2)
    config = run / "2_joint" / "config.yaml"
    config.write_text(config.read_text().replace("eval_batch_size: 16", "eval_batch_size: 2"))
    assert "eval_batch_size: 2\n" in config.read_text()
    figures.pictures(run, tmp_path, 3)
    sizes = {path.name: Image.open(path).size for path in tmp_path.iterdir()}
    assert sizes.keys() == {"sketches.png", "synthesis.png", "transfer.png", "curves.png"}
    assert sizes["sketches.png"] == (5 * EDGE, 3 * EDGE + TITLES)  # T twice, two edge detectors
    assert sizes["synthesis.png"] == (3 * EDGE, 3 * EDGE + TITLES)
    assert sizes["transfer.png"] == (4 * EDGE, 3 * EDGE + TITLES)


def test_runs_without_what_makes_pictures_are_refused(figures: Any, run: Path, tmp_path: Path) -> None:
    for folder in (run / "2_joint", tmp_path):
        with pytest.raises(UserError, match="give a run in stages that has finished tom, and autoencoder or joint"):
            figures.pictures(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_curve_is_of_the_distance_that_was_measured(
    figures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plots: list[Any] = []
    monkeypatch.setattr(figures, "plot", lambda *given: plots.append(given))
    stages = {name: tmp_path / name for name in ("tom", "autoencoder", "refine")}
    monkeypatch.setattr(figures, "finished_stages", lambda run: stages)
    logged(stages["autoencoder"], "val/psnr", "5,20.0")
    logged(stages["refine"], "val/psnr", "5,20.0")
    with pytest.raises(UserError, match="no validation has measured fid"):
        figures.curves(tmp_path, tmp_path / "curves.png")
    logged(stages["autoencoder"], "val/fid,val_mismatched/fid", "5,9.0,12.0", "10,8.0,11.0")
    logged(stages["refine"], "val/fid,val_mismatched/fid", "4,7.0,10.0")
    figures.curves(tmp_path, tmp_path / "curves.png")
    expected = {
        "autoencoder, matched": ([5, 10], [9.0, 8.0]), "autoencoder, mismatched": ([5, 10], [12.0, 11.0]),
        "refine, matched": ([14], [7.0]), "refine, mismatched": ([14], [10.0]),
    }  # fmt: skip
    assert plots == [(expected, "fid", tmp_path / "curves.png")]


def test_arms_have_curves_where_they_were_validated_more_than_once(figures: Any, tmp_path: Path) -> None:
    column, path = "val_mismatched/fd_random_vgg", tmp_path / "sweep_curves.png"
    once = logged(tmp_path / "once", column, "5,3.0")
    figures.curves_of_arms({"once": once, "never": logged(tmp_path / "never", "val/psnr", "5,20.0")}, path)
    assert not path.exists()
    figures.curves_of_arms({"once": once, "twice": logged(tmp_path / "twice", column, "5,3.0", "9,2.0")}, path)
    assert path.exists()
