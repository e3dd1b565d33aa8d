"""Write built-in faces and their simulated sketches: python -m suite.sketching docs/sketches.png"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from suite.errors import UserError
from suite.faces import LARGEST, SMALLEST, FaceParameters, draw
from suite.images import signed_to_uint8, to_pil, to_rgb, uint8_to_unit, unit_to_signed
from suite.sketching import SKETCHES, bold, erase, rectangles, simulate


def contact_sheet(rows: int, size: int, seed: int) -> Image.Image:
    """A row for each of the first faces of a series: photo, its sketch in every style, the last one bold and erased."""
    faces = [draw(FaceParameters.sample(seed, index), "photo", size) for index in range(rows)]
    photos = uint8_to_unit(torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2))
    sketches = [simulate(style, photos) for style in SKETCHES]
    # A seed with which, by default, every row shows what is erased.
    gone = rectangles(rows, size, size, generator=torch.Generator().manual_seed(33))
    rough = [bold(sketches[-1]), erase(sketches[-1], gone)]
    columns = [to_rgb(picture) for picture in (photos, *sketches, *rough)]
    sheet = torch.stack(columns, dim=3).permute(1, 0, 2, 3, 4).reshape(3, rows * size, len(columns) * size)
    return to_pil(signed_to_uint8(unit_to_signed(sheet)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m suite.sketching", description=__doc__)
    parser.add_argument("picture", type=Path, help="the PNG to write")
    parser.add_argument("--rows", type=int, default=4, help="faces, one a row (default 4)")
    parser.add_argument("--size", type=int, default=160, help="pixels of one picture, 32 to 1024 (default 160)")
    parser.add_argument("--seed", type=int, default=93, help="which series of faces (default 93)")
    options = parser.parse_args()
    if options.rows < 1 or options.seed < 0 or not SMALLEST <= options.size <= LARGEST:
        raise UserError(f"--rows must be at least 1, --seed at least 0 and --size from {SMALLEST} to {LARGEST}")
    sheet = contact_sheet(options.rows, options.size, options.seed)
    try:
        sheet.save(options.picture, format="PNG", optimize=True)
    except OSError as error:
        raise UserError(f"{options.picture} can't be written: {error.strerror or error}") from error
    print(f"{options.picture}: {options.rows} faces, {sheet.width} x {sheet.height} pixels")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
