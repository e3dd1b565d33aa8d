"""Every job of every sweep can be built, has a folder that says which it is, and is found by the papers' scripts."""

import re
from pathlib import Path
from typing import Any

import hydra
import pytest
import torch
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from suite.run.config import CONF, compose, instantiate, register_resolvers

ROOT = Path(__file__).parents[2]
SWEEPS = sorted(path.stem for path in (CONF / "sweep").glob("*.yaml"))


def composed(words: list[str]) -> Any:
    """With Hydra's own settings."""
    register_resolvers()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("train", words, return_hydra_config=True)


def jobs(sweep: str) -> list[list[str]]:
    """The words of its jobs with seed 0."""
    params = composed([f"sweep={sweep}"]).hydra.sweeper.params
    words = OverridesParser.create().parse_overrides([f"{key}={value}" for key, value in params.items()])
    (found,) = BasicSweeper.split_arguments(words, max_batch_size=None)
    assert any("seed=1" in job for job in found)
    return [[f"sweep={sweep}", *job] for job in found if "seed=0" in job]


def folder(job: list[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    return folder_of(composed(job), monkeypatch)


def folder_of(config: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(HydraConfig.instance(), "cfg", config)
    return Path(config.hydra.sweep.dir) / config.hydra.sweep.subdir


def finished_runs(sweeps: list[str], root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the scripts take for the runs of some sweeps."""
    for run in (root / folder(job, monkeypatch) for sweep in sweeps for job in jobs(sweep)):
        (run / "checkpoints").mkdir(parents=True)
        (run / "checkpoints" / "last.ckpt").touch()
        (run / "log.txt").write_text("  translate   python -m suite.translate")


@pytest.mark.parametrize("sweep", SWEEPS)
def test_every_job_can_be_built_and_has_a_folder_of_its_own(sweep: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Of tensors without content its iterations say nothing, and take most of the time.
    monkeypatch.setattr(torch.nn.utils.parametrizations._SpectralNorm, "_power_method", lambda *_: None)
    names = []
    for job in jobs(sweep):
        config = composed(job)
        names.append(folder_of(config, monkeypatch).name)
        whole = config.stages is None or config.model.stage is not None
        with torch.device("meta"):
            for one in [config] if whole else [compose("train", [*job, f"stage={stage}"]) for stage in config.stages]:
                instantiate(one)
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[\w.-]+-0", name), f"{name}: a shell would want quotes, or scripts the seed"


def test_the_runs_of_a_sweep_become_jobs_of_slurm() -> None:
    """By the command of docs/clusters.md; nobody is asked to run them."""
    pytest.importorskip("submitit", reason="the extra 'slurm' is not installed")
    document = (CONF.parent / "docs" / "clusters.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^python -m suite.train -m (.*submitit_slurm.*)$", document, flags=re.MULTILINE)
    words = [word for word in line.split() if "," not in word]
    launcher = composed([*words, "hydra.sweep.dir=runs/sweep"]).hydra.launcher
    assert launcher._target_.endswith(".SlurmLauncher")
    assert (launcher.partition, launcher.gpus_per_node, launcher.timeout_min) == ("gpu", 1, 1440)
    assert (launcher.nodes, launcher.tasks_per_node) == (1, 1)
    assert launcher.submitit_folder == "runs/sweep/.submitit/%j"


def test_regularised_arms_differ_in_one_value_each() -> None:
    def regularised(job: list[str]) -> dict[str, Any]:
        model: Any = OmegaConf.to_container(compose("train", job).model, resolve=True)
        parts = {"dropout": model["backbone"], "real_label": model["adversarial"]}
        return {key: parts.get(key, model)[key] for key in ("dropout", "noise", "real_label", "erasing")}

    plain, *arms = map(regularised, jobs("gao_regularisers"))
    assert plain == {"dropout": 0.0, "noise": 0.0, "real_label": 1.0, "erasing": 0.0}
    changes = [{key: value for key, value in arm.items() if value != plain[key]} for arm in arms]
    assert changes == [{"dropout": 0.5}, {"noise": 0.1}, {"real_label": 0.9}, {"erasing": 0.5}]


def test_figures_of_gao_find_every_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from experiments.gao.figures import comparisons

    finished_runs([sweep for sweep in SWEEPS if sweep.startswith("gao_")], tmp_path, monkeypatch)
    assert {comparison: list(arms) for comparison, arms in comparisons(tmp_path / "runs").items()} == {
        "generators": ["pix2pix_unet_noskip", "pix2pix_unet", "pix2pix_resnet", "pix2pix_unetpp"],
        "lambda": ["lambda0", "lambda10", "lambda100", "lambda200"],
        "discriminator": ["patch16", "patch34", "global"],
        "loss": ["vanilla", "lsgan"],
        "lr": ["lr0.0004", "lr0.0008", "lr0.0016"],
        "batch": ["batch1", "batch4", "batch8", "batch16"],
        "regularisers": [
            *("plain", "dropout0.5", "noise0.1", "label0.9", "erasing0.5", "pix2pix_early_stop", "pix2pix_final"),
        ],
        "alignment_contour": [
            *("pix2pix_sketchy", "pix2pix_sketchy_lambda0", "pix2pix_sketchy_wgan", "cyclegan_sketchy"),
        ],
        "alignment_loose": [
            *("pix2pix_sketchy", "pix2pix_sketchy_lambda0", "pix2pix_sketchy_wgan", "cyclegan_sketchy"),
        ],
    }


def test_figures_of_dagan_find_every_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from experiments.dagan.figures import sweeps

    finished_runs([sweep for sweep in SWEEPS if sweep.startswith("dagan")], tmp_path, monkeypatch)
    # What differs from DA-GAN's own run is the name of an arm: the values that it has are in the script, too.
    assert {sweep: list(arms) for sweep, arms in sweeps(tmp_path / "runs").items()} == {
        "dagan": ["csi_celeba", "dagan_celeba_cufsf", "dagan_no_adaptation"],
        "dagan_readings": ["dagan_celeba_cufsf", "kl1.0", "literal", "sees_mean", "tv0.1", "vae_False"],
        "dagan_ratio": ["g1_d1", "g1_d2", "g1_d5", "g2_d1", "g5_d1"],
    }


def test_figures_of_two_step_find_every_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from experiments.two_step.figures import sweeps

    finished_runs([sweep for sweep in SWEEPS if sweep.startswith("two_step")], tmp_path, monkeypatch)
    assert {sweep: list(arms) for sweep, arms in sweeps(tmp_path / "runs").items()} == {
        "two_step": ["two_step_official_code", "two_step_paper"],
        "two_step_encoders": [
            *("latents__of_all__told_True", "latents__of_female__told_False", "latents__of_male__told_False"),
            "pictures__of_all__told_False",
        ],
        "two_step_joint": ["joint"],
        "two_step_readings": ["embedding0__aux_False", "embedding5__aux_True"],
    }


def test_summary_of_dalva_finds_every_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from experiments.dalva.summarise import ARMS, found

    finished_runs([sweep for sweep in SWEEPS if sweep.startswith("dalva")], tmp_path, monkeypatch)
    assert tuple(found(tmp_path / "runs")) == ARMS


def test_comparison_of_papers_finds_every_arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from experiments.papers.compare import WAYS, arms

    finished_runs(["papers"], tmp_path, monkeypatch)
    # Here every job has another time, and so another folder.
    found = [arm for sweep in (tmp_path / "runs" / "papers").iterdir() for arm in arms(sweep)]
    assert sorted(found) == sorted({way.experiment for way in WAYS})
