"""What lies beside the weights of a model for the hub: its card, the settings of its training, and a picture."""

import io
from pathlib import Path

from omegaconf import OmegaConf
from PIL import Image

from suite.errors import UserError
from suite.exporting.card import CARD, GRID, TRAINING, Told, write_card
from suite.exporting.training import built_in_alone, settings_of
from suite.files import write_whole
from suite.papers.styled import STYLES
from suite.run.contents import one_line
from suite.run.picture_grids import latest


def write_beside(told: Told, run: Path | None, folder: Path) -> None:
    """Write the files into the folder. run: what the model was trained in; None where that is not there.

    Raises UserError where a picture is asked for and there is none.
    """
    with one_line(folder if run is None else run / "config.yaml"):
        grid = None if run is None else _picture(told, run)
        card = write_card(told, grid is not None)
        settings = None if told.config is None else OmegaConf.to_yaml(OmegaConf.create(settings_of(told.config)))
    write_whole(folder / CARD, card)
    if grid is not None:
        write_whole(folder / GRID, grid)
    if settings is not None:
        write_whole(folder / TRAINING, f"# Every setting of the training, but where files lay.\n{settings}")


def _picture(told: Told, run: Path) -> bytes | None:
    """The grid of the last validation; None where there is none, or where it may not be shown."""
    path = latest(run / "images", STYLES if told.model.needs_style else None)
    if path is None and told.pictures:
        raise UserError(f"pictures=true: {run} has no picture in images/; leave it out")
    if path is None or told.pictures is False:
        return None
    if told.pictures is None and not built_in_alone(told.config):
        print("no picture in the card, as it would show those of the data: pictures=true where their licence allows it")
        return None
    return _decoded(path)


def _decoded(path: Path) -> bytes:
    """The picture, written anew: a file of a run folder may be anything. Raises UserError."""
    try:
        with Image.open(path) as picture:
            content = io.BytesIO()
            picture.convert("RGB").save(content, "PNG")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} is no readable picture: say pictures=false") from error
    return content.getvalue()
