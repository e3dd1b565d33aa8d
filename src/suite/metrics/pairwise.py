"""Distances between a picture and its true counterpart, one figure a picture.

Both are float32 (B, C, H, W) in [-1, 1] (values outside are clamped by the caller); every function returns (B,).
"""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from suite.images import to_rgb

SIGNED_RANGE = (-1.0, 1.0)
# Equal pictures have infinite PSNR, and one of them would make the mean of a set infinite. A single 8-bit step in one
# value of a 256 x 256 RGB picture already lies at 101 dB.
PSNR_CEILING = 100.0


def psnr(fake: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB over all channels, at most `PSNR_CEILING`. Higher is better."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    values = peak_signal_noise_ratio(fake, truth, data_range=SIGNED_RANGE, reduction="none", dim=(1, 2, 3))
    return values.clamp(max=PSNR_CEILING)


def ssim(fake: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity, Gaussian window 11 with sigma 1.5 (Wang et al. 2004), 1 for equal pictures."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    return structural_similarity_index_measure(fake, truth, data_range=SIGNED_RANGE, reduction="none")  # type: ignore[return-value]


def l1(fake: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference on the scale of the training losses: 0 for equal pictures, 2 for black to white."""
    return (fake - truth).abs().mean(dim=(1, 2, 3))


class LPIPS(nn.Module):
    """Learned perceptual distance with AlexNet, version 0.1 (Zhang et al. 2018). 0 for equal pictures.

    The linear heads come with the lpips package, AlexNet's weights from `alexnet` (torchvision's file).
    """

    def __init__(self, alexnet: str | Path) -> None:
        import lpips

        super().__init__()
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")  # lpips' old `pretrained=`
            self.network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
        weights = torch.load(alexnet, map_location="cpu", weights_only=True)
        trunk = self.network.net
        # lpips cuts AlexNet's `features` into slices and keeps each layer's number: slice2.3 is features.3.
        trunk.load_state_dict({key: weights[f"features.{key.split('.', 1)[1]}"] for key in trunk.state_dict()})
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "LPIPS":
        return super().train(False)

    def forward(self, fake: Tensor, truth: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) in [-1, 1], at least 32 pixels a side, to (B,) float32 under any autocast."""
        with torch.autocast(fake.device.type, enabled=False):
            return self.network(to_rgb(fake.float()), to_rgb(truth.float())).flatten()
