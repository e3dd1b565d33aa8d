import subprocess
import sys
from pathlib import Path
from typing import Any

import hydra
import pytest
from omegaconf import DictConfig, OmegaConf

from suite.bench import check, measure, sheet
from suite.bench.phases import KINDS, OTHER
from suite.errors import UserError
from suite.run.config import CONF, plain, register_resolvers

SMALL = [
    "experiment=cyclegan_lsgan",
    "trainer=cpu",
    "data.size=32",
    "data.load_size=36",
    "data.workers=0",
    "model.backbone.width=4",
    "model.discriminator.width=4",
    "bench.steps=2",
    "bench.warmup=1",
    "bench.repeats=1",
]


def compose(*more: str, small: list[str] = SMALL) -> tuple[DictConfig, dict[str, Any]]:
    register_resolvers()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("bench", [*small, "name=bench", *more])  # else a command's own, and here is none
    return OmegaConf.masked_copy(config, [key for key in config if key != "bench"]), plain(config.bench)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "suite.bench", *command], cwd=folder, capture_output=True, text=True, check=False
    )


def test_one_line_of_figures_and_nothing_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    words = (*SMALL, f"cache_dir={tmp_path / 'cache'}", "bench.profile=true", "model.ema_decay=0.9")
    figures, why = sheet.measured(words, limit=600)
    assert why == ""
    said = capfd.readouterr()
    assert said.out == ""  # the line was all of it
    assert "ms of a step" in said.err
    assert figures["experiment"] == "cyclegan_lsgan"
    assert (figures["precision"], figures["compile"], figures["data"]) == ("32-true", False, "faces")
    assert (figures["size"], figures["batch"], figures["steps"]) == (32, 2, 2)
    assert figures["device"].startswith("cpu (")
    assert figures["images_per_s"] == pytest.approx(2 / figures["s_per_step"], rel=1e-3)
    assert figures["reference_over_ours"] == pytest.approx(
        figures["s_per_step_reference"] / figures["s_per_step_bare"], rel=1e-2
    )
    assert figures["lightning_share"] == pytest.approx(1 - figures["s_per_step_bare"] / figures["s_per_step"], abs=1e-2)
    assert 0 < figures["data_wait_share"] < 1
    assert figures["peak_memory_mb"] > 100
    assert figures["s_first_step"] > 0
    assert set(figures["shares"]) == {"G", "F", "D_A", "D_B"}
    ahead = {f"forward {name}" for name in figures["shares"]}
    after = {"losses", "backward", "gradient norm", "optimizer", "average"}
    assert set(figures["profile"]["phases"]) == ahead | after
    assert set(figures["profile"]["kinds"]) == {*KINDS, OTHER}
    for of in ("phases", "kinds"):
        assert sum(figures["profile"][of].values()) == pytest.approx(1, abs=1e-3)
    row = sheet.row(figures)
    assert row.startswith("| `cyclegan_lsgan` | 32² | 2 | 32-true | plain | ")
    assert row.count("|") == sheet.HEAD.partition("\n")[0].count("|")
    profile = sheet.profile_line(figures)
    assert profile.startswith("- `cyclegan_lsgan` 32², batch 2, 32-true, plain, ")
    assert "convolutions" in profile
    assert "gradient norm" in profile
    assert not list(here.iterdir())


@pytest.mark.parametrize("experiment", ["pix2pix_final", "pix2pix_unet"])
def test_pix2pix_draws_its_own_faces_and_has_its_reference(experiment: str, tmp_path: Path) -> None:
    smaller = ["data.batch_size=1", "data.size=64", "data.load_size=64", "data.count={train: 2, val: 1, test: 1}"]
    config, options = compose(f"experiment={experiment}", *smaller, f"cache_dir={tmp_path}")
    assert (config.data.source, config.data.drawings, config.data.hands) == ("faces", "all", 5)
    check(config, options)
    figures = measure(config, **options)
    assert figures["reference_over_ours"] == pytest.approx(
        figures["s_per_step_reference"] / figures["s_per_step_bare"], rel=1e-2
    )


@pytest.mark.parametrize("experiment", ["dagan_celeba_cufsf", "csi_celeba"])
def test_perceptual_papers_need_no_published_weights_and_have_a_plain_step(experiment: str, tmp_path: Path) -> None:
    small = [word for word in SMALL if not word.startswith(("experiment", "model"))]
    more = [f"experiment={experiment}", "data.load_size=32", "data.count={train: 8, val: 1, test: 1}", "model.width=2"]
    config, options = compose("data.batch_size=2", f"cache_dir={tmp_path}", small=[*small, *more])
    assert config.model.features == "vgg"
    check(config, options)
    assert measure(config, **options)["s_per_step_reference"] > 0


@pytest.mark.parametrize("stage", ["generator", "encoder"])
def test_each_stage_has_its_plain_step(stage: str, tmp_path: Path) -> None:
    small = [word for word in SMALL if not word.startswith(("experiment", "model"))]
    more = [
        "experiment=two_step_faces",
        f"stage={stage}",
        "data.load_size=32",
        "data.count={train: 16, val: 2, test: 2}",
    ]
    more += ["data.batch_size=2", "model.width=4", "model.width_d=4", f"cache_dir={tmp_path}"]
    config, options = compose(*more, small=small)
    check(config, options)
    assert measure(config, **options)["s_per_step_reference"] > 0


@pytest.mark.parametrize(
    ("stage", "networks"), [("tom", "T D_T features"), ("autoencoder", "S C G1 head"), ("refine", "S C G1 G2 D")]
)
def test_a_stage_needs_none_before_it_and_says_what_its_networks_take(
    stage: str, networks: str, tmp_path: Path
) -> None:
    small = [word for word in SMALL if not word.startswith(("experiment", "model", "data.size", "data.load_size"))]
    more = ["experiment=sketch_to_image_celeba_hq_512", f"stage={stage}", "data.size=64", "data.load_size=64"]
    more += ["data.count={train: 8, val: 2, test: 2}", "data.batch_size=2", f"cache_dir={tmp_path}"]
    more += ["bench.steps=1", *(f"model.{name}=4" for name in ("width", "tom_width", "tom_width_d"))]
    config, options = compose(*more, small=small)
    check(config, options)
    figures = measure(config, **options)
    assert figures["s_per_step_reference"] > 0
    assert set(figures["shares"]) == set(networks.split())
    assert 0.5 < sum(figures["shares"].values()) < 1
    if stage == "tom":  # VGG is as wide as the published one, all else is narrow
        assert figures["shares"]["features"] > 0.5


def test_whole_rounds_of_critic_steps_and_no_reference(tmp_path: Path) -> None:
    config, options = compose("adversarial=wgan_gp", f"cache_dir={tmp_path}", "bench.steps=6")
    figures = measure(config, **options)
    assert figures["steps"] == 10
    assert figures["reference_over_ours"] is None


def test_a_schedule_shorter_than_a_turn_does_not_end_it(tmp_path: Path) -> None:
    config, options = compose("model.steps=1", "model.decay_steps=1", f"cache_dir={tmp_path}")
    assert measure(config, **options)["s_per_step"] > 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("bench.steps=0", "bench.steps=0: give a whole number of at least 1"),
        ("bench.repeats=1.5", "bench.repeats=1.5: give a whole number of at least 1"),
        ("trainer.devices=2", "trainer.devices=2: suite.bench measures one device"),
        ("trainer.precision=16-mixed", "trainer.precision=16-mixed: suite.bench measures 32-true and bf16-mixed"),
    ],
)
def test_what_cannot_be_measured_is_named(wrong: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(*compose(wrong))


def test_an_experiment_must_be_named(tmp_path: Path) -> None:
    done = run(tmp_path, *SMALL[1:])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: which experiment? Say experiment=<name>\n"
