"""Every sketch in every style, as one picture."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from suite import images
from suite.data.catalog import PictureFile
from suite.data.depth import Depth
from suite.data.pictures.decode import Fit
from suite.errors import UserError
from suite.papers.base import Direction, Paper, source_side
from suite.papers.styled import StyledPaper
from suite.translating.fitting import resize

AT_ONCE = 8  # sketches in a batch: few enough for 1024 pixels


def draw_grid(
    model: Paper,
    inputs: Sequence[Path],
    styles: Sequence[Path],
    columns: int,
    direction: Direction,
    mix: int = 1,
    advance: Callable[[], object] = lambda: None,
    depth: Depth = "auto",
) -> Image.Image:
    """The inputs down the left, the styles along the top, and what the model makes of them between.

    mix: how many styles, one after the other, make one column. depth: as in training.
    Raises UserError for a file that is no picture.
    """
    side = model.fixed_size
    assert side is not None, "a model of styles reads one size"
    of_input = Fit(side, model.hparams[f"channels_{source_side(direction)}"], "squash", depth=depth)
    of_style = Fit(side, model.hparams["channels_b"], "squash", depth=depth)
    given = torch.stack([read(path, of_input) for path in inputs])
    shown = [styles[number % len(styles)] for number in range(columns + mix - 1)]  # of a folder of any size
    pictures = [read(path, of_style) for path in shown]
    top = torch.stack([mixed(pictures[number : number + mix]) for number in range(columns)])
    sketches = [signed(part, model) for part in given.split(AT_ONCE)]
    if direction == "b2b":  # once, whatever the styles
        assert isinstance(model, StyledPaper)
        with torch.no_grad():
            sketches = [model.draw_lines(photos) for photos in sketches]
    made = []
    for style in top:
        model.take_style(signed(style[None], model))
        made.append(torch.cat([images.signed_to_uint8(model.translate(part)).cpu() for part in sketches]))
        advance()
    left, top, *made = map(images.to_rgb, (given, top, *made))
    return images.to_pil(images.table(left, top, made))


def read(path: Path, fit: Fit) -> Tensor:
    """A picture file as uint8 (C, side, side). Raises UserError where it can't be decoded."""
    try:
        return torch.from_numpy(fit.decode(PictureFile(path)).copy())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no readable picture ({' '.join(str(error).split())})") from error


def signed(pictures: Tensor, model: Paper) -> Tensor:
    """uint8 to [-1, 1], where the model is."""
    return images.unit_to_signed(images.uint8_to_unit(pictures.to(model.device)))


def mixed(pictures: Sequence[Tensor]) -> Tensor:
    """One picture of one, two or four, uint8 (3, side, side): whole ones, beside each other or in quarters."""
    if len(pictures) == 1:
        return pictures[0]
    side = pictures[0].shape[-1]
    height, width = (side, side // 2) if len(pictures) == 2 else (side // 2, side // 2)
    parts = [resize(picture, height, width) for picture in pictures]
    rows = [torch.cat(parts[start : start + 2], dim=2) for start in range(0, len(parts), 2)]
    return torch.cat(rows, dim=1)
