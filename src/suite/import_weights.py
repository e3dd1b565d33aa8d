"""`python -m suite.import_weights file=latest_net_G.pth output=<checkpoint>`: published generators, for translate."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from omegaconf import DictConfig

from suite.arguments import File
from suite.errors import UserError
from suite.run import cli
from suite.run.checks import checked
from suite.run.words import command, say

if TYPE_CHECKING:
    from suite.networks.published import PublishedGenerator
    from suite.papers.base import Paper


class Keys(TypedDict):
    """conf/import_weights.yaml."""

    file: File
    second: File | None
    output: File
    dropout: bool | None
    overwrite: bool


def import_weights(config: DictConfig) -> None:
    """Make a checkpoint of one generator or two; `config` is composed from conf/import_weights.yaml."""
    values = checked(config, Keys)
    files, output = _check(values)

    from suite.networks.published import read_published
    from suite.run.checkpoints import AtomicCheckpointIO

    generators = [read_published(file, values["dropout"]) for file in files]
    model = _model(*generators)
    content: dict[str, Any] = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    model.on_save_checkpoint(content)
    AtomicCheckpointIO().save_checkpoint(content, output)

    for file, generator in zip(files, generators, strict=True):
        print(f"{file}: {generator}")
    paper = ["mode=train", "batch_size=1"] if generators[0].architecture.differs_in_training else []
    for direction in [[f"direction={name}"] for name in model.directions] if len(files) > 1 else [[]]:
        print(command("translate", say("run", output), "input=FILE_OR_FOLDER", "output=FOLDER", *direction, *paper))


def _check(values: Keys) -> tuple[list[Path], Path]:
    """The generators' files, and the one to write. Raises UserError for what can't work."""
    files = [Path(file).expanduser() for file in (values["file"], values["second"]) if file is not None]
    output = Path(values["output"]).expanduser()
    for key, file in zip(("file", "second"), files, strict=False):
        if not file.is_file():
            raise UserError(f"{key}={file}: there is no such file")
        if output.exists() and output.samefile(file):
            raise UserError(f"output={output} would replace {key}={file}: name another file")
    if output.is_dir():
        raise UserError(f"output={output} is a folder: give the name of a file, as in {output / 'generator.ckpt'}")
    if output.exists() and not values["overwrite"]:
        raise UserError(f"output={output} is already there: name another file, or set overwrite=true")
    return files, output


def _model(there: "PublishedGenerator", back: "PublishedGenerator | None" = None) -> "Paper":
    import torch

    from suite.papers.cyclegan import CycleGAN
    from suite.papers.pix2pix import Pix2Pix
    from suite.run.config import defaults_of

    backbone, a, b = there.architecture.backbone, there.architecture.in_channels, there.architecture.out_channels
    if back is not None and back.architecture != there.architecture.way_back():
        raise UserError(f"second is not the way back of file: it is {back.architecture}; file is {there.architecture}")
    # No file holds the discriminators, and translating needs none: those of the default, freshly drawn.
    discriminator = {"name": "patch", "downs": 3, "width": backbone["width"], "norm": backbone["norm"]}
    torch.manual_seed(0)
    settings = {"backbone": backbone, "discriminator": discriminator, "channels_a": a, "channels_b": b}
    if back is None:
        one_way = Pix2Pix(**defaults_of("pix2pix") | settings)
        one_way.G.load_state_dict(there.weights)
        return one_way
    both_ways = CycleGAN(**defaults_of("cyclegan") | settings | {"lambda_identity": 0.5 * (a == b)})
    both_ways.G.load_state_dict(there.weights)
    both_ways.F.load_state_dict(back.weights)
    return both_ways


def main() -> None:
    """The console script `suite-import-weights`."""
    cli.run("import_weights", import_weights)


if __name__ == "__main__":
    main()
