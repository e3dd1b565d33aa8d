"""The task self_supervised (Liu et al. 2021): pairs, strokes to erase, subsets of photos to classify, other styles."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from suite.data.pictures.loading import Place, PlaceInTurn
from suite.data.pictures.tasks import WHOLE, PairedPictures, Sampling, View
from suite.sketching import rectangles

# Keep these uses of the seed apart from the others, see splits.py, loading.py and tasks.py.
_STROKES, _SIBLING, _SUBSET, _TURN, _STYLE = 6, 7, 8, 9, 10


class SelfSupervisedPictures(Dataset[dict[str, Any]]):
    """Pairs, and with each what will be `erased` of its sketch and of the bold one: (2, times, 4) corners.

    Rectangles of a square of `size` pixels. In training others in each epoch, in evaluation those of the index.

    In training `sibling` is another drawing of the photo, cut and mirrored alike, or the same one where there is one
    alone. With a `subset` of so many photos, or of all where there are fewer, one of these and one of its drawings
    stand beside the pair, with a view of their own; `subset_label` is the photo's place in the subset. The subsets of
    successive turns go through the photos in a random order, then in another; what is left over at the end of an order
    is in none of its subsets.

    In evaluation `style` is the photo of another pair, drawn with the seed. There are as many samples as pairs, or
    `mismatched`: beyond the last pair the pairs come round again, with other styles.
    """

    def __init__(
        self, pairs: PairedPictures, size: int, seed: int, subset: int | None = None, mismatched: int | None = None
    ) -> None:
        self.pairs, self.size, self.seed, self.mismatched = pairs, size, seed, mismatched
        self.population = pairs.population
        # How many photos a subset has; None: no subsets.
        self.classes = None if subset is None or pairs.sampling is None else min(subset, len(pairs.pairs))

    def __len__(self) -> int:
        return len(self.pairs) if self.mismatched is None else self.mismatched

    def __getitem__(self, place: Place | PlaceInTurn | int) -> dict[str, Any]:
        epoch, index, turn = (*place, 0)[:3] if isinstance(place, tuple) else (0, place, 0)
        if (sampling := self.pairs.sampling) is None:
            return self._evaluated(index) | self._erased(index)
        sample = self.pairs[epoch, index] | self._erased(epoch, index)
        sample["sibling"] = self._sibling(sampling, epoch, index)
        if self.classes is not None:
            sample |= self._of_subset(self.classes, sampling, epoch, index, turn)
        return sample

    def _erased(self, *place: int) -> dict[str, Tensor]:
        of_place = np.random.default_rng((self.seed, _STROKES, *place))
        generator = torch.Generator().manual_seed(int(of_place.integers(2**63)))
        return {"erased": rectangles(2, self.size, self.size, generator=generator)}

    def _evaluated(self, index: int) -> dict[str, Any]:
        count = len(self.pairs.pairs)
        pair, fresh = index % count, index < count
        other = int(np.random.default_rng((self.seed, _STYLE, index)).integers(count - 1))
        other += other >= pair  # any but the pair itself
        of_style = {"style": self._photo(other, WHOLE), "key_style": self.pairs.photos.keys[self.pairs.pairs[other][0]]}
        return self.pairs[0, pair] | {"index": index, "fresh_a": fresh, "fresh_b": fresh} | of_style

    def _sibling(self, sampling: Sampling, epoch: int, index: int) -> Tensor:
        choice = self.pairs.choose(epoch, index)
        drawing, count = choice.drawing, len(self.pairs.pairs[choice.pair][1])
        if count > 1:
            other = int(sampling.generator(epoch, index, _SIBLING).integers(count - 1))
            drawing = other + (other >= choice.drawing)
        return self._drawing(choice.pair, drawing, choice.view)

    def _of_subset(self, classes: int, sampling: Sampling, epoch: int, index: int, turn: int) -> dict[str, Any]:
        count = len(self.pairs.pairs)
        number, part = divmod(turn, count // classes)
        generator = sampling.generator(epoch, index, _SUBSET)
        label = int(generator.integers(classes))
        pair = int(_order(self.seed, number, count)[part * classes + label])
        view = sampling.view(generator)
        drawing = int(generator.integers(len(self.pairs.pairs[pair][1])))
        pictures = {"subset": self._photo(pair, view), "subset_drawing": self._drawing(pair, drawing, view)}
        return pictures | {"subset_label": label, "classes": classes, "turn": turn}

    def _photo(self, pair: int, view: View) -> Tensor:
        return self.pairs.photos.picture(self.pairs.pairs[pair][0], view)

    def _drawing(self, pair: int, number: int, view: View) -> Tensor:
        if self.pairs.simulated:  # on the device, of the photo
            return self._photo(pair, view)
        return self.pairs.drawings.picture(self.pairs.pairs[pair][1][number], view)


@lru_cache(maxsize=2)
def _order(seed: int, number: int, count: int) -> NDArray[np.int64]:
    """The order of all photos that the subsets are cut from, before another begins; kept for the samples of a turn."""
    return np.random.default_rng((seed, _TURN, number)).permutation(count)
