"""`python -m suite.import_weights file=latest_net_G.pth output=<checkpoint>`: published networks, to use or train."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from omegaconf import DictConfig, OmegaConf

from suite.arguments import File
from suite.errors import UserError
from suite.run import cli
from suite.run.checks import checked
from suite.run.words import command, say

if TYPE_CHECKING:
    from suite.networks.published import PublishedGenerator
    from suite.networks.published_discriminators import PublishedDiscriminator
    from suite.papers.base import Paper

# What trains on: the experiment with the published losses, and the pictures that it takes.
_TRAINED_BY = {"cyclegan": ("cyclegan_lsgan", "unpaired_folders"), "pix2pix": ("pix2pix_unet", "paired_folders")}
_RESNETS = {6: "resnet6", 9: "resnet9"}  # by blocks
_PATCHES = {1: "patch16", 2: "patch34", 3: "patch70"}  # by halvings


class Keys(TypedDict):
    """conf/import_weights.yaml."""

    file: File
    second: File | None
    file_d: File | None
    second_d: File | None
    output: File
    dropout: bool | None
    overwrite: bool


def import_weights(config: DictConfig) -> None:
    """Make a checkpoint of published networks; `config` is composed from conf/import_weights.yaml."""
    values = checked(config, Keys)
    files, output = _check(values)

    from suite.networks.published import read_published
    from suite.networks.published_discriminators import read_discriminator
    from suite.run.checkpoints import AtomicCheckpointIO

    generators = {
        key: read_published(path, values["dropout"]) for key, path in files.items() if key in ("file", "second")
    }
    critics = {key: read_discriminator(path) for key, path in files.items() if key not in generators}
    model, fresh = _model(generators, critics)
    content: dict[str, Any] = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    model.on_save_checkpoint(content)
    AtomicCheckpointIO().save_checkpoint(content | {"fresh": fresh}, output)

    for key, network in (generators | critics).items():
        print(f"{files[key]}: {network}")
    paper = ["mode=train", "batch_size=1"] if generators["file"].architecture.differs_in_training else []
    for direction in [[f"direction={name}"] for name in model.directions] if "second" in files else [[]]:
        print(command("translate", say("run", output), "input=FILE_OR_FOLDER", "output=FOLDER", *direction, *paper))
    print(command("train", *to_train_on(model, output, fresh), "data.root=FOLDER"))


def _check(values: Keys) -> tuple[dict[str, Path], Path]:
    """The networks' files by key, and the one to write. Raises UserError for what can't work."""
    keys = ("file", "second", "file_d", "second_d")
    files = {key: Path(file).expanduser() for key in keys if (file := values[key]) is not None}  # type: ignore[literal-required]
    output = Path(values["output"]).expanduser()
    for key, file in files.items():
        if not file.is_file():
            raise UserError(f"{key}={file}: there is no such file")
        if output.exists() and output.samefile(file):
            raise UserError(f"output={output} would replace {key}={file}: name another file")
    if "second_d" in files and "second" not in files:
        raise UserError(f"second_d={files['second_d']}: it judges what second makes, so give second, too")
    if output.is_dir():
        raise UserError(f"output={output} is a folder: give the name of a file, as in {output / 'generator.ckpt'}")
    if output.exists() and not values["overwrite"]:
        raise UserError(f"output={output} is already there: name another file, or set overwrite=true")
    return files, output


def _model(
    generators: "dict[str, PublishedGenerator]", critics: "dict[str, PublishedDiscriminator]"
) -> "tuple[Paper, list[str]]":
    """A model with these networks, by the keys of their files; and the names of those that are in none of them."""
    import torch

    from suite.papers.cyclegan import CycleGAN
    from suite.papers.pix2pix import Pix2Pix
    from suite.run.config import defaults_of

    there, back = generators["file"], generators.get("second")
    backbone, a, b = there.architecture.backbone, there.architecture.in_channels, there.architecture.out_channels
    if back is not None and back.architecture != there.architecture.way_back():
        raise UserError(f"second is not the way back of file: it is {back.architecture}; file is {there.architecture}")
    _check_critics(critics, a, b, both_ways=back is not None)
    torch.manual_seed(0)  # of the networks that are in no file: as they begin, whenever
    discriminator = {"name": "patch", "downs": 3, "width": backbone["width"], "norm": backbone["norm"]}
    for critic in critics.values():
        discriminator = critic.architecture.discriminator
    settings = {"backbone": backbone, "discriminator": discriminator, "channels_a": a, "channels_b": b}
    model: Paper
    if back is None:
        model = Pix2Pix(**defaults_of("pix2pix") | settings)
        ours = {"file": "G", "file_d": "D"}
    else:
        model = CycleGAN(**defaults_of("cyclegan") | settings | {"lambda_identity": 0.5 * (a == b)})
        ours = {"file": "G", "second": "F", "file_d": "D_B", "second_d": "D_A"}
    networks = model.networks()
    for key, network in (generators | critics).items():
        networks[ours[key]].load_state_dict(network.weights)
    return model, [name for key, name in ours.items() if key not in generators and key not in critics]


def _check_critics(critics: "dict[str, PublishedDiscriminator]", a: int, b: int, both_ways: bool) -> None:
    """Raises UserError where discriminators judge something else than the generators' pictures, or are not alike."""
    judged = {"file_d": b if both_ways else a + b, "second_d": a}
    for key, critic in critics.items():
        if (channels := critic.architecture.in_channels) != judged[key]:
            what = f"{judged[key]}, those of what {'second' if key.startswith('second') else 'file'} makes"
            if not both_ways:
                what = f"{judged[key]}, input and output of file; of a CycleGAN give second, too"
            raise UserError(f"{key} reads {channels} channels, not {what}")
    kinds = [critic.architecture.discriminator for critic in critics.values()]
    if len(kinds) > 1 and kinds[0] != kinds[1]:
        one, other = (critic.architecture for critic in critics.values())
        raise UserError(f"file_d and second_d are not alike: {one}; and {other}")


def to_train_on(model: "Paper", output: Path, fresh: list[str]) -> list[str]:
    """The words of a command that trains on with that checkpoint's networks, but for the pictures.

    fresh: the networks that are as they begin, whose architecture the experiment may choose.
    """
    from suite.run.config import compose

    backbone, discriminator = model.hparams["backbone"], model.hparams["discriminator"]
    experiment, data = _TRAINED_BY[model.name]
    words = [f"experiment={experiment}", say("start_from", output), f"data={data}"]
    words.append(f"backbone={'unet' if backbone['name'] == 'unet' else _RESNETS.get(backbone['blocks'], 'resnet9')}")
    wanted = {f"model.backbone.{key}": value for key, value in backbone.items()}
    wanted |= {f"data.channels_{side}": model.hparams[f"channels_{side}"] for side in "ab"}
    if model.name == "cyclegan":
        wanted["model.lambda_identity"] = model.hparams["lambda_identity"]
    if not set(model.trained()["D"]) <= set(fresh):
        patch = _PATCHES.get(discriminator.get("downs", 3), "patch70")
        words.append(f"discriminator={'pixel' if discriminator['name'] == 'pixel' else patch}")
        wanted |= {f"model.discriminator.{key}": value for key, value in discriminator.items()}
    config = compose("train", words)
    return words + [f"{key}={value}" for key, value in wanted.items() if OmegaConf.select(config, key) != value]


def main() -> None:
    """The console script `suite-import-weights`."""
    cli.run("import_weights", import_weights)


if __name__ == "__main__":
    main()
