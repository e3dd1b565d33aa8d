"""Training in bfloat16, and with compiled networks, on the CPU. Float16 and its scaler: tests/papers/test_base.py."""

import functools

import pytest
import torch

from suite.papers.base import Paper

NETWORKS = ("G.", "F.", "D_A.", "D_B.")


@pytest.fixture
def reports(monkeypatch):
    """What each training step reports, whether it runs in autocast, and the weights it leaves."""
    seen, report = [], Paper.report

    def spy(self, losses):
        weights = {name: weight.detach().clone() for name, weight in self.named_parameters()}
        seen.append((losses, torch.is_autocast_enabled("cpu"), weights))
        report(self, losses)

    monkeypatch.setattr(Paper, "report", spy)
    return seen


def assert_trained(reports, networks=NETWORKS) -> None:
    """Finite losses in float32, and no network that stays where it was between the first step and the last."""
    for losses, _, _ in reports:
        for name, loss in losses.items():
            assert loss.dtype == torch.float32, name
            assert loss.isfinite(), name
    first, last = reports[0][2], reports[-1][2]
    assert all(weight.dtype == torch.float32 and weight.isfinite().all() for weight in last.values())
    for network in networks:
        assert any(not torch.equal(first[name], last[name]) for name in first if name.startswith(network)), network


@pytest.mark.parametrize(
    ("experiment", "networks"),
    [
        ("cyclegan_lsgan", NETWORKS),
        ("cyclegan_wgan_gp", NETWORKS),
        ("dagan_celeba_cufsf", ("Inv.encoder.", "Inv.decoder.", "D.")),
        ("csi_celeba", ("G.",)),
        ("two_step_faces stage=generator", ("G.", "D.")),
        ("sketch_to_image_faces stage=tom", ("T.", "D_T.")),
    ],
)
def test_a_run_in_bfloat16(experiment, networks, command, reports, tmp_path):
    words = [*f"experiment={experiment}".split(), "scale=smoke", "trainer=cpu", "trainer.precision=bf16-mixed"]
    words += ["metrics.names=[]"]
    assert command("train", *words, f"hydra.run.dir={tmp_path / 'run'}") == 0
    assert all(autocast for _, autocast, _ in reports)
    assert_trained(reports, networks)


def test_a_penalised_critic_trains_in_compiled_networks(
    make_cyclegan, make_batches, fit, reports, tmp_path, monkeypatch
):
    # Traced and differentiated as by default, without the minute that inductor's C++ takes.
    traced = functools.partialmethod(torch.nn.Module.compile, backend="aot_eager")
    monkeypatch.setattr(torch.nn.Module, "compile", traced)
    changes = {"adversarial": {"loss": "wgan", "penalty": "squared", "critic_steps": 2}, "lambda_identity": 0.0}
    plain, compiled = make_cyclegan(**changes), make_cyclegan(**changes, compile=True)
    torch._dynamo.utils.counters.clear()
    trainer = fit(compiled, make_batches(4))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= len(NETWORKS)  # not silently eager
    assert_trained(reports)

    trainer.save_checkpoint(tmp_path / "compiled.ckpt")
    names = torch.load(tmp_path / "compiled.ckpt", weights_only=True)["state_dict"].keys()
    assert names == plain.state_dict().keys()
    assert not any("_orig_mod" in name for name in names)
