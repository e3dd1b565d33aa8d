"""Write the contact sheet of the built-in faces: python -m suite.faces docs/faces.png"""

import argparse
import sys
from pathlib import Path

from PIL import Image

from suite.errors import UserError
from suite.faces import contact_sheet


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m suite.faces", description=__doc__)
    parser.add_argument("picture", type=Path, help="the PNG to write")
    parser.add_argument("--rows", type=int, default=8, help="faces, one a row (default 8)")
    parser.add_argument("--size", type=int, default=128, help="pixels of one face, 32 to 1024 (default 128)")
    # By default a series whose first faces happen to show most of what there is.
    parser.add_argument("--seed", type=int, default=93, help="which series of faces (default 93)")
    options = parser.parse_args()
    if options.rows < 1 or options.seed < 0:
        raise UserError("--rows must be at least 1 and --seed at least 0")
    sheet = contact_sheet(options.rows, options.size, options.seed)
    try:
        Image.fromarray(sheet).save(options.picture, format="PNG", optimize=True)
    except OSError as error:
        raise UserError(f"{options.picture} can't be written: {error.strerror or error}") from error
    print(f"{options.picture}: {options.rows} faces, {sheet.shape[1]} x {sheet.shape[0]} pixels")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
