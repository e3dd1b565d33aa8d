"""What is said of a configuration that can't work, and what becomes of one that can."""

from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from suite.data.sources import SOURCES, source_options
from suite.errors import UserError
from suite.papers.cyclegan import CycleGAN
from suite.run.checks import check_keys
from suite.run.config import CONF, compose, instantiate

SMOKE = ["experiment=cyclegan_lsgan", "scale=smoke"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.lrr=1"], "unknown key model.lrr: did you mean model.lr?"),
        (["+model.lrr=1"], "unknown key model.lrr: did you mean model.lr?"),
        (["modle.lr=1"], "unknown key modle.lr: did you mean model.lr?"),
        (["lr=1"], "unknown key lr: did you mean model.lr?"),
        (["batch_size=1"], "unknown key batch_size: did you mean data.batch_size?"),
        (["backbone.width=1"], "unknown key backbone.width: did you mean model.backbone.width?"),
        (["+adversarial.loss=wgan"], "unknown key adversarial: did you mean model.adversarial?"),
        (["+model.adversarial.wieght_clip=1"], "unknown key model.adversarial.wieght_clip: did you mean "),
        (["+trainer.max_epoch=1"], "unknown key trainer.max_epoch: did you mean trainer.max_epochs?"),
        (["+metrics.feature=x"], "unknown key metrics.feature: did you mean metrics.features?"),
        (["logger=wandb", "+logger.projet=x"], "unknown key logger.projet: did you mean logger.project?"),
        (["+images.cuont=1"], "unknown key images.cuont: did you mean images.count?"),
        (["+checkpoint.every_n_epoch=1"], "unknown key checkpoint.every_n_epoch: did you mean "),
        (["data=unpaired_folders", "+data.count=1"], "unknown key data.count: only other choices of data= have it"),
        (["nothing.like=it"], "unknown key nothing.like: --cfg job shows every key"),
        (["backbone=resnet7"], "backbone=resnet7: there is none of that name; choose from resnet6, resnet9, unet"),
        (["data=nope"], "data=nope: there is none of that name; choose from anime_faces"),
        (
            ["data=celeba", "data.sketch_options.sigma=2"],
            "data.sketch_options.sigma: say data.sketch_options with all its keys, as in "
            "'data.sketch_options={sigma: 2}'",
        ),
        (
            ["data=celeba", "data.target.split.train=0.5"],
            "data.target.split.train: say data.target with all its keys, as in 'data.target={split: {train: 0.5}}'",
        ),
        (["data=celeba", "data.root.x=2"], "unknown key data.root.x: --cfg job shows every key"),
        (
            ["data=sketchy", "metrics.names=psnr,l1"],
            "metrics.names=psnr,l1 is a sweep: say 'metrics.names=[psnr,l1]' for ",
        ),
        (["data=celeba,faces"], "data=celeba,faces is a sweep: say -m for several runs"),
        (["model.lr=1,2"], "model.lr=1,2 is a sweep: say 'model.lr=[1,2]' for a list, or -m for several runs"),
        (["word"], "can't read 'word': say key=value"),
        (["model.betas=[0.5"], "can't read 'model.betas=[0.5': .*; is a bracket or a quote missing?"),
    ],
)
def test_a_command_that_cannot_work_is_one_line(words: list[str], message: str) -> None:
    with pytest.raises(UserError) as error:
        compose("train", [*SMOKE, *words])
    told = str(error.value)
    assert "\n" not in told
    start, _, end = message.partition(".*")
    assert told.startswith(start), told
    assert end in told, told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.lr=1e-4x"], "model.lr=1e-4x: give a number"),
        (["model.lr=-1"], "model.lr=-1: "),
        (["model.betas=[0.5]"], "model.betas=.0.5.: give 2 numbers"),
        (["model.betas=[0.5,1]"], "model.betas=.0.5,1.: give 2 numbers, .* below 1"),
        (["model.epochs=1.5"], "model.epochs=1.5: give a whole number"),
        (["model.decay_epochs=-1"], "model.decay_epochs=-1: "),
        (["model.pool_size=-1"], "model.pool_size=-1: "),
        (["model.ema_decay=1"], "model.ema_decay=1: give a number of at least 0 and below 1"),
        (["model.clip_norm=-1"], "model.clip_norm=-1: "),
        (["model.compile=maybe"], "model.compile=maybe: give true or false"),
        (["model.lambda_a=-1"], "model.lambda_a=-1: "),
        (["model.backbone.blocks=0"], "model.backbone.blocks=0: "),
        (["model.backbone.width=x"], "model.backbone.width=x: give a whole number"),
        (["model.backbone.dropout=1"], "model.backbone.dropout=1: "),
        (["model.discriminator.norm=layer"], "model.discriminator.norm=layer: choose from instance, batch, none"),
        (["model.adversarial.critic_steps=1.5"], "model.adversarial.critic_steps=1.5: give a whole number"),
        (["model.optimizer=rmsprop"], "model.optimizer=rmsprop: choose from adam, sgd"),
        (["model.adversarial.penalty_weight=x"], "model.adversarial.penalty_weight=x: give a number"),
        (["model.adversarial.weight_clip=-1"], "model.adversarial.weight_clip=-1: "),
        (["backbone=unet", "data.size=40", "data.load_size=40"], "data.size=40 can't be halved four times, .*size=32"),
        (["backbone=unet", "model.backbone.downs=8"], "data.size=32 is not a multiple of 256, .*: use data.size=256, "),
        (["data.channels_a=1"], "the identity loss needs as many channels on both sides, not 1 and 3: set "),
        (["adversarial=wgan_gp", "model.discriminator.norm=batch"], "a gradient penalty is per picture, and BatchNorm"),
        (["data=paired_folders", "data.root=/tmp", "data.task=pared"], "data.task=pared: choose from unpaired, paired"),
    ],
)
def test_values_that_cannot_work_are_one_line(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}") as error:
        instantiate(compose("train", [*SMOKE, *words]))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {lambda_identiti: 0}", "unknown key model.lambda_identiti: did you mean model.lambda_identity?"),
        ("modle: {lr: 1}", "unknown key modle: did you mean model?"),
        ("data: {bach_size: 2}", "unknown key data.bach_size: did you mean data.batch_size?"),
        ("trainer: {max_epoch: 2}", "unknown key trainer.max_epoch: did you mean trainer.max_epochs?"),
        ("images: {coutn: 2}", "unknown key images.coutn: did you mean images.count?"),
    ],
)
def test_a_misspelt_key_inside_an_experiment_file(text: str, message: str, tmp_path: Path) -> None:
    import hydra

    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\n{text}\n")
    where = f"hydra.searchpath=[file://{tmp_path}]"
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        config = hydra.compose("train", [where, "experiment=mine", "scale=smoke"])
    with pytest.raises(UserError) as error:
        check_keys(config)
    assert str(error.value) == message


@pytest.fixture
def composed(tmp_path: Path) -> Callable[..., DictConfig]:
    """composed({"data/mine.yaml": text, ...}, *words): the configuration of suite.train with these files as well."""
    import hydra

    def make(files: dict[str, str], *words: str) -> DictConfig:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            config = hydra.compose("train", [f"hydra.searchpath=[file://{tmp_path}]", *words])
        check_keys(config)
        return config

    return make


SMILES = "defaults: [celeba, _self_]\nsketch: xdog\nattribute: Smiling\n"
USES = "# @package _global_\ndefaults:\n  - override /data: smiles\ndata: {batch_size: 3}\n"


@pytest.mark.parametrize("scale", ["paper", "demo", "smoke"])
def test_a_scale_swaps_the_options_of_a_source_with_its_data(composed: Callable[..., DictConfig], scale: str) -> None:
    files = {"data/smiles.yaml": SMILES, "experiment/mine.yaml": USES}
    data = composed(files, "experiment=mine", f"scale={scale}").data
    if scale == "paper":
        assert (data.source, data.attribute, data.sketch, data.batch_size) == ("celeba", "Smiling", "xdog", 3)
    else:
        assert (data.source, data.sketch) == ("faces", None)
        assert "attribute" not in data
    own = composed(files, "experiment=mine", f"scale={scale}", "data=smiles").data
    assert (own.source, own.attribute) == ("celeba", "Smiling")


@pytest.mark.parametrize(
    ("scale", "files", "message"),
    [
        (
            "paper",
            {"data/smiles.yaml": SMILES.replace("attribute", "atribute")},
            "unknown key data.atribute: did you mean data.attribute?",
        ),
        (
            "smoke",
            {"experiment/mine.yaml": USES.replace("batch_size: 3", "attribute: Smiling"), "data/smiles.yaml": SMILES},
            "unknown key data.attribute: only other choices of data= have it; an experiment has it in a file of its "
            "own in conf/data, which a scale swaps whole",
        ),
    ],
)
def test_options_of_a_source_in_the_wrong_place_are_refused(
    composed: Callable[..., DictConfig], scale: str, files: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError) as error:
        composed({"experiment/mine.yaml": USES} | files, "experiment=mine", f"scale={scale}")
    assert str(error.value) == message


def test_no_experiment_says_what_holds_for_one_data_set_alone() -> None:
    for file in sorted((CONF / "experiment").glob("*.yaml")):
        said = set(OmegaConf.load(file).get("data") or {})
        of_one = {"source", "root", "streaming", "split", "target", "sketch_options"}
        of_one |= {option for source in SOURCES for option in source_options(source)}
        assert not said & of_one, file.name


def test_every_choice_of_every_group_composes() -> None:
    for group in ("backbone", "discriminator", "adversarial", "metrics", "logger", "trainer", "scale"):
        for file in sorted((CONF / group).glob("*.yaml")):
            config = compose("train", ["experiment=cyclegan_lsgan", f"{group}={file.stem}"])
            OmegaConf.to_container(config.model, resolve=True)


@pytest.mark.parametrize("scale", ["demo", "smoke"])
@pytest.mark.parametrize("group", ["backbone", "discriminator", "data"])
def test_a_scale_leaves_every_group_free(scale: str, group: str) -> None:
    for file in sorted((CONF / group).glob("*.yaml")):
        if not file.stem.startswith("_"):
            words = [f"scale={scale}", f"{group}={file.stem}", "data.size=256", "data.load_size=256", "data.root=/x"]
            config = compose("train", ["experiment=cyclegan_lsgan", *words])
            if config.data.task in CycleGAN.tasks:
                instantiate(config)
