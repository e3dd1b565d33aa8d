"""Pictures to try a model with: some that its run validates on, as the run reads them."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from PIL import Image

from suite import images
from suite.data.keys import Side
from suite.data.module import PictureData
from suite.demo_page.trained import saved_config
from suite.errors import UserError
from suite.run import folder
from suite.run.config import plain
from suite.run.stored import distant_place, said_places
from suite.run.words import escaped

_COUNT = 8  # of a side: a row on the page
_TRIES = 4 * _COUNT  # pictures that are opened for it, where some are broken


class Examples:
    """The pictures of a run's validation, or where it has none of its test.

    data_root: the folder of its data set, where it lies elsewhere now. Lists the data and opens no picture; nothing is
    put into a cache. Raises UserError where they are not there: it says why.
    """

    def __init__(self, run: Path, data_root: Path | None = None) -> None:
        saved = saved_config(run)
        if saved is None:
            raise UserError(f"{run} is a checkpoint by itself, which knows no data")
        if data_root is not None:
            saved.data.root, saved.data.streaming = escaped(str(data_root)), None
        if distant := distant_place(saved.data):
            raise UserError(f"the pictures are not on this machine but in {distant}")
        self.places = said_places(saved.data)
        self._data = PictureData(**plain(saved.data))
        self._data.kept = folder.kept_splits(folder.run_of(run), saved.data)
        if not self._data.holds_out:
            raise UserError(f"{run} holds no pictures out, and those of training would show too much of it")

    def write(self, folder: Path) -> dict[str, list[Path]]:
        """Some of each side of a batch as files in a folder, each of another scene; broken ones are left out."""
        found: dict[str, list[Path]] = {}
        for side in ("a", "b"):
            if side in self._data.picture_keys:
                pictures = islice(self._readable(side), _COUNT)
                found[side] = [_written(picture, folder / f"{side}{n}.png") for n, picture in enumerate(pictures)]
        return found

    def _readable(self, key: Side) -> Iterator[Image.Image]:
        data = self._data
        fit = data.fit(data.kind(key), training=False, of_target=data.of_target(key))
        simulated = data.sketcher if data.kind(key) == "drawing" and not data.of_target(key) else None
        scenes: set[int] = set()
        for shown in data.listed("val", key):
            if shown.scene in scenes:
                continue
            if len(scenes) == _TRIES:
                return
            scenes.add(shown.scene)
            try:
                pixels = torch.from_numpy(fit.decode(shown.picture).copy())
            except (OSError, ValueError):
                continue
            yield images.to_pil(pixels if simulated is None else simulated.of_uint8(pixels))


def _written(picture: Image.Image, path: Path) -> Path:
    picture.save(path)
    return path
