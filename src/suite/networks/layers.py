"""What every network of the suite is made of: normalisation and doubling by name, the field's weight initialisation."""

from typing import Annotated, Literal

from torch import Tensor, nn

from suite.arguments import Range
from suite.errors import UserError

Norm = Literal["instance", "batch", "none"]
Upsample = Literal["transpose", "resize"]

# What networks may measure. Published ones have widths of 64 to 256; sizes end at 2**13 pixels.
Width = Annotated[int, Range(least=1, most=1024)]  # channels
Halvings = Annotated[int, Range(least=1, most=14)]


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """The normalisation layer of a name: InstanceNorm without parameters, BatchNorm with, or nothing."""
    match norm:
        case "instance":
            return nn.InstanceNorm2d(channels)
        case "batch":
            return nn.BatchNorm2d(channels)
        case "none":
            return nn.Identity()
    raise UserError(f"norm={norm!r} is unknown: use instance, batch or none")


def has_bias(norm: Norm) -> bool:
    """Whether a convolution before this normalisation has a bias: BatchNorm brings its own."""
    return norm != "batch"


def double(upsample: Upsample, inputs: int, outputs: int, kernel: int, bias: bool = True) -> nn.Module:
    """(B, inputs, H, W) -> (B, outputs, 2H, 2W): a transposed convolution, or nearest neighbours and a 3x3 convolution.

    A transposed convolution writes some pixels more often than others, wherever its kernel, here that of `transpose`,
    is no multiple of the stride, and learns to write all alike where it is: until then pictures are checkered.
    Source: Odena 2016, "Deconvolution and Checkerboard Artifacts".
    """
    match upsample:
        case "transpose":
            padding, more = (kernel - 1) // 2, kernel % 2
            return nn.ConvTranspose2d(
                inputs, outputs, kernel, stride=2, padding=padding, output_padding=more, bias=bias
            )
        case "resize":
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect", bias=bias)
            return nn.Sequential(nn.Upsample(scale_factor=2), convolution)
    raise UserError(f"upsample={upsample!r} is unknown: use transpose or resize")


def changed(picture: Tensor, drawn: Tensor) -> Tensor:
    """A picture with a generator's change to it: tanh(h + atanh(0.95 picture)), where `drawn` is tanh(h).

    picture: (B, C, H, W) and drawn: (..., B, C', H, W) in [-1, 1]; where C and C' differ, the picture's mean counts.
    A generator that has learned nothing yet, whose h is near 0, returns the picture, so colours need not be learned.
    Source: "ResOut" of DeblurGAN (Kupyn 2018). The sum is taken inside tanh, which needs no clamping, and 0.95 leaves
    room to change what is black or white.
    """
    if picture.shape[1] != drawn.shape[-3]:
        picture = picture.mean(1, keepdim=True)
    kept = 0.95 * picture
    return (drawn + kept) / (1 + drawn * kept)  # tanh of a sum, by its addition theorem


def uses_batch_statistics(network: nn.Module) -> bool:
    """Whether a picture's output depends on the others in its batch, so that passes must not be fused."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def differs_in_training(network: nn.Module) -> bool:
    """Whether a network makes other pictures in training mode: by the statistics of the batch, or by dropout."""
    return uses_batch_statistics(network) or any(
        isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0 for module in network.modules()
    )


def keep_training_behaviour(network: nn.Module) -> None:
    """Let a network in eval mode normalise by the batch it is given, and drop out, as it did in training.

    Its running statistics stay as they are: from now on, in training too. Source: Isola 2017, section 3.3.
    """
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.train().momentum = 0.0
        elif isinstance(module, nn.modules.dropout._DropoutNd):
            module.train()


def init_normal(network: nn.Module, gain: float = 0.02) -> None:
    """Draw every convolution and linear weight from N(0, gain), BatchNorm scales from N(1, gain); biases 0.

    Source: DCGAN (Radford 2015), kept by pix2pix and CycleGAN.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, gain)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, gain)
            nn.init.zeros_(module.bias)
