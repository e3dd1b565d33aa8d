"""format=onnx: what onnxruntime makes of the file, by the example that knows nothing of the suite."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from exports import by_suite, command, save_run, small
from PIL import Image
from saved import noise

from suite.errors import UserError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
EXAMPLE = Path(__file__).parents[2] / "docs" / "export_example.py"


@pytest.fixture(scope="module")
def graph(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("graph")
    command(run, output, "format=onnx", "direction=b2a")
    return output / "b2a.onnx"


def by_example(*paths: Path) -> np.ndarray:
    """In a process of its own, that has no way to the suite."""
    blocked = "import sys, runpy; sys.modules['suite'] = sys.modules['torch'] = None; sys.argv = sys.argv[1:]"
    code = f"{blocked}; runpy.run_path(sys.argv[0], run_name='__main__')"
    subprocess.run([sys.executable, "-c", code, EXAMPLE, *paths], check=True, timeout=60)
    return np.asarray(Image.open(paths[2])).astype(int)


def test_the_example_makes_the_pictures_of_translate(run: Path, graph: Path, tmp_path: Path) -> None:
    picture = noise(tmp_path / "x.png", 37, 5)  # smaller than what it is padded by, and no multiple
    expected = by_suite(run, picture, tmp_path / "y.png", "direction=b2a")
    made = by_example(graph, picture, tmp_path / "z.png")
    assert expected.std() > 20, "too flat to tell a right picture from a wrong one"
    assert np.abs(made - expected).max() <= 1


def test_a_graph_that_differs_is_refused(run: Path, graph: Path, tmp_path: Path, monkeypatch) -> None:
    from suite.exporting import graph as module

    monkeypatch.setattr(module, "_traced", lambda *_: onnx.load(graph))  # of the other direction
    with pytest.raises(UserError, match=r"^format=onnx: onnxruntime's pictures differ by up to 2 from .* 0\.001 is"):
        command(run, tmp_path / "out", "format=onnx")
    assert not (tmp_path / "out").exists()


def test_networks_of_one_size_are_squashed_to_it(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    words = ["experiment=two_step_faces", "stage=joint"]
    run = save_run(tmp_path / "run", small(*words), *words)
    command(run, tmp_path, "format=onnx", "target=Male")
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("reads picture (B, 3, H, W) in [-1, 1], 32x32 pixels; gives translation (B, 3, H, W)")
    assert said[2].startswith("onnxruntime against the model, 1x3x32x32, 3x3x32x32: largest difference ")
    picture = noise(tmp_path / "x.png", 50, 70)
    expected = by_suite(run, picture, tmp_path / "y.png", "target=male")
    made = by_example(tmp_path / "to_male.onnx", picture, tmp_path / "z.png")
    assert expected.std() > 10
    assert np.abs(made - expected).max() <= 1


def test_a_label_is_part_of_the_graph() -> None:
    """Whatever D has to say before, which E is told."""
    model = small("experiment=two_step_faces", "stage=joint", "model.encoder_class=true")
    x = torch.rand(3, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        made = [model.as_network(direction)(x) for direction in model.directions]
    for direction, of_direction in zip(model.directions, made, strict=True):
        assert of_direction.equal(model.translate(x, direction))
    assert (made[0] - made[1]).abs().max() > 1e-3


def test_sketches_have_a_style_each_and_the_noise_of_translations() -> None:
    from suite.exporting.graph import contract

    model = small("experiment=sketch_to_image_faces", "stage=refine")
    known, side = contract(model, "a2b"), model.fixed_size
    assert (known["inputs"], known["channels"], known["out_channels"]) == (["sketch", "style"], [1, 3], 3)
    assert known["fixed_size"] == known["smallest"] == side
    sketch, style = torch.rand(2, 1, side, side) * 2 - 1, torch.rand(2, 3, side, side) * 2 - 1
    with torch.no_grad():
        made = model.as_network("a2b")(sketch, style)
    for number in range(2):
        model.take_style(style[number : number + 1])
        assert made[number].allclose(model.translate(sketch[number : number + 1])[0], atol=1e-4)


@pytest.mark.parametrize(
    ("words", "direction", "complaint"),
    [
        (["stage=tom"], "a2b", "T draws in black or white alone"),
        (["stage=autoencoder"], "b2b", "T draws in black or white alone"),
    ],
)
def test_what_no_graph_is_made_of(words: list[str], direction: str, complaint: str, tmp_path: Path) -> None:
    words = ["experiment=sketch_to_image_faces", *words]
    run = save_run(tmp_path / "run", small(*words), *words)
    with pytest.raises(UserError, match=rf"^format=onnx: {complaint}.*format=safetensors takes the whole model$"):
        command(run, tmp_path / "out", "format=onnx", f"direction={direction}")
    assert not (tmp_path / "out").exists()
