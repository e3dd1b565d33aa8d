"""From the loader's uint8 to what networks take, on the device: ranges, simulated sketches, strokes of sketches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from suite.data.batch import Batch
from suite.data.keys import DataKeys
from suite.images import uint8_to_signed, uint8_to_unit, unit_to_signed, unit_to_uint8
from suite.sketching import bold, erase, simulate

_PICTURES = ("a", "b", "drawings", "target", "target_truth", "sibling", "subset", "subset_drawing", "style")
STROKES = 4  # sketches of a picture in the task self_supervised: as it is, bold, erased, bold and erased


@dataclass(frozen=True)
class Sketched:
    """Makes sketches of photos, see suite/sketching.py; `channels` of them, all alike."""

    style: str
    options: Mapping[str, Any]
    channels: int

    def __call__(self, photos: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) in [0, 1] to (B, channels, H, W) in [0, 1]."""
        return simulate(self.style, photos, **self.options).expand(-1, self.channels, -1, -1)

    def of_uint8(self, photo: Tensor) -> Tensor:
        """One photo (1 or 3, H, W) to (channels, H, W), both uint8."""
        return unit_to_uint8(self(uint8_to_unit(photo)[None]))[0]

    def fingerprint(self) -> str:
        """What changes when the sketches do."""
        return "-".join([self.style, *(f"{key}={self.options[key]}" for key in sorted(self.options))])


def sketcher(keys: DataKeys) -> Sketched | None:
    """What `data.sketch` asks for, if it does."""
    if keys.sketch is None:
        return None
    return Sketched(keys.sketch, keys.sketch_options or {}, keys.channels_a if keys.swap else keys.channels_b)


def seen(pictures: Tensor, view: Tensor, size: int, beyond: Literal["border", "zeros"] = "border") -> Tensor:
    """Square windows of pictures, mirrored, zoomed in and turned, in one bilinear step (Dong 2017, section 4).

    pictures: (B, C, H, W). view: (B, 6) float32, of each: top and left of the window in pixels, 1 where it is mirrored,
    the share of its height and of its width that is seen, and the degrees that this is turned counterclockwise. Gives
    (B, C, size, size); what lies beyond the edge of a picture is the pixel there (`border`), or 0.
    """
    top, left, mirrored, down, across, degrees = view[:, :, None, None].unbind(1)
    centres = (2 * torch.arange(size, device=view.device) + 1) / size - 1  # of pixels: -1 .. 1 from edge to edge
    y, x = centres[:, None], centres[None, :]
    cos, sin = torch.deg2rad(degrees).cos(), torch.deg2rad(degrees).sin()
    # Backwards, from what is seen to what is there. Element by element: affine_grid multiplies matrices, which may be
    # in TF32, and places would be wrong by a quarter of a pixel.
    rows, columns = down * (x * sin + y * cos), (1 - 2 * mirrored) * across * (x * cos - y * sin)
    height, width = pictures.shape[-2:]
    rows = (2 * top + size * (1 + rows)) / height - 1
    columns = (2 * left + size * (1 + columns)) / width - 1
    grid = torch.stack([columns, rows], dim=-1)
    return grid_sample(pictures, grid, mode="bilinear", padding_mode=beyond, align_corners=False)


class Finish:
    """uint8 batches to float32 in [-1, 1]. Nothing in it is random, and the device is never waited for.

    With `sketch` the pictures of `drawing_side`, and other drawings, which come as photos, become sketches. Where a
    batch says what is `erased`, it gets `drawings`: its sketches as they are, bold, erased, and both (Liu 2021, section
    on the self-supervised auto-encoder). Where it says what `view` there is of `a`, that is all that is left of `a`:
    `size` pixels a side.
    """

    def __init__(self, drawing_side: Literal["a", "b"] = "b", sketch: Sketched | None = None, size: int = 256) -> None:
        self.drawing_side, self.sketch, self.size = drawing_side, sketch, size

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Batch:
        if self.sketch is None and not {"erased", "view"} & batch.keys():
            return batch | {key: uint8_to_signed(batch[key]) for key in _PICTURES if key in batch}
        pictures = {key: uint8_to_unit(batch[key]) for key in _PICTURES if key in batch}
        if "view" in batch:
            batch = dict(batch)
            pictures["a"] = seen(pictures["a"], batch.pop("view"), self.size)
        if self.sketch is not None:
            self._draw(pictures, self.sketch)
        if "erased" in batch:
            pictures["drawings"] = self._stroked(pictures[self.drawing_side], batch["erased"])
            batch = batch | {"drawing_count": torch.full_like(batch["index"], STROKES)}
        return batch | {key: unit_to_signed(picture) for key, picture in pictures.items()}

    def _draw(self, pictures: dict[str, Tensor], sketch: Sketched) -> None:
        if self.drawing_side in pictures:
            pictures[self.drawing_side] = sketch(pictures[self.drawing_side])
        if "drawings" in pictures:  # of a photo there is one
            pictures["drawings"] = pictures[self.drawing_side].unsqueeze(1)
        if "sibling" in pictures:  # likewise
            pictures["sibling"] = pictures[self.drawing_side]
        if "subset_drawing" in pictures:
            pictures["subset_drawing"] = sketch(pictures["subset_drawing"])

    def _stroked(self, sketch: Tensor, corners: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 4, C, H, W); `corners` (B, 2, times, 4) of the sketch and of the bold one."""
        kept = torch.stack([sketch, bold(sketch)], dim=1)
        rough = erase(kept.flatten(0, 1), corners.flatten(0, 1)).unflatten(0, kept.shape[:2])
        return torch.cat([kept, rough], dim=1)
