"""From the loader's uint8 to what networks take, on the device: ranges, and in training a random crop and flip."""

import torch
from kornia.augmentation import AugmentationSequential, RandomCrop, RandomHorizontalFlip
from torch import Tensor

from suite.data.batch import Batch
from suite.images import uint8_to_unit, unit_to_signed

_PICTURES = ("a", "b", "drawings")


class Augment:
    """uint8 batches to float32 in [-1, 1], in training cropped to `size` and mirrored with probability `flip`.

    What shows one scene is cropped and mirrored alike, what does not on its own. The random numbers come from torch's
    global generator on the CPU; the device is never waited for.
    """

    def __init__(self, size: int, load_size: int, crop: bool, flip: float) -> None:
        steps: list[RandomCrop | RandomHorizontalFlip] = []
        if crop and load_size > size:
            # Copies the pixels as they are, in one kernel a batch; `resample` warps them and takes 3 times as long.
            steps.append(RandomCrop((size, size), cropping_mode="slice"))
        if flip > 0:
            steps.append(RandomHorizontalFlip(p=flip))
        self.geometry = AugmentationSequential(*steps, data_keys=["input"]) if steps else None

    @torch.no_grad()
    def __call__(self, batch: Batch, training: bool) -> Batch:
        """The batch with its pictures converted; in training, all of one side have one size."""
        pictures = {key: uint8_to_unit(batch[key]) for key in _PICTURES if key in batch}
        if training and self.geometry is not None:
            if batch["paired"]:
                pictures = self._alike(pictures)
            else:
                pictures = {key: self.geometry(picture) for key, picture in pictures.items()}
        return batch | {key: unit_to_signed(picture) for key, picture in pictures.items()}

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
