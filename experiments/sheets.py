"""What the papers' scripts share: columns of pictures, each below its title, as one small file."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw
from torch import Tensor

from suite.images import signed_to_uint8, to_pil, to_rgb

Column = tuple[str, Tensor]  # a title, and pictures (N, 1 or 3, S, S) in [-1, 1]


def draw(columns: Sequence[Column], path: Path, colours: int = 128, edge: int = 96) -> None:
    """Write columns of pictures, `edge` pixels a side each, in so many colours."""
    rows = max(len(of_column) for _, of_column in columns)
    sheet = Image.new("RGB", (edge * len(columns), edge * rows + 14), "white")
    for x, (title, of_column) in enumerate(columns):
        ImageDraw.Draw(sheet).text((x * edge + 2, 1), title, fill="black")
        for y, picture in enumerate(of_column):
            tile = to_pil(signed_to_uint8(to_rgb(picture[None]))[0])
            sheet.paste(tile.resize((edge, edge), Image.Resampling.BICUBIC), (x * edge, y * edge + 14))
    sheet.quantize(colours).save(path, optimize=True)
