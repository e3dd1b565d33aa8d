"""Style relevance: how far a picture has the colours and the texture of its exemplar, by features of VGG-19.

Zhang et al. 2020 (CoCosNet), after their own scripts: cosines of mean features. They take Caffe's weights and the
regions of a segmentation at 256 pixels; here it is torchvision's weights, the whole picture and its own size, so the
third decimal is not to be compared with theirs.
"""

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from suite.networks.vgg import VGG


class StyleRelevance(nn.Module):
    """`sr_colour` by relu1_2, `sr_texture` by relu2_2, and `sr`, their mean, the one figure of Liu 2021. 1: as alike
    as can be.

    vgg19: torchvision's file; None is a VGG-19 of random weights.
    """

    def __init__(self, vgg19: Path | None) -> None:
        super().__init__()
        self.network = VGG(19, "relu2_2", vgg19)

    def forward(self, fake: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Pictures (B, 1 or 3, H, W) in [-1, 1] and their exemplars, of any size, to three (B,), float32."""
        of_fake, of_style = (self.network.taps(pictures, ("relu1_2", "relu2_2")) for pictures in (fake, style))
        colour, texture = (style_relevance(*features) for features in zip(of_fake, of_style, strict=True))
        return {"sr_colour": colour, "sr_texture": texture, "sr": (colour + texture) / 2}


def style_relevance(
    fake_features: Tensor, style_features: Tensor, mask_fake: Tensor | None = None, mask_style: Tensor | None = None
) -> Tensor:
    """The cosine of the mean features of pictures and of their exemplars, (B, C, H, W) each, to (B,).

    masks: (B, R, H', W') of R regions, 1 within and 0 without, the same in both; features are enlarged to their size.
    The figure is then the mean over the regions that both have, each with its area in the picture as weight, and 0
    where they have none in common. Without masks the whole picture is the region.
    """
    fake, area = _means(fake_features, mask_fake)
    style, area_of_style = _means(style_features, mask_style)
    weight = area * (area_of_style > 0)
    cosines = F.cosine_similarity(fake, style, dim=2)
    return (cosines * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)


def _means(features: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """The mean features of each region (B, R, C), and how many places it has (B, R)."""
    if mask is None:
        return features.mean(dim=(2, 3))[:, None], features.new_ones(len(features), 1)
    mask = mask.to(features)
    area = mask.sum(dim=(2, 3))
    enlarged = F.interpolate(features, size=mask.shape[2:], mode="nearest")
    return (mask.flatten(2) @ enlarged.flatten(2).mT) / area.clamp(min=1)[..., None], area
