"""The yardstick of `suite.bench.loader`: pictures loaded as the published CycleGAN and pix2pix code does it.

After github.com/junyanz/pytorch-CycleGAN-and-pix2pix, data/unaligned_dataset.py, aligned_dataset.py, base_dataset.py:
every sample opens its files, and torchvision makes float tensors of them in the worker. Pairs lie in two files here.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import InterpolationMode, functional


class PlainPictures(Dataset[dict[str, Any]]):
    """A picture of each side, float32 (3, size, size) in [-1, 1]; `paired`: the same number, cut and mirrored alike.

    Both sides are brought to `load_size`, then cut out at random. `length`: samples; the pictures come round again.
    """

    def __init__(
        self, a: Sequence[Path], b: Sequence[Path], paired: bool, size: int, load_size: int, flip: float, length: int
    ) -> None:
        self.a, self.b, self.paired, self.length = a, b, paired, length
        self.size, self.load_size, self.flip = size, load_size, flip

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        path_a = self.a[index % len(self.a)]
        path_b = self.b[index % len(self.b)] if self.paired else random.choice(self.b)
        seen = self._drawn()
        sample = {
            "A": self._picture(path_a, *seen),
            "B": self._picture(path_b, *(seen if self.paired else self._drawn())),
        }
        return sample | {"A_paths": str(path_a), "B_paths": str(path_b)}

    def _drawn(self) -> tuple[tuple[int, int], bool]:
        """Left and top of the window, and whether it is mirrored."""
        rest = self.load_size - self.size
        return (random.randint(0, rest), random.randint(0, rest)), random.random() < self.flip

    def _picture(self, path: Path, corner: tuple[int, int], mirrored: bool) -> Any:
        picture: Any = Image.open(path).convert("RGB")
        picture = functional.resize(picture, [self.load_size, self.load_size], InterpolationMode.BICUBIC)
        left, top = corner
        picture = picture.crop((left, top, left + self.size, top + self.size))
        if mirrored:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return functional.normalize(functional.to_tensor(picture), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def plain_loader(pictures: PlainPictures, batch_size: int, workers: int) -> DataLoader[dict[str, Any]]:
    return DataLoader(pictures, batch_size=batch_size, shuffle=True, num_workers=workers, drop_last=True)
