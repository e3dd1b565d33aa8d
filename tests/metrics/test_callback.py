import logging
import sys

import pytest
import pytorch_lightning as pl
import torch

from suite.errors import UserError
from suite.images import signed_to_uint8, uint8_to_unit, unit_to_signed
from suite.metrics import pairwise
from suite.metrics.callback import MetricsCallback
from suite.metrics.distances import frechet_distance, kernel_distance
from suite.networks import weights
from suite.networks.lpips import LPIPS
from suite.papers.translation import Translation


@pytest.fixture
def several(toys, data):
    """The same data, each photo with one, two or three drawings, padded with black to four."""
    drawings = unit_to_signed(uint8_to_unit(toys.make_pictures(40, seed=2))).unflatten(0, (10, 4))
    count = torch.arange(10) % 3 + 1
    drawings[torch.arange(4) >= count[:, None]] = -1
    data.several = {"drawings": drawings, "drawing_count": count}
    return data


def test_figures_of_a_validation_equal_those_of_the_whole_set_at_once(evaluated, metrics, toys, data):
    model, callback = toys.Translator(), metrics()
    figures = evaluated(callback, model, data)
    expected = {}
    for section, source, target in (("val", "a", "b"), ("val_b2a", "b", "a")):
        truth = unit_to_signed(uint8_to_unit(data.sides[target]))
        fake = unit_to_signed(uint8_to_unit(data.sides[source])) * 0.5
        features = [callback.extractor(pictures) for pictures in (data.sides[target], signed_to_uint8(fake))]
        expected |= {
            f"{section}/fd_random_vgg": frechet_distance(*features),
            f"{section}/kd_random_vgg": kernel_distance(*features),
            f"{section}/psnr": pairwise.psnr(fake, truth).mean().item(),
            f"{section}/ssim": pairwise.ssim(fake, truth).mean().item(),
            f"{section}/l1": pairwise.l1(fake, truth).mean().item(),
        }
    assert figures == pytest.approx(expected, rel=1e-4)


def test_other_features_are_never_called_fid(evaluated, metrics, toys, data):
    figures = evaluated(metrics(), toys.Translator(), data)
    assert not any("fid" in name or "kid" in name for name in figures)


def test_inception_features_are_called_fid(evaluated, metrics, toys, data):
    figures = evaluated(metrics(features="inception", names=["fid", "kid"]), toys.Translator(), data)
    assert set(figures) == {"val/fid", "val/kid", "val_b2a/fid", "val_b2a/kid"}


def test_unpaired_data_has_no_pairwise_figures_and_says_so_once(evaluated, metrics, toys, caplog):
    data = toys.Data(toys.make_pictures(9, seed=0), toys.make_pictures(7, seed=1), paired=False)
    callback, model = metrics(), toys.Translator()
    with caplog.at_level(logging.WARNING, logger="suite"):
        for _ in range(2):
            figures = evaluated(callback, model, data)
    sections = ("val", "val_b2a")
    assert set(figures) == {f"{section}/{name}_random_vgg" for section in sections for name in ("fd", "kd")}
    assert [record.message.split(" left out")[0] for record in caplog.records] == [
        "val: psnr, ssim, l1",
        "val_b2a: psnr, ssim, l1",
    ]


def test_repeats_of_the_shorter_side_do_not_count(evaluated, metrics, toys):
    b, a = toys.make_pictures(9, seed=0), toys.make_pictures(5, seed=1)
    callback = metrics(names=["fid"])
    figures = evaluated(callback, toys.Translator(), toys.Data(a, b, paired=False))
    fake = signed_to_uint8(unit_to_signed(uint8_to_unit(a)) * 0.5)
    expected = frechet_distance(callback.extractor(b), callback.extractor(fake))
    assert figures["val/fd_random_vgg"] == pytest.approx(expected, rel=1e-4)


def test_every_section_says_how_many_pictures_its_figures_are_of(trainer, metrics, toys):
    data = toys.Data(toys.make_pictures(5, seed=1), toys.make_pictures(9, seed=0), paired=False)
    run = trainer(metrics(names=["fid"], references=["train", "test"], max_pictures=7))
    run.test(toys.Translator(), datamodule=data, verbose=False)
    assert {name: value.item() for name, value in run.callback_metrics.items() if "/n" in name} == {
        "test/n": 5, "test/n_real": 9, "test/n_real_to_train": 9,
        "test_b2a/n": 7, "test_b2a/n_real": 5, "test_b2a/n_real_to_train": 5,
    }  # fmt: skip


def test_max_pictures_takes_the_first_of_the_split(evaluated, metrics, toys, data):
    figures = evaluated(metrics(names=["l1"], max_pictures=4), toys.Translator(), data)
    fake, truth = (unit_to_signed(uint8_to_unit(data.sides[side][:4])) for side in "ab")
    assert figures["val/l1"] == pytest.approx(pairwise.l1(fake * 0.5, truth).mean().item(), rel=1e-5)


def test_l1_is_measured_to_the_closest_of_several_drawings_where_they_are_predicted(evaluated, metrics, toys, several):
    figures = evaluated(metrics(names=["l1", "l1_closest"]), toys.Translator(), several)
    assert set(figures) == {"val/l1", "val_b2a/l1", "val/l1_closest"}
    fake = unit_to_signed(uint8_to_unit(several.sides["a"])) * 0.5
    closest = pairwise.l1_closest(fake, several.several["drawings"], several.several["drawing_count"])
    assert figures["val/l1_closest"] == pytest.approx(closest.mean().item(), rel=1e-5)


def test_max_pictures_holds_for_the_closest_of_several_drawings(evaluated, metrics, toys, several):
    figures = evaluated(metrics(names=["l1_closest"], max_pictures=4), toys.Translator(), several)
    fake = unit_to_signed(uint8_to_unit(several.sides["a"][:4])) * 0.5
    drawings, count = (column[:4] for column in several.several.values())
    assert figures["val/l1_closest"] == pytest.approx(pairwise.l1_closest(fake, drawings, count).mean().item())


def test_data_with_one_drawing_have_no_closest_one_and_nothing_is_said(evaluated, metrics, toys, data, caplog):
    with caplog.at_level(logging.WARNING, logger="suite"):
        figures = evaluated(metrics(), toys.Translator(), data)
    assert "val/l1" in figures
    assert not any("l1_closest" in name for name in figures)
    assert not caplog.records


def test_a_test_of_training_pictures_is_no_training_loss(evaluated, metrics, toys, data):
    data.test_split = "train"
    callback = metrics(names=["fid", "l1"], references=["train", "test"])
    figures = evaluated(callback, toys.Translator(), data, stage="test")
    names = ("fd_random_vgg", "fd_random_vgg_to_test", "l1")
    assert set(figures) == {
        f"{section}/{name}" for section in ("train_pictures", "train_pictures_b2a") for name in names
    }


def test_too_few_pictures_leave_figures_out_and_the_run_going(evaluated, metrics, toys, caplog):
    data = toys.Data(toys.make_pictures(3, seed=0), toys.make_pictures(3, seed=1))
    with caplog.at_level(logging.WARNING, logger="suite"):
        figures = evaluated(metrics(names=["fid", "kid"]), toys.Translator(), data)
    assert set(figures) == {"val/fd_random_vgg", "val_b2a/fd_random_vgg"}
    assert "kd_random_vgg left out: it needs at least 4" in caplog.text


def test_training_draws_the_same_numbers_with_and_without_metrics_and_cache(trainer, metrics, toys, several):
    drawn = []
    for callback in (None, metrics(), metrics()):
        model = toys.Translator(dropout=0.5)
        torch.manual_seed(5)
        run = trainer(callback, max_epochs=2)
        run.fit(model, datamodule=several)
        drawn.append(model.drawn)
    assert "val/l1_closest" in run.callback_metrics
    assert drawn[1] == drawn[0]
    assert drawn[2] == drawn[0]


def test_figures_under_bf16_are_those_of_float32(trainer, evaluated, metrics, toys, data):
    model = toys.Translator()  # it refuses to predict under autocast
    figures = evaluated(metrics(), model, data)
    run = trainer(metrics(), precision="bf16-mixed")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        run.validate(model, datamodule=data, verbose=False)
    assert figures.items() <= {name: value.item() for name, value in run.callback_metrics.items()}.items()


class Several(pl.LightningModule):
    """Three translations of `a`, and one to look at: the first to b, one that the paper itself measures, one that
    counts in part."""

    def predict(self, batch):
        half, dark = batch["a"] * 0.5, batch["a"] * 0.1
        return [
            Translation("all", None, row={"input": batch["a"], "half": half}),
            Translation("to_b", half, reals="b", counts=batch["fresh_a"]),
            Translation("to_none", dark, figures={"sketch": batch["index"].float()}),
            Translation("to_a", dark, reals="a", truth=batch["a"], counts=batch["index"] % 2 == 1),
        ]

    def validation_step(self, batch, batch_idx):
        pass


def test_what_is_measured_with_what_is_the_models_own(evaluated, metrics, toys, data, caplog):
    callback = metrics(names=["fid", "l1"])
    figures = evaluated(callback, Several(), data)
    a, b = (unit_to_signed(uint8_to_unit(data.sides[side])) for side in "ab")
    of_reals, of_half, of_dark = (callback.extractor(signed_to_uint8(p)) for p in (b, a * 0.5, a[1::2] * 0.1))
    assert figures == pytest.approx(
        {
            "val/fd_random_vgg": frechet_distance(of_reals, of_half),
            "val_to_none/sketch": 4.5,
            "val_to_a/fd_random_vgg": frechet_distance(callback.extractor(data.sides["a"]), of_dark),
            "val_to_a/l1": pairwise.l1(a[1::2] * 0.1, a[1::2]).mean().item(),
        },
        rel=1e-4,
    )
    told = [record.message.split(":")[0] for record in caplog.records if record.levelno == logging.WARNING]
    assert told == ["val", "val_to_none", "val_to_none"]
    assert "val_to_none: fid left out: this model names no real pictures to compare with" in caplog.text


def test_values_beyond_the_range_of_a_picture_are_clamped(evaluated, metrics, toys, data):
    model = toys.Translator()
    torch.nn.init.constant_(model.gain, 3.0)
    figures = evaluated(metrics(names=["l1"]), model, data)
    fake, truth = (unit_to_signed(uint8_to_unit(data.sides[side])) for side in "ab")
    expected = pairwise.l1((fake * 3).clamp(-1, 1), truth).mean().item()
    assert figures["val/l1"] == pytest.approx(expected, rel=1e-5)


def test_grey_pictures_are_measured(evaluated, metrics, toys):
    data = toys.Data(*(toys.make_pictures(6, seed=seed, channels=1) for seed in (0, 1)))
    figures = evaluated(metrics(), toys.Translator(), data)
    assert figures["val/fd_random_vgg"] > 0
    assert figures["val/psnr"] > 0


def test_networks_stay_out_of_the_modules_state_and_the_checkpoint(trainer, toys, data, tmp_path):
    callback = MetricsCallback(names=["fid"], features="random_vgg", cache_dir=tmp_path)
    model, run = toys.Translator(), trainer(callback)
    run.fit(model, datamodule=data)
    assert isinstance(run.callback_metrics["val/fd_random_vgg"], torch.Tensor)
    assert set(model.state_dict()) == {"gain"}
    run.save_checkpoint(tmp_path / "run.ckpt")
    checkpoint = torch.load(tmp_path / "run.ckpt", weights_only=True)
    assert set(checkpoint["state_dict"]) == {"gain"}
    assert checkpoint["callbacks"] == {}


def test_the_sanity_check_measures_nothing(trainer, metrics, toys, data):
    callback = metrics()
    trainer(callback, num_sanity_val_steps=2, limit_val_batches=2).fit(toys.Translator(), datamodule=data)
    assert callback.extractor.seen == 20 + 2 * 2 * 3


def test_missing_weights_end_the_run_before_its_first_step(trainer, toys, data, tmp_path, monkeypatch):
    def unreachable(url, dst, hash_prefix):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    for names, file, way_out in (
        (["fid"], weights.WEIGHTS["inception"].file, "metrics.features=random_vgg"),
        (["lpips"], weights.WEIGHTS["alexnet"].file, "metrics.names without lpips"),
        (["fd_dinov2"], weights.WEIGHTS["dinov2"].file, "metrics.names without fd_dinov2"),
        (["lp"], weights.WEIGHTS["vgg19"].file, "metrics.features=random_vgg or metrics.names without lp"),
        (["sr"], weights.WEIGHTS["vgg19"].file, "metrics.features=random_vgg or metrics.names without lp and sr"),
    ):
        model, callback = toys.Translator(), MetricsCallback(names=names, cache_dir=tmp_path)
        with pytest.raises(UserError) as raised:
            trainer(callback).fit(model, datamodule=data)
        with pytest.raises(UserError) as before:
            callback.find_weights(data)
        assert str(raised.value) == str(before.value)
        assert file in str(raised.value)
        assert way_out in str(raised.value)
        assert model.drawn == []


def test_lpips_and_lp_ask_for_no_weights_where_nothing_is_paired(evaluated, metrics, toys, monkeypatch):
    monkeypatch.setattr(weights, "find", lambda *_, **__: pytest.fail("asked for weights that nothing needs"))
    data = toys.Data(*(toys.make_pictures(4, seed=seed, size=32) for seed in (0, 1)), paired=False)
    callback = metrics(names=["lpips", "lp"], features="inception")
    callback.find_weights(data)
    assert evaluated(callback, toys.Translator(), data) == {}
    assert callback.lpips is callback.lp is None


def test_lpips_is_measured_on_paired_pictures(evaluated, toys, tmp_path):
    from torchvision.models import alexnet

    torch.save(alexnet(weights=None).state_dict(), tmp_path / "alexnet.pth")
    callback = MetricsCallback(names=["lpips"], cache_dir=tmp_path)
    callback.lpips = LPIPS("alex", tmp_path / "alexnet.pth")
    data = toys.Data(*(toys.make_pictures(4, seed=seed, size=32) for seed in (0, 1)))
    figures = evaluated(callback, toys.Translator(), data)
    fake, truth = (unit_to_signed(uint8_to_unit(data.sides[side])) for side in "ab")
    # Three pictures and one, or four at once, through five convolutions, and differences of what comes out.
    assert figures["val/lpips"] == pytest.approx(callback.lpips(fake * 0.5, truth).mean().item(), rel=1e-3)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"names": ["fid", "fdi"]}, "metrics.names=fdi: choose from fid, kid"),
        (
            {"names": "fid"},
            r"metrics.names=fid: give a list, as in metrics.names=\[fid,kid\], each of fid, kid, precision",
        ),
        ({"features": "vgg"}, "metrics.features=vgg: choose from inception, random_vgg"),
        ({"references": ["valid"]}, "metrics.references=valid: choose from train, val, test, all"),
        ({"weights": {"vgg16": "x"}}, "metrics.weights.vgg16: choose from inception, alexnet, vgg19"),
        ({"max_pictures": 0}, "metrics.max_pictures=0"),
    ],
)
def test_arguments_that_cannot_be_are_named(options, named):
    with pytest.raises(UserError, match=named):
        MetricsCallback(**{"names": ["fid"], "cache_dir": "cache", **options})


@pytest.mark.skipif(sys.platform != "linux", reason="ddp_fork")
def test_two_processes_give_what_one_gives(trainer, evaluated, metrics, toys, tmp_path):
    """A real process group: the sampler pads the odd set with a repeat, and the network's work is shared."""
    data = toys.Data(toys.make_pictures(7, seed=0), toys.make_pictures(7, seed=1), batch_size=2)
    names = ["fid", "kid", "precision", "recall", "mind", "psnr", "ssim", "l1"]
    alone = evaluated(metrics(names=names, cache_dir=tmp_path / "alone"), toys.Translator(), data)
    if torch.cuda.is_initialized():
        pytest.skip("a process that has used its GPU can't be forked")
    run = trainer(metrics(names=names), strategy="ddp_fork", devices=2)
    run.validate(toys.Translator(), datamodule=data, verbose=False)
    together = {name: value.item() for name, value in run.callback_metrics.items()}
    # Batches of other sizes: ssim's convolution may be rounded otherwise. A repeat that counted would change the third
    # digit at least.
    assert {name: together[name] for name in alone} == pytest.approx(alone, rel=1e-4)
    assert (together["val/n"], together["val/n_real"]) == (7, 7)
