"""From the loader's uint8 to what networks take, on the device: ranges, simulated sketches, random crops and flips."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from kornia.augmentation import AugmentationSequential, RandomCrop, RandomHorizontalFlip
from torch import Tensor

from suite.data.batch import Batch
from suite.data.pictures import Pictures
from suite.data.sketching import bold, erased, simulate
from suite.images import uint8_to_unit, unit_to_signed, unit_to_uint8

_OF_ONE_SCENE = ("a", "b", "drawings")
_STROKES = 6  # keeps this use of the seed apart from the others, see splits.py, tasks.py and loading.py
STROKES = 4  # sketches of a picture in the task self_supervised: as it is, bold, erased, bold and erased


@dataclass(frozen=True)
class Sketched:
    """Makes sketches of photos, see suite/data/sketching.py; `channels` of them, all alike."""

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


def sketcher(pictures: Pictures) -> Sketched | None:
    """What `data.sketch` asks for, if it does."""
    if pictures.sketch is None:
        return None
    channels = pictures.channels_a if pictures.swap else pictures.channels_b
    return Sketched(pictures.sketch, pictures.sketch_options, channels)


class Augment:
    """uint8 batches to float32 in [-1, 1], in training cropped to `size` and mirrored with probability `flip`.

    What shows one scene is cropped and mirrored alike, what does not on its own. With `sketch` the pictures of
    `drawing_side`, which come as photos, become sketches. With `strokes` a batch gets `drawings`: its sketches as they
    are, bold, erased, and both (Liu 2021, section on the self-supervised auto-encoder). The random numbers come from
    torch's global generator on the CPU, for strokes in evaluation from (`seed`, index of the picture): there, and only
    there, the device is waited for.
    """

    def __init__(
        self,
        size: int,
        load_size: int,
        crop: bool,
        flip: float,
        drawing_side: Literal["a", "b"] = "b",
        sketch: Sketched | None = None,
        strokes: bool = False,
        seed: int = 0,
    ) -> None:
        steps: list[RandomCrop | RandomHorizontalFlip] = []
        if crop and load_size > size:
            # Copies the pixels as they are, in one kernel a batch; `resample` warps them and takes 3 times as long.
            steps.append(RandomCrop((size, size), cropping_mode="slice"))
        if flip > 0:
            steps.append(RandomHorizontalFlip(p=flip))
        self.geometry = AugmentationSequential(*steps, data_keys=["input"]) if steps else None
        self.drawing_side, self.sketch, self.strokes, self.seed = drawing_side, sketch, strokes, seed

    @torch.no_grad()
    def __call__(self, batch: Batch, training: bool) -> Batch:
        """The batch with its pictures converted; in training, all of one side have one size."""
        scene = {key: uint8_to_unit(batch[key]) for key in _OF_ONE_SCENE if key in batch}
        alone = {"target": uint8_to_unit(batch["target"])} if "target" in batch else {}
        if training and self.geometry is not None:
            if batch["paired"]:
                scene = self._alike(scene)
            else:
                scene = {key: self.geometry(picture) for key, picture in scene.items()}
            alone = {key: self.geometry(picture) for key, picture in alone.items()}
        if self.sketch is not None:
            self._draw(scene, self.sketch)
        if self.strokes:
            scene["drawings"] = self._stroked(scene[self.drawing_side], None if training else batch["index"])
            batch = batch | {"drawing_count": torch.full_like(batch["index"], STROKES)}
        return batch | {key: unit_to_signed(picture) for key, picture in (scene | alone).items()}

    def _draw(self, scene: dict[str, Tensor], sketch: Sketched) -> None:
        if self.drawing_side in scene:
            scene[self.drawing_side] = sketch(scene[self.drawing_side])
        if "drawings" in scene:  # of a photo there is one
            scene["drawings"] = scene[self.drawing_side].unsqueeze(1)

    def _stroked(self, sketch: Tensor, index: Tensor | None) -> Tensor:
        """(B, C, H, W) to (B, 4, C, H, W). With `index` (B,), a picture's strokes don't depend on its batch."""
        kept = torch.stack([sketch, bold(sketch)], dim=1)
        if index is None:
            return torch.cat([kept, erased(kept.flatten(0, 1)).unflatten(0, kept.shape[:2])], dim=1)
        pictures = zip(kept, index.tolist(), strict=True)
        return torch.cat(
            [kept, torch.stack([erased(of_one, generator=self._of(at)) for of_one, at in pictures])], dim=1
        )

    def _of(self, index: int) -> torch.Generator:
        """The random numbers of one picture's strokes in evaluation."""
        return torch.Generator().manual_seed(int(np.random.default_rng((self.seed, _STROKES, index)).integers(2**63)))

    def _alike(self, pictures: dict[str, Tensor]) -> dict[str, Tensor]:
        """One geometry for all pictures of a scene: they go through as the channels of one picture."""
        assert self.geometry is not None
        stacked = {key: picture.flatten(1, -3) for key, picture in pictures.items()}  # (B, K, C, H, W) -> (B, KC, H, W)
        moved = self.geometry(torch.cat(list(stacked.values()), dim=1))
        parts = moved.split([picture.shape[1] for picture in stacked.values()], dim=1)
        return {
            key: part.unflatten(1, pictures[key].shape[1:-2]).contiguous()
            for key, part in zip(pictures, parts, strict=True)
        }
