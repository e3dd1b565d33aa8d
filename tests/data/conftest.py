"""Pictures on disk and picture data sets of a few pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from suite.data.module import PictureData

MakePicture = Callable[..., Path]


@pytest.fixture
def picture(tmp_path: Path) -> MakePicture:
    """picture("side/name.png", size=(w, h), level=grey level, or seed=noise): writes an RGB picture."""

    def make(name: str, size: tuple[int, int] = (12, 10), level: int | None = None, seed: int = 0) -> Path:
        path = tmp_path / name
        if path.exists():  # a second data set of the same test sees the same files
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        if level is None:
            pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
        else:
            pixels = np.full((size[1], size[0], 3), level, np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return make


@pytest.fixture
def unpaired(tmp_path: Path, picture: MakePicture) -> Callable[..., PictureData]:
    """unpaired(photos=5, drawings=7, **arguments): data whose pictures are noise, of side 10 cropped to 8."""

    def make(photos: int = 5, drawings: int = 7, test: int = 3, **arguments: Any) -> PictureData:
        for folder, count in (("trainA", photos), ("trainB", drawings), ("testA", test), ("testB", test + 1)):
            for number in range(count):
                picture(f"set/{folder}/{number}.png", seed=hash((len(folder), folder[-1] == "A", number)) % 2**31)
        defaults: dict[str, Any] = {"size": 8, "load_size": 10, "workers": 0, "batch_size": 2, "seed": 1}
        where = {"root": str(tmp_path / "set"), "cache_dir": str(tmp_path / "cache")}
        return PictureData(source="unpaired_folders", **(where | defaults | arguments))

    return make


@pytest.fixture
def paired(tmp_path: Path, picture: MakePicture) -> Callable[..., PictureData]:
    """paired(pairs=6, same=False, **arguments): pairs of noise; with `same` both sides are one picture."""

    def make(pairs: int = 6, same: bool = False, shape: tuple[int, int] = (12, 10), **arguments: Any) -> PictureData:
        for number in range(pairs):
            picture(f"pairs/photos/{number}.png", shape, seed=number)
            picture(f"pairs/sketches/{number}.png", shape, seed=number if same else 1000 + number)
        defaults: dict[str, Any] = {"size": 8, "load_size": 10, "workers": 0, "batch_size": 2, "seed": 1}
        where = {"root": str(tmp_path / "pairs"), "cache_dir": str(tmp_path / "cache"), "a": "photos", "b": "sketches"}
        return PictureData(source="paired_folders", **(where | {"task": "paired"} | defaults | arguments))

    return make
