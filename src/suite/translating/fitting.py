"""Pictures of any size for networks that read only some: padded, or squashed to the one size, and brought back."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from suite import images
from suite.data.pictures.decode import Array
from suite.papers.base import Direction, Paper, source_side


class Fitted(NamedTuple):
    """Pixels that the networks read, uint8 (C, H, W), and the size of the picture that they were made of."""

    pixels: Tensor
    height: int
    width: int


@dataclass(frozen=True)
class Fitting:
    """What the networks of a model read in one direction."""

    channels: int
    divisor: int  # of both sides
    fixed_size: int | None  # pixels: the one side that is read; None: any that divides

    @classmethod
    def of(cls, model: Paper, direction: Direction) -> Self:
        return cls(model.hparams[f"channels_{source_side(direction)}"], model.divisor, model.fixed_size)

    def fit(self, picture: Array) -> Fitted:
        """Bring a picture, uint8 (C, H, W), to a size that is read: reflected at its lower right, or squashed."""
        height, width = picture.shape[1:]
        pixels = torch.from_numpy(picture.copy())  # those of a grey file are read-only, of which torch warns
        if self.fixed_size is not None:
            return Fitted(resize(pixels, self.fixed_size, self.fixed_size), height, width)
        return Fitted(images.padded(pixels, self.divisor), height, width)

    def back(self, result: Tensor, fitted: Fitted) -> Tensor:
        """The translation of `fitted`, uint8 (C, H, W), in the size of its picture."""
        if self.fixed_size is not None:
            return resize(result, fitted.height, fitted.width)
        return result[:, : fitted.height, : fitted.width]


def resize(picture: Tensor, height: int, width: int) -> Tensor:
    """uint8 (C, H, W) to another size, bicubic and anti-aliased, as training pictures are."""
    if picture.shape[1:] == (height, width):
        return picture
    array = np.array(images.to_pil(picture).resize((width, height), Image.Resampling.BICUBIC))
    return torch.from_numpy(array.reshape(height, width, -1)).permute(2, 0, 1).contiguous()
