"""The figures of two_step, of stand-ins whose figures are known, and by judges that have learnt in seconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor

from suite.faces import FaceParameters
from suite.papers.two_step import TwoStep
from suite.run.config import defaults_of

ROOT = Path(__file__).parents[2]
COUNT = 48
BOTH = ("to_female", "to_male")
KEPT = ("pose", "expression", "background", "colour")


@pytest.fixture(scope="module")
def ours() -> Any:
    """experiments.two_step as a package of three modules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        from experiments.two_step import figures, judges, measure

        yield type("Ours", (), {"figures": figures, "judges": judges, "measure": measure})


@pytest.fixture(scope="module")
def judges(ours) -> Any:
    return ours.judges.train_judges(32, count=768, epochs=9)


class StandIn:
    """A model whose code is the picture itself, and whose translation is told: of a picture and the sex it gets."""

    labels, directions, prior = ["female", "male"], dict.fromkeys(BOTH, "G"), "uniform"

    def __init__(self, redraw: Callable[[Tensor, int], Tensor]) -> None:
        self.redraw = redraw

    def translate(self, batch: Tensor, direction: str) -> Tensor:
        return self.decode(self.encode(batch), torch.full((len(batch),), BOTH.index(direction)))

    def towards(self, target: str) -> str:
        return f"to_{target}"

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def decode(self, z: Tensor, c: Tensor) -> Tensor:
        return self.redraw(z.view(len(z), 3, 32, 32), int(c[0]))


def other_face(face: FaceParameters, sex: int, index: int) -> FaceParameters:
    """A face of that sex with everything of the first that is to stay."""
    others = (FaceParameters.sample(9, number) for number in range(20 * index, 10**9))
    other = next(other for other in others if other.sex == sex)
    fields = "yaw pitch roll centre light warmth skin smile opening gaze background background_colours background_seed"
    return FaceParameters(**{**vars(other), **{name: getattr(face, name) for name in fields.split()}})


@pytest.fixture(scope="module")
def identity() -> StandIn:
    return StandIn(lambda x, sex: x)


@pytest.fixture(scope="module")
def oracle(ours) -> StandIn:
    """Knows the faces of the test: leaves those of the wanted sex, and redraws the others."""
    numbered = [FaceParameters.sample(0, index) for index in range(900_000, 900_000 + 3 * COUNT)]
    drawn = ours.judges.draw_faces(numbered, 32).pictures
    known = {picture.numpy().tobytes(): face for picture, face in zip(drawn, numbered, strict=True)}

    def redraw(x: Tensor, sex: int) -> Tensor:
        made = []
        for index, picture in enumerate(x):
            face = known.get(picture.numpy().tobytes())
            if face is None or face.sex == sex:
                made.append(picture)
            else:
                made.append(ours.judges.draw_faces([other_face(face, sex, index)], 32).pictures[0])
        return torch.stack(made)

    return StandIn(redraw)


@pytest.fixture(scope="module")
def mean_face(ours) -> StandIn:
    faces = ours.measure.unseen_faces(32, COUNT)
    means = [faces.of_label(sex).pictures.mean(0) for sex in (0, 1)]
    return StandIn(lambda x, sex: means[sex].expand_as(x))


# Judges ---------------------------------------------------------------------------------------------------------------


def test_what_should_stay_does_not_depend_on_the_sex(ours):
    """Else a perfect translation would change it: means and deviations are alike, by the standard error of either."""
    faces = [FaceParameters.sample(5, index) for index in range(6000)]
    known = np.array([[v for values in ours.judges.GROUPS.values() for v in values(face)] for face in faces])
    male = np.array([face.sex for face in faces]) == 1
    for values in (known, (known - known.mean(0)) ** 2):
        female_half, male_half = values[~male], values[male]
        error = np.sqrt(female_half.var(0) / len(female_half) + male_half.var(0) / len(male_half))
        assert (np.abs(female_half.mean(0) - male_half.mean(0)) < 4 * error).all()


def test_judges_are_kept_and_the_same_when_trained_again(ours, tmp_path, monkeypatch):
    train = ours.judges.train_judges
    monkeypatch.setattr(ours.judges, "train_judges", lambda size: train(size, count=64, epochs=1))
    trained = ours.judges.judges_of(tmp_path, 32)
    monkeypatch.setattr(ours.judges, "train_judges", lambda size: pytest.fail("they lie in the folder"))
    kept, again = ours.judges.judges_of(tmp_path, 32), train(32, count=64, epochs=1)
    test = ours.judges.draw_faces([FaceParameters.sample(0, index) for index in range(4)], 32)
    for judges in (kept, again):
        assert torch.equal(judges.errors(test.pictures, test.known), trained.errors(test.pictures, test.known))
        for name, weight in trained.classifier.state_dict().items():
            assert torch.equal(judges.classifier.state_dict()[name], weight)


# Figures --------------------------------------------------------------------------------------------------------------


def test_real_faces_are_known_and_guesses_are_as_far_as_they_vary(ours, judges):
    found = ours.measure.yardsticks(judges, 128)
    for of in ("", "to_female/", "to_male/"):
        assert found[f"real/{of}target_share"] > 0.85
        assert found[f"untranslated/{of}target_share"] < 0.15
        assert all(abs(found[f"guess/{of}{group}"] - 1) < 0.2 for group in KEPT)
        assert found[f"real/{of}fd"] < found[f"untranslated/{of}fd"]
    for group in ("pose", "background", "colour"):
        assert found[f"real/{group}"] < 0.9 * found[f"guess/{group}"]


def test_the_identity_changes_nothing(ours, judges, identity):
    found = ours.measure.figures(identity, judges, COUNT)
    assert found.keys() >= {f"{of}{name}" for of in ("", *(f"{to}/" for to in BOTH)) for name in ours.measure.FIGURES}
    for of in ("", "to_female/", "to_male/"):
        for name in KEPT:
            assert found[f"{of}{name}"] == pytest.approx(found[f"real/{of}{name}"])
        for name in ("target_share", "fd"):
            assert found[f"{of}{name}"] == pytest.approx(found[f"untranslated/{of}{name}"])
        assert found[f"{of}psnr"] == 100
        assert found[f"{of}ssim"] == pytest.approx(1)
        assert found[f"{of}latent"] == 0
        assert found[f"guess/{of}latent"] == pytest.approx(1 / 3, abs=0.01)
    assert found["target_share"] < 0.15
    assert found["own_share"] > 0.85


def test_faces_of_the_other_sex_with_the_same_pose_score_as_well_as_real_ones(ours, judges, oracle):
    found = ours.measure.figures(oracle, judges, COUNT)
    for of in ("", "to_female/", "to_male/"):
        assert found[f"{of}target_share"] > 0.7  # of judges that have seen 768 faces
        assert found[f"{of}fd"] < found[f"untranslated/{of}fd"]
        for name in ("pose", "background", "colour"):
            assert found[f"{of}{name}"] < 0.95 * found[f"guess/{of}{name}"]


def test_mean_faces_are_of_the_target_and_keep_nothing(ours, judges, mean_face):
    found = ours.measure.figures(mean_face, judges, COUNT)
    assert found["target_share"] == 1
    assert found["psnr"] < 20
    for name in ("pose", "background", "colour"):
        assert found[name] > 0.9
        assert found[name] > found[f"real/{name}"]
    assert found["latent"] > found["guess/latent"]


# Runs -----------------------------------------------------------------------------------------------------------------


def staged_run(run: Path, source: str = "faces", ended: tuple[str, ...] = ("generator", "encoder")) -> Path:
    config = OmegaConf.create({"data": {"source": source, "size": 32}})
    run.mkdir(parents=True)
    OmegaConf.save(OmegaConf.create({"generator": config, "encoder": config}), run / "stages.yaml")
    for number, stage in enumerate(("generator", "encoder"), start=1):
        own = run / f"{number}_{stage}"
        (own / "checkpoints").mkdir(parents=True)
        OmegaConf.save(config, own / "config.yaml")
        (own / "checkpoints" / "last.ckpt").touch()
        said = f"\n{300 * number} steps, {60 * number} seconds\n"
        if stage in ended:
            (own / "conclusion.txt").write_text(said)
            said += "  translate   python -m suite.translate"
        (own / "log.txt").write_text(said)
    return run


def test_runs_of_both_stages_make_tables_and_a_grid(ours, judges, oracle, identity, tmp_path, monkeypatch, capsys):
    runs = tmp_path / "runs"
    for arm, seed in (("plain", 0), ("plain", 1), ("normal", 0)):
        staged_run(runs / "two_step" / "20260101" / f"{arm}-{seed}")
    staged_run(runs / "two_step" / "20260101" / "stopped-0", ended=("generator",))
    models = {"plain": oracle, "normal": identity}
    monkeypatch.setattr("suite.load", lambda run: models[run.name.partition("-")[0]])
    monkeypatch.setattr(ours.figures, "judges_of", lambda folder, size: judges)
    monkeypatch.setattr(ours.figures, "measure", lambda run, judges: ours.measure.measure(run, judges, COUNT))

    ours.figures.main(runs, tmp_path / "figures")
    said = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("The judges, on real test faces: accuracy 0.") for line in said) == 1
    arms = [line.split("|")[1].strip() for line in said if line.startswith("| ") and "arm" not in line]
    rows = ["real faces", "not translated", "guessing the mean", "`normal`", "`plain`"]
    assert arms == [*rows, *rows, *rows, "`normal`", "`normal`", "`plain`", "`plain`"]
    assert "| `plain` | generator | 300 steps | 1.0 |" in said
    assert "| `plain` | encoder | 600 steps | 2.0 |" in said
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["two_step.png"]


@pytest.mark.parametrize(
    ("source", "size", "directions", "said"),
    [
        ("celeba", 32, BOTH, "data.source=celeba"),
        ("faces", 64, BOTH, "the judges are of 64 pixels"),
        ("faces", 32, (), "train its encoder"),
    ],
)
def test_runs_that_can_t_be_measured_say_why(ours, tmp_path, monkeypatch, source, size, directions, said):
    run = staged_run(tmp_path / "run-0", source)
    model = type("Model", (), {"directions": dict.fromkeys(directions, "G")})
    monkeypatch.setattr("suite.load", lambda run: model)
    judges = ours.judges.Judges(size, None, None, None, None)
    with pytest.raises(ours.figures.UserError, match=said):
        ours.measure.measure(run, judges)


def test_figures_of_any_data_are_made_of_its_test_pictures(ours, identity, tmp_path, monkeypatch):
    data = {"source": "faces", "task": "labelled", "size": 32, "load_size": 32, "flip": 0.0, "crop": False}
    data |= {"count": {"train": 8, "test": 24}, "cache_dir": str(tmp_path / "cache")}
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    OmegaConf.save(OmegaConf.create({"data": data}), run / "config.yaml")
    monkeypatch.setattr("suite.load", lambda run: identity)
    inputs = ours.figures.of_each_label(run, 5)
    assert {label: len(of_one) for label, of_one in inputs.items()} == {"female": 5, "male": 5}
    expected = ours.measure.unseen_faces(32, 6).pictures
    assert torch.equal(inputs["female"][:3], expected[:3])
    assert torch.equal(inputs["male"][:3], expected[3:])

    ours.figures.pictures(run, tmp_path / "figures", 5)
    written = {path.name for path in (tmp_path / "figures").iterdir()}
    assert written == {"fig_to_female.png", "fig_to_male.png", "classes.png", "interpolation.png"}


def test_figures_of_labels_of_any_name(ours, tmp_path):
    small = {"size": 16, "width": 2, "width_d": 2, "latent": 4, "labels": ["not Male", "Obama é"], "stage": "encoder"}
    model = TwoStep(**defaults_of("two_step") | small).eval()
    inputs = {label: torch.zeros(4, 3, 16, 16) for label in model.labels}
    ours.figures.write_figures(model, inputs, tmp_path)
    assert {"fig_to_not_male.png", "fig_to_obama_é.png"} <= {path.name for path in tmp_path.iterdir()}


def test_interpolations_begin_and_end_at_their_inputs_and_go_straight(ours, identity):
    faces = ours.measure.unseen_faces(32, 10)
    inputs = {label: faces.of_label(number).pictures for number, label in enumerate(identity.labels)}
    (_, first), *between, (_, last) = ours.figures.interpolations(identity, inputs)
    assert len(between) == 7
    assert len(first) == 2 * 2 * 2  # pairs, labels, classes
    assert torch.equal(between[0][1], first)
    assert torch.allclose(between[-1][1], last, atol=1e-6)
    assert torch.allclose(between[3][1], (first + last) / 2, atol=1e-6)
    assert torch.equal(first[0], inputs["female"][0])
    assert torch.equal(last[2], inputs["female"][3])
